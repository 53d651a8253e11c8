"""The front door."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.viewers import Asking
from milestone_escrow.web.rendering import page

router = APIRouter(route_class=CarefulRoute)


@router.get("/", response_class=HTMLResponse)
def show(viewer: Asking) -> Response:
    if viewer.account:
        return RedirectResponse("/portfolio", 303)
    return page("home.html", viewer, here="")
