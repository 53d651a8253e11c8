"""Where a milestone stands, in people's words: its status, what silence does, who may do what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import (
    Option,
    Role,
    Split,
    State,
    Status,
    Verb,
    end,
    held,
    options,
    payee,
    pays_by_date,
)
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.words.names import Names
from milestone_escrow.words.silence import silence_steps
from milestone_escrow.words.splits import split_does

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.events import Event
    from milestone_escrow.chain.contract.replay import Undelivered

NOTHING = Split(0, 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """One milestone of an agreement at a moment; `paid_out` is what has left it, and to whom, and
    `undelivered` what of that still waits for `withdraw`."""

    bound: BoundAgreement
    planned: PlannedMilestone
    state: State
    now: int
    paid_out: Split = NOTHING
    undelivered: tuple[Undelivered, ...] = ()

    @property
    def key(self) -> str:
        return self.planned.key

    @property
    def names(self) -> Names:
        return Names.of(self.bound)

    @property
    def terms(self) -> Terms:
        return self.bound.terms

    @property
    def milestone(self) -> Milestone:
        return self.bound.milestones[self.planned.index]

    @property
    def held(self) -> int:
        return held(self.milestone, self.state)

    @property
    def end(self) -> int:
        return end(self.milestone, self.state)

    @property
    def payee(self) -> Address:
        return payee(self.terms, self.state)

    @property
    def delivered(self) -> Split:
        """What has left it and arrived."""
        buyer = self.terms.buyer
        waiting = sum(one.units for one in self.undelivered)
        back = sum(one.units for one in self.undelivered if one.account == buyer)
        back = min(back, self.paid_out.to_buyer)
        to_payee = self.paid_out.to_payee - (waiting - back)
        return Split(to_payee, self.paid_out.to_buyer - back)

    @property
    def is_overdue(self) -> bool:
        """Whether time has run out, and `finalize` is what is left."""
        return self.state.status.holds and self.now >= self.end

    @property
    def options(self) -> tuple[Option, ...]:
        return options(self.terms, self.milestone, self.state)

    def option(self, verb: Verb, role: Role | None = None) -> Option | None:
        """The way to use `verb` now or later in this status, by `role` where one is named."""
        for found in self.options:
            if found.verb is verb and role in (None, found.role):
                return found
        return None


def amount(standing: Standing, units: int) -> str:
    return standing.names.amount(units)


def when(standing: Standing, moment: int) -> str:
    return standing.names.when(moment, standing.now)


def person(bound: BoundAgreement, account: Address) -> str:
    return Names.of(bound).person(account)


def holders(standing: Standing, role: Role) -> tuple[Address, ...]:
    """The accounts of a role in the milestone at hand; none for anyone."""
    terms = standing.terms
    return {
        Role.BUYER: (terms.buyer,),
        Role.PAYEE: (standing.payee,),
        Role.VERIFIERS: terms.verifiers_of(standing.milestone),
        Role.ARBITER: (terms.arbiter,) if terms.has_arbiter else (),
        Role.ANYONE: (),
    }[role]


def who(standing: Standing, role: Role) -> str:
    """ "the buyer (Nordlicht Teppiche GmbH)"."""
    if role is Role.ANYONE:
        return "anyone"
    names = ", ".join(person(standing.bound, account) for account in holders(standing, role))
    if role is Role.VERIFIERS:
        planned = standing.planned
        count = f"{planned.quorum} of " if len(planned.verifiers) > 1 else ""
        return f"{count}{names}"
    return f"the {role.value} ({names})"


def status(standing: Standing) -> str:
    """Where the milestone stands, in a few words."""
    state, milestone = standing.state, standing.milestone
    if state.status is Status.UNFUNDED:
        late = milestone.deadline and standing.now >= milestone.deadline
        return "not funded, too late now" if late else "not funded"
    if state.status is Status.SETTLED:
        return _settled(standing)
    if standing.is_overdue:
        return "time is up"
    if state.status is Status.FUNDED:
        left = f"partly {_left(standing)}"
        if standing.now >= milestone.deadline:
            return f"{left}, the rest may be objected to"
        waits = "waiting for proof"
        if pays_by_date(milestone, state):
            waits = "waiting for its date"
        return f"{waits}, {left}" if state.paid else waits
    return {
        Status.SUBMITTED: "submitted for review",
        Status.RELEASE_PENDING: "accepted, may be disputed",
        Status.REFUND_PENDING: "rejected, may be disputed",
        Status.DISPUTED_BEFORE_VERDICT: "disputed",
        Status.DISPUTED_OVER_VERDICT: "verdict disputed",
    }[state.status]


def _settled(standing: Standing) -> str:
    to_payee, to_buyer = standing.paid_out.to_payee, standing.paid_out.to_buyer
    if standing.paid_out.total < standing.milestone.amount:
        return "moved to the new version"
    if to_payee and to_buyer and not _misses(standing):
        return "paid and given back"
    return _left(standing)


def _left(standing: Standing) -> str:
    """What has become of the money that has left a milestone, as far as its events are known."""
    if _misses(standing):
        return "not delivered"
    return "given back" if standing.paid_out.to_buyer and not standing.paid_out.to_payee else "paid"


def _misses(standing: Standing) -> bool:
    """Whether a side could not receive its part; who receives the fee is no side."""
    sides = (standing.payee, standing.terms.buyer)
    return any(one.account in sides for one in standing.undelivered)


def split_words(standing: Standing, split: Split) -> str:
    return split_does(standing.names, split, standing.payee, standing.terms.buyer)


def silence_words(standing: Standing) -> str:
    """What time alone will do, step by step; empty where nothing is held."""
    return silence_steps(
        standing.names, standing.terms, standing.milestone, standing.state, standing.now
    )


def _date(standing: Standing, moment: int) -> str:
    return standing.names.time(moment)


COMMANDS = {
    Verb.FUND: "fund",
    Verb.ATTEST: "attest",
    Verb.SUBMIT: "submit",
    Verb.DISPUTE: "dispute",
    Verb.RULE: "rule",
    Verb.FINALIZE: "finalize",
}


def command_of(option: Option) -> str:
    """The command behind an option; consent has two names, by who gives something up."""
    if option.verb is Verb.RESOLVE:
        return "approve" if option.role is Role.BUYER else "refund"
    return COMMANDS[option.verb]


def possible(standing: Standing) -> str:
    """Who may do what, as one clause for a sentence."""
    parts = []
    for option in standing.options:
        name = f"{who(standing, option.role)} can `{command_of(option)}`"
        if standing.now < option.since:
            parts.append(f"from {_date(standing, option.since)} {name}")
        elif option.is_open(standing.now):
            parts.append(name)
    return ", ".join(parts) or "nothing more can happen to it"


def require(standing: Standing, verb: Verb, role: Role, *, doing: str) -> None:
    """Explain why `role` cannot use `verb` here and now, where that is so.

    `doing` completes "cannot be …": "given back", "submitted".

    Raises:
        LifecycleError: with what is possible instead.
    """
    option = standing.option(verb, role)
    if option is not None and option.is_open(standing.now):
        return
    reason = f"'{standing.key}' is {status(standing)}, it cannot be {doing}"
    if option is not None and option.until is not None and standing.now >= option.until:
        reason = f"'{standing.key}' could be {doing} until {_date(standing, option.until)}"
    elif option is not None:
        reason = f"'{standing.key}' cannot be {doing} before {_date(standing, option.since)}"
    elif why := _absent(standing, verb):
        reason = f"'{standing.key}' cannot be {doing}: {why}"
    raise LifecycleError(reason, hint=possible(standing))


def _absent(standing: Standing, verb: Verb) -> str:
    """Why the agreement itself leaves a verb out, whatever the status."""
    terms, milestone = standing.terms, standing.milestone
    if not standing.state.status.holds:
        return ""
    if verb is Verb.ATTEST and not milestone.quorum:
        return "the agreement names no verifier for it"
    if verb is Verb.SUBMIT and not terms.review_period:
        return "the agreement has submissions switched off"
    if verb in (Verb.DISPUTE, Verb.RULE) and not terms.has_arbiter:
        return "the agreement has no arbiter"
    return ""


def only(standing: Standing, role: Role, does: str, account: Address) -> LifecycleError:
    """ "only the payee gives money back": the verb is right, the person is not."""
    return LifecycleError(
        f"only {who(standing, role)} {does}, and {person(standing.bound, account)} is asking",
        hint=possible(standing),
    )


def standings(bound: BoundAgreement, states: Sequence[State], now: int) -> tuple[Standing, ...]:
    """Every milestone with its state, in the agreement's order; what has left it is not known."""
    return tuple(
        Standing(bound, planned, state, now)
        for planned, state in zip(bound.agreement.milestones, states, strict=True)
    )


def standings_after(
    bound: BoundAgreement, states: Sequence[State], now: int, events: Sequence[Event]
) -> tuple[Standing, ...]:
    """The same with what has left each milestone and what of that waits, as its events tell; the
    contract forgets it once it is settled."""
    from milestone_escrow.chain.contract.events import MilestonePaid
    from milestone_escrow.chain.contract.replay import undelivered

    payee = [0] * len(states)
    buyer = [0] * len(states)
    for event in events:
        if isinstance(event, MilestonePaid):
            payee[event.milestone] += event.to_payee + event.fee
            buyer[event.milestone] += event.to_buyer
    waiting = undelivered(bound, events)
    return tuple(
        replace(
            standing,
            paid_out=Split(payee[i], buyer[i]),
            undelivered=tuple(one for one in waiting if one.milestone == i),
        )
        for i, standing in enumerate(standings(bound, states, now))
    )
