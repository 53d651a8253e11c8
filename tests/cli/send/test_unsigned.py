"""--unsigned: what would be sent, for a wallet, cast or a Safe, without any key."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.server import RpcServer
from milestone_escrow.cli.reference import commands
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.keys import DevSigner
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Result, Run, Unchanged
from tests.cli.deal import BUYER, SUPPLIER
from tests.cli.dispute.test_verbs import paid
from tests.support.npm import program

ROOT = Path(__file__).resolve().parents[3]
STRANGER = DevSigner(7).address


def printed(result: Result) -> list[dict[str, Any]]:
    """The transactions among what was printed: one line each."""
    assert result.status == 0, result.err
    return [json.loads(line) for line in result.out.splitlines() if line.startswith('{"chainId"')]


def deliver(world: World, transactions: list[dict[str, Any]]) -> None:
    """Have a wallet with that account sign and send them."""
    for transaction in transactions:
        world.chain.handle("eth_sendTransaction", [transaction])


def test_every_command_that_sends_takes_unsigned():
    for name, command in commands():
        options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
        if {"--yes", "--dry-run"} <= options:
            assert {"--unsigned", "-o"} <= options, name


def test_prints_the_transaction_and_sends_nothing(
    escrow: Run, signed: Path, world: World, unchanged: Unchanged
):
    escrow("open", str(signed), "--yes")
    with unchanged():
        result = escrow("fund", "SHED-7", "foundation", "--unsigned")
    approve, fund = printed(result)
    assert "Nothing was sent. 2 transactions, in this order, for the wallet of" in result.words
    assert approve["from"] == fund["from"] == BUYER
    assert approve["to"] == world.escrow.token("USDC").address
    assert fund["to"] == world.escrow.contract
    # What needs the allowance first cannot be simulated before it is there.
    assert "gas" in approve
    assert "gas" not in fund
    deliver(world, [approve, fund])
    assert paid(escrow, "foundation")[0] == "funded"


def test_one_transaction_is_simulated(escrow: Run, opened: Path, world: World):
    result = escrow("approve", "SHED-7", "walls", "--unsigned")
    (only,) = printed(result)
    assert "pays 4,000.00 USDC to Holz & Söhne" in result.words
    assert int(only["gas"], 16) > 60_000
    deliver(world, [only])
    assert paid(escrow, "walls") == ("settled", "4,000.00 USDC", "0.00 USDC")


def test_json_holds_the_same_transactions(escrow: Run, opened: Path, world: World):
    body = escrow("approve", "SHED-7", "walls", "--unsigned", "--json").json
    assert body["sent"] is False
    assert body["sender"] == BUYER
    assert body["unsigned"] == printed(escrow("approve", "SHED-7", "walls", "--unsigned"))
    prepared = world.acting_as(BUYER).prepare.approve
    assert body["unsigned"][0]["data"] == "0x" + _expected(escrow, prepared)


def _expected(escrow: Run, approve: Any) -> str:
    from milestone_escrow.cli.shell.session import Session

    signed = Session().shelf.find("SHED-7")
    return str(approve(signed.bound, "walls").data.hex())


def test_writes_to_a_file(escrow: Run, opened: Path, world: World):
    result = escrow("approve", "SHED-7", "walls", "--unsigned", "-o", "pay.json")
    assert result.status == 0
    assert '"chainId"' not in result.out
    deliver(world, [json.loads(Path("pay.json").read_text("utf-8"))])
    assert paid(escrow, "walls")[0] == "settled"


def test_a_refusal_comes_before_anything_is_printed(escrow: Run, opened: Path):
    result = escrow("finalize", "SHED-7", "walls", "--unsigned", "--from", STRANGER)
    assert result.status == 1
    assert "cannot be finalized" in result.err
    assert result.out == ""


def test_a_sender_is_named_where_anybody_may_send(escrow: Run, opened: Path, world: World):
    world.travel(world.now + 400 * 86_400)
    asked = escrow("finalize", "SHED-7", "--all", "--unsigned")
    assert asked.status == 2
    assert "it is not said who sends this; add --from 0x…" in asked.err
    named = escrow("finalize", "SHED-7", "--all", "--unsigned", "--from", "carpenter")
    assert printed(named)[0]["from"] == "0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718"
    by_account = escrow("finalize", "SHED-7", "--all", "--unsigned", "--from", STRANGER)
    assert printed(by_account)[0]["from"] == STRANGER


def test_only_who_may_act_can_be_named(escrow: Run, opened: Path):
    result = escrow("approve", "SHED-7", "walls", "--unsigned", "--from", "supplier")
    assert result.status == 1
    assert "only the buyer" in result.err


def test_a_dry_run_needs_no_key_either(escrow: Run, opened: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("approve", "SHED-7", "walls", "--dry-run", "--from", "buyer")
    assert result.status == 0
    refused = escrow("approve", "SHED-7", "walls", "--from", "buyer", "--yes")
    assert refused.status == 2
    assert "add --unsigned to print it for a wallet" in refused.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--unsigned", "--dry-run"), "leave --dry-run out"),
        (("-o", "x.json"), "add --unsigned"),
        (("--unsigned", "--from", BUYER, "--as", "buyer"), "keep one of them"),
        (("--unsigned=trezor",), "--unsigned=cast"),
        (("--unsigned", "--sign-only", "x.json"), "leave it out"),
        (("--unsigned", "--from", "nobody"), "nobody is known here as 'nobody'"),
        (("--unsigned", "--from", "0x12"), "0x12"),
    ],
)
def test_refuses_what_contradicts_itself(
    escrow: Run, opened: Path, words: tuple[str, ...], sentence: str
):
    result = escrow("approve", "SHED-7", "walls", *words)
    assert result.status == 2
    assert sentence in result.err


def test_an_argument_behind_the_option_is_not_its_value(escrow: Run, opened: Path):
    result = escrow("approve", "--unsigned", "SHED-7", "walls")
    assert result.status == 2
    assert "put --unsigned last" in result.err


def test_nonces_count_on(escrow: Run, signed: Path, world: World):
    escrow("open", str(signed), "--yes")
    account = world.chain.handle("eth_getTransactionCount", [BUYER, "latest"])
    result = escrow("fund", "SHED-7", "--unsigned", "--nonce", str(int(account, 16)))
    assert [int(one["nonce"], 16) for one in printed(result)] == [
        int(account, 16),
        int(account, 16) + 1,
    ]


def test_what_must_be_signed_says_so(escrow: Run, opened: Path):
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--unsigned")
    assert result.status == 2
    assert "this needs a signature of 0x6813Eb" in result.err
    assert "--as or --signer" in result.err


def test_a_key_that_is_named_signs_what_the_transaction_carries(
    escrow: Run, opened: Path, world: World
):
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--unsigned", "--as", "surveyor",
                    "--yes")  # fmt: skip
    deliver(world, printed(result))
    assert paid(escrow, "foundation")[0] == "settled"


def test_a_file_that_others_signed_is_printed_for_any_wallet(
    escrow: Run, opened: Path, world: World
):
    escrow("submit", "SHED-7", "handover", "--sign-only", "done.json", "--yes")
    result = escrow("send", "done.json", "--unsigned", "--from", SUPPLIER)
    deliver(world, printed(result))
    assert paid(escrow, "handover")[0] == "submitted"


def test_no_batch_for_an_account_that_is_no_safe(escrow: Run, opened: Path):
    result = escrow("approve", "SHED-7", "walls", "--unsigned=safe")
    assert result.status == 1
    assert "is no Safe on Sandbox, so the Transaction Builder cannot send this" in result.err
    assert "use --unsigned, which any wallet takes" in result.err


def test_cast_sends_what_is_printed_for_it(escrow: Run, opened: Path, world: World):
    result = escrow("approve", "SHED-7", "walls", "--unsigned=cast")
    (line,) = [line for line in result.out.splitlines() if line.startswith("cast send ")]
    with RpcServer(world.chain, port=0) as server:
        words = shlex.split(line.removeprefix("cast "))
        done = subprocess.run(
            [program("cast"), *words, "--unlocked", "--rpc-url", server.url, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "0x1"
    assert paid(escrow, "walls")[0] == "settled"


def test_a_deployment_lands_at_the_same_address_whoever_sends_it(
    escrow: Run, home: Path, monkeypatch: pytest.MonkeyPatch
):
    chain = EmbeddedChain(chain_id=31_337)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: chain)
    words = ("deploy", "--network", "anvil")
    result = escrow(*words, "--unsigned", "--from", BUYER)
    (only,) = printed(result)
    assert "escrow deploy --network anvil" in result.out
    chain.handle("eth_sendTransaction", [only])
    recorded = escrow(*words, "--json")
    assert recorded.status == 0
    assert recorded.json["is_there"]
    several = escrow(*words, "--test-token", "--unsigned", "--from", BUYER)
    assert "leave --test-token or --unsigned out" in several.err
