"""Each role does its part with a wallet; what is signed is what Python would sign."""

from __future__ import annotations

from milestone_escrow.chain.contract.tokens import denylist_call
from milestone_escrow.documents.files.signed_act import reason_hash
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.signing.counting import words_behind
from milestone_escrow.oracle.signing.waiting import attestations
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.acting import done, go, show, told
from tests.web.support.stage import Stage

FOUNDATION, WALLS, HANDOVER = 1, 2, 3


def _status(scene: Stage, signed: object, index: int) -> Status:
    return Status(scene.escrow.states(signed)[index].status)  # type: ignore[arg-type]


def test_a_verifier_accepts_and_the_page_shows_the_release_live(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    watching, _ = visit("buyer", scene.page(signed))
    watching.get_by_role("listitem").filter(has_text="Foundation poured").first.wait_for()
    page, wallet = visit("verifier-1", scene.page(signed, FOUNDATION, "attest"))
    show(page)
    go(page, "attestation")
    page.get_by_text("1 of 1 needed verifiers have signed.").wait_for()
    # Nobody touches the buyer's page: it learns of it by itself.
    watching.get_by_text("paid 3,000.00 USDC to Holz & Söhne").first.wait_for(timeout=30_000)
    assert _status(scene, signed, FOUNDATION) is Status.SETTLED
    with scene.instance.service.store.reading() as connection:
        (taken,) = attestations(connection, signed.id, FOUNDATION)
    # What the wallet was given, field by field and byte by byte, is what Python signs.
    assert wallet.signed == [taken.attestation.typed_data(signed.domain).to_json()]


def test_two_verifiers_sign_the_same_words(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    for role, count in (("surveyor", "1 of 2"), ("carpenter", "2 of 2")):
        page, _ = visit(role, scene.page(signed, WALLS, "attest"))
        show(page)
        go(page, "attestation")
        page.get_by_text(f"{count} needed verifiers have signed.").wait_for()
    scene.seen(lambda: _status(scene, signed, WALLS) is Status.SETTLED)


def test_a_return_for_rework_carries_its_reason(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    page, _ = visit("surveyor", scene.page(signed, FOUNDATION, "attest"))
    page.get_by_label("Return for rework").check()
    show(page)
    told(page, "reason is empty")
    page.get_by_label("Reason").fill("Cracks in the north corner")
    show(page)
    go(page, "attestation")
    page.get_by_text("Your verdict is taken in").wait_for()
    with scene.instance.service.store.reading() as connection:
        (taken,) = attestations(connection, signed.id, FOUNDATION)
    assert taken.attestation.verdict is Verdict.RETURNED
    assert taken.words["reason"] == "Cracks in the north corner"
    assert _status(scene, signed, FOUNDATION) is Status.FUNDED


def test_the_buyer_approves_a_part_and_the_supplier_gives_the_rest_back(
    scene: Stage, visit: Visit
) -> None:
    signed = scene.opened(DEAL)
    buyer, _ = visit("buyer", scene.page(signed, HANDOVER, "approve"))
    buyer.get_by_label("How much").fill("500.00")
    show(buyer)
    buyer.get_by_role("heading", name="Pay 500.00 USDC").wait_for()
    go(buyer)
    done(buyer)
    supplier, _ = visit("supplier", scene.page(signed, HANDOVER, "refund"))
    show(supplier)
    supplier.get_by_role("heading", name="Give 1,500.00 USDC back").wait_for()
    go(supplier)
    done(supplier)
    assert _status(scene, signed, HANDOVER) is Status.SETTLED


def test_submitted_disputed_and_ruled(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    supplier, _ = visit("supplier", scene.page(signed, HANDOVER, "submit"))
    show(supplier)
    go(supplier)
    done(supplier)
    buyer, _ = visit("buyer", scene.page(signed, HANDOVER, "dispute"))
    buyer.get_by_label("Reason").fill("The key is missing")
    show(buyer)
    go(buyer)
    done(buyer)
    assert _status(scene, signed, HANDOVER) is Status.DISPUTED_BEFORE_VERDICT
    arbiter, _ = visit("arbiter", scene.page(signed, HANDOVER, "rule"))
    arbiter.get_by_label("To the payee").fill("1,900.00")
    arbiter.get_by_label("Reason").fill("A key costs 100")
    show(arbiter)
    split = "pays 1,900.00 USDC to Holz & Söhne and gives 100.00 USDC back to Anna Bauer now"
    arbiter.get_by_text(split).wait_for()
    go(arbiter)
    done(arbiter)
    assert _status(scene, signed, HANDOVER) is Status.SETTLED
    with scene.instance.service.store.reading() as connection:
        known = words_behind(connection, [reason_hash("The key is missing")])
        events = [type(event).__name__ for event in viewing.events(connection, scene.view(signed))]
    assert [words["reason"] for words in known.values()] == ["The key is missing"]
    scene.seen(lambda: True)
    assert "AgreementOpened" in events
    buyer.goto(scene.page(signed))
    buyer.get_by_text("“The key is missing”").wait_for()


def test_a_stranger_cannot_act(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    page, _ = visit("financier", scene.page(signed, HANDOVER, "approve"))
    assert "sign in first" in page.inner_text("body")


def test_money_that_did_not_arrive_is_shown_and_withdrawn(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    supplier = signed.agreement.people["supplier"]
    _deny(scene, signed, supplier, True)
    try:
        scene.escrow.acting_as(scene.signer("buyer")).approve(signed, FOUNDATION)
        scene.seen(lambda: _status(scene, signed, FOUNDATION) is Status.SETTLED)
        page, _ = visit("supplier", scene.page(signed), width=390)
        page.get_by_text("Could not be delivered").first.wait_for(timeout=30_000)
        page.get_by_text("withdraw the 3,000.00 USDC that wait").wait_for()
        page.get_by_text("not delivered", exact=True).wait_for()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        page.goto(scene.page(signed, "withdraw"))
        show(page)
        told(page, "Holz & Söhne cannot receive 3,000.00 USDC: the token refuses")
    finally:
        _deny(scene, signed, supplier, False)
    page.goto(scene.url + "/portfolio")
    page.get_by_text("Withdraw the 3,000.00 USDC that wait").wait_for()
    page.goto(scene.page(signed, "withdraw"))
    page.get_by_text("3,000.00 USDC wait for Holz & Söhne").wait_for()
    show(page)
    page.get_by_text("Pays 3,000.00 USDC to Holz & Söhne.").wait_for()
    go(page)
    done(page)
    assert scene.escrow.credit(signed.token, supplier) == 0
    scene.seen(lambda: not _waiting(scene))
    page.goto(scene.page(signed))
    page.get_by_text("paid 3,000.00 USDC to Holz & Söhne").first.wait_for(timeout=30_000)
    assert page.request.get(scene.page(signed, "contract.pdf")).body().startswith(b"%PDF")


def _deny(scene: Stage, signed: SignedAgreement, account: str, denied: bool) -> None:
    call = {"from": scene.signer("operator").address, "to": signed.token.address}
    data = "0x" + denylist_call(account, denied).hex()
    scene.escrow.node.request("eth_sendTransaction", [{**call, "data": data}])


def _waiting(scene: Stage) -> dict[tuple[str, str], int]:
    """What the oracle knows to wait to be withdrawn."""
    with scene.instance.service.store.reading() as connection:
        return viewing.waiting_credits(connection)
