"""Agreements, their milestones with the lifecycle, and what happened to them."""

from __future__ import annotations

import json
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.values import read_account
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import agreement_pages, view_bodies
from milestone_escrow.oracle.api.bodies.agreements import (
    AgreementBody,
    AgreementList,
    MilestoneBody,
    SignedAgreementBody,
    StatusName,
)
from milestone_escrow.oracle.api.bodies.common import hexed
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.idempotency import Answer
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    PEOPLE,
    PUBLIC,
    AgreementId,
    Cursor,
    IdempotencyKey,
    Index,
    Limit,
    SignedIn,
    limited,
    once,
)
from milestone_escrow.oracle.api.viewers import (
    Asking,
    Deps,
    Viewer,
    buckets_of,
    find,
    require_account,
    stage,
    unopened,
    visible,
)
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.lifecycle import Status

router = APIRouter(prefix="/v1/agreements", tags=["agreements"], route_class=CarefulRoute)

Listed = Literal[
    "unfunded", "funded", "submitted", "release_pending", "refund_pending",
    "disputed_before_verdict", "disputed_over_verdict", "settled", "not_open",
]  # fmt: skip
assert set(get_args(StatusName)) | {"not_open"} == set(get_args(Listed))


@router.get("", summary="List agreements", responses=documented(401, 422), openapi_extra=PUBLIC)
def list_agreements(
    request: Request,
    deps: Deps,
    viewer: Asking,
    party: Annotated[
        str | None,
        Query(
            pattern=r"^0x[0-9a-fA-F]{40}$",
            description="Only those in which this account has a role",
        ),
    ] = None,
    status: Annotated[
        Listed | None,
        Query(
            description="Only those with a milestone of this status; `not_open` are your own of "
            "which only the document is known"
        ),
    ] = None,
    search: Annotated[
        str | None,
        Query(
            min_length=2,
            max_length=100,
            description="How the id begins, from 0x on; or words of a reference, a title or a "
            "name, in your own agreements",
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> AgreementList:
    """Agreements, the newest first; with reference, title and names where they are yours."""
    wanted = agreement_pages.ListQuery(
        party=read_account(party) if party else None,
        status=Status[status.upper()] if status and status != "not_open" else None,
        search=_search(search),
        cursor=cursor,
        limit=limit,
    )
    if party or search or status == "not_open":
        buckets_of(request).take("search", viewer.account or viewer.caller)
    if status == "not_open" and not viewer.is_operator and viewer.link is None:
        require_account(viewer)
    with deps.store.reading() as connection:
        page = agreement_pages.waiting if status == "not_open" else agreement_pages.opened
        views, following = page(connection, wanted, viewer)
    return AgreementList(
        items=[
            view_bodies.summary(visible(view, viewer), deps.settings, viewer.account)
            for view in views
        ],
        next=following,
    )


def _search(text: str | None) -> str:
    """An id's beginning in lower case, or words.

    Raises:
        Problem: it begins like an id and is none.
    """
    words = " ".join((text or "").split())
    if not words.lower().startswith("0x"):
        return words
    digits = words[2:].lower()
    if len(digits) > 64 or digits.strip("0123456789abcdef"):
        raise Problem(422, "no id begins like that", hint="write 0x and up to 64 hex digits")
    return "0x" + digits


@router.post(
    "",
    summary="Register an agreement's document",
    status_code=201,
    response_model=AgreementBody,
    responses={
        200: {"model": AgreementBody, "description": "It was known, with these signatures"},
        **documented(401, 403, 413, 415, 422),
    },
    dependencies=[JSON_ONLY, limited("write")],
    openapi_extra=PEOPLE,
)
def register_agreement(
    deps: Deps,
    viewer: SignedIn,
    body: SignedAgreementBody,
    key: IdempotencyKey = None,
) -> Response:
    """Let the service know what an agreement's hashes mean, before or after it is opened. Its
    people can register it, and the operator. Signatures are added to those that are known."""
    text = json.dumps(body.model_dump(), ensure_ascii=False)
    signed = SignedAgreement.loads(text, file="the document", wallets=deps.wallets)
    _require_ours(deps, signed)
    if not viewer.is_operator and viewer.account not in signed.agreement.people.values():
        raise Problem(
            403,
            f"{viewer.name} has no role in {signed.agreement.reference}",
            hint="sign in with the account of one of its people",
        )
    now = deps.now()

    def work(connection: Connection) -> Answer:
        known = viewing.documents(connection, [signed.id]).get(signed.id)
        merged = viewing.register(connection, signed, by=viewer.name, now=now)
        changed = known is None or known.signatures != merged.signatures
        viewing.require_readable(connection, signed.id)
        view = viewing.agreement(connection, signed.id) or unopened(merged)
        answer = _whole(deps, connection, view, viewer)
        return Answer(201 if changed else 200, answer.model_dump_json())

    location = f"{router.prefix}/{hexed(signed.id)}"
    return once(deps, key, viewer.name, (router.prefix, text), work, location)


def _require_ours(deps: ApiDeps, signed: SignedAgreement) -> None:
    ours, domain = deps.settings.domain, signed.domain
    if domain != ours:
        raise Problem(
            422,
            f"the document is for contract {domain.verifying_contract} on chain "
            f"{domain.chain_id}, this service watches {ours.verifying_contract} on chain "
            f"{ours.chain_id}",
            hint="register it with the service of that contract",
        )


@router.get(
    "/{agreement_id}",
    summary="One agreement",
    responses=documented(401, 404, 422),
    openapi_extra=PUBLIC,
)
def get_agreement(deps: Deps, viewer: Asking, agreement_id: AgreementId) -> AgreementBody:
    """An agreement with its terms and milestones; for its own people also its document."""
    view = find(deps, agreement_id, viewer)
    with deps.store.reading() as connection:
        return _whole(deps, connection, view, viewer)


def _whole(
    deps: ApiDeps, connection: Connection, view: AgreementView, viewer: Viewer
) -> AgreementBody:
    events, now = viewing.events(connection, view), deps.chain_now(connection)
    return view_bodies.whole(visible(view, viewer), deps.settings, viewer.account, now, events)


@router.get(
    "/{agreement_id}/milestones/{index}",
    summary="One milestone",
    responses=documented(401, 404, 422),
    openapi_extra=PUBLIC,
)
def get_milestone(
    deps: Deps, viewer: Asking, agreement_id: AgreementId, index: Index
) -> MilestoneBody:
    """A milestone with its lifecycle: what it holds, who may do what until when, and what
    happens when nobody does anything."""
    view = visible(find(deps, agreement_id, viewer), viewer)
    found = stage(view, index)
    with deps.store.reading() as connection:
        events, now = viewing.events(connection, view), deps.chain_now(connection)
    return view_bodies.milestone_body(view, found, deps.settings.network, now, events)
