"""A signer whose key lives in AWS KMS (key spec ECC_SECG_P256K1) and never leaves it.

KMS signs a digest and answers ASN.1 DER (RFC 3279), with any s and without a recovery id. What is
sent to it is always a digest rebuilt here from fields; what comes back is parsed strictly, s is
made low (EIP-2), and v is found by recovery against the key's own public key. An answer that no v
fits is refused, so that a wrong key or a tampered answer never leaves this room as a signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import text_digest

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = ORDER // 2

KEY_SPEC = "ECC_SECG_P256K1"
ALGORITHM = "ECDSA_SHA_256"


class KmsClient(Protocol):
    """The two calls of boto3's KMS client that a signer needs."""

    def get_public_key(self, *, KeyId: str) -> Mapping[str, Any]: ...  # noqa: N803

    def sign(
        self,
        *,
        KeyId: str,  # noqa: N803
        Message: bytes,  # noqa: N803
        MessageType: str,  # noqa: N803
        SigningAlgorithm: str,  # noqa: N803
    ) -> Mapping[str, Any]: ...


class KmsSigner:
    """A key of AWS KMS; only its id is here, and the right to use it is the environment's."""

    __slots__ = ("_client", "_key_id", "_public_key", "address")

    address: Address

    def __init__(self, key_id: str, client: KmsClient) -> None:
        """Asks for the public key once; `key_id` is a key's id, ARN or alias.

        Raises:
            KeyFileError: KMS refuses, or the key is not one that can sign here.
        """
        self._key_id = key_id
        self._client = client
        answer = _ask("show the public key", key_id, lambda: client.get_public_key(KeyId=key_id))
        spec, usage = answer.get("KeySpec", KEY_SPEC), answer.get("KeyUsage", "SIGN_VERIFY")
        if (spec, usage) != (KEY_SPEC, "SIGN_VERIFY"):
            raise KeyFileError(
                f"the KMS key {key_id} is {spec} for {usage}, not {KEY_SPEC} for SIGN_VERIFY",
                hint="create another one: a key's spec cannot be changed",
            )
        self._public_key = public_key_of(_bytes_of(answer, "PublicKey", key_id))
        self.address = address_of(self._public_key)

    @classmethod
    def connect(cls, key_id: str, *, region: str | None = None) -> KmsSigner:
        """The signer behind a key, with the credentials that boto3 finds in the environment.

        Raises:
            KeyFileError: boto3 or cryptography is not installed, or as above.
        """
        try:
            import boto3
            import cryptography  # noqa: F401 (what KMS answers is read with it)
        except ImportError:
            raise KeyFileError(
                "keys in AWS KMS need boto3 and cryptography",
                hint="pip install 'milestone-escrow[kms]'",
            ) from None
        make = lambda: boto3.client("kms", region_name=region)  # noqa: E731
        return cls(key_id, _ask("connect", key_id, make))

    def sign_typed_data(self, data: TypedData) -> bytes:
        """A 65-byte signature of the digest rebuilt from `data`, v being 27 or 28.

        Raises:
            KeyFileError: KMS refuses, or answers something that is not this key's signature.
        """
        return self._sign(data.digest())

    def sign_text(self, text: str, chain_id: int) -> bytes:
        """A 65-byte signature of a text (EIP-191); see `LocalSigner.sign_text`."""
        return self._sign(text_digest(text))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed raw transaction (EIP-1559).

        Raises:
            UsageError: it names no chain, or is not of the EIP-1559 form.
            KeyFileError: as `sign_typed_data`.
        """
        from eth_account.typed_transactions.typed_transaction import TypedTransaction

        if not isinstance(transaction.get("chainId"), int):
            raise UsageError("a transaction without a chain id could be replayed on any chain")
        fields = {name: value for name, value in transaction.items() if name != "from"}
        try:
            unsigned = TypedTransaction.from_dict({"type": 2, **fields})
            digest = unsigned.hash()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"this is not an EIP-1559 transaction: {error}",
                hint="name chainId, nonce, gas, maxFeePerGas, maxPriorityFeePerGas, to and data",
            ) from None
        signature = self._sign(bytes(digest))
        signed = {
            **unsigned.as_dict(),
            "v": signature[64] - 27,
            "r": int.from_bytes(signature[:32], "big"),
            "s": int.from_bytes(signature[32:64], "big"),
        }
        return bytes(TypedTransaction.from_dict(signed).encode())

    def _sign(self, digest: bytes) -> bytes:
        answer = _ask(
            "sign",
            self._key_id,
            lambda: self._client.sign(
                KeyId=self._key_id,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm=ALGORITHM,
            ),
        )
        r, s = parse_signature(_bytes_of(answer, "Signature", self._key_id))
        return with_recovery(digest, r, s, self._public_key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


def parse_signature(der: bytes) -> tuple[int, int]:
    """r and s of an ECDSA signature in strict DER, both from 1 to the curve's order less 1.

    Raises:
        KeyFileError: it is not exactly one such signature in its one canonical form.
    """
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        r, s = decode_dss_signature(der)
    except ValueError:
        raise _not_der("it is not two integers in their shortest form") from None
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise _not_der("an integer is not on the curve")
    return r, s


def low_s(s: int) -> int:
    """The smaller of the two values of s that are valid for a signature (EIP-2)."""
    return ORDER - s if s > _HALF_ORDER else s


def with_recovery(digest: bytes, r: int, s: int, public_key: bytes) -> bytes:
    """The 65-byte signature (r, low s, v) from which `public_key`, 64 bytes, is recovered.

    Raises:
        KeyFileError: the signature is not that key's.
    """
    from coincurve import PublicKey

    body = r.to_bytes(32, "big") + low_s(s).to_bytes(32, "big")
    for parity in (0, 1):
        try:
            found = PublicKey.from_signature_and_message(
                body + bytes([parity]), digest, hasher=None
            )
        except Exception:  # noqa: S112 - coincurve's word for "no point of the curve has this r"
            continue
        if found.format(compressed=False)[1:] == public_key:
            return body + bytes([27 + parity])
    raise KeyFileError(
        "KMS answered a signature that is not by this key", hint="do not use it, and look who did"
    )


def public_key_of(spki: bytes) -> bytes:
    """The 64 bytes of a secp256k1 public key in DER (SubjectPublicKeyInfo).

    Raises:
        KeyFileError: it is another kind of key, or no point of the curve.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_public_key,
    )

    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_der_public_key(spki)
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256K1):
            return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    raise KeyFileError(
        "KMS answered a public key that is not on the curve secp256k1",
        hint=f"use a key of the spec {KEY_SPEC}",
    )


def address_of(public_key: bytes) -> Address:
    """The account of a public key of 64 bytes, checksummed."""
    from eth_keys.datatypes import PublicKey

    return str(PublicKey(public_key).to_checksum_address())


def _ask(doing: str, key_id: str, call: Any) -> Any:
    """One call to KMS; what it throws becomes a sentence, without what boto3 would print."""
    try:
        return call()
    except Exception as error:
        response = getattr(error, "response", None)
        code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
        reason = code or type(error).__name__
        raise KeyFileError(
            f"KMS did not {doing} for {key_id} ({reason})",
            hint="check credentials, region, and that kms:GetPublicKey and kms:Sign are allowed",
        ) from None


def _bytes_of(answer: Mapping[str, Any], name: str, key_id: str) -> bytes:
    value = answer.get(name)
    if not isinstance(value, bytes):
        raise KeyFileError(f"KMS answered no {name} for {key_id}")
    return value


def _not_der(why: str) -> KeyFileError:
    return KeyFileError(
        f"KMS answered something that is not a DER signature: {why}", hint="try again"
    )
