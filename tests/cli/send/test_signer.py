"""--signer: keys that are elsewhere, in a node, in a wallet on this machine, on a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.chain.embedded.server import RpcServer
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.keys import DevSigner
from milestone_escrow.keys.ledger_signer import LedgerSigner
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import BUYER
from tests.cli.dispute.test_verbs import paid

RPC = ("--signer", "rpc")


def test_a_nodes_account_signs_opens_and_funds(escrow: Run, deal: Path, world: World):
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", str(deal), *RPC, "--as", role, "--yes").status == 0
    result = escrow("open", str(deal), "--fund", "all", *RPC, "--as", "buyer", "--yes")
    assert result.status == 0, result.err
    assert "paid with a permit" in result.words
    assert paid(escrow, "walls")[0] == "funded"


def test_the_account_that_the_verb_needs_is_found(escrow: Run, opened: Path):
    result = escrow("approve", "SHED-7", "walls", *RPC, "--yes")
    assert "as Anna Bauer (buyer)" in result.words
    assert paid(escrow, "walls")[0] == "settled"


def test_an_account_is_named_by_itself(escrow: Run, opened: Path):
    result = escrow("approve", "SHED-7", "walls", *RPC, "--as", BUYER.lower(), "--yes")
    assert result.status == 0, result.err
    refused = escrow("approve", "SHED-7", "handover", *RPC, "--as", DevSigner(9).address)
    assert "only the buyer" in refused.err


def test_a_wallet_of_its_own_address(escrow: Run, opened: Path, world: World):
    with RpcServer(world.chain, port=0) as wallet:
        result = escrow("approve", "SHED-7", "walls", "--signer", f"rpc:{wallet.url}", "--yes")
    assert result.status == 0, result.err
    assert paid(escrow, "walls")[0] == "settled"


def test_a_wallet_that_declines_sends_nothing(
    escrow: Run, opened: Path, world: World, monkeypatch: pytest.MonkeyPatch, unchanged: Unchanged
):
    meddle(world, monkeypatch, "eth_sendTransaction", _decline)
    with unchanged():
        result = escrow("approve", "SHED-7", "walls", *RPC, "--yes")
    assert result.status == 1
    assert "this was declined in the wallet" in result.err


def test_a_wallet_that_sends_something_else_is_found_out(
    escrow: Run, opened: Path, world: World, monkeypatch: pytest.MonkeyPatch
):
    def other(ask: Callable[..., Any], params: Sequence[Any]) -> Any:
        return ask("eth_sendTransaction", [{**params[0], "data": "0x", "to": BUYER, "gas": None}])

    meddle(world, monkeypatch, "eth_sendTransaction", other)
    result = escrow("approve", "SHED-7", "walls", *RPC, "--yes")
    assert result.status == 1
    assert "sent another transaction than it was asked to, 0x" in result.err
    assert paid(escrow, "walls")[0] == "funded"


def test_a_wallet_that_signs_something_else_is_found_out(
    escrow: Run, deal: Path, world: World, monkeypatch: pytest.MonkeyPatch
):
    meddle(world, monkeypatch, "eth_signTypedData_v4", lambda ask, params: "0x" + "11" * 65)
    result = escrow("agreement", "sign", str(deal), *RPC, "--as", "buyer", "--yes")
    assert result.status == 1
    assert f"is not by {BUYER} for what it was asked to sign" in result.err
    assert not Path("shed.signed.json").exists()


@pytest.mark.parametrize("spec", ["metamask", "rpc:ftp://x", "kms:"])
def test_says_which_signers_there_are(escrow: Run, opened: Path, spec: str):
    result = escrow("approve", "SHED-7", "walls", "--signer", spec, "--dry-run")
    assert result.status != 0
    assert "ledger" in result.err or "http" in result.err


def test_a_ledger_signs_and_sends(
    escrow: Run, opened: Path, world: World, monkeypatch: pytest.MonkeyPatch
):
    from eth_keys.datatypes import PrivateKey

    from tests.unit.keys.test_ledger import App

    class Buyers(App):
        def exchange(self, apdu: bytes) -> tuple[bytes, int]:
            if apdu[1] == 0x02:
                key = b"\x04" + self.key.public_key.to_bytes()
                return bytes([65]) + key + b"\x28" + BUYER[2:].encode(), 0x9000
            return super().exchange(apdu)

    device = Buyers(key=PrivateKey((1).to_bytes(32, "big")))
    opened_devices: list[Buyers] = []

    def plugged_in() -> Buyers:
        opened_devices.append(device)
        return device

    monkeypatch.setattr("milestone_escrow.keys.ledger_signer._plugged_in", plugged_in)
    result = escrow("approve", "SHED-7", "walls", "--signer", "ledger", "--yes")
    assert result.status == 0, result.err
    assert "Look at the transaction on the Ledger" in result.err
    # No device can be opened twice.
    assert len(opened_devices) == 1
    assert paid(escrow, "walls")[0] == "settled"
    paths: list[str] = []

    def connect(path: str, tell: object) -> LedgerSigner:
        paths.append(path)
        return LedgerSigner(device, path)

    monkeypatch.setattr(LedgerSigner, "connect", connect)
    escrow("refund", "SHED-7", "handover", "--signer", "ledger:44'/60'/3'/0/0", "--dry-run")
    assert paths == ["44'/60'/3'/0/0"]


def test_without_its_package_a_ledger_says_how_to_install_it(
    escrow: Run, opened: Path, monkeypatch: pytest.MonkeyPatch
):
    import sys

    monkeypatch.setitem(sys.modules, "ledgerblue", None)
    result = escrow("approve", "SHED-7", "walls", "--signer", "ledger", "--yes")
    assert result.status == 1
    assert "pip install 'milestone-escrow[ledger]'" in result.err


def _decline(ask: object, params: object) -> Any:
    raise RpcError("User rejected the request.", code=4001)


def meddle(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    answer: Callable[[Callable[..., Any], Sequence[Any]], Any],
) -> None:
    """Have the node answer one method otherwise."""
    truth = world.chain.handle

    def request(asked: str, params: Sequence[Any] = ()) -> Any:
        return answer(truth, params) if asked == method else truth(asked, params)

    monkeypatch.setattr(world.chain, "request", request)
