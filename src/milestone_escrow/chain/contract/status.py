"""Where an agreement stands on chain, milestone by milestone."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import (
    Option,
    Silence,
    State,
    end,
    held,
    options,
    payee,
    silence,
)
from milestone_escrow.protocol.terms import Milestone


@dataclass(frozen=True, slots=True)
class MilestoneStatus:
    """One milestone now: `options` are the verbs open at this moment, `silence` what time does."""

    index: int
    milestone: Milestone
    state: State
    payee: Address
    held: int
    end: int
    options: tuple[Option, ...]
    silence: tuple[Silence, ...]


@dataclass(frozen=True, slots=True)
class AgreementStatus:
    """An agreement now; `now` is the chain's time. Not open: every milestone is unfunded."""

    id: bytes
    is_open: bool
    now: int
    milestones: tuple[MilestoneStatus, ...]

    @property
    def held(self) -> int:
        """Token units that wait in the contract for this agreement."""
        return sum(milestone.held for milestone in self.milestones)


def describe(
    agreement: OpenAgreement, is_open: bool, states: tuple[State, ...], now: int
) -> AgreementStatus:
    """Work out what follows from the states, by the status table."""
    terms = agreement.terms
    pairs = zip(agreement.milestones, states, strict=True)
    return AgreementStatus(
        agreement.id,
        is_open,
        now,
        tuple(
            MilestoneStatus(
                index=index,
                milestone=milestone,
                state=state,
                payee=payee(terms, state),
                held=held(milestone, state),
                end=end(milestone, state),
                options=tuple(o for o in options(terms, milestone, state) if o.is_open(now))
                if is_open
                else (),
                silence=silence(terms, milestone, state, now),
            )
            for index, (milestone, state) in enumerate(pairs)
        ),
    )
