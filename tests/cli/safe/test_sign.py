"""Wallets that sign elsewhere and are no Safe: what they sign, and how it gets into the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rlp
from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from milestone_escrow.keys import DevSigner
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.cli.deal import BUYER, DEAL, SUPPLIER
from tests.cli.dispute.test_verbs import paid
from tests.cli.fund.test_tokens import in_token
from tests.cli.safe.test_safes import SURVEYOR
from tests.support.contracts import compiled

OWNER = 11
UNDEPLOYED = bytes.fromhex("6492" * 16)


def coming(world: World) -> str:
    """Where the owner's next contract will be."""
    owner = DevSigner(OWNER).address
    nonce = int(world.chain.handle("eth_getTransactionCount", [owner, "latest"]), 16)
    return str(to_checksum_address(keccak(rlp.encode([bytes.fromhex(owner[2:]), nonce]))[12:]))


def deploy(world: World) -> None:
    """A contract wallet whose owner signs for it."""
    code = bytes.fromhex(compiled()["OwnedWallet"].bytecode.removeprefix("0x"))
    owner = encode(["address", "bool"], [DevSigner(OWNER).address, False])
    assert world.chain.send_from(OWNER, b"", code + owner).created is not None


@pytest.fixture
def wallet(world: World) -> str:
    account = coming(world)
    deploy(world)
    return account


@pytest.fixture
def deal(home: Path, world: World, wallet: str) -> Path:
    """The deal, with such wallets as supplier and surveyor."""
    path, second = Path("shed.yaml").resolve(), coming(world)
    deploy(world)
    text = DEAL.replace(SUPPLIER, wallet).replace(SURVEYOR, second)
    path.write_text(text, encoding="utf-8")
    return path


def signed_by(world: World, number: int, shown: object) -> str:
    """What a wallet answers to the typed data that the command prints."""
    answer = world.chain.handle("eth_signTypedData_v4", [DevSigner(number).address, shown])
    return str(answer)


def given(escrow: Run, world: World, file: str, role: str, number: int = OWNER) -> str:
    shown = escrow("sign", file, "--for", role, "--json")
    assert shown.status == 0, shown.err
    return signed_by(world, number, shown.json["typed_data"][0])


def test_its_signature_opens_an_agreement_and_releases_money(
    escrow: Run, deal: Path, world: World, wallet: str
):
    signature = given(escrow, world, "shed.yaml", "supplier")
    done = escrow("sign", "shed.yaml", "--for", "supplier", "--signature", signature)
    assert done.status == 0, done.err
    assert "the signature is in shed.signed.json" in done.words
    opened = escrow("open", "shed.yaml", "--fund", "foundation", "--as", "buyer", "--yes")
    assert opened.status == 0, opened.err
    written = escrow("attest", "SHED-7", "foundation", "--accept", "--sign-only", "seen.json",
                     "--from", "surveyor")  # fmt: skip
    assert "escrow sign seen.json --for surveyor --signature HEX" in written.out
    Path("signature.txt").write_text(given(escrow, world, "seen.json", "surveyor") + "\n", "utf-8")
    into = escrow("sign", "seen.json", "--for", "surveyor", "--signature", "signature.txt")
    assert into.status == 0, into.err
    sent = escrow("attest", "--submit", "seen.json", "--as", "carpenter", "--yes")
    assert sent.status == 0, sent.err
    assert paid(escrow, "foundation") == ("settled", "3,000.00 USDC", "0.00 USDC")


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ("0x12", "is not by"),
        ("nowhere.txt", "neither hexadecimal nor a file of it: 'nowhere.txt'"),
        ("0x", "one message is to be signed, so --signature takes one signature"),
        ("0x12,0x34", "one message is to be signed, so --signature takes one signature"),
    ],
)
def test_what_does_not_count_is_not_written(escrow: Run, deal: Path, signature: str, says: str):
    result = escrow("sign", "shed.yaml", "--for", "supplier", "--signature", signature)
    assert result.status == 2
    assert says in " ".join(result.err.split())
    assert not Path("shed.signed.json").exists()


def test_another_owners_signature_is_refused_with_what_to_sign(
    escrow: Run, deal: Path, world: World, wallet: str
):
    stranger = given(escrow, world, "shed.yaml", "supplier", OWNER + 1)
    result = escrow("sign", "shed.yaml", "--for", "supplier", "--signature", stranger)
    assert result.status == 2
    assert f"is not by {wallet}" in result.err
    assert "exactly the typed data that `escrow sign" in " ".join(result.err.split())


def test_a_wallet_that_is_not_deployed_yet_is_deployed_first(escrow: Run, home: Path, world: World):
    """ERC-6492: its signature comes in a wrapping, which the deployed wallet needs no more."""
    Path("shed.yaml").write_text(DEAL.replace(SUPPLIER, coming(world)), encoding="utf-8")
    inner = bytes.fromhex(given(escrow, world, "shed.yaml", "supplier")[2:])
    whole = encode(["address", "bytes", "bytes"], [BUYER, b"deploy", inner]) + UNDEPLOYED
    words = ("sign", "shed.yaml", "--for", "supplier", "--signature", "0x" + whole.hex())
    early = escrow(*words)
    assert early.status == 2
    assert "deploy the wallet first, then give this again" in " ".join(early.err.split())
    deploy(world)
    assert escrow(*words).status == 0
    kept = json.loads(Path("shed.signed.json").read_text("utf-8"))["signatures"]["supplier"]
    assert kept == "0x" + inner.hex()


def test_a_payment_is_signed_where_the_token_asks_contracts(escrow: Run, home: Path, world: World):
    account = coming(world)
    deploy(world)
    in_token(home, world, "FiatToken", "USDC", account)
    consent = given(escrow, world, "shed.yaml", "buyer")
    assert escrow("sign", "shed.yaml", "--for", "buyer", "--signature", consent).status == 0
    assert escrow("agreement", "sign", "shed.yaml", "--as", "supplier", "--yes").status == 0
    assert escrow("open", "shed.yaml", "--as", "supplier", "--yes").status == 0
    words = ("fund", "SHED-7", "foundation", "--with", "authorization", "--from", "buyer")
    written = escrow(*words, "--sign-only", "pay.json")
    assert written.status == 0, written.err
    early = escrow("fund", "--submit", "pay.json", "--as", "carpenter", "--yes")
    assert early.status == 1
    assert "has not signed pay.json" in early.err
    wrong = given(escrow, world, "pay.json", "buyer", OWNER + 1)
    refused = escrow("sign", "pay.json", "--for", "buyer", "--signature", wrong)
    assert refused.status == 1
    assert "the token does not take this as the payer's signature" in refused.err
    right = given(escrow, world, "pay.json", "buyer")
    signed = escrow("sign", "pay.json", "--for", "buyer", "--signature", right)
    assert signed.status == 0, signed.err
    sent = escrow("fund", "--submit", "pay.json", "--as", "carpenter", "--yes")
    assert sent.status == 0, sent.err
    assert "3,000.00 USDC" in sent.words
