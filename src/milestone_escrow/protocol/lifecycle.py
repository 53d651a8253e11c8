"""The status table: where a milestone stands, who may do what, and what silence leads to.

Pure functions over the terms, one milestone and its state. Amounts are token units, times Unix
seconds; time always comes in as an argument. Quorum, parties and arbiter act while now < end,
`finalize` when now >= end, consent (`resolve`) until the milestone is settled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.terms import BPS, MIN_TIME_TO_OBJECT, Milestone, Terms


class Status(IntEnum):
    """As the contract numbers them."""

    UNFUNDED = 0
    FUNDED = 1
    SUBMITTED = 2
    RELEASE_PENDING = 3
    REFUND_PENDING = 4
    DISPUTED_BEFORE_VERDICT = 5
    DISPUTED_OVER_VERDICT = 6
    SETTLED = 7

    @property
    def holds(self) -> bool:
        """Whether money waits in the contract."""
        return self not in (Status.UNFUNDED, Status.SETTLED)


HOLDING = frozenset(status for status in Status if status.holds)
DISPUTED = frozenset({Status.DISPUTED_BEFORE_VERDICT, Status.DISPUTED_OVER_VERDICT})
PENDING = frozenset({Status.RELEASE_PENDING, Status.REFUND_PENDING})


class Verb(str, Enum):
    """What can happen to a milestone."""

    FUND = "fund"
    ATTEST = "attest"
    SUBMIT = "submit"
    DISPUTE = "dispute"
    RULE = "rule"
    RESOLVE = "resolve"
    FINALIZE = "finalize"


class Role(str, Enum):
    """Who may let it happen."""

    BUYER = "buyer"
    PAYEE = "payee"
    VERIFIERS = "verifiers"
    ARBITER = "arbiter"
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class State:
    """What the contract remembers of a milestone; see `MilestoneState` in its interface."""

    status: Status = Status.UNFUNDED
    assignee: Address = ZERO_ADDRESS
    clock: int = 0
    issued_at: int = 0
    epoch: int = 0
    handover: int = 0
    pending: int = 0
    paid: int = 0

    @property
    def spoken(self) -> bool:
        """Whether verifiers have ever decided: from then on silence pays only what they certify."""
        return self.issued_at != 0


@dataclass(frozen=True, slots=True)
class Split:
    """What leaves a milestone: to the payee before the fee, and to the buyer."""

    to_payee: int
    to_buyer: int

    @property
    def total(self) -> int:
        return self.to_payee + self.to_buyer


@dataclass(frozen=True, slots=True)
class Option:
    """`role` may use `verb` from `since` on and, where `until` is set, only before it."""

    verb: Verb
    role: Role
    since: int = 0
    until: int | None = None

    def is_open(self, now: int) -> bool:
        return self.since <= now and (self.until is None or now < self.until)

    def is_left(self, now: int) -> bool:
        """Whether it is open, or will be."""
        return self.until is None or max(now, self.since) < self.until


@dataclass(frozen=True, slots=True)
class Silence:
    """One `finalize` call: from `at` on, anyone may let time pay `split`, out of `status`."""

    at: int
    status: Status
    split: Split
    leads_to: Status


LAST_EPOCH, LAST_HANDOVER = 2**16 - 1, 2**8 - 1
"""The contract's counters stay here once they have come so far; what is signed on them counts no
more."""


def held(milestone: Milestone, state: State) -> int:
    """What still waits in the contract for this milestone."""
    return milestone.amount - state.paid if state.status.holds else 0


def payee(terms: Terms, state: State) -> Address:
    """Whom the milestone pays: the supplier, or whoever the receivable was assigned to."""
    return terms.supplier if state.assignee == ZERO_ADDRESS else state.assignee


def fee(terms: Terms, to_payee: int) -> int:
    """The fee within a payout, rounded down in the payee's favour."""
    return to_payee * terms.fee_bps // BPS


def end(milestone: Milestone, state: State) -> int:
    """When the present status ends: the deadline while unfunded, the clock elsewhere; funded, the
    later of both, since whoever a rest goes against has time to object to it."""
    if state.status is Status.UNFUNDED:
        return milestone.deadline
    if state.status is Status.FUNDED:
        return max(milestone.deadline, state.clock)
    return state.clock


def time_to_object(terms: Terms) -> int:
    """How long whoever a rejection or a rest goes against has to object, in seconds."""
    return max(terms.objection_period, MIN_TIME_TO_OBJECT)


def rest_until(terms: Terms, milestone: Milestone, now: int) -> int:
    """Until when a rest stays funded that a verdict or time leaves behind now."""
    return max(milestone.deadline, now + time_to_object(terms))


def pays_by_date(milestone: Milestone, state: State) -> bool:
    """Whether the deadline alone pays: a progress payment about which verifiers never spoke."""
    return milestone.pays_on_silence and not state.spoken


def disputing_role(milestone: Milestone, state: State) -> Role | None:
    """Whom the present status is about to go against."""
    if state.status in (Status.SUBMITTED, Status.RELEASE_PENDING):
        return Role.BUYER
    if state.status is Status.FUNDED:
        return Role.BUYER if pays_by_date(milestone, state) else Role.PAYEE
    return Role.PAYEE if state.status is Status.REFUND_PENDING else None


def dispute_needs_arbiter(milestone: Milestone, state: State) -> bool:
    """Without an arbiter only the buyer may object, to a submission or a progress payment."""
    if state.status is Status.FUNDED:
        return not pays_by_date(milestone, state)
    return state.status is not Status.SUBMITTED


def speaks_late(state: State) -> bool:
    """Whether a verdict after the deadline counts: the first, on a submission or in a dispute."""
    late = (Status.SUBMITTED, Status.DISPUTED_BEFORE_VERDICT)
    return state.status in late and not state.spoken


def attest_until(milestone: Milestone, state: State) -> int:
    """Before when verifiers decide in the present status."""
    until = end(milestone, state)
    return until if speaks_late(state) else min(until, milestone.deadline)


def silence_split(terms: Terms, milestone: Milestone, state: State) -> Split:
    """What `finalize` pays out of the present status; nothing where nothing is held."""
    rest = held(milestone, state)
    match state.status:
        case Status.SUBMITTED:
            return Split(rest, 0)
        case Status.FUNDED if pays_by_date(milestone, state):
            return Split(rest, 0)
        case Status.DISPUTED_BEFORE_VERDICT if not state.spoken:
            to_payee = rest * terms.default_payee_bps // BPS
            return Split(to_payee, rest - to_payee)
        case Status.RELEASE_PENDING:
            return Split(state.pending - state.paid, 0)
        case Status.DISPUTED_OVER_VERDICT if state.pending:
            to_payee = state.pending - state.paid
            goes_on = state.clock < milestone.deadline
            return Split(to_payee, 0 if goes_on else rest - to_payee)
        case _:
            return Split(0, rest)


def after_payout(milestone: Milestone, state: State, split: Split, clock: int) -> State:
    """The state once `split` has left the milestone: settled, or funded with a rest.

    `clock` is until when whoever the rest goes against can object; only `resolve` leaves it, and
    the epoch.
    """
    paid = state.paid + split.total
    if paid == milestone.amount:
        return replace(state, status=Status.SETTLED, clock=0, paid=paid, pending=0)
    return replace(
        state,
        status=Status.FUNDED,
        clock=clock,
        paid=paid,
        pending=0,
    )


def advanced(state: State) -> State:
    """From now on nothing counts that was signed about the milestone as it was."""
    return replace(state, epoch=min(state.epoch + 1, LAST_EPOCH))


def silence(terms: Terms, milestone: Milestone, state: State, now: int = 0) -> tuple[Silence, ...]:
    """Everything that time alone leads to from here: no, one or two `finalize` calls, in order,
    each as soon as it is open but not before `now`."""
    steps: list[Silence] = []
    while state.status.holds:
        split = silence_split(terms, milestone, state)
        at = now = max(end(milestone, state), now)
        after = after_payout(milestone, advanced(state), split, rest_until(terms, milestone, at))
        steps.append(Silence(at, state.status, split, after.status))
        state = after
    return tuple(steps)


def options(terms: Terms, milestone: Milestone, state: State) -> tuple[Option, ...]:
    """Every verb that the present status knows, with who may use it and when.

    `resolve` is listed for the buyer (who approves: gives up what goes to the payee) and for the
    payee (who refunds); a settlement that gives something to both needs both.
    """
    if state.status is Status.UNFUNDED:
        return (Option(Verb.FUND, Role.ANYONE, until=milestone.deadline or None),)
    if state.status is Status.SETTLED:
        return ()
    until = end(milestone, state)
    found: list[Option] = []
    if milestone.quorum:
        newer = state.issued_at + 1 if state.spoken else 0
        speaks = attest_until(milestone, state)
        found.append(Option(Verb.ATTEST, Role.VERIFIERS, since=newer, until=speaks))
    if state.status is Status.FUNDED and terms.review_period:
        found.append(Option(Verb.SUBMIT, Role.PAYEE, until=milestone.deadline))
    role = disputing_role(milestone, state)
    if role and (terms.has_arbiter or not dispute_needs_arbiter(milestone, state)):
        found.append(Option(Verb.DISPUTE, role, until=until))
    if state.status in DISPUTED and terms.has_arbiter:
        found.append(Option(Verb.RULE, Role.ARBITER, until=until))
    found.append(Option(Verb.RESOLVE, Role.BUYER))
    found.append(Option(Verb.RESOLVE, Role.PAYEE))
    found.append(Option(Verb.FINALIZE, Role.ANYONE, since=until))
    return tuple(found)
