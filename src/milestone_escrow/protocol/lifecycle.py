"""The status table: where a milestone stands, who may do what, and what silence leads to.

Pure functions over the terms, one milestone and its state. Amounts are token units, times Unix
seconds; time always comes in as an argument. Quorum, parties and arbiter act while now < end,
`finalize` when now >= end, consent (`resolve`) until the milestone is settled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.terms import BPS, Milestone, Terms


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


ATTESTABLE = frozenset(
    {
        Status.FUNDED,
        Status.SUBMITTED,
        Status.RELEASE_PENDING,
        Status.REFUND_PENDING,
        Status.DISPUTED_BEFORE_VERDICT,
    }
)
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
    sequence: int = 0
    pending: int = 0
    paid: int = 0


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


@dataclass(frozen=True, slots=True)
class Silence:
    """One `finalize` call: from `at` on, anyone may let time pay `split`, out of `status`."""

    at: int
    status: Status
    split: Split
    leads_to: Status


LAST_SEQUENCE = 2**24 - 1
"""The contract's counter stays here once it has come so far."""


def next_sequence(state: State) -> int:
    """The counter after one more change."""
    return min(state.sequence + 1, LAST_SEQUENCE)


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
    """When the present status ends: the deadline while unfunded or funded, the clock elsewhere."""
    if state.status in (Status.UNFUNDED, Status.FUNDED):
        return milestone.deadline
    return state.clock


def disputing_role(milestone: Milestone, state: State) -> Role | None:
    """Whom the present status is about to go against."""
    if state.status in (Status.SUBMITTED, Status.RELEASE_PENDING):
        return Role.BUYER
    if state.status is Status.FUNDED:
        return Role.BUYER if milestone.pays_on_silence else Role.PAYEE
    return Role.PAYEE if state.status is Status.REFUND_PENDING else None


def dispute_needs_arbiter(milestone: Milestone, state: State) -> bool:
    """Without an arbiter only the buyer may object, to a submission or a progress payment."""
    if state.status is Status.FUNDED:
        return not milestone.pays_on_silence
    return state.status is not Status.SUBMITTED


def silence_split(terms: Terms, milestone: Milestone, state: State) -> Split:
    """What `finalize` pays out of the present status; nothing where nothing is held."""
    rest = held(milestone, state)
    if state.status is Status.SUBMITTED:
        return Split(rest, 0)
    if state.status is Status.FUNDED and milestone.pays_on_silence:
        return Split(rest, 0)
    if state.status is Status.DISPUTED_BEFORE_VERDICT:
        to_payee = rest * terms.default_payee_bps // BPS
        return Split(to_payee, rest - to_payee)
    # The verdict stands: an accepting one certified more than was paid, a rejecting one left 0.
    if state.status is not Status.FUNDED and state.pending:
        return Split(state.pending - state.paid, 0)
    return Split(0, rest)


def after_payout(milestone: Milestone, state: State, split: Split) -> State:
    """The state once `split` has left the milestone: settled, or funded with a rest."""
    paid = state.paid + split.total
    if paid == milestone.amount:
        return replace(state, status=Status.SETTLED, paid=paid, pending=0)
    return replace(state, status=Status.FUNDED, paid=paid, pending=0, sequence=next_sequence(state))


def silence(terms: Terms, milestone: Milestone, state: State) -> tuple[Silence, ...]:
    """Everything that time alone leads to from here: no, one or two `finalize` calls, in order."""
    steps: list[Silence] = []
    earliest = 0
    while state.status.holds:
        split = silence_split(terms, milestone, state)
        at = max(end(milestone, state), earliest)
        after = after_payout(milestone, state, split)
        steps.append(Silence(at, state.status, split, after.status))
        state, earliest = after, at
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
    if state.status in ATTESTABLE and milestone.quorum:
        found.append(Option(Verb.ATTEST, Role.VERIFIERS, until=until))
    if state.status is Status.FUNDED and terms.review_period:
        found.append(Option(Verb.SUBMIT, Role.PAYEE, until=until))
    role = disputing_role(milestone, state)
    if role and (terms.has_arbiter or not dispute_needs_arbiter(milestone, state)):
        found.append(Option(Verb.DISPUTE, role, until=until))
    if state.status in DISPUTED and terms.has_arbiter:
        found.append(Option(Verb.RULE, Role.ARBITER, until=until))
    found.append(Option(Verb.RESOLVE, Role.BUYER))
    found.append(Option(Verb.RESOLVE, Role.PAYEE))
    found.append(Option(Verb.FINALIZE, Role.ANYONE, since=until))
    return tuple(found)
