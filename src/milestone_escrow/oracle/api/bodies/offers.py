"""Offers of receivables."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from milestone_escrow.oracle.api.bodies.common import (
    Account,
    Amount,
    Body,
    Hash,
    Index,
    Moment,
    Person,
)


class OfferPost(Body):
    """The file that `escrow receivable offer` writes, with one offer."""

    format: Literal["1"]
    agreement: dict[str, Any]
    acts: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1)]


class OfferBody(Body):
    """An offer that stands: whoever pays `price` receives what the milestone pays, now `held`.
    `financier` is who alone may buy, null for anyone; `file` is what they buy with."""

    digest: Hash
    agreement_id: Hash
    milestone: Index
    seller: Person
    financier: Account | None
    price: Amount
    held: Amount
    valid_until: Moment
    file: dict[str, Any]


class OfferList(Body):
    """The offers of a milestone's receivable that stand, the newest first."""

    items: list[OfferBody]
