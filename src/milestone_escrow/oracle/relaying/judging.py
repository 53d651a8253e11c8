"""Whether something can still be done: already there, possible, later, or never.

The status table decides, over a milestone's state as the store or the chain has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from milestone_escrow.chain.contract.batching import BatchResult
from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.lifecycle import State, Status, end, silence
from milestone_escrow.protocol.open_agreement import OpenAgreement

# Of an attestation that is refused for these, time makes it only worse.
_NEVER = frozenset({"SignatureExpired", "AmountOutOfBounds", "QuorumNotReached"})


class Prospect(str, Enum):
    """`DONE`: the effect is there, whoever brought it about."""

    DONE = "done"
    POSSIBLE = "possible"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What can be expected, and why in words for people."""

    prospect: Prospect
    reason: str = ""


POSSIBLE = Forecast(Prospect.POSSIBLE)


def judge_attestation(
    agreement: OpenAgreement, attestation: Attestation, state: State, now: int
) -> Forecast:
    """Whether a complete attestation still decides its milestone; `now` is the chain's time."""
    if state.status is Status.SETTLED:
        return Forecast(Prospect.DONE, "the milestone is settled")
    if state.issued_at >= attestation.issued_at:
        return Forecast(Prospect.DONE, "it was sent by somebody else, or a newer one was")
    milestone = agreement.milestones[attestation.milestone]
    try:
        transitions.attest(agreement.terms, milestone, state, attestation, now)
    except LifecycleError as error:
        name = str(error.fields["error"])
        reason = BatchResult(agreement, attestation, name).reason
        if name in _NEVER or (name == "TooLate" and _ends(agreement, attestation, state, now)):
            return Forecast(Prospect.NEVER, reason)
        return Forecast(Prospect.LATER, reason)
    return POSSIBLE


def judge_finalize(
    agreement: OpenAgreement, index: int, status: Status, epoch: int, state: State, now: int
) -> Forecast:
    """Whether time still has to be let decide, out of `status` at `epoch`."""
    if state.status is Status.SETTLED:
        return Forecast(Prospect.DONE, "the milestone is settled")
    if (state.status, state.epoch) != (status, epoch):
        return Forecast(Prospect.DONE, "the milestone has moved on")
    if now < end(agreement.milestones[index], state):
        return Forecast(Prospect.LATER, "its time is not over yet")
    return POSSIBLE


def _ends(agreement: OpenAgreement, attestation: Attestation, state: State, now: int) -> bool:
    """Whether no rest is left for an attestation: time settles the milestone, or the deadline is
    over, after which verifiers do not speak again."""
    milestone = agreement.milestones[attestation.milestone]
    steps = silence(agreement.terms, milestone, state, now)
    return now >= milestone.deadline or not steps or steps[0].leads_to is Status.SETTLED
