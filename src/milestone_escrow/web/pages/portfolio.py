"""All agreements of the signed-in account."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from milestone_escrow.oracle import book
from milestone_escrow.oracle.api.viewers import Asking
from milestone_escrow.web.deps import Web
from milestone_escrow.web.pages.agreement import of
from milestone_escrow.web.rendering import page

router = APIRouter()


@router.get("/portfolio")
def show(web: Web, viewer: Asking) -> HTMLResponse:
    deals = []
    if viewer.account:
        with web.api.store.reading() as connection:
            ids = book.ids_of(connection, viewer.account)
            views = book.agreements(connection, ids)
        deals = [of(web, view, viewer) for view in views if view.signed]
    return page("portfolio.html", viewer, here="portfolio", deals=deals)
