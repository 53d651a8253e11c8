"""The contract and test USDC on an Anvil of one's own, where the sandbox has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.node.networks import network
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID, SANDBOX_OPERATOR
from tests.oracle.relaying.world import CONFIRMATIONS, RELAYER, START
from tests.support.anvil import Anvil

GWEI = 10**9


@contextmanager
def on_anvil() -> Iterator[Escrow]:
    """A buyer with money, and a relayer that can pay for gas."""
    with Anvil(chain_id=SANDBOX_CHAIN_ID, start=START) as anvil:
        for number in (1, 2, RELAYER, SANDBOX_OPERATOR):
            asked = [DevSigner(number).address, hex(10**20)]
            anvil.node.request("anvil_setBalance", asked)
        for nonce, name in enumerate(("MilestoneEscrow", "TestUSDC")):
            raw = DevSigner(SANDBOX_OPERATOR).sign_transaction(_creation(nonce, name))
            anvil.node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
        here = replace(network("sandbox"), confirmations=CONFIRMATIONS)
        escrow = Escrow(anvil.node, here, here.contract, DevSigner(1))
        escrow.mint("USDC", DevSigner(1).address, 10**12)
        escrow.allow("USDC", 10**12)
        yield escrow


def _creation(nonce: int, name: str) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": SANDBOX_CHAIN_ID,
        "nonce": nonce,
        "to": b"",
        "value": 0,
        "data": load(name).bytecode,
        "gas": 12_000_000,
        "maxFeePerGas": 10 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
