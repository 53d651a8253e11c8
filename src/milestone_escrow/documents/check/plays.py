"""What follows if somebody acts and everybody else is silent: played, milestone by milestone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import Caveat, Leaving, Move, Play, Plays, Warned
from milestone_escrow.documents.check.silence import on_chain
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.assessment import assess
from milestone_escrow.protocol.lifecycle import (
    PENDING,
    Role,
    Split,
    State,
    Status,
    disputing_role,
    payee,
    silence,
    time_to_object,
)
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.transitions import Transition, attest, dispute, submit

# What the example of a certificate accepts of a milestone, in per cent.
_PART = 40


def plays(agreement: AgreementData, now: int) -> tuple[Plays, ...]:
    """One entry per milestone that waits in the contract, as if it were funded at `now`."""
    terms, milestones = on_chain(agreement)
    return tuple(
        Plays(
            planned.key,
            tuple(_plays(terms, milestone, planned, now)),
            assess(terms, milestone, State(Status.FUNDED), now).latest or 0,
        )
        for planned, milestone in zip(agreement.milestones, milestones, strict=True)
        if not planned.is_deposit and now < milestone.deadline
    )


def caveats(agreement: AgreementData) -> tuple[Caveat, ...]:
    """What surprises people, each once, with the milestones of which it is so."""
    terms, _ = on_chain(agreement)
    waiting = tuple(m for m in agreement.milestones if not m.is_deposit)
    verified = tuple(m for m in waiting if m.quorum)
    submitted = tuple(m for m in verified if terms.review_period)
    objected = tuple(m for m in waiting if terms.has_arbiter or m.pays_on_silence)
    found = {
        Warned.REST_WAITS: verified,
        Warned.NO_CORRECTION: verified,
        Warned.REFUNDS_COUNT: verified,
        Warned.ONLY_UNSPOKEN: tuple(m for m in verified if m.pays_on_silence),
        Warned.HELD_UP: submitted,
        Warned.REST_TO_BUYER: () if terms.has_arbiter else submitted,
        Warned.LATE_FUNDING: objected,
    }
    period = time_to_object(terms)
    return tuple(
        Caveat(what, tuple(m.key for m in where), period) for what, where in found.items() if where
    )


def _plays(
    terms: Terms, milestone: Milestone, planned: PlannedMilestone, now: int
) -> Iterator[Play]:
    for move in Move:
        try:
            objector, paid = _played(terms, milestone, move, now)
        except LifecycleError:
            continue  # nobody can do that here
        later = paid
        with suppress(LifecycleError):
            later = _played(terms, milestone, move, now + 1)[1]
        if len(later) != len(paid):
            later = paid
        # What comes later when the act does is told as so long after it; all else has a date.
        due = tuple(
            Leaving(0 if moved != at else at, at - now if moved != at else 0, *_sides(split))
            for (at, split), (moved, _) in zip(paid, later, strict=True)
        )
        yield Play(move, _PART, planned.verified_by, objector, terms.has_arbiter, due)


def _played(
    terms: Terms, milestone: Milestone, move: Move, now: int
) -> tuple[str, list[tuple[int, Split]]]:
    """Who objects, and what is paid when, if act and objection come at once and nothing else."""
    first = _begun(terms, milestone, move, now)
    state, objector = first.state, ""
    if move.is_disputed:
        if move is not Move.DISPUTED and state.status not in PENDING | {Status.SUBMITTED}:
            raise LifecycleError("what is paid already cannot be disputed", error="WrongStatus")
        is_buyer = disputing_role(milestone, state) is Role.BUYER
        caller = terms.buyer if is_buyer else payee(terms, state)
        state = dispute(terms, milestone, state, caller, now).state
        objector = "buyer" if is_buyer else "supplier"
    paid = [(now, first.split)] if first.split.total else []
    return objector, paid + [
        (step.at, step.split) for step in silence(terms, milestone, state, now)
    ]


def _begun(terms: Terms, milestone: Milestone, move: Move, now: int) -> Transition:
    funded = State(Status.FUNDED)
    match move:
        case Move.CERTIFIED | Move.CERTIFIED_DISPUTED:
            verdict, amount = Verdict.ACCEPTED, max(1, milestone.amount * _PART // 100)
        case Move.REJECTED | Move.REJECTED_DISPUTED:
            verdict, amount = Verdict.REJECTED, 0
        case Move.SUBMITTED | Move.SUBMITTED_DISPUTED:
            return submit(terms, milestone, funded, terms.supplier, now)
        case _:
            return Transition(funded)
    said = Attestation(bytes(32), 0, verdict, amount, bytes(32), issued_at=now, valid_until=now)
    return attest(terms, milestone, funded, said, now)


def _sides(split: Split) -> tuple[int, int]:
    return split.to_payee, split.to_buyer
