"""One agreement: what is paid for, where it stands, who must act next."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from milestone_escrow.chain.contract.events import Event
from milestone_escrow.oracle import proposals, viewing
from milestone_escrow.oracle.api import viewers
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.viewers import Asking, Viewer
from milestone_escrow.oracle.signing.counting import words_behind
from milestone_escrow.oracle.viewing import AgreementView, DocumentedView, documented
from milestone_escrow.web.deal import deal
from milestone_escrow.web.page_deps import Web, WebDeps
from milestone_escrow.web.rendering import page
from milestone_escrow.web.shapes import Deal
from milestone_escrow.web.showing import shown_of

router = APIRouter(route_class=CarefulRoute)


@router.get("/a/{agreement_id}")
def show(agreement_id: str, web: Web, viewer: Asking) -> HTMLResponse:
    view = find(web, agreement_id, viewer)
    if known := documented(view):
        return page("agreement.html", viewer, here="", deal=of(web, known, viewer))
    return page("bare.html", viewer, here="", view=view, network=web.api.settings.network)


@router.get("/a/{agreement_id}/live")
def live(agreement_id: str, web: Web, viewer: Asking) -> HTMLResponse:
    """The part of the page that changes, which the page puts in place when told of an event."""
    view = documented(find(web, agreement_id, viewer))
    if view is None:
        raise Problem(404, "the document of this agreement is not known here")
    return page("live.html", viewer, deal=of(web, view, viewer))


def find(web: WebDeps, agreement_id: str, viewer: Viewer) -> AgreementView:
    """The agreement as the viewer may see it.

    Raises:
        Problem: 404.
    """
    digits = agreement_id.removeprefix("0x")
    if len(digits) != 64 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise Problem(404, "no agreement is known under this address")
    return viewers.visible(viewers.find(web.api, "0x" + digits.lower(), viewer), viewer)


def of(web: WebDeps, view: DocumentedView, viewer: Viewer) -> Deal:
    with web.api.store.reading() as connection:
        now = web.api.chain_now(connection)
        events = viewing.events(connection, view)
        changes = proposals.changes(connection, view.id)
        known = words_behind(connection, hashes(events))
        shown = {
            stage.index: shown_of(connection, view, stage.index, now, viewer.account)
            for stage in view.views
        }
    network = web.api.settings.network
    return deal(
        view,
        network,
        now,
        events,
        recall=lambda digest: known.get(digest, {}),
        shown=shown,
        changes=changes,
        viewer=viewer.account,
    )


def hashes(events: Iterable[Event]) -> set[bytes]:
    """What events commit to: evidence and reasons."""
    names = ("evidence_hash", "reason_hash")
    return {getattr(event, name) for event in events for name in names if hasattr(event, name)}
