"""Buyers and suppliers whose accounts are Safes: contracts, for which owners sign (ERC-1271)."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.lifecycle import Status
from tests.cli.deal import BUYER, DEAL, SUPPLIER
from tests.support.safe import Workshop
from tests.web.conftest import Visit
from tests.web.support.acting import done, go, show, told
from tests.web.support.stage import Stage
from tests.web.support.wallet import SafeWallet

HANDOVER = 3
OWNERS = (11, 12, 13)
USDC = 10**6


@pytest.fixture(scope="module")
def wallets(scene: Stage) -> dict[str, SafeWallet]:
    """A Safe for each side, two of whose three owners sign."""
    workshop = Workshop.build(scene.sandbox.chain)
    found = {}
    for salt, role in enumerate(("buyer", "supplier")):
        safe = workshop.safe(OWNERS, 2, salt)
        found[role] = SafeWallet(scene.escrow.node, [], SANDBOX_CHAIN_ID, safe=safe)
    scene.escrow.acting_as(scene.signer("buyer")).mint(
        "USDC", found["buyer"].account, 10_000 * USDC
    )
    return found


def test_two_safes_sign_pay_in_and_settle(
    scene: Stage, visit: Visit, wallets: dict[str, SafeWallet]
) -> None:
    text = DEAL.replace(BUYER, wallets["buyer"].account)
    signed = scene.agreement(text.replace(SUPPLIER, wallets["supplier"].account), signed_by=())

    supplier, _ = visit("supplier", scene.page(signed, "sign"), wallet=wallets["supplier"])
    show(supplier)
    go(supplier, "supplier")
    supplier.get_by_text("It still needs the signature of the buyer.").wait_for()

    # A contract signs no permit.
    buyer, asked = visit("buyer", scene.page(signed, "fund"), wallet=wallets["buyer"])
    way = buyer.get_by_label("How the money is taken")
    way.select_option("permit")
    show(buyer)
    told(buyer, "this account cannot pay by permit; it can by allowance")
    way.select_option("")
    show(buyer)
    go(buyer, "allowance")
    go(buyer, "fund")
    done(buyer)
    scene.seen(lambda: scene.view(signed) is not None)

    supplier.goto(scene.page(signed, HANDOVER, "settle"))
    supplier.get_by_label("To the payee").fill("1,500.00")
    show(supplier)
    go(supplier, "resolution")
    supplier.get_by_role("heading", name="Proposed", exact=True).wait_for()

    buyer.goto(scene.page(signed, HANDOVER, "settle"))
    show(buyer)
    go(buyer)
    done(buyer)
    (state,) = scene.escrow.states(scene.escrow.find(signed.id))[HANDOVER:]
    assert state.status is Status.SETTLED
    paid = scene.escrow.balance(scene.escrow.token("USDC"), wallets["supplier"].account)
    assert paid == (1_000 + 1_500) * USDC
    sends = [params[0]["to"] for method, params in asked.asked if method == "eth_sendTransaction"]
    assert len(sends) == 3
