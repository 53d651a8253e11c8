"""The contract's events, typed. Together they tell everything; see `replay`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, get_args

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.event_words import (
    Reader,
    read_opening,
    reader,
    words,
)
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hexes import hexed, quantity
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import Milestone, Terms


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: its block and that block's Unix time, its transaction, its index."""

    block: int
    time: int
    transaction: str
    log_index: int


@dataclass(frozen=True, slots=True)
class AgreementOpened:
    """Both parties agreed; everything about the agreement is in here."""

    place: Place
    agreement_id: bytes
    buyer: Address
    supplier: Address
    terms: Terms
    milestones: tuple[Milestone, ...]


@dataclass(frozen=True, slots=True)
class MilestonesFunded:
    """`funder` paid in `amount` for these milestones."""

    place: Place
    agreement_id: bytes
    funder: Address
    milestones: tuple[int, ...]
    amount: int


@dataclass(frozen=True, slots=True)
class MilestoneAttested:
    """A quorum decided; `signers` are places in the agreement's list of verifiers."""

    place: Place
    agreement_id: bytes
    milestone: int
    verdict: Verdict
    amount: int
    evidence_hash: bytes
    issued_at: int
    signers: tuple[int, ...]
    clock: int


@dataclass(frozen=True, slots=True)
class MilestoneSubmitted:
    """The payee says that it is done; silence pays at `clock`."""

    place: Place
    agreement_id: bytes
    milestone: int
    payee: Address
    evidence_hash: bytes
    clock: int


@dataclass(frozen=True, slots=True)
class MilestoneDisputed:
    """`party` objected; the arbiter may rule until `clock`."""

    place: Place
    agreement_id: bytes
    milestone: int
    party: Address
    reason_hash: bytes
    clock: int


@dataclass(frozen=True, slots=True)
class MilestoneRuled:
    """The arbiter split what was held."""

    place: Place
    agreement_id: bytes
    milestone: int
    to_payee: int
    to_buyer: int
    reason_hash: bytes


@dataclass(frozen=True, slots=True)
class MilestoneResolved:
    """Whoever gave something up agreed to this split."""

    place: Place
    agreement_id: bytes
    milestone: int
    to_payee: int
    to_buyer: int


@dataclass(frozen=True, slots=True)
class MilestoneFinalized:
    """Time decided, out of `status`."""

    place: Place
    agreement_id: bytes
    milestone: int
    status: Status


@dataclass(frozen=True, slots=True)
class MilestonePaid:
    """Money left a milestone: `to_payee` is net of `fee`."""

    place: Place
    agreement_id: bytes
    milestone: int
    payee: Address
    to_payee: int
    fee: int
    to_buyer: int

    @property
    def total(self) -> int:
        return self.to_payee + self.fee + self.to_buyer


@dataclass(frozen=True, slots=True)
class AttestationSkipped:
    """An item of a batch could no longer be decided; `reason` is an error's selector."""

    place: Place
    agreement_id: bytes
    milestone: int
    reason: bytes


@dataclass(frozen=True, slots=True)
class MilestoneAssigned:
    """The right to the payout went from `payee` to `assignee` for `price`."""

    place: Place
    agreement_id: bytes
    milestone: int
    assignee: Address
    payee: Address
    price: int


@dataclass(frozen=True, slots=True)
class AgreementAmended:
    """Milestones of `replaces` are settled; the `carried` amount moved to `agreement_id`."""

    place: Place
    replaces: bytes
    agreement_id: bytes
    closes: tuple[int, ...]
    carried: int


@dataclass(frozen=True, slots=True)
class PayoutCredited:
    """`account` could not receive; the amount waits for `withdraw`."""

    place: Place
    token: Address
    account: Address
    amount: int


@dataclass(frozen=True, slots=True)
class CreditWithdrawn:
    """`amount` of what had been credited was paid; `remaining` goes on waiting."""

    place: Place
    token: Address
    account: Address
    amount: int
    remaining: int


Event: TypeAlias = (
    AgreementOpened
    | MilestonesFunded
    | MilestoneAttested
    | MilestoneSubmitted
    | MilestoneDisputed
    | MilestoneRuled
    | MilestoneResolved
    | MilestoneFinalized
    | MilestonePaid
    | AttestationSkipped
    | MilestoneAssigned
    | AgreementAmended
    | PayoutCredited
    | CreditWithdrawn
)

_CLASSES: tuple[type[Event], ...] = get_args(Event)

# What a word means beyond its ABI type.
_MEANINGS = {
    ("MilestonesFunded", "milestones"): "bitmap",
    ("MilestoneAttested", "verdict"): "verdict",
    ("MilestoneAttested", "signers"): "bitmap",
    ("MilestoneFinalized", "status"): "status",
    ("AgreementAmended", "closes"): "bitmap",
}


@dataclass(frozen=True, slots=True)
class _Shape:
    """How an event lies in its log: what reads each of its words, topics first."""

    build: Callable[..., Event]
    topics: int
    readers: tuple[Reader, ...]


@lru_cache
def _shapes() -> Mapping[str, _Shape]:
    """Each event's shape by its first topic. Fields stand in the order of the ABI."""
    classes = {known.__name__: known for known in _CLASSES}
    shapes: dict[str, _Shape] = {}
    for topic, entry in interface("MilestoneEscrow").events.items():
        if entry.name in classes:
            readers = tuple(
                reader(_MEANINGS.get((entry.name, p["name"])) or p["type"])
                for p in entry.inputs
                # Only the opening has parts of changing length; see `read_opening`.
                if not p["type"].startswith("tuple")
            )
            topics = sum(p["indexed"] for p in entry.inputs)
            shapes[hexed(topic)] = _Shape(classes[entry.name], topics, readers)
    return shapes


def read_event(log: Mapping[str, Any], time: int) -> Event | None:
    """A JSON-RPC log as a typed event, or None where it is not one of the contract's.

    Raises:
        ChainError: it bears the name of one, but the contract cannot have written it.
    """
    try:
        topics = log["topics"]
        shape = _shapes().get(topics[0].lower()) if topics else None
        if shape is None or len(topics) != shape.topics + 1:
            return None
        place = Place(
            quantity(log["blockNumber"]), time, log["transactionHash"], quantity(log["logIndex"])
        )
        values = words(topics[1:], log["data"])
        fixed = values[: shape.topics] if shape.build is AgreementOpened else values
        parts = [read(word) for read, word in zip(shape.readers, fixed, strict=True)]
        if shape.build is AgreementOpened:
            parts += read_opening(values[shape.topics :])
        return shape.build(place, *parts)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ChainError(
            f"a log cannot be read as an event of the contract ({error})",
            hint="check that the address is the right contract, and ask another node",
        ) from None
