"""When two verdicts of one verifier on one milestone contradict each other, and what is too late.

Pure functions. A verifier may say more later, but not something else while what it said before can
still be used: whoever holds both would choose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.terms import Milestone, Terms

AHEAD = 600
"""Seconds that an attestation may be issued in the future, because clocks differ."""


@dataclass(frozen=True)
class MilestoneCase:
    """One milestone that can be attested: what was agreed, and where it stands."""

    agreement_id: bytes
    index: int
    terms: Terms
    milestone: Milestone
    state: State

    @cached_property
    def verifiers(self) -> tuple[Address, ...]:
        return self.terms.verifiers_of(self.milestone)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not taken: `error` is a name for programs, `reason` a sentence.

    `account` is whose signature it is about; "" where it is the attestation itself.
    """

    error: str
    reason: str
    account: Address = ""


def contradicts(earlier: Attestation, later: Attestation) -> bool:
    """Whether `later` takes back what `earlier` says of the same milestone.

    A certificate is cumulative, so certifying more takes nothing back; certifying less does. A
    return for rework has no effect on chain, so nothing takes it back.
    """
    if earlier.verdict is Verdict.RETURNED:
        return False
    if earlier.verdict is not later.verdict:
        return True
    return later.amount < earlier.amount


def is_conflict(new: Attestation, signed: Attestation) -> bool:
    """Whether whoever signed `signed` may not sign `new`, too, as far as others should count it:
    different words of the same moment, or an older verdict that they have taken back since."""
    if new == signed:
        return False
    if new.issued_at == signed.issued_at:
        return True
    return new.issued_at < signed.issued_at and contradicts(new, signed)


def refused_by_contract(case: MilestoneCase, attestation: Attestation, now: int) -> Refusal | None:
    """Why the contract would refuse this verdict now; None where it would take it.

    What is issued a little in the future is judged at the time from which it can be used, and a
    return for rework, which is never sent, like a verdict that is.
    """
    if attestation.issued_at > now + AHEAD:
        late = attestation.issued_at - now
        return Refusal(
            "IssuedAtOutOfBounds",
            f"the attestation is issued {late} seconds in the future, allowed are {AHEAD}; "
            "set the clock right and sign again",
        )
    if attestation.verdict is Verdict.RETURNED:
        attestation = replace(attestation, verdict=Verdict.REJECTED)
    try:
        transitions.attest(
            case.terms, case.milestone, case.state, attestation, max(now, attestation.issued_at)
        )
    except LifecycleError as error:
        return Refusal(str(error.fields["error"]), error.message)
    return None


def conflict(
    account: Address, attestation: Attestation, others: Iterable[Attestation]
) -> Refusal | None:
    """Why a verifier who has signed `others` of this milestone cannot sign this one, too."""
    for other in others:
        if not is_conflict(attestation, other):
            continue
        said = f"{other.verdict.name.lower()} {other.amount}"
        if other.issued_at == attestation.issued_at:
            reason = (
                f"{account} has signed another verdict of the same moment, {other.issued_at} "
                f"({said}); sign a new one with a later time"
            )
            return Refusal("ConflictingVerdict", reason, account)
        reason = (
            f"{account} has taken this back with a later verdict of {other.issued_at} ({said}); "
            "sign a new one with a later time"
        )
        return Refusal("VerdictTakenBack", reason, account)
    return None
