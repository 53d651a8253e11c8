"""One milestone of three units, in every state that it can ever be in.

Each verb by each role is allowed or refused as the table says, in the twin and in the contract;
silence always ends, when it was said to; and where it is time's turn, nobody can grab anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pytest

from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.assessment import assess
from milestone_escrow.protocol.lifecycle import Status, end, held, silence
from milestone_escrow.protocol.terms import DAY
from tests.invariants.machine.stage import set_stage
from tests.invariants.small import table
from tests.invariants.small.charter import ONE_SIDED
from tests.invariants.small.model import NOW, Real, attempt, explore, leads, realise
from tests.invariants.small.replay import Replay, choose, sample
from tests.invariants.small.table import BUYER, PAYEE, Move, Node, Setting, outcome

SETTINGS = table.settings()
PARTS = 2


@dataclass(frozen=True, slots=True)
class Place:
    setting: Setting
    node: Node

    @property
    def real(self) -> Real:
        return realise(self.setting, self.node)


def places() -> Iterator[Place]:
    for setting in SETTINGS:
        for node in explore(setting):
            yield Place(setting, node)


def test_all_statuses_clocks_amounts_and_payees_are_reached() -> None:
    nodes = {place.node for place in places()}
    assert {node.status for node in nodes} == set(Status)
    for status in set(Status) - {Status.UNFUNDED, Status.SETTLED}:
        here = [node for node in nodes if node.status is status]
        assert {node.paid for node in here} == set(range(table.AMOUNT))
        assert {node.assigned for node in here} == {True, False}
        assert {node.end for node in here} >= {1, 0, table.PASSED}
        assert {node.deadline for node in here} == {table.PASSED, *range(table.DEADLINE + 1)}


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_twin_is_the_table(setting: Setting) -> None:
    for node in explore(setting):
        real = realise(setting, node)
        # A second before every end that is still to come, who may do what is the same.
        nearly = realise(setting, node, short=86_399) if node.end == 1 else None
        for move in table.moves(setting, node):
            expected = outcome(setting, node, move)
            done = attempt(real, move)
            found = leads(real, node, done, move.verb) if done else None
            assert found == expected, (node, move)
            if nearly:
                assert (attempt(nearly, move) is None) == (expected is None), (node, move)


@pytest.mark.parametrize("setting", SETTINGS)
def test_silence_settles_in_two_calls_at_the_promised_times(setting: Setting) -> None:
    for node in explore(setting):
        real = realise(setting, node)
        promised = silence(real.terms, real.milestone, real.state)
        assert bool(promised) == (node.held > 0)
        assert len(promised) <= 2
        state, paid = real.state, 0
        for step in promised:
            assert step.at == max(end(real.milestone, state), promised[0].at)
            with pytest.raises(transitions.LifecycleError, match="open until"):
                transitions.finalize(
                    real.terms, real.milestone, state, end(real.milestone, state) - 1
                )
            done = transitions.finalize(real.terms, real.milestone, state, step.at)
            assert (done.split, done.state.status) == (step.split, step.leads_to)
            state, paid = done.state, paid + done.split.total
        if promised:
            assert state.status is Status.SETTLED
        assert paid == held(real.milestone, real.state)


@pytest.mark.parametrize("setting", SETTINGS)
def test_where_time_decides_nobody_gains_by_acting_alone(setting: Setting) -> None:
    """Whatever a role can do on its own there leaves it with no more than `finalize` pays it."""
    for node in explore(setting):
        if not node.held or not node.ended:
            continue
        left = _by_silence(setting, node)
        for move in table.moves(setting, node):
            found = outcome(setting, node, move)
            if found is None or len(move.by) > 1 or move.verb == "finalize":
                continue
            after, paid = found
            assert move.verb == "resolve", (node, move)
            assert after.ended or not after.held
            to_payee, to_buyer = _by_silence(setting, after)
            if move.by == {BUYER}:
                assert paid.buyer + to_buyer <= left[1]
            elif move.by == {PAYEE}:
                assert paid.payee + to_payee <= left[0]
            else:
                raise AssertionError(f"{set(move.by)} may {move.verb} in {node}")


def _by_silence(setting: Setting, node: Node) -> tuple[int, int]:
    """What payee and buyer get from here if nobody ever acts."""
    real = realise(setting, node)
    steps = silence(real.terms, real.milestone, real.state)
    return sum(s.split.to_payee for s in steps), sum(s.split.to_buyer for s in steps)


@pytest.mark.parametrize("setting", SETTINGS)
def test_nothing_that_is_held_is_ever_stuck(setting: Setting) -> None:
    """Days alone, and whoever calls `finalize` then, lead from every state to settled."""
    for start in explore(setting):
        node, days = start, 0
        while node.held:
            finalize = Move("finalize", frozenset({table.STRANGER}))
            found = outcome(setting, node, finalize)
            node = found[0] if found else table.a_day_later(node)
            days += not found
            assert days <= table.DEADLINE + table.ARBITRATION
        assert start.status in (Status.UNFUNDED, Status.SETTLED) or node.status is Status.SETTLED


@pytest.mark.parametrize("setting", SETTINGS)
def test_nobody_keeps_the_money_longer_than_said(setting: Setting) -> None:
    """`assess().latest` plays real acts; no other act, and no waiting, leads further."""
    for node in explore(setting):
        if not node.held or node.assigned:
            continue
        told = _latest(setting, node)
        if not node.ended:
            assert _latest(setting, table.a_day_later(node)) + DAY <= told, node
        for move in table.moves(setting, node):
            found = outcome(setting, node, move) if move.verb in ONE_SIDED else None
            if found and found[0].held:
                assert _latest(setting, found[0]) <= told, (node, move)


@cache
def _latest(setting: Setting, node: Node) -> int:
    real = realise(setting, node)
    told = assess(real.terms, real.milestone, real.state, NOW).latest
    assert told is not None
    return told


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_contract_is_the_table(artifacts: Mapping[str, Artifact], part: int) -> None:
    """Every kind of node, reached by real calls; allowed and refused moves of every verb there."""
    replay = Replay(set_stage(artifacts))
    chosen = list(sample(SETTINGS))[part::PARTS]
    for turn, (setting, node) in enumerate(chosen):
        point = replay.at(setting, node)
        every = table.moves(setting, node)
        allowed = {move: outcome(setting, node, move) is not None for move in every}
        for move in choose(every, allowed, turn):
            act, by = replay.act(point, move)
            answer, expected, after = replay.tries(point, act, by)
            assert answer == expected, (setting, node, move)
            assert (answer is None) == allowed[move], (setting, node, move)
            if found := outcome(setting, node, move):
                assert after.status is found[0].status
                settled = after.status is Status.SETTLED
                assert settled or (after.paid, after.pending) == (found[0].paid, found[0].pending)
    assert replay.calls >= 1_000


def test_a_deposit_is_with_the_supplier_as_soon_as_it_is_funded() -> None:
    real = realise(SETTINGS[0], Node())
    deposit = real.milestone.__class__(table.AMOUNT, 0, True, 0, 0, bytes(32))
    done = transitions.fund(deposit, real.state, NOW)
    assert (done.state.status, done.split.to_payee) == (Status.SETTLED, table.AMOUNT)
    assert silence(real.terms, deposit, done.state) == ()
