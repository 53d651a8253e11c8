"""Changing an open agreement: the new text beside what it changes, and the orders that wait."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from milestone_escrow.deals.changes import order_now
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.change_orders.change_order import ChangeOrder
from milestone_escrow.documents.when import format_time
from milestone_escrow.documents.written import text_of
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import proposals
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.viewers import Asking, Viewer, require_person
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.web.page_deps import Web, WebDeps
from milestone_escrow.web.pages.acts import network_of, with_document
from milestone_escrow.web.pages.agreement import of
from milestone_escrow.web.pages.new import LIMITED, DraftBody, trouble_of
from milestone_escrow.web.rendering import page
from milestone_escrow.web.steps.amending import written
from milestone_escrow.words.standing import person

router = APIRouter(route_class=CarefulRoute)


@router.get("/a/{agreement_id}/amend")
def write(agreement_id: str, web: Web, viewer: Asking) -> HTMLResponse:
    view = _changeable(web, agreement_id, viewer)
    text = text_of(view.agreement)
    return page("amend.html", viewer, here="", deal=of(web, view, viewer), text=text)


@router.post("/web/a/{agreement_id}/amend/look", dependencies=LIMITED)
def look(agreement_id: str, body: DraftBody, web: Web, viewer: Asking) -> JSONResponse:
    """What a text would change, while it is written."""
    view = _changeable(web, agreement_id, viewer)
    try:
        _, order = written(web, view, body.text)
    except EscrowError as error:
        return JSONResponse({"error": trouble_of(error), "changes": [], "effects": []})
    shown = {"error": "", "changes": order.difference.to_json(), "effects": list(order.effects())}
    return JSONResponse(shown)


@router.post("/web/a/{agreement_id}/amend", dependencies=LIMITED)
def order(agreement_id: str, body: DraftBody, web: Web, viewer: Asking) -> JSONResponse:
    """Write the change order down, for everybody to sign."""
    view = _changeable(web, agreement_id, viewer)
    account = require_person(viewer, view)
    change, _ = written(web, view, body.text)
    with web.api.store.transaction() as connection:
        proposals.drop_unsigned_changes(connection, view.id)
        digest = proposals.keep_change(connection, change, account, web.api.now())
    return JSONResponse({"url": f"/a/0x{view.id.hex()}/amend/0x{digest.hex()}"}, 201)


@router.get("/a/{agreement_id}/amend/{digest}")
def show(agreement_id: str, digest: str, web: Web, viewer: Asking) -> HTMLResponse:
    view = with_document(web, agreement_id, viewer)
    with web.api.store.reading() as connection:
        change = proposals.change(connection, view.id, digest, web.api.wallets)
    found: ChangeOrder | None = None
    trouble = ""
    try:
        found = order_now(Table(view.signed, web.escrow), change)
    except EscrowError as error:
        trouble = error.message
    bound = view.bound
    return page(
        "change.html",
        viewer,
        here="",
        deal=of(web, view, viewer),
        order=found,
        changes=found.difference.changes if found else (),
        digest=digest,
        trouble=trouble,
        until=format_time(change.valid_until, bound.agreement.timezone),
        signers=[
            (person(bound, who), who in change.signatures)
            for who in dict.fromkeys(found.signers if found else ())
        ],
        network=network_of(web),
    )


def _changeable(web: WebDeps, agreement_id: str, viewer: Viewer) -> DocumentedView:
    """An open agreement, for one of its own people.

    Raises:
        Problem: it is not open, or no longer the newest version; or a stranger asks.
    """
    view = with_document(web, agreement_id, viewer)
    require_person(viewer, view)
    if not view.opened_block or view.replaced_by:
        raise Problem(
            409,
            "only an open agreement's newest version can be changed",
            hint="an agreement that is not open yet is simply written anew",
        )
    return view
