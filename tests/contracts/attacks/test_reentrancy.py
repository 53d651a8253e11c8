"""A token that calls back finds every verb locked, in both directions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_utils import keccak

from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.amendments import amend, revised
from tests.contracts.support.batches import abi_items, attest_batch
from tests.contracts.support.contract import Contract, Refused
from tests.contracts.support.deal import (
    AMOUNT,
    EVIDENCE,
    FOREVER,
    REASON,
    Deal,
    abi_attestation,
    make_milestone,
)
from tests.contracts.support.receivables import abi_offer, buy, offer
from tests.contracts.support.tokens import behave, hostile_token
from tests.contracts.support.world import World, account

LOCKED = bytes(keccak(b"ReentrancyGuardReentrantCall()"))[:4]


def _attest(world: World, deal: Deal) -> bytes:
    attestation = deal.attestation(1)
    signatures = world.signatures(deal, attestation, 0b011)
    arguments = (deal.abi_terms, deal.ref(1), abi_attestation(attestation), 0b011, signatures)
    return world.escrow.data("attest", *arguments)


CALLS: dict[str, Callable[[World, Deal], bytes]] = {
    "open": lambda w, d: w.escrow.data("open", d.abi_terms, d.abi_milestones, 0b100, b"", b""),
    "fund": lambda w, d: w.escrow.data("fund", d.abi_terms, d.abi_milestones, 0b100),
    "attest": _attest,
    "submit": lambda w, d: w.escrow.data(
        "submit", d.abi_terms, d.ref(1), EVIDENCE, FOREVER, b"\x01"
    ),
    "dispute": lambda w, d: w.escrow.data(
        "dispute", d.abi_terms, d.ref(1), REASON, FOREVER, b"\x01"
    ),
    "rule": lambda w, d: w.escrow.data(
        "rule", d.abi_terms, d.ref(1), 1, 0, REASON, FOREVER, b"\x01"
    ),
    "resolve": lambda w, d: w.escrow.data(
        "resolve", d.abi_terms, d.ref(1), 1, 0, FOREVER, b"\x01", b""
    ),
    "finalize": lambda w, d: w.escrow.data("finalize", d.abi_terms, d.ref(1)),
    "fundWithAuthorization": lambda w, d: w.escrow.data(
        "fundWithAuthorization", d.abi_terms, d.abi_milestones, 0b100, (account("buyer"), 0, 1, b"")
    ),
    "permit": lambda w, d: w.escrow.data("permit", d.terms.token, 1, 1, 27, b"", b""),
    "attestBatch": lambda w, d: w.escrow.data(
        "attestBatch", abi_items([(d, d.attestation(1))]), 0b011, [b"", b""]
    ),
    "assign": lambda w, d: w.escrow.data(
        "assign", d.abi_terms, d.ref(1), account("stranger"), FOREVER, b"\x01"
    ),
    "buyReceivable": lambda w, d: w.escrow.data(
        "buyReceivable", d.abi_terms, d.ref(1), abi_offer(offer(w, d, 1)), b"\x01"
    ),
    "amend": lambda w, d: w.escrow.data(
        "amend",
        d.abi_terms,
        d.abi_milestones,
        (0b10, 0, AMOUNT, 0, FOREVER, d.abi_terms, d.abi_milestones),
        [b"", b""],
    ),
    "multicall": lambda w, d: w.escrow.data("multicall", [CALLS["finalize"](w, d)]),
    "withdraw": lambda w, d: w.escrow.data("withdraw", d.terms.token, account("supplier"), 1),
}
VIEWS: dict[str, Callable[[World, Deal], bytes]] = {
    "isOpen": lambda w, d: w.escrow.data("isOpen", d.id),
    "milestoneStates": lambda w, d: w.escrow.data("milestoneStates", d.id, 3),
    "creditOf": lambda w, d: w.escrow.data("creditOf", d.terms.token, account("supplier")),
}


@pytest.fixture
def token(world: World) -> Contract:
    return hostile_token(world)


def _deal(world: World, token: Contract) -> Deal:
    """Three milestones, two of them funded."""
    deal = world.opened(*[make_milestone()] * 3, token=token.address)
    world.fund(deal, 0b011)
    return deal


@pytest.mark.parametrize("verb", CALLS)
def test_no_verb_can_be_entered_from_a_payout(world: World, token: Contract, verb: str) -> None:
    deal = _deal(world, token)
    token.send("callBack", world.escrow.address, CALLS[verb](world, deal))
    behave(token, transfer="Reenter")
    world.attest(deal, deal.attestation(0))
    assert not token.call("reentered")
    assert token.call("answer") == LOCKED
    assert [state.status for state in world.states(deal)] == [Status.SETTLED, 1, 0]
    assert world.balance("supplier", token) == AMOUNT


@pytest.mark.parametrize("verb", CALLS)
def test_no_verb_can_be_entered_from_a_funding(world: World, token: Contract, verb: str) -> None:
    deal = _deal(world, token)
    token.send("callBack", world.escrow.address, CALLS[verb](world, deal))
    behave(token, transfer_from="Reenter")
    world.fund(deal, 0b100)
    assert token.call("answer") == LOCKED
    assert [state.status for state in world.states(deal)] == [1, 1, 1]


@pytest.mark.parametrize("verb", CALLS)
def test_no_verb_can_be_entered_from_a_withdrawal(world: World, token: Contract, verb: str) -> None:
    deal = _deal(world, token)
    behave(token, transfer="Revert")
    world.attest(deal, deal.attestation(0))
    token.send("callBack", world.escrow.address, CALLS[verb](world, deal))
    behave(token, transfer="Reenter")
    world.withdraw("supplier", token=token.address)
    assert token.call("answer") == LOCKED
    assert world.balance("supplier", token) == AMOUNT


@pytest.mark.parametrize("verb", CALLS)
def test_no_verb_can_be_entered_from_a_batch(world: World, token: Contract, verb: str) -> None:
    deal = _deal(world, token)
    token.send("callBack", world.escrow.address, CALLS[verb](world, deal))
    behave(token, transfer="Reenter")
    attest_batch(world, [(deal, deal.attestation(0)), (deal, deal.attestation(1))])
    assert token.call("answer") == LOCKED
    assert [state.status for state in world.states(deal)] == [Status.SETTLED] * 2 + [0]
    assert world.balance("supplier", token) == 2 * AMOUNT


@pytest.mark.parametrize("verb", CALLS)
def test_no_verb_can_be_entered_from_a_change_order(
    world: World, token: Contract, verb: str
) -> None:
    """Neither while the difference is pulled, nor while it is returned."""
    deal = _deal(world, token)
    token.send("callBack", world.escrow.address, CALLS[verb](world, deal))
    behave(token, transfer="Reenter", transfer_from="Reenter")
    for index, amount in enumerate((AMOUNT + 1, AMOUNT - 1)):
        new = revised(deal, make_milestone(amount=amount), salt=50 + index)
        amend(world, deal, new, closes=1 << index, by="buyer")
        assert token.call("answer") == LOCKED
        assert world.state(new).status is Status.FUNDED


@pytest.mark.parametrize("verb", CALLS)
def test_no_verb_can_be_entered_from_a_sale(world: World, token: Contract, verb: str) -> None:
    deal = _deal(world, token)
    call = CALLS[verb](world, deal)
    token.send("callBack", world.escrow.address, call)
    behave(token, transfer_from="Reenter")
    buy(world, deal, offer(world, deal, 1), by="buyer")
    assert token.call("answer") == LOCKED
    assert world.state(deal, 1).assignee == account("buyer")


@pytest.mark.parametrize("view", VIEWS)
def test_what_a_view_shows_during_a_payout_is_already_true(
    world: World, token: Contract, view: str
) -> None:
    deal = _deal(world, token)
    token.send("callBack", world.escrow.address, VIEWS[view](world, deal))
    behave(token, transfer="Reenter")
    world.attest(deal, deal.attestation(0))
    assert token.call("reentered")
    after = world.chain.call(world.escrow.address, VIEWS[view](world, deal))
    assert token.call("answer") == after


def test_a_callback_that_donates_cannot_pass_for_the_transfer(
    world: World, token: Contract
) -> None:
    """Where a balance difference is believed, the money must have come from this transfer alone."""
    deal = world.opened(token=token.address)
    token.send("callBack", token.address, token.data("mint", world.escrow.address, 1))
    behave(token, transfer_from="Reenter")
    with pytest.raises(Refused, match="InexactTransfer") as caught:
        world.fund(deal, 1)
    assert caught.value.values == {"asked": AMOUNT, "received": AMOUNT + 1}


def test_one_lock_serves_all_agreements(world: World, token: Contract) -> None:
    other = world.funded(salt=2)
    deal = _deal(world, token)
    token.send("callBack", world.escrow.address, CALLS["attest"](world, other_pair(world)))
    behave(token, transfer="Reenter")
    world.attest(deal, deal.attestation(0))
    assert token.call("answer") == LOCKED
    assert world.state(other).status is Status.FUNDED


def other_pair(world: World) -> Deal:
    """Another agreement, in an honest token, with a second milestone to attest."""
    return world.funded(make_milestone(), make_milestone(), salt=3)
