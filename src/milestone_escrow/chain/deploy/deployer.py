"""The deterministic deployer put on a chain that lacks it, by its well-known transaction.

That transaction's signature was chosen, not made: nobody has the key of the account that it comes
from, and it is valid on every chain that takes transactions without a chain id.
"""

from __future__ import annotations

from milestone_escrow.chain.node.network import DEPLOYER, DEPLOYER_CODE, Network
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.broadcast import await_receipt
from milestone_escrow.chain.send.fees import AS_USUAL, Bid
from milestone_escrow.chain.send.transactions import Transactor
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.signatures import Signer

CREATOR = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
COST = 10**16  # 100,000 gas at 100 gwei, which is all that its transaction offers
# Nonce 0, gas price, gas, nobody, no value, code that returns the deployer's; then v, r and s.
_CREATION = "604580600e600039806000f350fe"
_TRANSACTION = (
    bytes.fromhex("f8a58085174876e800830186a08080b853" + _CREATION + DEPLOYER_CODE.hex() + "1b")
    + (b"\xa0" + b"\x22" * 32) * 2
)


def place_deployer(node: Node, network: Network, signer: Signer, *, bid: Bid = AS_USUAL) -> None:
    """Give the creator what it needs, and broadcast its transaction.

    Raises:
        UsageError: the network's table names another deployer.
        ChainError: the node takes no transaction without a chain id, or it was not mined.
    """
    if network.deployer != DEPLOYER:
        raise UsageError(
            f"the deployer of {network.title} is {network.deployer}, not the usual one",
            hint="take `deployer` out of its table",
        )
    has = int(node.request("eth_getBalance", [CREATOR, "latest"]), 16)
    if has < COST:
        transactor = Transactor(node, network, bid=bid)
        attempt = Attempt("pay for the deployer", signer.address)
        transactor.send(transactor.prepare(CREATOR, b"", attempt, value=COST - has), signer)
    try:
        node.request("eth_sendRawTransaction", [hexed(_TRANSACTION)])
    except RpcError as error:
        raise ChainError(
            f"{network.title} does not take the deployer's transaction: {error.message}",
            hint="ask its operators for the deterministic deployer at " + DEPLOYER,
        ) from None
    sent = hexed(keccak(_TRANSACTION))
    await_receipt(node, [sent], "put the deployer there", timeout=180, network=network)
    code = node.request("eth_getCode", [DEPLOYER, "latest"])
    if bytes.fromhex(code[2:]) != DEPLOYER_CODE:
        raise ChainError(
            f"the deployer's transaction left no deployer on {network.title}",
            hint="use another network",
        )
