"""A signer that asks: an account of a node, of a wallet on this machine, or of a remote signer.

Nothing that comes back is believed. A typed-data signature must recover to the account from the
digest that is computed here, and a signed transaction must say what was asked for, field by field.
What such a wallet sends itself is compared once it is in a block, by whoever had it sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from milestone_escrow.errors import EscrowError, KeyFileError, UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import normalized, recover, text_digest

# JSON-RPC's own codes, and those of wallets (EIP-1193).
_METHOD_NOT_FOUND, _INVALID_PARAMS = -32601, -32602
_REJECTED, _UNAUTHORIZED, _UNSUPPORTED = 4001, 4100, 4200

_QUANTITIES = ("chainId", "nonce", "value", "gas", "gasPrice")
_QUANTITIES_OF_1559 = ("maxFeePerGas", "maxPriorityFeePerGas")


class Wallet(Protocol):
    """Whatever answers JSON-RPC; `chain`'s nodes do."""

    def request(self, method: str, params: Sequence[object] = ()) -> Any: ...


class RpcSigner:
    """One account of a node or wallet; the key stays there."""

    __slots__ = ("_wallet", "address")

    address: Address

    def __init__(self, wallet: Wallet, account: Address) -> None:
        self._wallet = wallet
        self.address = account

    def sign_typed_data(self, data: TypedData) -> bytes:
        """A 65-byte signature by `eth_signTypedData_v4`, checked against the digest of `data`.

        Raises:
            KeyFileError: the wallet refuses, or signs anything else.
        """
        digest, body = data.digest(), data.to_json()
        try:
            # Wallets take the text; some nodes only the object.
            answer = self._ask("eth_signTypedData_v4", [self.address, json.dumps(body)])
        except _InvalidParamsError:
            answer = self._ask("eth_signTypedData_v4", [self.address, body])
        signature = normalized(_bytes(answer, "a signature"))
        if len(signature) != 65 or recover(digest, signature) != self.address:
            raise KeyFileError(
                f"the wallet's signature is not by {self.address} for what it was asked to sign",
                hint="nothing was done with it; use another wallet, and look into this one",
            )
        return signature

    def sign_text(self, text: str, chain_id: int) -> bytes:
        """A 65-byte signature of a text by `personal_sign`, checked against its digest.

        Raises:
            KeyFileError: the wallet refuses, or signs anything else.
        """
        answer = self._ask("personal_sign", ["0x" + text.encode().hex(), self.address])
        signature = normalized(_bytes(answer, "a signature"))
        if len(signature) != 65 or recover(text_digest(text), signature) != self.address:
            raise KeyFileError(f"the wallet's signature of the text is not by {self.address}")
        return signature

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The raw transaction by `eth_signTransaction`, compared with what was asked for.

        Raises:
            KeyFileError: the wallet refuses, cannot, or signs anything else.
            UsageError: it names no chain, so it could be replayed on any.
        """
        _require_chain(transaction)
        answer = self._ask("eth_signTransaction", [self._request(transaction)])
        raw = _bytes(answer.get("raw") if isinstance(answer, dict) else answer, "a transaction")
        if _read(raw) != _said(self.address, transaction):
            raise KeyFileError(
                "the wallet signed another transaction than it was asked to",
                hint="nothing was sent; use another wallet, and look into this one",
            )
        return raw

    def send_transaction(self, transaction: Mapping[str, Any]) -> str:
        """Let the wallet sign and send by `eth_sendTransaction`; returns the hash.

        The person there may change gas and nonce, so what was mined has to be looked at.

        Raises:
            KeyFileError: the wallet refuses, is on another chain, or answers no hash.
        """
        _require_chain(transaction)
        wanted, there = transaction["chainId"], self._ask("eth_chainId", [])
        if not isinstance(there, str) or _quantity(there) != wanted:
            raise KeyFileError(
                f"the wallet is on chain {_quantity(there)}, but this is for chain {wanted}",
                hint="switch the wallet to that network, and try again",
            )
        answer = self._ask("eth_sendTransaction", [self._request(transaction)])
        if len(_bytes(answer, "a hash")) != 32:
            raise KeyFileError("the wallet answered no transaction's hash")
        return str(answer)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def _request(self, transaction: Mapping[str, Any]) -> dict[str, object]:
        """The transaction as JSON-RPC writes it."""
        body: dict[str, object] = {"from": self.address}
        if transaction.get("to"):
            body["to"] = transaction["to"]
        for name in (*_QUANTITIES, *_QUANTITIES_OF_1559):
            if transaction.get(name) is not None:
                body[name] = hex(transaction[name])
        body["data"] = body["input"] = "0x" + bytes(transaction.get("data") or b"").hex()
        if "maxFeePerGas" in transaction:
            body["type"] = "0x2"
        return body

    def _ask(self, method: str, params: Sequence[object]) -> Any:
        return _ask(self._wallet, method, params)


def rpc_accounts(wallet: Wallet) -> tuple[Address, ...]:
    """The accounts that a node or wallet lets one use, its main one first.

    Raises:
        KeyFileError: it has none, or refuses to say.
    """
    from eth_utils.address import is_address, to_checksum_address

    try:
        # Wallets ask their owner first; a node knows only the other method.
        answer = _ask(wallet, "eth_requestAccounts", [])
    except _UnknownMethodError:
        answer = _ask(wallet, "eth_accounts", [])
    if not isinstance(answer, list) or not all(is_address(account) for account in answer):
        raise KeyFileError("the wallet does not say which accounts it has")
    if not answer:
        raise KeyFileError(
            "the node or wallet has no account to use",
            hint="unlock it there, or name a wallet's own address with --signer rpc:URL",
        )
    return tuple(str(to_checksum_address(account)) for account in answer)


class _UnknownMethodError(KeyFileError):
    """The node or wallet does not know a method."""


class _InvalidParamsError(KeyFileError):
    """It knows the method, but wants the parameters otherwise."""


def _ask(wallet: Wallet, method: str, params: Sequence[object]) -> Any:
    try:
        return wallet.request(method, params)
    except EscrowError as error:
        code = error.fields.get("code")
        if code == _REJECTED:
            raise KeyFileError("this was declined in the wallet") from None
        if code == _UNAUTHORIZED:
            raise KeyFileError(
                "the wallet does not let this program use the account", hint="allow it there"
            ) from None
        if code in (_METHOD_NOT_FOUND, _UNSUPPORTED):
            raise _UnknownMethodError(
                f"the node or wallet does not know {method}",
                hint="use a wallet that does, or a key of your own",
            ) from None
        if code == _INVALID_PARAMS:
            raise _InvalidParamsError(f"the wallet refuses {method}: {error.message}") from None
        if isinstance(code, int):
            raise KeyFileError(f"the wallet refuses {method}: {error.message}") from None
        raise


def _require_chain(transaction: Mapping[str, Any]) -> None:
    if not isinstance(transaction.get("chainId"), int):
        raise UsageError("a transaction without a chain id could be replayed on any chain")


def _said(sender: Address, transaction: Mapping[str, Any]) -> dict[str, object]:
    """What a transaction says, in the form in which `_read` finds it in a signed one."""
    to = transaction.get("to") or ""
    names = (*_QUANTITIES, *_QUANTITIES_OF_1559)
    return {
        "from": sender,
        "to": to.lower() if isinstance(to, str) else "",
        "data": bytes(transaction.get("data") or b""),
        **{name: transaction[name] for name in names if transaction.get(name) is not None},
    }


def _read(raw: bytes) -> dict[str, object]:
    """The sender and all fields of a signed transaction, legacy or EIP-1559."""
    import rlp
    from eth_account import Account

    try:
        sender = str(Account.recover_transaction(raw))
        typed = raw[:1] == b"\x02"
        fields = rlp.decode(raw[1:] if typed else raw)
        names = (
            ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value")
            if typed
            else ("nonce", "gasPrice", "gas", "to", "value")
        )
        found = dict(zip(names, fields, strict=False))
        result: dict[str, object] = {
            name: int.from_bytes(value, "big") for name, value in found.items() if name != "to"
        }
        if typed and fields[8]:
            return {}  # an access list that nobody asked for
        if not typed:
            result["chainId"] = (int.from_bytes(fields[6], "big") - 35) // 2
        to, data = found["to"], fields[len(names)]
    except Exception:  # whatever a library says of bytes that are no transaction
        return {}
    return {**result, "from": sender, "to": "0x" + to.hex() if to else "", "data": bytes(data)}


def _quantity(value: object) -> int | None:
    try:
        return int(str(value), 16)
    except ValueError:
        return None


def _bytes(value: object, what: str) -> bytes:
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise KeyFileError(f"the wallet did not answer with {what}")
