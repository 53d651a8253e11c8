"""What one side signs and another answers: splits, sales, change orders; phones that pay in."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page

from milestone_escrow.documents.files.wallet_links import approve_link, svg_code
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.receivables import Offer
from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.acting import done, go, show, told
from tests.web.support.stage import Stage

HANDOVER = 3
USDC = 10**6


def test_a_phone_finds_the_link_that_allows_and_the_page_that_pays(
    scene: Stage, visit: Visit
) -> None:
    signed = scene.agreement(DEAL)
    page, _ = visit("buyer", scene.page(signed, "fund"))
    page.get_by_text("With a wallet on a phone").click()
    links = page.locator(".codes a")
    found = [links.nth(number).get_attribute("href") for number in range(links.count())]
    token, chain = signed.token.address, scene.escrow.network.chain_id
    assert found == [
        approve_link(token, chain, scene.escrow.contract, 10_000 * USDC),
        scene.page(signed, "fund"),
    ]
    codes = page.locator(".codes img")
    widths = [codes.nth(one).evaluate("(image) => image.naturalWidth") for one in range(2)]
    assert min(widths) > 100
    # What is not ticked is not asked for; the link that pays says nothing of amounts.
    page.get_by_label("Foundation poured").uncheck()
    page.locator(".codes a").first.get_by_text(str(7_000 * USDC)).wait_for()
    (first, image), (second, _) = (
        (links.nth(one).get_attribute("href"), codes.nth(one).get_attribute("src"))
        for one in range(2)
    )
    assert first == approve_link(token, chain, scene.escrow.contract, 7_000 * USDC)
    assert (image, second) == (svg_code(first), found[1])
    assert codes.first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100
    for number in range(4):
        page.locator("[name=milestones]").nth(number).uncheck()
    page.locator(".codes").filter(has_not=page.locator("li")).wait_for(state="attached")
    asked = f"{scene.url}/web/a/0x{signed.id.hex()}/codes?milestones="
    assert page.request.get(asked + "9").status == 422
    # One milestone's own page asks for its own amount.
    page.goto(scene.page(signed, HANDOVER, "fund"))
    page.get_by_text("With a wallet on a phone").click()
    own = page.locator(".codes a").first.get_attribute("href") or ""
    assert parse_qs(urlsplit(own).query)["uint256"] == [str(2_000 * USDC)]


def test_one_side_proposes_a_split_and_the_other_settles_it(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    watching, _ = visit("buyer", scene.page(signed))
    supplier, wallet = visit("supplier", scene.page(signed, HANDOVER, "settle"))
    show(supplier)
    told(supplier, "the payee can be given 0 to 2,000.00 USDC")
    supplier.get_by_label("To the payee").fill("1,500.00")
    show(supplier)
    split = "Pays 1,500.00 USDC to Holz & Söhne and gives 500.00 USDC back to Anna Bauer."
    supplier.get_by_text(split).wait_for()
    go(supplier, "resolution")
    supplier.get_by_role("heading", name="Proposed", exact=True).wait_for()
    view = scene.view(signed)
    with scene.instance.service.store.reading() as connection:
        (kept,) = proposals.splits(connection, view, HANDOVER, 0)
    act = kept.act
    assert act == Resolution(
        signed.id, HANDOVER, 1_500 * USDC, 500 * USDC, 2_000 * USDC, act.epoch, act.valid_until
    )
    # What the wallet was given, field by field and byte by byte, is what Python signs.
    assert wallet.signed == [act.typed_data(signed.domain).to_json()]
    # The other side's page learns of it by itself.
    watching.get_by_text("Holz & Söhne proposes to settle it").wait_for(timeout=30_000)
    watching.get_by_role("link", name="Look at it and accept").click()
    show(watching)
    go(watching)
    done(watching)
    state = scene.escrow.states(signed)[HANDOVER]
    assert state.status is Status.SETTLED
    scene.seen(lambda: scene.view(signed).states[HANDOVER].status is Status.SETTLED)
    with scene.instance.service.store.reading() as connection:
        assert proposals.splits(connection, scene.view(signed), HANDOVER, 0) == []


def test_a_split_is_for_the_two_sides_alone(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    arbiter, _ = visit("arbiter", scene.page(signed, HANDOVER, "settle"))
    arbiter.get_by_label("To the payee").fill("1")
    show(arbiter)
    told(arbiter, "is neither the buyer nor the payee")


def test_a_financier_buys_by_link_what_the_payee_offers(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    supplier, wallet = visit("supplier", scene.page(signed, HANDOVER, "offer"))
    supplier.get_by_label("Price").fill("1,900.00")
    show(supplier)
    supplier.get_by_role("heading", name="Offer it for 1,900.00 USDC").wait_for()
    go(supplier, "offer")
    supplier.get_by_role("heading", name="Offered", exact=True).wait_for()
    with scene.instance.service.store.reading() as connection:
        (kept,) = proposals.offers(connection, scene.view(signed), HANDOVER, 0)
    act = kept.act
    assert isinstance(act, Offer)
    assert (act.price, act.held, act.financier) == (1_900 * USDC, 2_000 * USDC, ZERO_ADDRESS)
    assert wallet.signed == [act.typed_data(signed.domain).to_json()]
    supplier.goto(scene.page(signed))
    supplier.get_by_label("For whom").fill("A factor")
    supplier.get_by_role("button", name="Make a link").click()
    link = supplier.get_by_label("The link, shown this once")
    link.wait_for()
    before = scene.escrow.balance(signed.token, scene.signer("supplier").address)
    factor, paying = visit("financier", link.input_value(), signed_in=False)
    factor.get_by_text("Holz & Söhne sells the 2,000.00 USDC that it pays").wait_for()
    factor.get_by_role("link", name="Look at it and buy").click()
    show(factor)
    go(factor, "permit")
    go(factor)
    done(factor)
    assert paying.signed[0]["primaryType"] == "Permit"
    assert paying.signed[0]["message"]["value"] == str(1_900 * USDC)
    after = scene.escrow.balance(signed.token, scene.signer("supplier").address)
    assert after - before == 1_900 * USDC
    assert scene.escrow.states(signed)[HANDOVER].assignee == scene.signer("financier").address


def test_an_offer_to_one_is_for_nobody_else(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    supplier, _ = visit("supplier", scene.page(signed, HANDOVER, "offer"))
    supplier.get_by_label("Price").fill("2,100.00")
    show(supplier)
    told(supplier, "the price can be up to 2,000.00 USDC")
    supplier.get_by_label("Price").fill("1,800.00")
    supplier.get_by_label("To which account").fill(scene.signer("financier").address)
    show(supplier)
    go(supplier, "offer")
    supplier.get_by_role("heading", name="Offered", exact=True).wait_for()
    buyer, _ = visit("buyer", scene.page(signed, HANDOVER, "buy"))
    buyer.get_by_text("Nothing of this milestone is offered to you now.").wait_for()


def _edit(page: Page, *swaps: tuple[str, str]) -> None:
    """Change the text on the page, line by line."""
    area = page.get_by_label("What it changes is shown as you type")
    text = area.input_value()
    for old, new in swaps:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    area.fill(text)


def _ordered(page: Page) -> str:
    """Write the change order; where it then is."""
    page.get_by_role("button", name="Write the change order").click()
    page.get_by_role("heading", name="Change order", exact=True).wait_for()
    return page.url


def test_both_sides_change_a_date(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    supplier, wallet = visit("supplier", scene.page(signed))
    supplier.get_by_role("link", name="Change the agreement").click()
    area = supplier.get_by_label("What it changes is shown as you type")
    area.fill(area.input_value().replace("due: 2027-05-01", "due: never"))
    supplier.get_by_text("Line ").wait_for()
    area.fill(area.input_value().replace("due: never", "due: 2027-05-15"))
    supplier.get_by_text("milestone walls due: 1 May 2027 → 15 May 2027").wait_for()
    supplier.get_by_text("9,000.00 USDC moves over from the version before").wait_for()
    address = _ordered(supplier)
    show(supplier)
    go(supplier, "amendment")
    supplier.get_by_text("Now it waits for Anna Bauer").wait_for()
    with scene.instance.service.store.reading() as connection:
        change = proposals.change(connection, signed.id, address.rpartition("/")[2])
    # What the wallet was given, field by field and byte by byte, is what Python signs.
    assert wallet.signed == [change.typed_data.to_json()]
    buyer, _ = visit("buyer", scene.page(signed))
    buyer.get_by_text("Signed by Holz & Söhne.").wait_for()
    buyer.get_by_role("link", name="Look at it").click()
    buyer.get_by_role("cell", name="15 May 2027").wait_for()
    show(buyer)
    go(buyer)
    done(buyer)
    assert scene.escrow.is_open(change.new.id)
    scene.seen(lambda: scene.view(change.new) is not None)
    buyer.goto(scene.page(change.new))
    buyer.get_by_text("changed the agreement to this version: 9,000.00 USDC moved over").wait_for()
    buyer.goto(scene.page(signed))
    buyer.get_by_text("A change order replaced this").wait_for()
    buyer.get_by_text("closed here, 9,000.00 USDC moved to").wait_for()
    buyer.goto(address)
    buyer.get_by_text("This change order has been carried out.").wait_for()


def test_the_buyer_pays_in_what_a_dearer_version_needs(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    buyer, wallet = visit("buyer", scene.page(signed, "amend"))
    _edit(
        buyer,
        ("price: 10,000.00 USDC", "price: 10,800.00 USDC"),
        ("deposit: 10 %", "deposit: 1,000.00"),
        ("pays: 30 %", "pays: 3,000.00"),
        ("pays: 40 %", "pays: 4,800.00"),
        ("pays: 20 %", "pays: 2,000.00"),
    )
    address = _ordered(buyer)
    show(buyer)
    go(buyer, "amendment")
    buyer.get_by_text("Now it waits for Holz & Söhne").wait_for()
    supplier, _ = visit("supplier", address)
    supplier.get_by_text("800.00 USDC more is paid in by whoever sends it").first.wait_for()
    show(supplier)
    go(supplier, "amendment")
    supplier.get_by_text("Now it waits for Anna Bauer").wait_for()
    buyer.goto(address)
    show(buyer)
    go(buyer, "permit")
    go(buyer)
    done(buyer)
    with scene.instance.service.store.reading() as connection:
        change = proposals.change(connection, signed.id, address.rpartition("/")[2])
    assert wallet.signed[0] == change.typed_data.to_json()
    assert wallet.signed[1]["message"]["value"] == str(800 * USDC)
    held = [state.status for state in scene.escrow.states(change.new)]
    assert held == [Status.FUNDED, Status.FUNDED, Status.FUNDED]


def test_only_the_agreements_people_change_it(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    page, _ = visit("financier", scene.page(signed, "amend"))
    assert "sign in first" in page.inner_text("body")
