"""What silence does, and who said nothing when it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from milestone_escrow.documents.money import format_percent
from milestone_escrow.documents.when import format_duration
from milestone_escrow.errors import assert_never
from milestone_escrow.protocol.lifecycle import Silence, State, Status, payee, silence
from milestone_escrow.protocol.terms import BPS, Milestone, Terms
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names
from milestone_escrow.words.splits import split_does


def silence_steps(names: Names, terms: Terms, milestone: Milestone, state: State, now: int) -> str:
    """What time alone will do, step by step, for a table; empty where nothing is held."""
    return _then(
        say("now {does}", does=does)
        if step.at <= now
        else say("on {time} {does}", time=names.time(step.at), does=does)
        for step, does in _steps(names, terms, milestone, state, now)
    )


def otherwise(names: Names, terms: Terms, milestone: Milestone, state: State) -> str:
    """The same as a sentence; empty where nothing is held."""
    steps = _then(
        say("on {time} time {does}", time=names.time(step.at), does=does)
        for step, does in _steps(names, terms, milestone, state)
    )
    return say("If nobody acts, {steps}.", steps=steps) if steps else ""


def _steps(
    names: Names, terms: Terms, milestone: Milestone, state: State, now: int = 0
) -> Iterator[tuple[Silence, str]]:
    for step in silence(terms, milestone, state, now):
        yield step, split_does(names, step.split, payee(terms, state), terms.buyer)


def _then(steps: Iterable[str]) -> str:
    told = ""
    for step in steps:
        told = say("{first}; then {then}", first=told, then=step) if told else step
    return told


def silent(terms: Terms, milestone: Milestone, status: Status, *, spoken: bool) -> str:
    """Why time decides a milestone of this status: "nobody objected for 2 days"; `spoken` says
    whether verifiers had ever decided."""
    match status:
        case Status.FUNDED if spoken:
            return say("nothing more was proven in time")
        case Status.FUNDED if milestone.pays_on_silence:
            return say("its date has come")
        case Status.FUNDED:
            return say("nothing was proven in time")
        case Status.SUBMITTED:
            return _nobody_objected(terms.review_period)
        case Status.RELEASE_PENDING:
            return _nobody_objected(terms.objection_period)
        case Status.REFUND_PENDING:
            return say("nobody disputed the rejection")
        case Status.DISPUTED_BEFORE_VERDICT if spoken:
            return say("nobody ruled, and nothing more was proven")
        case Status.DISPUTED_BEFORE_VERDICT:
            share = format_percent(Fraction(terms.default_payee_bps, BPS))
            return say("nobody ruled, so {share} to the supplier as agreed", share=share)
        case Status.DISPUTED_OVER_VERDICT:
            return say("nobody ruled, so the verdict stands")
        case Status.UNFUNDED | Status.SETTLED:
            raise ValueError(f"time decides nothing that is {status.name.lower()}")
    assert_never(status)


def _nobody_objected(period: int) -> str:
    return say("nobody objected for {period}", period=format_duration(period))
