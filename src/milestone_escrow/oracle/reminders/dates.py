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
    pays_by_date,
    silence_split,
)
from milestone_escrow.protocol.lifecycle import disputing_role as _disputing_role
from milestone_escrow.words.messages import say
from milestone_escrow.words.silence import otherwise
from milestone_escrow.words.undelivered import waits, withdraw_line

HOUR = 3_600
WEEK = 7 * DAY
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
            yield from _deadline(seen, index, leads)
        elif state.status.holds:
            yield from _window(seen, index, now, leads)
        if state.status.holds:
            yield from _time_up(seen, index)
    yield from _signatures(seen, now, leads)
    yield from _offers(seen, now, leads)
    yield from _undelivered(seen, now)


def _nothing_funded(seen: Situation) -> Iterator[Notice]:
    if any(state.status is not Status.UNFUNDED for state in seen.states):
        return
    last = max(milestone.deadline for milestone in seen.milestones)
    yield Notice(
        "unfunded",
        seen.agreement_id,
        None,
        "opened",
        at=seen.opened_at + UNFUNDED_AFTER,
        until=last or None,
        subject=say("nothing is paid in yet"),
        text=say(
            "The agreement is open since {time}, and nothing of its {total} is paid in. Until then "
            "the supplier works without security. Anyone can pay in: {command}",
            time=seen.names.time(seen.opened_at),
            total=seen.names.amount(sum(milestone.amount for milestone in seen.milestones)),
            command=f"escrow fund {seen.reference}",
        ),
        audience=seen.audience(seen.terms.buyer, seen.terms.supplier),
        target=last,
    )


def _unfunded(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    milestone, names = seen.milestones[index], seen.names
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
            subject=say("{milestone} is not funded", milestone=names.milestone(index)),
            text=say(
                "The {amount} of {milestone} are not paid in. That is possible until {time}: "
                "{command}",
                amount=names.amount(milestone.amount),
                milestone=names.milestone(index),
                time=names.when(milestone.deadline, now),
                command=f"escrow fund {seen.reference} {seen.key(index)}",
            ),
            audience=seen.parties(index),
            target=target,
        )


def _due(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    due, deadline = seen.due_at(index), seen.milestones[index].deadline
    if seen.document is None or not seen.opened_at < due <= deadline:
        return
    planned, names = seen.document.milestones[index], seen.names
    parts = {
        "milestone": names.milestone(index),
        "title": planned.title,
        "time": names.time(due),
        "when": names.when(due, now),
        "amount": names.amount(seen.held(index)),
        "payee": names.person(seen.payee(index)),
        "shown": "; ".join(item.words() for item in planned.requirements.items),
        "otherwise": _otherwise(seen, index),
    }
    if planned.requirements.items:
        text = say(
            "{milestone}, {title}, is due {when}. It pays {amount} to {payee}. To be shown: "
            "{shown}.",
            **parts,
        )
        late = say(
            "{milestone}, {title}, was due {time} and is not proven. To be shown: {shown}. "
            "{otherwise}",
            **parts,
        )
    else:
        text = say("{milestone}, {title}, is due {when}. It pays {amount} to {payee}.", **parts)
        late = say("{milestone}, {title}, was due {time} and is not proven. {otherwise}", **parts)
    for name, at in moments(due, seen.opened_at, leads):
        yield Notice(
            "due",
            seen.agreement_id,
            index,
            name,
            at=at,
            until=due,
            subject=say("{milestone} is due on {time}", **parts),
            text=text,
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
            subject=say("{milestone} is overdue", **parts),
            text=late,
            audience=seen.workers(index),
            target=deadline,
        )


def _deadline(seen: Situation, index: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    milestone, state, names = seen.milestones[index], seen.states[index], seen.names
    until = end(milestone, state)
    parts = {"milestone": names.milestone(index), "time": names.time(until)}
    if pays_by_date(milestone, state):
        subject = say("{milestone} pays on {time}", **parts)
    else:
        subject = say("{milestone} is given back on {time}", **parts)
    # A rest that was left late is another date, which is told again.
    late = f"{state.epoch}-" if until > milestone.deadline else ""
    for name, at in moments(until, seen.since[index] if late else seen.opened_at, leads):
        yield Notice(
            "deadline",
            seen.agreement_id,
            index,
            f"{late}{name}",
            at=at,
            until=until,
            subject=subject,
            text=_otherwise(seen, index),
            audience=seen.workers(index),
            target=until,
        )


def _window(seen: Situation, index: int, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    state = seen.states[index]
    kind, subject = _window_ends(seen, index, state)
    for lead, at in moments(state.clock, seen.since[index], leads):
        yield Notice(
            kind,
            seen.agreement_id,
            index,
            # By the counters: a reorganisation may move the clock a little, and tells nothing new.
            f"{state.epoch}.{state.handover}-{lead}",
            at=at,
            until=state.clock,
            subject=subject,
            text=say(
                "{who_may} until {time}. {otherwise}",
                who_may=_who_may(seen, index, state),
                time=seen.names.when(state.clock, now),
                otherwise=_otherwise(seen, index),
            ),
            audience=_window_audience(seen, index, state),
            target=state.clock,
        )


def _window_ends(seen: Situation, index: int, state: State) -> tuple[str, str]:
    """The kind of window, and that it ends."""
    parts = {"milestone": seen.names.milestone(index), "time": seen.names.time(state.clock)}
    if state.status is Status.SUBMITTED:
        return "review", say("the review period of {milestone} ends on {time}", **parts)
    if state.status in PENDING:
        return "objection", say("the objection period of {milestone} ends on {time}", **parts)
    return "arbitration", say("the time for a ruling of {milestone} ends on {time}", **parts)


def _time_up(seen: Situation, index: int) -> Iterator[Notice]:
    """An hour after the clock ran out: by then somebody should have let it decide."""
    milestone, state = seen.milestones[index], seen.states[index]
    until = end(milestone, state)
    yield Notice(
        "time_up",
        seen.agreement_id,
        index,
        f"{state.epoch}.{state.handover}",
        at=until + HOUR,
        subject=say("time is up for {milestone}", milestone=seen.names.milestone(index)),
        text=say(
            "Since {time} anyone can let time decide {milestone}, which {does}: {command}",
            time=seen.names.time(until),
            milestone=seen.names.milestone(index),
            does=seen.split(index, silence_split(seen.terms, milestone, state)),
            command=f"escrow finalize {seen.reference} {seen.key(index)}",
        ),
        audience=(*seen.parties(index), OPERATOR),
        target=until,
    )


def _signatures(seen: Situation, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    for waiting in seen.waiting:
        index = waiting.milestone
        missing = tuple(who for who in seen.verifiers(index) if who not in waiting.signers)
        parts = {
            "milestone": seen.names.milestone(index),
            "count": len(waiting.signers),
            "quorum": seen.milestones[index].quorum,
            "signers": seen.names.people(waiting.signers),
            "missing": seen.names.people(missing),
            "time": seen.names.time(waiting.valid_until),
            "when": seen.names.when(waiting.valid_until, now),
        }
        if waiting.complete:
            text = say(
                "The signatures on {milestone} are complete but not on chain. What is signed "
                "counts until {when}.",
                **parts,
            )
            audience = (OPERATOR, *seen.parties(index))
        else:
            text = say(
                "{count} of {quorum} have signed on {milestone}: {signers}. Still able to: "
                "{missing}. What is signed counts until {when}.",
                **parts,
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
                subject=say("signatures on {milestone} run out on {time}", **parts),
                text=text,
                audience=audience,
                target=waiting.valid_until,
            )


def _offers(seen: Situation, now: int, leads: tuple[int, ...]) -> Iterator[Notice]:
    for offer in seen.offers:
        index = offer.milestone
        parts = {
            "milestone": seen.names.milestone(index),
            "payee": seen.names.person(seen.payee(index)),
            "price": seen.names.amount(offer.price),
            "time": seen.names.time(offer.valid_until),
            "when": seen.names.when(offer.valid_until, now),
        }
        for name, at in moments(offer.valid_until, offer.at, leads):
            yield Notice(
                "offer",
                seen.agreement_id,
                index,
                f"{offer.digest.hex()[:24]}-{name}",
                at=at,
                until=offer.valid_until,
                subject=say("the offer of {milestone} ends on {time}", **parts),
                text=say("{payee} offers what {milestone} pays for {price} until {when}.", **parts),
                audience=seen.audience(seen.payee(index), offer.financier),
                target=offer.valid_until,
            )


def _undelivered(seen: Situation, now: int) -> Iterator[Notice]:
    """Every week, for as long as it waits; that it did not arrive was told when it happened."""
    for one in seen.undelivered():
        if one.place.block > seen.final_block:
            continue
        weeks = max((now - one.place.time) // WEEK, 1)
        parts = {
            "waits": waits(seen.names, one.account, one.units),
            "time": seen.names.time(one.place.time),
            "command": withdraw_line(seen.reference, seen.names, one.account),
        }
        for week in (weeks, weeks + 1):
            yield Notice(
                "withdraw",
                seen.agreement_id,
                one.milestone,
                f"{one.place.transaction[2:14]}-{one.account[2:10]}-{week}",
                at=one.place.time + week * WEEK,
                subject=say("{waits}", **parts),
                text=say(
                    "{waits}: it could not be delivered on {time}, and the contract keeps it. "
                    "Anyone can have it sent to them: {command}",
                    **parts,
                ),
                audience=seen.audience(one.account),
                target=one.place.time,
            )


def _otherwise(seen: Situation, index: int) -> str:
    return otherwise(seen.names, seen.terms, seen.milestones[index], seen.states[index])


def _who_may(seen: Situation, index: int, state: State) -> str:
    names, terms = seen.names, seen.terms
    buyer_objects = _disputing_role(seen.milestones[index], state) is Role.BUYER
    parts = {
        "milestone": names.milestone(index),
        "arbiter": names.person(terms.arbiter),
        "party": names.person(terms.buyer if buyer_objects else seen.payee(index)),
    }
    if state.status in DISPUTED:
        return say("{arbiter} may rule on {milestone}", **parts)
    if not terms.has_arbiter and state.status in PENDING:
        return say("The verifiers may still decide otherwise about {milestone}", **parts)
    if state.status is Status.SUBMITTED:
        return say("{party} may object to the claim for {milestone}", **parts)
    if state.status is Status.RELEASE_PENDING:
        return say("{party} may object to the acceptance of {milestone}", **parts)
    return say("{party} may object to the rejection of {milestone}", **parts)


def _window_audience(seen: Situation, index: int, state: State) -> tuple[str, ...]:
    parties = seen.parties(index)
    if state.status in DISPUTED:
        return tuple(dict.fromkeys((*seen.audience(seen.terms.arbiter), *parties)))
    return parties
