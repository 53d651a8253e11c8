"""Signers as the rest of the package sees them, and the recovery of ECDSA signatures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.hashing import keccak

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_WRAPPED = bytes.fromhex("6492" * 16)

DEPLOY_FIRST = (
    "it was made before the wallet was deployed: deploy the wallet first, then give this again"
)


class Signer(Protocol):
    """Whatever holds a key and signs with it; the secret itself never leaves it."""

    @property
    def address(self) -> Address: ...

    def sign_typed_data(self, data: TypedData) -> bytes:
        """A 65-byte signature (r, s, v with v 27 or 28) of the digest rebuilt from `data`."""
        ...

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed raw transaction, ready to be broadcast."""
        ...


@runtime_checkable
class Sender(Protocol):
    """A signer that sends by itself, as wallets and nodes with accounts of their own do.

    The person there may change gas and nonce, so only what is in a block tells what was sent.
    """

    def send_transaction(self, transaction: Mapping[str, Any]) -> str:
        """Sign and broadcast; returns the transaction's hash."""
        ...


class Wallets(Protocol):
    """Asks a chain about contract wallets (ERC-1271), whose signatures no key can check."""

    def accepts(self, chain_id: int, account: Address, digest: bytes, signature: bytes) -> bool:
        """Whether the contract at `account` takes this as its signature of `digest` now.

        Raises:
            EscrowError: that chain cannot be asked.
        """
        ...


def text_digest(text: str) -> bytes:
    """What is signed of a text (EIP-191, `personal_sign`)."""
    raw = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode() + raw)


def recover(digest: bytes, signature: bytes) -> Address | None:
    """The account that signed `digest`, or None where no account can have.

    Accepts 65 bytes (r, s, v) and 64 bytes (EIP-2098), low s only, as the contract does.

    Raises:
        UsageError: the signature is neither 64 nor 65 bytes long.
    """
    from coincurve import PublicKey

    if len(signature) not in (64, 65):
        raise UsageError(f"a signature has 64 or 65 bytes, not {len(signature)}")
    s = int.from_bytes(signature[32:64], "big")
    if len(signature) == 64:
        v, s = 27 + (s >> 255), s & (2**255 - 1)
    else:
        v = signature[64]
    if v not in (27, 28) or s > _HALF_ORDER:
        return None
    raw = signature[:32] + s.to_bytes(32, "big") + bytes([v - 27])
    try:
        key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception:  # whatever coincurve says where no point of the curve fits
        return None
    return _account(key.format(compressed=False))


@lru_cache(maxsize=4_096)
def _account(key: bytes) -> Address:
    """The checksummed account of an uncompressed key; the same people sign again and again."""
    digits = keccak(key[1:])[12:].hex()
    case = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if mark > "7" else digit for digit, mark in zip(digits, case, strict=False)
    )


def normalized(signature: bytes) -> bytes:
    """Whatever ECDSA form a wallet writes (v as 0 or 1, or EIP-2098) with v as 27 or 28."""
    if len(signature) == 64:
        high = signature[32] >> 7
        return signature[:32] + bytes([signature[32] & 0x7F]) + signature[33:] + bytes([27 + high])
    if len(signature) == 65 and signature[64] in (0, 1):
        return signature[:64] + bytes([signature[64] + 27])
    return signature


def by_key(account: Address, digest: bytes, signature: bytes) -> bytes | None:
    """The signature in 65 bytes with v as 27 or 28, in whatever form (v as 0 or 1, EIP-2098) the
    account's key made it; None where it did not.

    Only of signatures that are the key's own: the last byte of a contract wallet's, such as a
    Safe's, means something else.
    """
    if len(signature) not in (64, 65):
        return None
    usual = normalized(signature)
    return usual if recover(digest, usual) == account else None


def signer_of(digest: bytes, signature: bytes) -> Address | None:
    """The account whose key signed `digest`, in whatever form; None where none can have."""
    return recover(digest, normalized(signature)) if len(signature) in (64, 65) else None


def unwrapped(signature: bytes) -> bytes:
    """What a contract takes of a signature that its wallet made before it was deployed (ERC-6492):
    without the wrapping that says how to deploy it. Others stay as they are."""
    if not is_wrapped(signature):
        return signature
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    try:
        _, _, inner = decode(["address", "bytes", "bytes"], signature[: -len(_WRAPPED)])
    except (DecodingError, OverflowError):
        return signature
    return bytes(inner)


def is_wrapped(signature: bytes) -> bool:
    """Whether a wallet signed before it was deployed (ERC-6492)."""
    return signature.endswith(_WRAPPED)


def not_signed(account: Address, what: str, signature: bytes) -> str:
    """Why a signature does not count; `what` it should be of."""
    reason = f"the signature is not by {account} for {what}"
    return f"{reason}; {DEPLOY_FIRST}" if is_wrapped(signature) else reason


def settled(account: Address, digest: bytes, signature: bytes) -> bytes:
    """The one form in which an account's signature is kept, shown and sent, whatever its wallet
    wrote; what its key did not make stays as its contract takes it."""
    return by_key(account, digest, signature) or unwrapped(signature)


def is_signed(
    chain_id: int,
    account: Address,
    digest: bytes,
    signature: bytes,
    wallets: Wallets | None = None,
) -> bool:
    """Whether `account` signed `digest`: by key or, where `wallets` can ask, by its contract.

    As in the contract the key comes first, so that an EIP-7702 account still signs by key. Without
    `wallets` a contract's signature is none: what cannot be checked does not count.

    Raises:
        EscrowError: `wallets` cannot ask.
    """
    if by_key(account, digest, signature):
        return True
    return wallets is not None and wallets.accepts(chain_id, account, digest, unwrapped(signature))


def compact(signature: bytes) -> bytes:
    """A 65-byte signature in its 64-byte form (EIP-2098), which costs less calldata."""
    if len(signature) != 65 or signature[64] not in (27, 28) or signature[32] >> 7:
        return signature
    high = (signature[64] - 27) << 7
    return signature[:32] + bytes([signature[32] | high]) + signature[33:64]
