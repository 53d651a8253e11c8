"""A Brownie account as a signer of the package. The key stays in the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brownie import web3
from brownie.network.account import LocalAccount
from eth_account.messages import SignableMessage

from milestone_escrow.chain.node.rpc import Web3Node
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import recover


@dataclass(frozen=True)
class _Signable:
    """What `LocalAccount.sign_message` asks of a message."""

    signable_message: SignableMessage


class BrownieSigner:
    """One of `brownie accounts`; or, on a development chain, an account that the node unlocked."""

    def __init__(self, account: Any) -> None:
        self._account = account
        self.address: Address = str(account.address)

    def sign_typed_data(self, data: TypedData) -> bytes:
        """65 bytes, v being 27 or 28, checked to be by this account for the digest of `data`."""
        if isinstance(self._account, LocalAccount):
            parts = (b"\x01", data.domain.separator(), data.struct.hash(data.message))
            signature = bytes(
                self._account.sign_message(_Signable(SignableMessage(*parts))).signature
            )
        else:
            answer = self._ask_node("eth_signTypedData_v4", [self.address, data.to_json()])
            signature = bytes.fromhex(answer[2:])
        if recover(data.digest(), signature) != self.address:
            raise ChainError(f"{self.address} signed something else than it was given")
        return signature

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed raw transaction."""
        if isinstance(self._account, LocalAccount):
            # Brownie only signs what it sends itself; the account within it signs, too.
            signed = self._account._acct.sign_transaction(dict(transaction))
            return bytes(signed.raw_transaction)
        fields = {name: _as_json(value) for name, value in transaction.items()}
        fields["input"] = fields.pop("data")
        answer = self._ask_node("eth_signTransaction", [{**fields, "from": self.address}])
        return bytes.fromhex((answer["raw"] if isinstance(answer, dict) else answer)[2:])

    def _ask_node(self, method: str, params: list[object]) -> Any:
        return Web3Node(web3).request(method, params)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


def _as_json(value: object) -> object:
    if isinstance(value, int):
        return hex(value)
    return f"0x{value.hex()}" if isinstance(value, bytes) else value
