"""What is known about one milestone when its requirements are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address

JsonValue: TypeAlias = (
    "bool | int | Decimal | str | list[JsonValue] | Mapping[str, JsonValue] | None"
)


@dataclass(frozen=True, slots=True)
class SuppliedFile:
    """A piece of evidence; `role` is who supplied it, as the agreement calls them.

    `stored` is false where only its hash was given.
    """

    name: str
    kind: str
    media_type: str
    size: int
    sha256: bytes
    supplied_by: Address
    role: str
    added_at: int
    stored: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """A verifier's signed verdict; `amount` is what it certifies so far, token units."""

    account: Address
    verdict: Verdict
    amount: int
    issued_at: int
    valid_until: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Event:
    """An authenticated event, with whatever else its sender said in `data`."""

    source: str
    name: str
    data: Mapping[str, JsonValue]
    seen_at: int


@dataclass(frozen=True, slots=True)
class Look:
    """The last look at an address: the value found, or why there was none.

    `since` is when it first looked like this, `seen_at` when it was last looked at.
    """

    url: str
    pointer: str
    value: JsonValue
    error: str
    since: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a requirement may be judged by.

    Attributes:
        people: accounts by their names in the agreement.
        payees: accounts whose own word is not proof: the supplier, and whoever is paid.
        payee_hosts: internet hosts of the supplier, as the agreement names them.
        amount: what the milestone pays, token units, over its whole life in this agreement.
        issued_at: verdicts signed at or before this second no longer count on chain.
        settled: milestones that are settled, by key, with the second when.
        files, statements, events: in the order in which they came.
    """

    people: Mapping[str, Address] = field(default_factory=dict)
    payees: frozenset[Address] = frozenset()
    payee_hosts: frozenset[str] = frozenset()
    amount: int = 0
    issued_at: int = 0
    settled: Mapping[str, int] = field(default_factory=dict)
    files: tuple[SuppliedFile, ...] = ()
    statements: tuple[Statement, ...] = ()
    events: tuple[Event, ...] = ()
    looks: tuple[Look, ...] = ()

    def is_payee(self, role: str) -> bool:
        """Whether a party of the agreement is on the receiving side."""
        return role == "supplier" or self.people.get(role) in self.payees
