"""What the operator's own tools ask."""

from __future__ import annotations

from milestone_escrow.oracle.api.bodies.common import Body


class Health(Body):
    """The process runs."""

    status: str


class Check(Body):
    """One thing that must be in order; `text` says what is found."""

    name: str
    ok: bool
    text: str


class Readiness(Body):
    """Whether the service can do its work now."""

    ready: bool
    checks: list[Check]
