"""An Anvil that wears Sepolia's clothes: its chain id, and a USDC as the issuer's at its address.

Plain functions, for pytest here and for Brownie's. `code` is creation bytecode by contract name, as
0x hex, from whichever compiler is at hand: it needs FiatToken and FiatTokenProxy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from eth_abi.abi import encode
from eth_hash.auto import keccak

from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.node.rpc import Node
from tests.support.anvil import Anvil

SEPOLIA = network("sepolia")
USDC = SEPOLIA.token("USDC").address
ETHER = 10**18

# Who may mint, pause and deny; Anvil lets us speak for them.
ISSUER = "0xC1C1E00000000000000000000000000000000001"
PROXY_ADMIN = "0xC1C1E00000000000000000000000000000000002"

_IMPLEMENTATION_SLOT = "0x" + keccak(b"org.zeppelinos.proxy.implementation").hex()
_ADMIN_SLOT = "0x" + keccak(b"org.zeppelinos.proxy.admin").hex()


@contextmanager
def sepolia(code: Mapping[str, str], *, start: int | None = None) -> Iterator[Anvil]:
    """A running node that a client takes for one of Sepolia; `start` is its first block's time.

    Blocks come every second, so that whoever waits for confirmations gets them.
    """
    with Anvil(chain_id=SEPOLIA.chain_id, start=start, block_time=1) as anvil:
        dress(anvil.node, code)
        yield anvil


def dress(node: Node, code: Mapping[str, str]) -> None:
    """Put USDC, proxy and implementation, where Sepolia has it."""
    implementation = _deploy(node, code["FiatToken"])
    elsewhere = _deploy(node, code["FiatTokenProxy"] + encode(["address"], [implementation]).hex())
    node.request("anvil_setCode", [USDC, node.request("eth_getCode", [elsewhere, "latest"])])
    for slot, value in ((_IMPLEMENTATION_SLOT, implementation), (_ADMIN_SLOT, PROXY_ADMIN)):
        word = "0x" + encode(["address"], [value]).hex()
        node.request("anvil_setStorageAt", [USDC, slot, word])
    issue(node, "initialize(address,address,address)", ISSUER, ISSUER, ISSUER)
    issue(node, "configureMinter(address,uint256)", ISSUER, 2**255)


def give_coins(node: Node, account: str, wei: int = ETHER // 10) -> None:
    """What a faucet of the network's coin does; the account then has exactly `wei`."""
    node.request("anvil_setBalance", [account, hex(wei)])


def give_usdc(node: Node, account: str, units: int = 20_000_000) -> None:
    """What the issuer's faucet does: 20 USDC."""
    issue(node, "mint(address,uint256)", account, units)


def deny(node: Node, account: str) -> None:
    """Put an account on the issuer's denylist."""
    issue(node, "blacklist(address)", account)


def allow_again(node: Node, account: str) -> None:
    """Take it off again."""
    issue(node, "unBlacklist(address)", account)


def pass_time(node: Node, seconds: int) -> None:
    """Let the chain's clock run ahead."""
    node.request("evm_increaseTime", [seconds])
    node.request("evm_mine")


def issue(node: Node, signature: str, *values: object) -> None:
    """Send USDC a call as its issuer; `signature` as in `mint(address,uint256)`."""
    types = signature[signature.index("(") + 1 : -1].split(",") if values else []
    data = keccak(signature.encode())[:4] + encode(types, list(values))
    give_coins(node, ISSUER, ETHER)
    node.request("anvil_impersonateAccount", [ISSUER])
    _send(node, {"from": ISSUER, "to": USDC, "data": "0x" + data.hex()})


def _deploy(node: Node, bytecode: str) -> str:
    sender = node.request("eth_accounts")[0]
    made = _send(node, {"from": sender, "data": bytecode})["contractAddress"]
    assert isinstance(made, str)
    return made


def _send(node: Node, transaction: dict[str, str]) -> dict[str, object]:
    sent = node.request("eth_sendTransaction", [{**transaction, "gas": hex(6_000_000)}])
    until = time.monotonic() + 10
    while not (receipt := node.request("eth_getTransactionReceipt", [sent])):
        assert time.monotonic() < until, f"{transaction['data'][:10]} is in no block"
        time.sleep(0.01)
    assert receipt["status"] == "0x1", f"{transaction['data'][:10]} was refused"
    return dict(receipt)
