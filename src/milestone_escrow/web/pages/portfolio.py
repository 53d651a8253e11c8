"""All agreements of the signed-in account: what needs it now, and where the money is."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from milestone_escrow.chain.contract.events import Event
from milestone_escrow.chain.contract.replay import undelivered
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.viewers import Asking, Viewer, require_account
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.web.cashflow import Chart, charts
from milestone_escrow.web.deal import deal as deal_of
from milestone_escrow.web.page_deps import Web, WebDeps
from milestone_escrow.web.rendering import page
from milestone_escrow.web.shapes import Deal, Todo

router = APIRouter(route_class=CarefulRoute)

MOST = 200
COLUMNS = (
    "reference", "title", "role", "milestone", "status", "amount", "currency", "held",
    "undelivered", "due", "agreement",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One agreement in the list; `words` is what a search looks through."""

    deal: Deal
    role: str
    needs: tuple[Todo, ...]
    words: str


@router.get("/portfolio")
def show(web: Web, viewer: Asking) -> HTMLResponse:
    rows, drawn = _rows(web, viewer) if viewer.account else ((), ())
    needs = [(row.deal, todo) for row in rows for todo in row.needs]
    return page("portfolio.html", viewer, here="portfolio", rows=rows, needs=needs, charts=drawn)


@router.get("/portfolio.csv")
def as_csv(web: Web, viewer: Asking) -> Response:
    """One line for each milestone, for a spreadsheet."""
    account = require_account(viewer)
    views = _views(web, viewer)
    text = spreadsheet(views, _events(web, views), account)
    headers = {"Content-Disposition": 'attachment; filename="agreements.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def spreadsheet(
    views: Sequence[DocumentedView], events: Mapping[bytes, Sequence[Event]], account: Address
) -> str:
    """One line for each milestone; `undelivered` is what of it waits to be withdrawn."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for view in views:
        agreement, role = view.agreement, view.role_of(account)
        waiting = undelivered(view, events[view.id])
        for stage in view.views:
            due = stage.planned.due if stage.planned else None
            cells = (
                agreement.reference,
                agreement.title,
                role,
                stage.title,
                stage.state.status.name.lower(),
                _plain(view, stage.milestone.amount),
                agreement.token_symbol,
                _plain(view, stage.held),
                _plain(view, sum(one.units for one in waiting if one.milestone == stage.index)),
                due.isoformat() if due else "",
                "0x" + view.id.hex(),
            )
            writer.writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def _events(web: WebDeps, views: Sequence[DocumentedView]) -> dict[bytes, Sequence[Event]]:
    with web.api.store.reading() as connection:
        return {view.id: viewing.events(connection, view) for view in views}


def _rows(web: WebDeps, viewer: Viewer) -> tuple[tuple[Row, ...], tuple[Chart, ...]]:
    views = _views(web, viewer)
    with web.api.store.reading() as connection:
        now = web.api.chain_now(connection)
    events = _events(web, views)
    network = web.api.settings.network
    rows = []
    for view in views:
        # The list shows no evidence and no history, so neither is looked up.
        deal = deal_of(view, network, now, events[view.id], viewer=viewer.account)
        role = view.role_of(viewer.account or "")
        needs = tuple(todo for todo in deal.todos if todo.is_needed and todo.who == "you")
        names = " ".join(name for _, name, _, _ in deal.people)
        words = f"{deal.reference} {deal.title} {names} {role}".lower()
        rows.append(Row(deal, role, needs, words))
    return tuple(rows), charts(views, events)


def _views(web: WebDeps, viewer: Viewer) -> list[DocumentedView]:
    with web.api.store.reading() as connection:
        ids = viewing.ids_of(connection, viewer.account)[:MOST]
        views = map(viewing.documented, viewing.agreements(connection, ids))
        return [view for view in views if view]


def _plain(view: DocumentedView, units: int) -> str:
    return view.agreement.amount(units).rpartition(" ")[0].replace(",", "")


def _safe(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell[:1] in "=+-@\t\r" else cell
