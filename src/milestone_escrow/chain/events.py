"""The contract's events, typed. Together they tell everything; see `replay`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from milestone_escrow.chain.codec import Values, interface
from milestone_escrow.chain.structs import indices, read_milestone, read_terms
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
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
    """What had been credited was paid."""

    place: Place
    token: Address
    account: Address
    amount: int


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

_BUILDERS: dict[str, Callable[[Place, Values], Event]] = {
    "AgreementOpened": lambda at, v: AgreementOpened(
        at,
        v["agreementId"],
        v["buyer"],
        v["supplier"],
        read_terms(v["terms"]),
        tuple(read_milestone(milestone) for milestone in v["milestones"]),
    ),
    "MilestonesFunded": lambda at, v: MilestonesFunded(
        at, v["agreementId"], v["funder"], indices(v["milestones"]), v["amount"]
    ),
    "MilestoneAttested": lambda at, v: MilestoneAttested(
        at,
        v["agreementId"],
        v["milestone"],
        Verdict(v["verdict"]),
        v["amount"],
        v["evidenceHash"],
        v["issuedAt"],
        indices(v["signers"]),
        v["clock"],
    ),
    "MilestoneSubmitted": lambda at, v: MilestoneSubmitted(
        at, v["agreementId"], v["milestone"], v["payee"], v["evidenceHash"], v["clock"]
    ),
    "MilestoneDisputed": lambda at, v: MilestoneDisputed(
        at, v["agreementId"], v["milestone"], v["party"], v["reasonHash"], v["clock"]
    ),
    "MilestoneRuled": lambda at, v: MilestoneRuled(
        at, v["agreementId"], v["milestone"], v["toPayee"], v["toBuyer"], v["reasonHash"]
    ),
    "MilestoneResolved": lambda at, v: MilestoneResolved(
        at, v["agreementId"], v["milestone"], v["toPayee"], v["toBuyer"]
    ),
    "MilestoneFinalized": lambda at, v: MilestoneFinalized(
        at, v["agreementId"], v["milestone"], Status(v["status"])
    ),
    "MilestonePaid": lambda at, v: MilestonePaid(
        at, v["agreementId"], v["milestone"], v["payee"], v["toPayee"], v["fee"], v["toBuyer"]
    ),
    "AttestationSkipped": lambda at, v: AttestationSkipped(
        at, v["agreementId"], v["milestone"], v["reason"]
    ),
    "MilestoneAssigned": lambda at, v: MilestoneAssigned(
        at, v["agreementId"], v["milestone"], v["assignee"], v["payee"], v["price"]
    ),
    "AgreementAmended": lambda at, v: AgreementAmended(
        at, v["replaces"], v["agreementId"], indices(v["closes"]), v["carried"]
    ),
    "PayoutCredited": lambda at, v: PayoutCredited(at, v["token"], v["account"], v["amount"]),
    "CreditWithdrawn": lambda at, v: CreditWithdrawn(at, v["token"], v["account"], v["amount"]),
}


def read_event(log: Mapping[str, Any], time: int) -> Event | None:
    """A JSON-RPC log as a typed event, or None where it is not one of the contract's."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    found = interface("MilestoneEscrow").event(topics, bytes.fromhex(log["data"][2:]))
    if found is None or found[0] not in _BUILDERS:
        return None
    place = Place(
        int(log["blockNumber"], 16), time, log["transactionHash"], int(log["logIndex"], 16)
    )
    return _BUILDERS[found[0]](place, found[1])
