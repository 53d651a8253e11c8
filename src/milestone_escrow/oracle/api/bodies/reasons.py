"""Reasons of disputes and rulings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from milestone_escrow.oracle.api.bodies.common import Body, Hash, Moment


class ReasonPost(Body):
    """The text, word for word as it was hashed."""

    reason: Annotated[str, Field(min_length=1, max_length=10_000, examples=["The roof leaks"])]


class ReasonBody(Body):
    """A dispute or a ruling; `reason` is null where nobody has handed in what its hash stands for.
    Compare: `reason_hash` is the SHA-256 of the text."""

    act: Literal["dispute", "ruling"]
    at: Moment
    reason_hash: Hash
    reason: str | None


class ReasonList(Body):
    """The disputes and rulings of a milestone, oldest first."""

    items: list[ReasonBody]
