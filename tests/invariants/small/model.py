"""The twin's side: a node made real, a move tried on it, and all that can be reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import amendment, receivables, transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import Split, State, Status, held, payee
from milestone_escrow.protocol.terms import DAY, Milestone, Terms
from milestone_escrow.protocol.transitions import Transition
from tests.contracts.support.deal import EVIDENCE, FOREVER
from tests.invariants.accounts import account
from tests.invariants.small import table
from tests.invariants.small.table import Leads, Move, Node, Paid, Setting

NOW = 2_000_000_000
ESCROW = account("escrow")
PEOPLE: Mapping[str, str] = {
    table.BUYER: "buyer",
    table.ARBITER: "arbiter",
    table.VERIFIERS: "inspector",
    table.STRANGER: "stranger",
    table.FINANCIER: "financier 2",
    table.FORMER: "supplier",
}
ASSIGNEE = "financier"


@dataclass(frozen=True, slots=True)
class Real:
    """A node as the package sees it."""

    terms: Terms
    milestone: Milestone
    state: State


@cache
def make_terms(setting: Setting, token: Address = ESCROW, salt: int = 0) -> Terms:
    return Terms(
        buyer=account("buyer"),
        supplier=account("supplier"),
        token=token,
        arbiter=account("arbiter") if setting.arbiter else ZERO_ADDRESS,
        verifiers=(account("inspector"),),
        objection_period=setting.objection * DAY,
        review_period=table.REVIEW * DAY if setting.submissions else 0,
        arbitration_period=table.ARBITRATION * DAY,
        default_payee_bps=5_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=bytes(32),
        salt=salt,
    )


@cache
def make_milestone(setting: Setting, deadline: int) -> Milestone:
    signers = 1 if setting.verified else 0
    return Milestone(table.AMOUNT, deadline, setting.silence_pays, signers, signers, bytes(32))


def realise(setting: Setting, node: Node, short: int = 0) -> Real:
    """At the time `NOW`; what is still to come comes `short` seconds earlier."""
    state = State(
        status=node.status,
        assignee=account(ASSIGNEE) if node.assigned else ZERO_ADDRESS,
        clock=_moment(node.clock, short) if node.status in table.CLOCKED else 0,
        issued_at=(NOW if node.fresh else NOW - 1) if node.spoken else 0,
        epoch=7,
        handover=3,
        pending=node.pending,
        paid=node.paid,
    )
    deadline = _moment(node.deadline, short)
    return Real(make_terms(setting), make_milestone(setting, deadline), state)


def attempt(real: Real, move: Move, now: int = NOW) -> Transition | None:
    """What the twin makes of the move; nothing where it refuses."""
    terms, milestone, state = real.terms, real.milestone, real.state
    who = {account(PEOPLE[role]) for role in move.by if role != table.PAYEE}
    owner = payee(terms, state)
    if table.PAYEE in move.by:
        who.add(owner)
    alone = next(iter(who))
    split = Split(move.x, move.y)
    try:
        match move.verb:
            case "fund":
                return transitions.fund(milestone, state, now)
            case "accept" | "reject":
                # Who signs is checked with the signatures, beside the twin.
                if table.VERIFIERS not in move.by:
                    return None
                return transitions.attest(terms, milestone, state, _attestation(move, now), now)
            case "submit":
                return transitions.submit(terms, milestone, state, alone, now)
            case "dispute":
                return transitions.dispute(terms, milestone, state, alone, now)
            case "rule":
                return transitions.rule(terms, milestone, state, split, alone, now)
            case "resolve":
                return transitions.resolve(terms, milestone, state, split, frozenset(who))
            case "finalize":
                return transitions.finalize(terms, milestone, state, now)
            case "assign":
                return receivables.assign(
                    terms, milestone, state, account(ASSIGNEE), alone, now, contract=ESCROW
                )
            case "buy":
                return _buy(real, move, now)
            case _:
                return _amend(real, frozenset(who), now)
    except LifecycleError:
        return None


def leads(real: Real, node: Node, done: Transition, verb: str) -> Leads:
    """The transition in the table's terms."""
    state = done.state
    settled = state.status is Status.SETTLED
    clock = _days(state.clock) if state.status in table.CLOCKED else 0
    if state.status is Status.FUNDED and clock <= node.deadline:
        clock = table.PASSED
    after = Node(
        state.status,
        state.assignee != ZERO_ADDRESS,
        state.paid,
        0 if settled else state.pending,
        clock,
        node.deadline,
        state.spoken,
        state.issued_at == NOW,
    )
    return after, Paid(done.split.to_payee, done.split.to_buyer)


def _days(moment: int) -> int:
    days, rest = divmod(moment - NOW, DAY)
    assert moment < NOW or rest == 0
    return max(days, table.PASSED)


@cache
def explore(setting: Setting) -> Mapping[Node, tuple[Node, Move | str] | None]:
    """Every node that can be reached, breadth first, with the step that led there."""
    found: dict[Node, tuple[Node, Move | str] | None] = {Node(): None}
    queue = deque(found)
    while queue:
        node = queue.popleft()
        steps: list[tuple[Node, Move | str]] = [
            (table.a_day_later(node), "a day"),
            (table.a_second_later(node), "a second"),
        ]
        real = realise(setting, node)
        for move in table.moves(setting, node):
            done = attempt(real, move)
            if done is not None:
                steps.append((leads(real, node, done, move.verb)[0], move))
        for after, step in steps:
            if after not in found:
                found[after] = (node, step)
                queue.append(after)
    return found


def _moment(days: int, short: int) -> int:
    """Positive: that many days from now, less `short`; 0: now; else a second ago."""
    if days > 0:
        return NOW + days * DAY - short
    return NOW if days == 0 else NOW - 1


def _attestation(move: Move, now: int) -> Attestation:
    verdict = Verdict.ACCEPTED if move.verb == "accept" else Verdict.REJECTED
    return Attestation(bytes(32), 0, verdict, move.x, EVIDENCE, now, FOREVER)


def _buy(real: Real, move: Move, now: int) -> Transition | None:
    """An offer that the payee has signed, or nobody has."""
    if table.PAYEE not in move.by:
        return None
    rest = held(real.milestone, real.state)
    offer = receivables.Offer(
        bytes(32), 0, ZERO_ADDRESS, 1, rest, real.state.epoch, real.state.handover, FOREVER
    )
    buyer = account(PEOPLE[table.FINANCIER])
    return receivables.buy(
        real.terms, real.milestone, real.state, offer, buyer, now, contract=ESCROW
    )


def _amend(real: Real, who: frozenset[Address], now: int) -> Transition:
    """Closes the milestone; the money goes on to other terms."""
    moves = (held(real.milestone, real.state), amendment.epochs((real.state,), 1))
    order = amendment.Amendment(
        bytes(32), 1, 0, *moves, FOREVER, replace(real.terms, salt=99), (real.milestone,)
    )
    closed, moved = amendment.close(real.terms, (real.milestone,), (real.state,), order, who, now)
    assert moved.carried == held(real.milestone, real.state)
    return Transition(closed[0])
