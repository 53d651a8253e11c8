"""Read-only links to one agreement, for those without a wallet: an accountant, an insurer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from milestone_escrow.oracle.api import read_links
from milestone_escrow.oracle.api.bodies.access import LinkBody, LinkList, LinkRequest, NewLinkBody
from milestone_escrow.oracle.api.bodies.common import hexed, moment, moment_or_none
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import Problem, documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    PEOPLE,
    AgreementId,
    SignedIn,
    limited,
)
from milestone_escrow.oracle.api.viewers import Deps, Viewer, find, require_account, require_person
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address

router = APIRouter(
    prefix="/v1/agreements/{agreement_id}/links", tags=["links"], route_class=CarefulRoute
)


@router.post(
    "",
    summary="Make a read-only link",
    status_code=201,
    responses=documented(401, 403, 404, 413, 415, 422),
    dependencies=[JSON_ONLY, limited("write")],
    openapi_extra=PEOPLE,
)
def make_link(
    deps: Deps, viewer: SignedIn, agreement_id: AgreementId, body: LinkRequest
) -> NewLinkBody:
    """Buyer and supplier can let others read, until it expires or is revoked."""
    view = find(deps, agreement_id, viewer)
    account, now = _require_party(viewer, view), deps.now()
    with deps.store.transaction() as connection:
        token, link = read_links.create(
            connection, view.id, account, now, now + body.days * read_links.DAY, body.purpose
        )
    url = f"{deps.settings.origin}/v1/agreements/{hexed(view.id)}?link={token}"
    return NewLinkBody(link=_body(link), token=token, url=url)


@router.get(
    "",
    summary="List links",
    responses=documented(401, 403, 404, 422),
    openapi_extra=PEOPLE,
)
def list_links(deps: Deps, viewer: SignedIn, agreement_id: AgreementId) -> LinkList:
    """Every link of an agreement, for buyer and supplier; never what opens it."""
    view = find(deps, agreement_id, viewer)
    _require_party(viewer, view)
    with deps.store.reading() as connection:
        found = read_links.of_agreement(connection, view.id)
    return LinkList(items=[_body(link) for link in found])


@router.delete(
    "/{link_id}",
    summary="Revoke a link",
    status_code=204,
    responses=documented(401, 403, 404, 422),
    dependencies=[limited("write")],
    openapi_extra=PEOPLE,
)
def revoke_link(
    deps: Deps,
    viewer: SignedIn,
    agreement_id: AgreementId,
    link_id: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
) -> Response:
    """From now on it opens nothing. Either party can revoke every link."""
    view = find(deps, agreement_id, viewer)
    account = _require_party(viewer, view)
    with deps.store.transaction() as connection:
        if not read_links.revoke(connection, view.id, link_id, account, deps.now()):
            raise Problem(404, "the agreement has no such link")
    return Response(status_code=204)


def _require_party(viewer: Viewer, view: AgreementView) -> Address:
    if viewer.account is None:
        return require_account(viewer)
    account = require_person(viewer, view)
    if account not in (view.terms.buyer, view.terms.supplier):
        raise Problem(403, "links are made and revoked by buyer and supplier only")
    return account


def _body(link: read_links.ReadLink) -> LinkBody:
    return LinkBody(
        id=link.id,
        purpose=link.purpose,
        issued_by=link.issued_by,
        issued_at=moment(link.issued_at),
        expires_at=moment(link.expires_at),
        revoked_at=moment_or_none(link.revoked_at),
    )
