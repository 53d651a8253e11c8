"""Signers that hold a key in memory. They sign what they rebuilt from its fields, never a hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.protocol.devchain import SANDBOX_ACCOUNTS, SANDBOX_CHAIN_ID
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import text_digest

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class LocalSigner:
    """A key in this process. It cannot be copied, pickled or printed."""

    __slots__ = ("__key", "address")

    address: Address

    def __init__(self, secret: bytes) -> None:
        """`secret` is the private key, 32 bytes.

        Raises:
            KeyFileError: no private key has this value; the message does not repeat it.
        """
        from eth_keys.datatypes import PrivateKey

        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < _ORDER:
            raise KeyFileError("this is not a private key", hint="it has 32 bytes: 64 hex digits")
        self.__key = PrivateKey(secret)
        self.address = str(self.__key.public_key.to_checksum_address())

    def sign_typed_data(self, data: TypedData) -> bytes:
        """A 65-byte signature of the digest rebuilt from `data`, v being 27 or 28."""
        signature = self.__key.sign_msg_hash(data.digest()).to_bytes()
        return signature[:64] + bytes([signature[64] + 27])

    def sign_text(self, text: str, chain_id: int) -> bytes:
        """A 65-byte signature of a text (EIP-191), which can be neither a transaction nor typed
        data; `chain_id` is where the account belongs that the text speaks for."""
        signature = self.__key.sign_msg_hash(text_digest(text)).to_bytes()
        return signature[:64] + bytes([signature[64] + 27])

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed raw transaction.

        Raises:
            UsageError: it names no chain, so it could be replayed on any.
        """
        from eth_account import Account

        if not isinstance(transaction.get("chainId"), int):
            raise UsageError("a transaction without a chain id could be replayed on any chain")
        signed = Account.sign_transaction(dict(transaction), self.__key.to_bytes())
        return bytes(signed.raw_transaction)

    def encrypted(self, password: str, *, cost: int) -> dict[str, Any]:
        """The key as Web3 Secret Storage (version 3, scrypt with N = `cost`)."""
        from eth_account import Account

        return dict(Account.encrypt(self.__key.to_bytes(), password, "scrypt", cost))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer cannot be pickled or copied: it holds a secret")


class DevSigner(LocalSigner):
    """The private key `number`, from 1 to 20, which everybody knows: for the sandbox only."""

    __slots__ = ()

    def __init__(self, number: int) -> None:
        if not 1 <= number <= SANDBOX_ACCOUNTS:
            raise UsageError(
                f"there is no sandbox account {number}", hint=f"choose 1 to {SANDBOX_ACCOUNTS}"
            )
        super().__init__(number.to_bytes(32, "big"))

    def sign_typed_data(self, data: TypedData) -> bytes:
        self._require_sandbox(data.domain.chain_id)
        return super().sign_typed_data(data)

    def sign_text(self, text: str, chain_id: int) -> bytes:
        self._require_sandbox(chain_id)
        return super().sign_text(text, chain_id)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        self._require_sandbox(transaction.get("chainId"))
        return super().sign_transaction(transaction)

    def _require_sandbox(self, chain_id: object) -> None:
        if chain_id != SANDBOX_CHAIN_ID:
            raise UsageError(
                f"a sandbox key does not sign for chain {chain_id}: everybody knows it",
                hint="use a key of your own, made with `escrow key new`",
            )
