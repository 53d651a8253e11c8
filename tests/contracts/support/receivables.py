"""Handing the right to a milestone's payout on, as the tests do it."""

from __future__ import annotations

from typing import Any

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import held
from milestone_escrow.protocol.receivables import Assignment, Offer
from tests.contracts.support.contract import Outcome
from tests.contracts.support.deal import FOREVER, Deal
from tests.contracts.support.evm import GAS
from tests.contracts.support.people import person
from tests.contracts.support.world import RICH, World, account

PRICE = 960_000_000
ASSIGNABLE = 0b1110
"""Funded, Submitted, ReleasePending, as `WrongStatus` names them."""


def enrich(world: World, *names: str) -> None:
    """Gives accounts plenty of the token, approved."""
    for name in names:
        world.token.send("mint", account(name), RICH)
        world.token.send("approve", world.escrow.address, 2**256 - 1, by=account(name))


def assignment(world: World, deal: Deal, index: int = 0, **changes: Any) -> Assignment:
    """To the financier, at the milestone's present handover."""
    values = {
        "assignee": account("financier"),
        "handover": world.state(deal, index).handover,
        "valid_until": FOREVER,
        **changes,
    }
    return Assignment(deal.id, index, **values)


def assign(
    world: World,
    deal: Deal,
    index: int = 0,
    *,
    to: str = "financier",
    until: int = FOREVER,
    signature: bytes = b"",
    by: str = "supplier",
) -> Outcome:
    world.payees.add(account(to))
    arguments = (deal.abi_terms, deal.ref(index), account(to), until, signature)
    return world.escrow.send("assign", *arguments, by=account(by))


def offer(world: World, deal: Deal, index: int = 0, **changes: Any) -> Offer:
    """To anyone, for what the milestone holds now."""
    state = world.state(deal, index)
    values = {
        "financier": ZERO_ADDRESS,
        "price": PRICE,
        "held": held(deal.milestones[index], state),
        "epoch": state.epoch,
        "handover": state.handover,
        "valid_until": FOREVER,
        **changes,
    }
    return Offer(deal.id, index, **values)


def buy(
    world: World,
    deal: Deal,
    offered: Offer,
    *,
    index: int | None = None,
    signature: bytes | None = None,
    by: str = "financier",
    gas: int = GAS,
) -> Outcome:
    """With the supplier's signature, unless one is given."""
    if signature is None:
        signature = person("supplier").sign(offered.typed_data(world.domain))
    world.payees.add(account(by))
    at = offered.milestone if index is None else index
    arguments = (deal.abi_terms, deal.ref(at), abi_offer(offered), signature)
    return world.escrow.send("buyReceivable", *arguments, by=account(by), gas=gas)


def abi_offer(offered: Offer) -> tuple[Any, ...]:
    """What the contract does not know already from the milestone."""
    return (
        offered.financier,
        offered.price,
        offered.held,
        offered.epoch,
        offered.handover,
        offered.valid_until,
    )
