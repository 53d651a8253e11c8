"""Real tokens and wallets: allowances that must be taken back, accounts in which code runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.token import Token
from milestone_escrow.sandbox.world import World
from tests.chain.tokens import deploy
from tests.cli.conftest import Run
from tests.cli.deal import BUYER, DEAL
from tests.support.contracts import compiled
from tests.support.delegation import let_rehash
from tests.support.safe import Workshop

OWED = 4_000 * 10**6


def in_token(home: Path, world: World, name: str, symbol: str, buyer: str = BUYER) -> Token:
    """The sandbox with another token, of which the buyer has plenty, and the deal in it."""
    token = Token(symbol, deploy(world.escrow, compiled(), name, buyer), 6)
    home.mkdir(exist_ok=True)
    table = f'[sandbox]\ntokens.{symbol} = "{token.address}"\n'
    (home / "networks.toml").write_text(table, "utf-8")
    text = DEAL.replace("USDC", symbol).replace(BUYER, buyer)
    Path("shed.yaml").write_text(text, "utf-8")
    return token


def opened(escrow: Run) -> None:
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", "shed.yaml", "--as", role, "--yes").status == 0
    assert escrow("open", "shed.yaml", "--yes").status == 0


@pytest.fixture
def usdt(escrow: Run, home: Path, world: World) -> Token:
    """The deal, open, in a token that has no new allowance beside an old one, which is there."""
    token = in_token(home, world, "OldDollar", "USDT")
    opened(escrow)
    buyer = world.acting_as(BUYER)
    buyer.send(buyer.prepare.allow(token, 5))
    return token


TAKES_BACK = (
    "before that, sets what the contract may take to 0, without which USDT changes nothing, and "
    "then to exactly 4,000.00 USDT"
)


def test_an_old_allowance_is_taken_back_first(escrow: Run, world: World, usdt: Token):
    result = escrow("fund", "SHED-7", "walls", "--yes")
    assert result.status == 0, result.err
    assert f"{TAKES_BACK}: USDT knows no permits" in result.words
    assert result.words.count("allowance 0x") == 2
    assert world.escrow.allowance(usdt, BUYER) == 0


def test_for_a_wallet_elsewhere_too(escrow: Run, world: World, usdt: Token):
    result = escrow("fund", "SHED-7", "walls", "--unsigned", "--json")
    assert TAKES_BACK in result.json["will"]
    reset, allowance, payment = result.json["unsigned"]
    assert reset["to"] == allowance["to"] == usdt.address
    assert int(reset["data"][-64:], 16) == 0
    assert int(allowance["data"][-64:], 16) == OWED
    assert "gas" in reset
    assert "gas" not in allowance
    assert payment["to"] == world.escrow.contract
    said = escrow("fund", "SHED-7", "walls", "--unsigned").words
    assert "3 transactions, in this order" in said
    assert "only the gas of the first can be estimated now" in said


def test_for_a_phone_too(escrow: Run, usdt: Token):
    result = escrow("fund", "SHED-7", "walls", "--link", "--json")
    reset, allowance = result.json["links"]
    assert (reset["kind"], allowance["kind"]) == ("reset", "approve")
    assert reset["uri"].endswith("&uint256=0")
    assert allowance["uri"].endswith(f"&uint256={OWED}")


def test_in_the_batch_of_a_safe_too(escrow: Run, home: Path, world: World):
    safe = Workshop.build(world.chain).safe((11, 12), 2)
    token = in_token(home, world, "OldDollar", "USDT", safe.address)
    signed = ("safe", "sign", "shed.yaml", "--for", "buyer", "--signer", "rpc", "--yes", "--as")
    for number in (11, 12):
        assert escrow(*signed, DevSigner(number).address).status == 0
    assert escrow("agreement", "sign", "SHED-7", "--as", "supplier", "--yes").status == 0
    assert escrow("open", "SHED-7", "--as", "supplier", "--yes").status == 0
    allow = world.escrow.prepare_for(safe.address).allow(token, 5)
    safe.execute(allow.to or "", allow.data)
    result = escrow("fund", "SHED-7", "walls", "--unsigned=safe", "-o", "batch.json")
    assert result.status == 0, result.err
    batch = json.loads(Path("batch.json").read_text("utf-8"))
    assert len(batch["transactions"]) == 3
    safe.run(batch)
    assert "is waiting for proof" in escrow("fund", "SHED-7", "walls", "--as", "supplier").err
    assert world.escrow.allowance(token, safe.address) == 0


def test_whose_code_the_token_asks_pays_by_allowance(escrow: Run, home: Path, world: World):
    token = in_token(home, world, "FiatToken", "USDC")
    opened(escrow)
    let_rehash(world.chain, compiled(), 1)
    result = escrow("fund", "SHED-7", "walls", "--yes")
    assert result.status == 0, result.err
    assert (
        "before that, allows the contract to take exactly 4,000.00 USDC: USDC takes no permit of "
        "this account, in which code runs (EIP-7702)"
    ) in result.words
    assert world.escrow.allowance(token, BUYER) == 0
    refused = escrow("fund", "SHED-7", "foundation", "--with", "permit", "--yes")
    assert refused.status == 1
    assert "leave `--with permit` out to pay by an allowance" in " ".join(refused.err.split())
    paper = escrow("fund", "SHED-7", "foundation", "--sign-only", "pay.json", "--yes")
    assert paper.status == 1
    assert "pays by allowance" in " ".join(paper.err.split())
    assert not Path("pay.json").exists()
