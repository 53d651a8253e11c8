"""Values that every answer is made of. Amounts are text, so that no reader rounds them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from milestone_escrow.documents.money import Currency, format_amount

LAST_MOMENT = 253_402_300_799
"""The last second of the year 9999: whatever lies beyond is not a date to anybody."""

HASH_PATTERN = r"^0x[0-9a-f]{64}$"
Hash: TypeAlias = Annotated[str, Field(pattern=HASH_PATTERN, examples=["0x" + "5a" * 32])]
Index: TypeAlias = Annotated[int, Field(description="Its place on chain, counted from 0")]
Account: TypeAlias = Annotated[
    str,
    Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"]),
]
UnitsText: TypeAlias = Annotated[
    str, Field(pattern=r"^(0|[1-9][0-9]{0,38})$", examples=["72000000000"])
]
HexBytes: TypeAlias = Annotated[str, Field(pattern=r"^0x([0-9a-fA-F]{2})*$", max_length=200_000)]
Seconds: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=LAST_MOMENT)]


class Body(BaseModel):
    """Read-only, and exact: an unknown field in a request is an error, not a misunderstanding."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Amount(Body):
    """Money: token units as digits, and as people read it."""

    units: UnitsText
    text: str = Field(examples=["72,000.00 USDC"])


class Moment(Body):
    """A point in time: Unix seconds, and RFC 3339 in UTC (null beyond the year 9999)."""

    unix: int
    iso: str | None


class TokenBody(Body):
    """An ERC-20 token; null where the network's table and the documents do not know it."""

    address: Account
    symbol: str | None
    decimals: int | None


class Person(Body):
    """Somebody with a role. `name` is told to the agreement's own people only."""

    account: Account
    role: str = Field(examples=["buyer"])
    name: str | None = None


def moment(seconds: int) -> Moment:
    iso = None
    if 0 <= seconds <= LAST_MOMENT:
        iso = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Moment(unix=seconds, iso=iso)


def moment_or_none(seconds: int | None) -> Moment | None:
    """None for a time that is not set, which the contract writes as 0."""
    return moment(seconds) if seconds else None


def amount(units: int, currency: Currency | None) -> Amount:
    """Without a known currency the text is the bare number of units."""
    text = format_amount(units, currency) if currency else f"{units:,} units"
    return Amount(units=str(units), text=text)


def hexed(value: bytes) -> str:
    return "0x" + value.hex()
