"""Asking contract wallets (ERC-1271) whether they signed, exactly as the escrow contract asks."""

from __future__ import annotations

from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hexes import hexed

MAGIC = bytes.fromhex("1626ba7e") + bytes(28)


class ContractWallets:
    """The contract wallets of one chain, through one node."""

    def __init__(self, node: Node, chain_id: int) -> None:
        self._node = node
        self._chain_id = chain_id

    def accepts(self, chain_id: int, account: Address, digest: bytes, signature: bytes) -> bool:
        """Whether the contract at `account` takes this as its signature of `digest` now.

        Raises:
            ChainError: another chain is meant, or the node does not answer.
        """
        if chain_id != self._chain_id:
            raise ChainError(
                f"a wallet on chain {chain_id} cannot be asked on chain {self._chain_id}",
                hint="name a node of that chain with --rpc",
            )
        code = str(self._node.request("eth_getCode", [account, "latest"]))
        if code in ("0x", ""):
            return False
        data = _call(digest, signature)
        call = {"to": account, "data": hexed(data)}
        try:
            answer = str(self._node.request("eth_call", [call, "latest"]))
        except RpcError:
            return False
        # Anything behind the first word is ignored there, too.
        return answer[:66].lower() == hexed(MAGIC)


def _call(digest: bytes, signature: bytes) -> bytes:
    from eth_abi.abi import encode

    return MAGIC[:4] + bytes(encode(["bytes32", "bytes"], [digest, signature]))
