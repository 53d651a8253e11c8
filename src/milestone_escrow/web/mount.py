"""The page on the oracle's application: its routes, its files, its policy."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from milestone_escrow.web.page_deps import WebDeps
from milestone_escrow.web.pages import acts, agreement, amending, home, new, portfolio
from milestone_escrow.web.rendering import HERE


def mount(app: FastAPI, deps: WebDeps) -> None:
    """Serve the page beside the API of the same application."""
    app.state.web = deps
    for room in (home, new, portfolio, agreement, amending, acts):
        app.include_router(room.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
