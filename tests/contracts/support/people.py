"""People with keys. The same names have the same keys in every test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eth_keys.datatypes import PrivateKey
from eth_utils import keccak

from milestone_escrow.protocol.eip712 import TypedData

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True)
class Person:
    """An account that signs with a key."""

    name: str
    key: PrivateKey

    @property
    def address(self) -> str:
        return str(self.key.public_key.to_checksum_address())

    def sign(self, what: TypedData | bytes) -> bytes:
        """65 bytes: r, s, v. `what` is typed data, or a digest."""
        digest = what if isinstance(what, bytes) else what.digest()
        signature = self.key.sign_msg_hash(digest)
        return join(signature.r, signature.s, signature.v + 27)


@cache
def person(name: str) -> Person:
    return Person(name, PrivateKey(keccak(text=name)))


def join(r: int, s: int, v: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


def malleable(signature: bytes) -> bytes:
    """The other signature of the same digest and key, with s in the upper half."""
    r, s = (int.from_bytes(signature[i : i + 32], "big") for i in (0, 32))
    return join(r, ORDER - s, 55 - signature[64])
