"""Templates to answers. Everything is escaped; scripts, styles and requests stay on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from milestone_escrow.oracle.api.viewers import Viewer

HERE = Path(__file__).parent

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types escrow",
    )
)

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

# Jinja's own makes the rest of the sentence small letters.
_environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]


def page(template: str, viewer: Viewer, status: int = 200, **values: Any) -> HTMLResponse:
    """A template as a page under the page's own policy. `viewer` shows who is signed in."""
    body = _environment.get_template(template).render(viewer=viewer, **values)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(body, status, headers)
