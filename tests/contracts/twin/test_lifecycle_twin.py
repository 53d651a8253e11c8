"""The contract and its twin take the same steps, refuse for the same reason, pay the same money."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import (
    Role,
    Split,
    State,
    Status,
    Verb,
    end,
    fee,
    held,
    options,
    silence,
)
from milestone_escrow.protocol.terms import DAY, Milestone
from milestone_escrow.protocol.transitions import Transition
from tests.contracts.support.contract import Refused
from tests.contracts.support.deal import Deal, make_milestone
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account, branch

VERBS = (
    Verb.FUND,
    Verb.ATTEST,
    Verb.SUBMIT,
    Verb.DISPUTE,
    Verb.RULE,
    Verb.RESOLVE,
    Verb.FINALIZE,
)
PEOPLE = ("buyer", "supplier", "arbiter", "stranger")
PAID = ("buyer", "supplier", "broker")


@dataclass(frozen=True)
class Step:
    """One verb by one caller; how far the clock moves before it, and to which side of an end."""

    verb: str
    caller: str
    wait: str | int
    verdict: Verdict
    share: tuple[int, int]
    consents: frozenset[str]
    issued: int


FUND = Step("fund", "buyer", 0, Verdict.ACCEPTED, (0, 0), frozenset(), 0)
WALKS = 60
STEPS = 10


@pytest.mark.parametrize("seed", range(WALKS))
def test_walks_as_its_twin_does(fresh: World, seed: int) -> None:
    """Each seed is another agreement and another walk; a failure names its step."""
    chance = Random(seed)
    world = branch(fresh)
    deal = world.deal(_milestone(chance), fee_recipient=account("broker"), **_terms(chance))
    world.open(deal)
    state = _walk(world, deal, State(), FUND)
    for _ in range(STEPS):
        likely = _likely(deal, state)
        wild = not likely or chance.random() < 0.3
        step = _any_step(chance) if wild else chance.choice(likely)
        state = _walk(world, deal, state, step)
    _let_time_settle(world, deal, state)


def _terms(chance: Random) -> dict[str, Any]:
    return {
        "objection_period": chance.choice([0, DAY, 5 * DAY]),
        "review_period": chance.choice([0, 3 * DAY, 3 * DAY]),
        "arbiter": chance.choice([ZERO_ADDRESS, account("arbiter"), account("arbiter")]),
        "default_payee_bps": chance.randint(0, 10_000),
        "fee_bps": chance.choice([0, 77, 1_000]),
    }


def _milestone(chance: Random) -> Milestone:
    if chance.random() < 0.05:
        return make_milestone(deadline=0, pays_on_silence=True)
    amount = chance.choice([1, 3, 100, 10**9 + 7, 10**9 + 7])
    return make_milestone(amount=amount, pays_on_silence=chance.random() < 0.3)


def _any_step(chance: Random) -> Step:
    """Anything by anyone at any time, mostly refused."""
    return Step(
        verb=chance.choice(VERBS).value,
        caller=chance.choice(PEOPLE),
        wait=chance.choice([0, DAY, 4 * DAY, "a second before", "at the end"]),
        verdict=chance.choice(list(Verdict)),
        share=chance.choice([(0, 0), (1, 0), (0, 1), (50, 50), (100, 0), (0, 100), (99, 2)]),
        consents=frozenset(name for name in ("buyer", "supplier") if chance.random() < 0.5),
        issued=chance.choice([-DAY, 0, 1]),
    )


def _likely(deal: Deal, state: State) -> list[Step]:
    """What the twin offers, so that walks get somewhere, and in part, so that they go on."""
    names = {Role.BUYER: "buyer", Role.PAYEE: "supplier", Role.ARBITER: "arbiter"}
    both = frozenset({"buyer", "supplier"})
    found = []
    for option in options(deal.terms, deal.milestones[0], state):
        verb, caller = option.verb.value, names.get(option.role, "stranger")
        found.append(Step(verb, caller, 1, Verdict.ACCEPTED, (30, 20), both, 0))
        if option.verb is Verb.FINALIZE and state.status is not Status.FUNDED:
            found.append(Step(verb, caller, "at the end", Verdict.ACCEPTED, (0, 0), both, 0))
        if option.verb is Verb.ATTEST:
            found.append(Step(verb, caller, 1, Verdict.REJECTED, (0, 0), both, 0))
    return found


def _walk(world: World, deal: Deal, state: State, step: Step) -> State:
    """One step in both; the state that both agree on afterwards."""
    world.now = _moment(deal, state, step, world.now)
    split = _split(deal, state, step)
    expected, refusal = _twin(deal, state, step, split, world.now)
    before = {name: world.balance(name) for name in PAID}
    refused = None
    try:
        _contract(world, deal, state, step, split)
    except Refused as error:
        refused = error.name
    assert refused == refusal, f"{step} of {state}"
    if expected is None:
        return state
    _agree(world, deal, state, expected, before)
    return expected.state


def _agree(
    world: World, deal: Deal, state: State, expected: Transition, before: dict[str, int]
) -> None:
    """The contract remembers and has paid what the twin says."""
    found = world.state(deal)
    if expected.state.status is Status.SETTLED:
        assert found == State(Status.SETTLED)
    else:
        assert found == expected.state
    taken = fee(deal.terms, expected.split.to_payee)
    moved = {name: world.balance(name) - before[name] for name in PAID}
    pulled = deal.milestones[0].amount if state.status is Status.UNFUNDED else 0
    assert moved == {
        "buyer": expected.split.to_buyer - pulled,
        "supplier": expected.split.to_payee - taken,
        "broker": taken,
    }
    has, owes = world.books(world.token.address)
    assert has == owes


def _moment(deal: Deal, state: State, step: Step, now: int) -> int:
    if isinstance(step.wait, int):
        return now + step.wait
    return max(now, end(deal.milestones[0], state) - (step.wait == "a second before"))


def _split(deal: Deal, state: State, step: Step) -> Split:
    """Shares of what is held in hundredths; 1 and 2 are units."""
    rest = held(deal.milestones[0], state)
    return Split(*(rest * share // 100 if share > 2 else share for share in step.share))


def _attestation(deal: Deal, state: State, step: Step, now: int) -> Attestation:
    certified = state.paid + _split(deal, state, step).total
    amount = certified if step.verdict is Verdict.ACCEPTED else step.share[0] // 99
    return deal.attestation(
        verdict=step.verdict, amount=amount, issued_at=now + step.issued, valid_until=now
    )


def _twin(
    deal: Deal, state: State, step: Step, split: Split, now: int
) -> tuple[Transition | None, str | None]:
    """What the twin says: the transition, or the name of the error."""
    terms, milestone, caller = deal.terms, deal.milestones[0], account(step.caller)
    consents = {account(name) for name in step.consents | {step.caller}}
    try:
        if step.verb == "fund":
            return transitions.fund(milestone, state, now), None
        if step.verb == "attest":
            attestation = _attestation(deal, state, step, now)
            return transitions.attest(terms, milestone, state, attestation, now), None
        if step.verb == "submit":
            return transitions.submit(terms, milestone, state, caller, now), None
        if step.verb == "dispute":
            return transitions.dispute(terms, milestone, state, caller, now), None
        if step.verb == "rule":
            return transitions.rule(terms, milestone, state, split, caller, now), None
        if step.verb == "resolve":
            return transitions.resolve(terms, milestone, state, split, consents), None
        return transitions.finalize(terms, milestone, state, now), None
    except LifecycleError as error:
        return None, str(error.fields["error"])


def _contract(world: World, deal: Deal, state: State, step: Step, split: Split) -> None:
    caller = step.caller
    if step.verb == "fund":
        world.fund(deal, 1)
    elif step.verb == "attest":
        world.attest(deal, _attestation(deal, state, step, world.now), by=caller)
    elif step.verb == "submit":
        world.submit(deal, by=caller)
    elif step.verb == "dispute":
        world.dispute(deal, by=caller)
    elif step.verb == "rule":
        world.rule(deal, split.to_payee, split.to_buyer, by=caller)
    elif step.verb == "resolve":
        act = world.resolution(deal, split.to_payee, split.to_buyer, epoch=state.epoch)
        data = act.typed_data(world.domain)
        buyer, payee = (
            person(name).sign(data) if name in step.consents else b""
            for name in ("buyer", "supplier")
        )
        world.resolve(deal, split.to_payee, split.to_buyer, buyer=buyer, payee=payee, by=caller)
    else:
        world.finalize(deal, by=caller)


def _let_time_settle(world: World, deal: Deal, state: State) -> None:
    """From wherever the walk ended, silence leads where the twin said, in at most two calls."""
    steps = silence(deal.terms, deal.milestones[0], state, world.now)
    assert len(steps) <= 2
    for step in steps:
        world.now = max(world.now, step.at)
        assert world.state(deal).status is step.status
        before = {name: world.balance(name) for name in PAID}
        world.finalize(deal)
        after = transitions.finalize(deal.terms, deal.milestones[0], state, world.now)
        assert after.split == step.split
        _agree(world, deal, state, after, before)
        state = after.state
        assert state.status is step.leads_to
    assert state.status in (Status.SETTLED, Status.UNFUNDED)
    assert world.balance(world.escrow.address) == 0
    assert not options(deal.terms, deal.milestones[0], State(Status.SETTLED))
