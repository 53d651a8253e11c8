"""Change orders, as the tests do them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from milestone_escrow.protocol.amendment import Amendment, carried, epochs, signers
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import Milestone
from tests.contracts.support.contract import Outcome
from tests.contracts.support.deal import FOREVER, Deal, make_milestone
from tests.contracts.support.evm import GAS
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account


def revised(deal: Deal, *milestones: Milestone, **terms: Any) -> Deal:
    """New terms between the same parties in the same token; one milestone unless given."""
    changed = replace(deal.terms, **{"salt": deal.terms.salt + 1_000, **terms})
    return Deal(deal.domain, changed, milestones or (make_milestone(),))


def amendment(
    old: Deal,
    new: Deal,
    closes: int = 1,
    funds: int = 1,
    until: int = FOREVER,
    states: Sequence[State] = (),
) -> Amendment:
    """Of milestones as they stand, by default all funded and nothing else."""
    states = states or [State(Status.FUNDED)] * len(old.milestones)
    moves = (carried(old.milestones, states, closes), epochs(states, closes))
    return Amendment(old.id, closes, funds, *moves, until, new.terms, new.milestones)


def amend(
    world: World,
    old: Deal,
    new: Deal,
    closes: int = 1,
    funds: int = 1,
    *,
    until: int = FOREVER,
    order: Amendment | None = None,
    signatures: Sequence[bytes] | None = None,
    by: str = "stranger",
    gas: int = GAS,
) -> Outcome:
    """Signed by everyone whose consent is needed, unless signatures are given."""
    order = order or amendment(old, new, closes, funds, until, world.states(old))
    if signatures is None:
        signatures = sign_amendment(world, old, order)
    outcome = world.escrow.send(
        "amend",
        old.abi_terms,
        old.abi_milestones,
        abi_amendment(order, new),
        list(signatures),
        by=account(by),
        gas=gas,
    )
    world.deals[new.id] = new
    return outcome


def abi_amendment(order: Amendment, new: Deal) -> tuple[Any, ...]:
    moves = (order.carried, order.epochs, order.valid_until)
    return (order.closes, order.funds, *moves, new.abi_terms, new.abi_milestones)


def sign_amendment(world: World, old: Deal, order: Amendment) -> list[bytes]:
    """By the people whom the twin names, in its order."""
    people = {account(name): person(name) for name in ("buyer", "supplier", "financier", "rival")}
    data = order.typed_data(world.domain)
    needed = signers(old.terms, order.terms, world.states(old), order.closes)
    return [people[needs].sign(data) for needs in needed]
