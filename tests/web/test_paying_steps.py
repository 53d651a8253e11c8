"""What a wallet is asked to pay in, step by step, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.token import Token
from milestone_escrow.sandbox.world import World
from milestone_escrow.web.steps.paying import fund
from milestone_escrow.web.steps.visit import Visit, WalletStep
from tests.chain.tokens import deploy
from tests.cli.deal import BUYER, DEAL, START
from tests.support.contracts import compiled
from tests.support.delegation import let_rehash

PRICE = 10_000 * 10**6
NOTHING: Any = None


@pytest.fixture(scope="module")
def begun() -> World:
    return World.start(START)


@pytest.fixture
def world(begun: World) -> Iterator[World]:
    snapshot = begun.chain.snapshot()
    yield begun
    assert begun.chain.revert(snapshot)


def funding(world: World, name: str, symbol: str) -> Visit:
    """The buyer pays everything in, in another token of the sandbox's."""
    token = Token(symbol, deploy(world.escrow, compiled(), name, BUYER), 6)
    network = world.escrow.network.with_token(token)
    escrow = Escrow(world.escrow.node, network, world.escrow.contract, DevSigner(1))
    signed = SignedAgreement.start(Agreement.drafted(DEAL.replace("USDC", symbol)).on(escrow))
    for number in (1, 2):
        signed = signed.sign(DevSigner(number))
    view: Any = SimpleNamespace(id=signed.id, token=token, terms=signed.bound.terms)
    return Visit(signed, escrow, NOTHING, view, "fund")


def sent(world: World, step: WalletStep) -> str:
    """What the wallet of the buyer does, and what it was asked for."""
    assert step.kind == "send"
    to, data = (bytes.fromhex(str(step.data[name])[2:]) for name in ("to", "data"))
    assert world.chain.send_from(1, to, data).succeeded
    return step.title


def test_an_old_allowance_is_taken_back_first(world: World) -> None:
    visit = funding(world, "OldDollar", "USDT")
    visit.escrow.allow("USDT", 5)
    first = fund(visit)
    assert first.lines == (
        "USDT allows nothing new while an earlier allowance stands, so that is set to 0. The next "
        "step allows 10,000.00 USDT.",
    )
    asked = [sent(world, fund(visit)) for _ in range(3)]
    assert asked == ["Take back what was allowed before", "Allow 10,000.00 USDT", "Open and fund"]
    assert visit.escrow.unfunded(visit.bound) == ()
    assert visit.escrow.allowance(visit.view.token, BUYER) == 0


def test_a_permit_that_the_token_refuses_becomes_an_allowance(world: World) -> None:
    visit = funding(world, "FiatToken", "USDC")
    let_rehash(world.chain, compiled(), 1)
    asked = fund(visit)
    assert (asked.kind, asked.name) == ("sign", "permit")
    signature = visit.escrow.sign_permit(visit.view.token.address, PRICE).signature
    visit = replace(visit, answers={"permit": signature}, held={"permit": dict(asked.held)})
    step = fund(visit)
    assert step.lines[0] == ("USDC takes no permit of this account, in which code runs (EIP-7702).")
    assert sent(world, step) == "Allow 10,000.00 USDC"
    assert sent(world, fund(visit)) == "Open and fund"
    assert visit.escrow.unfunded(visit.bound) == ()
    assert visit.escrow.allowance(visit.view.token, BUYER) == 0
