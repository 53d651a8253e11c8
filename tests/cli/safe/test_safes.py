"""Safes in every role, with Safe's real contracts: what they sign, and what they send."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.keys import DevSigner
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Result, Run
from tests.cli.deal import BUYER, DEAL, SUPPLIER
from tests.cli.dispute.test_verbs import paid
from tests.support.safe import TestSafe, Workshop

SURVEYOR = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69"
ARBITER = "0xE57bFE9F44b819898F47BF37E5AF72a0783e1141"
OWNERS = (11, 12, 13)

Sign = Callable[[str, str], Result]


@pytest.fixture
def safes(world: World) -> Mapping[str, TestSafe]:
    """One Safe for each role, of the same three owners, two of whom must sign."""
    workshop = Workshop.build(world.chain)
    roles = ("buyer", "supplier", "surveyor", "arbiter", "financier")
    made = {role: workshop.safe(OWNERS, 2, salt) for salt, role in enumerate(roles)}
    for role in ("buyer", "financier"):
        world.mint(made[role].address, world.escrow.token("USDC"), 10_000 * 10**6)
    return made


@pytest.fixture
def deal(home: Path, safes: Mapping[str, TestSafe]) -> Path:
    """The deal, between Safes."""
    text = DEAL
    for role, account in zip(
        ("buyer", "supplier", "surveyor", "arbiter"),
        (BUYER, SUPPLIER, SURVEYOR, ARBITER),
        strict=True,
    ):
        text = text.replace(account, safes[role].address)
    path = Path("shed.yaml").resolve()
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def sign(escrow: Run) -> Sign:
    """Two owners sign a file for the Safe of a role; the second one completes it."""

    def run(file: str, role: str) -> Result:
        for owner in (12, 11):
            result = escrow("safe", "sign", file, "--for", role, "--signer", "rpc",
                            "--as", DevSigner(owner).address, "--yes")  # fmt: skip
            assert result.status == 0, result.err
        return result

    return run


@pytest.fixture
def opened(escrow: Run, deal: Path, safes: Mapping[str, TestSafe], sign: Sign) -> Path:
    """Signed by the supplier's Safe, opened and funded by the buyer's."""
    sign(str(deal), "supplier")
    run_batch(escrow, safes["buyer"], "open", str(deal), "--fund", "all")
    return deal


def run_batch(escrow: Run, safe: TestSafe, *words: str) -> Result:
    """Print a batch for a Safe, and send it as Safe's page would."""
    result = escrow(*words, "--unsigned=safe", "-o", "batch.json", "--force")
    assert result.status == 0, result.err
    safe.run(json.loads(Path("batch.json").read_text("utf-8")))
    return result


def test_the_supplier_signs_and_the_buyer_opens_and_funds_in_one_batch(
    escrow: Run, opened: Path, safes: Mapping[str, TestSafe]
):
    batch = json.loads(Path("batch.json").read_text("utf-8"))
    assert len(batch["transactions"]) == 2
    assert batch["meta"]["createdFromSafeAddress"] == safes["buyer"].address
    status = escrow("status", "SHED-7", "--json").json
    assert status["open"]
    assert [m["status"] for m in status["milestones"]] == ["settled", *["funded"] * 3]


def test_the_file_with_a_safes_signature_convinces_others(
    escrow: Run, deal: Path, sign: Sign, world: World
):
    done = sign(str(deal), "supplier")
    assert "Signed by the Safe" in done.out
    shown = escrow("agreement", "show", "shed.signed.json")
    assert "signed" in shown.out
    # Somebody who knows nothing yet, and has only the file and the chain:
    for path in Path("../state/agreements").glob("*.json"):
        path.unlink()
    assert escrow("status", "shed.signed.json").status == 0


def test_without_its_chain_a_safes_signature_counts_for_nothing(
    escrow: Run, deal: Path, sign: Sign, monkeypatch: pytest.MonkeyPatch
):

    sign(str(deal), "supplier")
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: None)
    result = escrow("agreement", "show", "shed.signed.json")
    assert result.status != 0
    assert "only its chain can say: no sandbox is running" in result.err


def test_a_forged_signature_of_a_safe_is_refused(
    escrow: Run, deal: Path, safes: Mapping[str, TestSafe], sign: Sign
):
    sign(str(deal), "supplier")
    path = Path("shed.signed.json")
    body = json.loads(path.read_text("utf-8"))
    body["signatures"]["buyer"] = body["signatures"]["supplier"]
    Path("forged.json").write_text(json.dumps(body), "utf-8")
    result = escrow("agreement", "show", "forged.json")
    assert result.status == 2
    assert f"the signature of buyer is not by {safes['buyer'].address}" in result.err


def test_a_verifier_attests(escrow: Run, opened: Path, sign: Sign):
    written = escrow("attest", "SHED-7", "foundation", "--accept", "--sign-only", "seen.json",
                     "--from", "surveyor")  # fmt: skip
    assert "Written, not signed" in written.out
    assert "escrow safe sign seen.json --for surveyor" in written.out
    sign("seen.json", "surveyor")
    sent = escrow("attest", "--submit", "seen.json", "--as", "carpenter", "--yes")
    assert sent.status == 0, sent.err
    assert paid(escrow, "foundation") == ("settled", "3,000.00 USDC", "0.00 USDC")


def test_a_quorum_of_a_safe_and_a_key(escrow: Run, opened: Path, sign: Sign):
    words = ("attest", "SHED-7", "walls", "--accept", "--sign-only", "walls.json")
    escrow(*words, "--from", "surveyor")
    sign("walls.json", "surveyor")
    continued = escrow(*words, "--as", "carpenter", "--yes")
    assert continued.status == 0, continued.err
    assert escrow("send", "walls.json", "--as", "carpenter", "--yes").status == 0
    assert paid(escrow, "walls") == ("settled", "4,000.00 USDC", "0.00 USDC")


def test_supplier_submits_buyer_disputes_arbiter_rules(
    escrow: Run, opened: Path, safes: Mapping[str, TestSafe]
):
    run_batch(escrow, safes["supplier"], "submit", "SHED-7", "handover")
    run_batch(escrow, safes["buyer"], "dispute", "SHED-7", "handover", "--reason", "no door")
    run_batch(escrow, safes["arbiter"], "rule", "SHED-7", "handover", "--to-supplier", "60%",
              "--to-buyer", "rest", "--reason", "the door is missing")  # fmt: skip
    assert paid(escrow, "handover") == ("settled", "1,200.00 USDC", "800.00 USDC")


def test_a_financier_buys_what_the_supplier_offers(
    escrow: Run, opened: Path, safes: Mapping[str, TestSafe], sign: Sign
):
    offered = escrow("receivable", "offer", "SHED-7", "walls", "--price", "3,800.00 USDC",
                     "--to", safes["financier"].address, "-o", "offer.json",
                     "--from", "supplier")  # fmt: skip
    assert offered.status == 0, offered.err
    sign("offer.json", "supplier")
    run_batch(escrow, safes["financier"], "receivable", "buy", "offer.json")
    walls = escrow("status", "SHED-7", "--json").json["milestones"][2]
    assert walls["payee"] == safes["financier"].address


def test_two_safes_settle_by_signature_and_act(
    escrow: Run, opened: Path, safes: Mapping[str, TestSafe], sign: Sign
):
    written = escrow("settle", "SHED-7", "walls", "--to-supplier", "50%", "--to-buyer", "rest",
                     "--sign-only", "split.json", "--from", "supplier")  # fmt: skip
    assert written.status == 0, written.err
    sign("split.json", "supplier")
    run_batch(escrow, safes["buyer"], "settle", "SHED-7", "walls", "--with", "split.json")
    assert paid(escrow, "walls") == ("settled", "2,000.00 USDC", "2,000.00 USDC")


def test_shows_owners_what_they_sign(escrow: Run, deal: Path, safes: Mapping[str, TestSafe]):
    result = escrow("safe", "show", str(deal), "--for", "buyer")
    assert "binds Anna Bauer" in result.words
    assert "2 of these owners sign it" in result.words
    shown = escrow("safe", "show", str(deal), "--for", "buyer", "--json").json
    (typed,) = shown["typed_data"]
    assert typed["domain"]["verifyingContract"] == safes["buyer"].address
    assert set(typed["domain"]) == {"chainId", "verifyingContract"}
    assert set(shown["owners"]) == {DevSigner(number).address for number in OWNERS}


def test_takes_an_owners_signature_from_another_wallet(
    escrow: Run, deal: Path, world: World, safes: Mapping[str, TestSafe]
):
    shown = escrow("safe", "show", str(deal), "--for", "buyer", "--json").json
    for number in (13, 11):
        given = world.chain.handle(
            "eth_signTypedData_v4", [DevSigner(number).address, shown["typed_data"][0]]
        )
        result = escrow("safe", "sign", str(deal), "--for", "buyer", "--signature", given)
        assert result.status == 0, result.err
    assert "Signed by the Safe" in result.out
    assert not list(Path().glob("*.safe.json"))


def test_refuses_who_is_no_owner_and_who_signed_already(escrow: Run, deal: Path):
    words = ("safe", "sign", str(deal), "--for", "buyer", "--signer", "rpc", "--yes", "--as")
    stranger = escrow(*words, DevSigner(7).address)
    assert stranger.status == 1
    assert "is no owner of" in stranger.err
    first = escrow(*words, DevSigner(12).address)
    assert "by 1 of 2 owners" in first.out
    assert "has signed this already" in escrow(*words, DevSigner(12).address).err


def test_refuses_a_signature_of_something_else(
    escrow: Run, deal: Path, world: World, safes: Mapping[str, TestSafe]
):
    other = escrow("safe", "show", str(deal), "--for", "supplier", "--json").json
    given = world.chain.handle(
        "eth_signTypedData_v4", [DevSigner(11).address, other["typed_data"][0]]
    )
    result = escrow("safe", "sign", str(deal), "--for", "buyer", "--signature", given)
    assert result.status == 1
    assert "is no owner of" in result.err
    garbage = escrow("safe", "sign", str(deal), "--for", "buyer", "--signature", "0x12")
    assert "no owner's signature" in garbage.err


def test_refuses_owners_signatures_that_somebody_changed(escrow: Run, deal: Path):
    words = ("safe", "sign", str(deal), "--for", "buyer", "--signer", "rpc", "--yes", "--as")
    escrow(*words, DevSigner(12).address)
    (path,) = Path().glob("*.safe.json")
    body = json.loads(path.read_text("utf-8"))
    ((owner, given),) = body["signatures"].items()
    body["signatures"] = {DevSigner(13).address: given}
    path.write_text(json.dumps(body), "utf-8")
    result = escrow(*words, DevSigner(11).address)
    assert result.status == 2
    assert f"{DevSigner(13).address} did not sign" in result.err
    assert owner == DevSigner(12).address


def test_says_that_an_account_is_no_safe(escrow: Run, deal: Path):
    result = escrow("safe", "sign", str(deal), "--for", "carpenter", "--signer", "rpc", "--yes")
    assert result.status == 1
    assert "does not answer as a Safe does" in result.err
