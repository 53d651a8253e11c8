"""What the clock says about an agreement: dates and windows that come near, or have passed."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.oracle.reminders.notices import DAY, OPERATOR, Notice, moments
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.protocol.lifecycle import (
    DISPUTED,
    PENDING,
    Role,
    State,
    Status,
    end,
    silence,
    silence_split,
)
from milestone_escrow.protocol.lifecycle import disputing_role as _disputing_role

HOUR = 3_600
UNFUNDED_AFTER = DAY
"""How long after opening it is worth saying that nobody has paid anything in."""


def dates(seen: Situation, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    """Every reminder that the present state leads to, past and future ones."""
    yield from _nothing_funded(seen)
    for index, state in enumerate(seen.states):
        if state.status is Status.UNFUNDED:
            yield from _unfunded(seen, index, now, leads)
        elif state.status is Status.FUNDED:
            yield from _due(seen, index, now, leads)
            yield from _deadline(seen, index, now, leads)
        elif state.status.holds:
            yield from _window(seen, index, now, leads)
        if state.status.holds:
            yield from _time_up(seen, index)
    yield from _signatures(seen, now, leads)
    yield from _offers(seen, now, leads)


def _nothing_funded(seen: Situation) -> Iterator[Notice]:
    if any(state.status is not Status.UNFUNDED for state in seen.states):
        return
    total = seen.amount(sum(milestone.amount for milestone in seen.milestones))
    last = max(milestone.deadline for milestone in seen.milestones)
    yield Notice(
        "unfunded",
        seen.agreement_id,
        None,
        "opened",
        at=seen.opened_at + UNFUNDED_AFTER,
        until=last or None,
        subject="nothing is paid in yet",
        text=f"The agreement is open since {seen.time(seen.opened_at)}, and nothing of its {total} "
        f"is paid in. Until then the supplier works without security. "
        f"Anyone can pay in: escrow fund {seen.reference}",
        audience=seen.audience(seen.terms.buyer, seen.terms.supplier),
        target=last,
    )


def _unfunded(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    milestone = seen.milestones[index]
    if milestone.is_deposit:
        return
    due = seen.due_at(index)
    target = due if seen.opened_at < due <= milestone.deadline else milestone.deadline
    for name, at in moments(target, seen.opened_at, leads):
        yield Notice(
            "unfunded",
            seen.agreement_id,
            index,
            name,
            at=at,
            until=milestone.deadline,
            subject=f"{seen.label(index)} is not funded",
            text=f"The {seen.amount(milestone.amount)} of {seen.label(index)} are not paid in. "
            f"That is possible until {seen.when(milestone.deadline, now)}: "
            f"escrow fund {seen.reference} {seen.key(index)}",
            audience=seen.parties(index),
            target=target,
        )


def _due(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    due, deadline = seen.due_at(index), seen.milestones[index].deadline
    if seen.document is None or not seen.opened_at < due <= deadline:
        return
    planned = seen.document.milestones[index]
    pays = f"It pays {seen.amount(seen.held(index))} to {seen.person(seen.payee(index))}."
    shown = "; ".join(item.words() for item in planned.requirements.items)
    proof = f" To be shown: {shown}." if shown else ""
    for name, at in moments(due, seen.opened_at, leads):
        yield Notice(
            "due",
            seen.agreement_id,
            index,
            name,
            at=at,
            until=due,
            subject=f"{seen.label(index)} is due {_short(seen, due)}",
            text=f"{seen.label(index)}, {planned.title}, is due {seen.when(due, now)}. "
            f"{pays}{proof}",
            audience=seen.workers(index),
            target=due,
        )
    if due < deadline and not planned.pays_on_silence:
        yield Notice(
            "overdue",
            seen.agreement_id,
            index,
            "once",
            at=due,
            until=deadline,
            subject=f"{seen.label(index)} is overdue",
            text=f"{seen.label(index)}, {planned.title}, was due {seen.time(due)} and is not "
            f"proven.{proof} {_otherwise(seen, index, now)}",
            audience=seen.workers(index),
            target=deadline,
        )


def _deadline(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    milestone = seen.milestones[index]
    for name, at in moments(milestone.deadline, seen.opened_at, leads):
        what = "pays" if milestone.pays_on_silence else "is given back"
        yield Notice(
            "deadline",
            seen.agreement_id,
            index,
            name,
            at=at,
            until=milestone.deadline,
            subject=f"{seen.label(index)} {what} {_short(seen, milestone.deadline)}",
            text=_otherwise(seen, index, now),
            audience=seen.workers(index),
            target=milestone.deadline,
        )


_WINDOWS = {
    Status.SUBMITTED: ("review", "the review period"),
    Status.RELEASE_PENDING: ("objection", "the objection period"),
    Status.REFUND_PENDING: ("objection", "the objection period"),
    Status.DISPUTED_BEFORE_VERDICT: ("arbitration", "the time for a ruling"),
    Status.DISPUTED_OVER_VERDICT: ("arbitration", "the time for a ruling"),
}


def _window(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    state = seen.states[index]
    kind, name = _WINDOWS[state.status]
    for lead, at in moments(state.clock, seen.since[index], leads):
        yield Notice(
            kind,
            seen.agreement_id,
            index,
            # By the counter: a reorganisation may move the clock a little, and tells nothing new.
            f"{state.sequence}-{lead}",
            at=at,
            until=state.clock,
            subject=f"{name} of {seen.label(index)} ends {_short(seen, state.clock)}",
            text=f"{_who_may(seen, index, state)} until {seen.when(state.clock, now)}. "
            f"{_otherwise(seen, index, now)}",
            audience=_window_audience(seen, index, state),
            target=state.clock,
        )


def _time_up(seen: Situation, index: int) -> Iterator[Notice]:
    """An hour after the clock ran out: by then somebody should have let it decide."""
    milestone, state = seen.milestones[index], seen.states[index]
    until = end(milestone, state)
    split = silence_split(seen.terms, milestone, state)
    yield Notice(
        "time_up",
        seen.agreement_id,
        index,
        f"{state.sequence}",
        at=until + HOUR,
        subject=f"time is up for {seen.label(index)}",
        text=f"Since {seen.time(until)} anyone can let time decide {seen.label(index)}, which "
        f"{seen.split(index, split)}: escrow finalize {seen.reference} {seen.key(index)}",
        audience=(*seen.parties(index), OPERATOR),
        target=until,
    )


def _signatures(seen: Situation, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    for waiting in seen.waiting:
        index = waiting.milestone
        verifiers = seen.verifiers(index)
        missing = tuple(who for who in verifiers if who not in waiting.signers)
        quorum = seen.milestones[index].quorum
        if waiting.complete:
            what = f"The signatures on {seen.label(index)} are complete but not on chain."
            audience = (OPERATOR, *seen.parties(index))
        else:
            what = (
                f"{len(waiting.signers)} of {quorum} have signed on {seen.label(index)}: "
                f"{seen.people(waiting.signers)}. Still able to: {seen.people(missing)}."
            )
            audience = seen.audience(*missing)
        for name, at in moments(waiting.valid_until, waiting.received_at, leads):
            yield Notice(
                "signatures",
                seen.agreement_id,
                index,
                f"{waiting.digest.hex()[:24]}-{name}",
                at=at,
                until=waiting.valid_until,
                subject=f"signatures on {seen.label(index)} run out "
                f"{_short(seen, waiting.valid_until)}",
                text=f"{what} What is signed counts until {seen.when(waiting.valid_until, now)}.",
                audience=audience,
                target=waiting.valid_until,
            )


def _offers(seen: Situation, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    for offer in seen.offers:
        index = offer.milestone
        for name, at in moments(offer.valid_until, offer.at, leads):
            yield Notice(
                "offer",
                seen.agreement_id,
                index,
                f"{offer.digest.hex()[:24]}-{name}",
                at=at,
                until=offer.valid_until,
                subject=f"the offer of {seen.label(index)} ends {_short(seen, offer.valid_until)}",
                text=f"{seen.person(seen.payee(index))} offers what {seen.label(index)} pays for "
                f"{seen.amount(offer.price)} until {seen.when(offer.valid_until, now)}.",
                audience=seen.audience(seen.payee(index), offer.financier),
                target=offer.valid_until,
            )


def _short(seen: Situation, moment: int) -> str:
    return f"on {seen.time(moment)}"


def _otherwise(seen: Situation, index: int, now: int) -> str:
    """What silence does, step by step."""
    steps = silence(seen.terms, seen.milestones[index], seen.states[index])
    told = "; then ".join(
        f"on {seen.time(step.at)} time {seen.split(index, step.split)}" for step in steps
    )
    return f"If nobody acts, {told}."


def _who_may(seen: Situation, index: int, state: State) -> str:
    label = seen.label(index)
    if state.status in DISPUTED:
        return f"{seen.person(seen.terms.arbiter)} may rule on {label}"
    buyer_objects = _disputing_role(seen.milestones[index], state) is Role.BUYER
    who = seen.person(seen.terms.buyer if buyer_objects else seen.payee(index))
    if not seen.terms.has_arbiter and state.status in PENDING:
        return f"The verifiers may still decide otherwise about {label}"
    what = {Status.SUBMITTED: "the claim for", Status.RELEASE_PENDING: "the acceptance of"}
    return f"{who} may object to {what.get(state.status, 'the rejection of')} {label}"


def _window_audience(seen: Situation, index: int, state: State) -> tuple[str, ...]:
    parties = seen.parties(index)
    if state.status in DISPUTED:
        return tuple(dict.fromkeys((*seen.audience(seen.terms.arbiter), *parties)))
    return parties
