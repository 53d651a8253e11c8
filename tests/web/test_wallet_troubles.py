"""What goes wrong between a page and a wallet, and what people are told."""

from __future__ import annotations

from playwright.sync_api import Page

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.protocol.lifecycle import Status
from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.acting import done, go, show, told
from tests.web.support.stage import PEOPLE, Stage


def _choose(page: Page, way: str) -> None:
    page.get_by_label("How the money is taken").select_option(way)
    show(page)


def test_a_refusal_in_the_wallet_sends_nothing(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    page, wallet = visit("buyer", scene.page(signed, "fund"))
    wallet.refuse = {"eth_signTypedData_v4"}
    _choose(page, "permit")
    go(page, "permit")
    told(page, "You refused in the wallet. Nothing was sent.")
    wallet.refuse = set()
    go(page, "permit")
    go(page, "fund")
    done(page)


def test_another_network_is_switched_to_or_added(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    page, wallet = visit("buyer", scene.page(signed, "fund"))
    wallet.chain_id = 1
    wallet.known = set()
    _choose(page, "permit")
    go(page, "permit")
    page.locator("[data-go='fund']").wait_for()
    methods = [method for method, _ in wallet.asked]
    assert "wallet_switchEthereumChain" in methods
    assert "wallet_addEthereumChain" in methods
    added = next(
        params[0] for method, params in wallet.asked if method == "wallet_addEthereumChain"
    )
    assert added["chainName"] == "Sandbox"


def test_a_reload_in_the_middle_goes_on(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    page, wallet = visit("buyer", scene.page(signed, "fund"))
    _choose(page, "allowance")
    go(page, "allowance")
    page.locator("[data-go='fund']").wait_for()
    page.reload()
    go(page, "fund")
    done(page)
    sent = [params[0]["to"] for method, params in wallet.asked if method == "eth_sendTransaction"]
    assert len(sent) == 2


def test_a_replaced_transaction_is_looked_through(scene: Stage, visit: Visit) -> None:
    """The wallet answers with a hash that never comes: it sent another one in its place."""
    signed = scene.agreement(DEAL)
    page, wallet = visit("buyer", scene.page(signed, "fund"))

    def speeds_up(transaction: dict[str, object]) -> str:
        wallet.node.request("eth_sendTransaction", [transaction])
        return "0x" + "ab" * 32

    _choose(page, "allowance")
    wallet.sends = speeds_up
    go(page, "allowance")
    page.locator("[data-go='fund']").wait_for(timeout=40_000)
    wallet.sends = None
    go(page, "fund")
    done(page)


def test_a_disconnected_account_is_asked_for(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    page, wallet = visit("buyer", scene.page(signed, "fund"))
    _choose(page, "permit")
    wallet.keys = [PEOPLE["supplier"]]
    go(page, "permit")
    told(page, "Choose that account in the wallet and try again.")


def test_too_little_money_is_said_before_anything_is_signed(scene: Stage, visit: Visit) -> None:
    poor = DEAL.replace("10,000.00 USDC", "90,000,000.00 USDC")
    signed = scene.agreement(poor)
    page, wallet = visit("buyer", scene.page(signed, "fund"))
    _choose(page, "permit")
    text = told(page, "is needed")
    assert "90,000,000.00 USDC" in text
    assert wallet.signed == []


def test_two_tabs_cannot_pay_twice(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    first, _ = visit("buyer", scene.page(signed, "fund"))
    second, _ = visit("buyer", scene.page(signed, "fund"))
    for page in (first, second):
        _choose(page, "permit")
        go(page, "permit")
        page.locator("[data-go='fund']").wait_for()
    before = scene.escrow.balance(signed.token, signed.agreement.people["buyer"])
    go(first, "fund")
    done(first)
    go(second, "fund")
    second.wait_for_timeout(500)
    after = scene.escrow.balance(signed.token, signed.agreement.people["buyer"])
    assert before - after == 10_000 * 10**6
    assert scene.escrow.states(signed)[1].status is Status.FUNDED


def test_without_a_wallet_the_page_says_so(scene: Stage, visit: Visit) -> None:
    page, _ = visit(None, scene.url + "/portfolio")
    page.get_by_role("button", name="Sign in with wallet").first.click()
    told(page, "No wallet was found in this browser")


def test_a_denylisted_account_is_told_that_its_token_refuses(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    buyer = signed.agreement.people["buyer"]
    page, wallet = visit("buyer", scene.page(signed, "fund"))

    def deny(denied: bool) -> None:
        data = interface("TestUSDC").call("setDenylisted", buyer, denied)
        call = {"from": scene.signer("operator").address, "to": signed.token.address}
        scene.escrow.node.request("eth_sendTransaction", [{**call, "data": "0x" + data.hex()}])

    deny(True)
    try:
        _choose(page, "permit")
        go(page, "permit")
        text = told(page, "denylist")
    finally:
        deny(False)
    assert buyer[:8] in text or "buyer" in text
    sent = [method for method, _ in wallet.asked if method == "eth_sendTransaction"]
    assert sent == []
