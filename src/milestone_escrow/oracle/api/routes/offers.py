"""Offers of receivables: handed in by whoever has the payee's signature, shown to who may buy."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts, loads_acts
from milestone_escrow.errors import LifecycleError
from milestone_escrow.oracle import proposals
from milestone_escrow.oracle.api import view_bodies
from milestone_escrow.oracle.api.bodies.common import hexed, moment
from milestone_escrow.oracle.api.bodies.offers import OfferBody, OfferList, OfferPost
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.idempotency import Answer
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    OPEN,
    PEOPLE,
    AgreementId,
    IdempotencyKey,
    Index,
    SignedIn,
    limited,
    once,
)
from milestone_escrow.oracle.api.viewers import (
    Asking,
    Deps,
    find,
    require_reader,
    stage,
    visible,
)
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.receivables import Offer, price

router = APIRouter(
    prefix="/v1/agreements/{agreement_id}/milestones/{index}/offers",
    tags=["offers"],
    route_class=CarefulRoute,
)


@router.post(
    "",
    summary="Hand in an offer",
    status_code=201,
    response_model=OfferBody,
    responses={
        200: {"model": OfferBody, "description": "It was here already"},
        **documented(401, 403, 404, 409, 413, 415, 422),
    },
    dependencies=[JSON_ONLY, limited("write")],
    openapi_extra=OPEN,
)
def hand_in_offer(
    deps: Deps,
    viewer: Asking,
    agreement_id: AgreementId,
    index: Index,
    body: OfferPost,
    key: IdempotencyKey = None,
) -> Response:
    """Nobody needs to be signed in: the payee's signature says whose offer it is. It is shown to
    whoever may buy, and its people are reminded of it before it ends."""
    view = find(deps, agreement_id, viewer)
    stage(view, index)
    signed = _read(deps, view, index, body)

    def work(connection: Connection) -> Answer:
        now = deps.chain_now(connection)
        try:
            is_new = proposals.take_offer(connection, view, signed, viewer.name, now)
        except LifecycleError as error:
            raise Problem(409, error.message, kind="offer-void", hint=error.hint) from error
        answer = _body(deps, visible(view, viewer), signed).model_dump_json()
        return Answer(201 if is_new else 200, answer)

    asked = ("offers", agreement_id, index, body.model_dump_json())
    return once(deps, key, viewer.name, asked, work)


@router.get(
    "",
    summary="List standing offers",
    responses=documented(401, 403, 404, 422),
    openapi_extra=PEOPLE,
)
def list_offers(deps: Deps, viewer: SignedIn, agreement_id: AgreementId, index: Index) -> OfferList:
    """All of them for the agreement's own people; for a financier, those that name them."""
    view = find(deps, agreement_id, viewer)
    stage(view, index)
    with deps.store.reading() as connection:
        found = proposals.offers(connection, view, index, deps.chain_now(connection))
    if not viewer.may_read(view):
        found = [one for one in found if _offer(one).financier == viewer.account]
        if not found:
            require_reader(viewer, view)
    shown = visible(view, viewer)
    return OfferList(items=[_body(deps, shown, one) for one in found])


def _read(deps: ApiDeps, view: AgreementView, index: int, body: OfferPost) -> SignedAct:
    """The one offer of the file, its signatures checked.

    Raises:
        Problem: it is no offer of this milestone.
        DocumentError: it is damaged, forged, or about another agreement.
    """
    if view.signed is None:
        raise Problem(
            409,
            "the agreement's document is not known here",
            hint="hand it in first, with POST /v1/agreements",
        )
    text = json.dumps(body.model_dump())
    (signed,) = loads_acts(text, view.signed.bound, deps.wallets, file="the offer")
    if not isinstance(signed.act, Offer):
        raise Problem(422, f"this is a {signed.kind} and not an offer")
    if signed.act.milestone != index:
        raise Problem(422, "the offer is of another milestone than the path names")
    return signed


def _offer(signed: SignedAct) -> Offer:
    assert isinstance(signed.act, Offer)
    return signed.act


def _body(deps: ApiDeps, view: AgreementView, signed: SignedAct) -> OfferBody:
    offer, network = _offer(signed), deps.settings.network
    anyone = offer.financier == ZERO_ADDRESS
    rest = view.views[offer.milestone].held
    return OfferBody(
        digest=hexed(signed.typed_data.digest()),
        agreement_id=hexed(view.id),
        milestone=offer.milestone,
        seller=view_bodies.person(view, view.payee(offer.milestone), offer.milestone),
        financier=None if anyone else offer.financier,
        price=view_bodies.money(price(offer, rest), view, network),
        held=view_bodies.money(rest, view, network),
        valid_until=moment(offer.valid_until),
        file=json.loads(dumps_acts([signed])),
    )
