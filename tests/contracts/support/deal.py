"""One agreement as the tests write it: terms, milestones, and what a call about it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain, TypedData
from milestone_escrow.protocol.terms import (
    DAY,
    Milestone,
    Terms,
    agreement_id,
    agreement_typed_data,
)
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person

DEADLINE = GENESIS + 30 * DAY
AMOUNT = 1_000_000_000
EVIDENCE = b"\xe1" * 32
REASON = b"\x4e" * 32
FOREVER = 2**64 - 1


def verifier_names() -> tuple[str, ...]:
    """Three verifiers, in the order of their accounts, as the contract wants them."""
    names = ("inspector", "forwarder", "bank")
    return tuple(sorted(names, key=lambda name: int(person(name).address, 16)))


def make_terms(token: str, **changes: Any) -> Terms:
    """Three verifiers and an arbiter; no objection period, a review period, no fee."""
    terms = Terms(
        buyer=person("buyer").address,
        supplier=person("supplier").address,
        token=token,
        arbiter=person("arbiter").address,
        verifiers=tuple(person(name).address for name in verifier_names()),
        objection_period=0,
        review_period=14 * DAY,
        arbitration_period=30 * DAY,
        default_payee_bps=6_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=b"\xd0" * 32,
        salt=1,
    )
    return replace(terms, **changes)


def make_milestone(**changes: Any) -> Milestone:
    """A milestone payment that two of the three verifiers decide."""
    milestone = Milestone(AMOUNT, DEADLINE, False, 0b111, 2, b"\x4c" * 32)
    return replace(milestone, **changes)


@dataclass(frozen=True)
class Deal:
    """An agreement in one contract; indexes are the contract's."""

    domain: Domain
    terms: Terms
    milestones: tuple[Milestone, ...]

    @cached_property
    def id(self) -> bytes:
        return agreement_id(self.domain, self.terms, self.milestones)

    @property
    def typed_data(self) -> TypedData:
        return agreement_typed_data(self.domain, self.terms, self.milestones)

    @property
    def all(self) -> int:
        """The bitmap of all milestones."""
        return (1 << len(self.milestones)) - 1

    @property
    def abi_terms(self) -> tuple[Any, ...]:
        return tuple(getattr(self.terms, name) for name in Terms.__slots__)

    @property
    def abi_milestones(self) -> list[tuple[Any, ...]]:
        return [abi_milestone(milestone) for milestone in self.milestones]

    def ref(self, index: int) -> tuple[list[bytes], int, tuple[Any, ...]]:
        """The one milestone that a call is about, its own hash left zero."""
        hashes = [bytes(32) if i == index else m.hash() for i, m in enumerate(self.milestones)]
        return hashes, index, abi_milestone(self.milestones[index])

    def attestation(self, index: int = 0, **changes: Any) -> Attestation:
        """Acceptance in full, issued at genesis, unless changed; rejected amounts are 0."""
        verdict = changes.get("verdict", Verdict.ACCEPTED)
        amount = self.milestones[index].amount if verdict == Verdict.ACCEPTED else 0
        attestation = Attestation(
            self.id, index, Verdict.ACCEPTED, amount, EVIDENCE, GENESIS, FOREVER
        )
        return replace(attestation, **changes)


def abi_milestone(milestone: Milestone) -> tuple[Any, ...]:
    return tuple(getattr(milestone, name) for name in Milestone.__slots__)


def abi_attestation(attestation: Attestation) -> tuple[Any, ...]:
    values = [getattr(attestation, name) for name in Attestation.__slots__]
    return tuple(int(value) if isinstance(value, Verdict) else value for value in values)
