"""Every signature that was ever made here, and what it is good for: exactly what was signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eth_abi import encode
from eth_hash.auto import keccak

from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import compact
from tests.contracts.support.people import Person


@dataclass(frozen=True, slots=True)
class Wallet:
    """A contract wallet; a bound one signs digests together with its own address."""

    address: Address
    owner: Address
    bound: bool


@dataclass(frozen=True)
class Book:
    """Who signed what. A replayed signature is in here like any other."""

    people: Mapping[Address, Person]
    wallets: Mapping[Address, Wallet]
    _made: dict[bytes, tuple[Address, bytes]] = field(default_factory=dict)

    def sign(self, account: Address, data: TypedData | bytes, short: bool = False) -> bytes:
        """A signature of the account, or of its owner in the way the wallet takes it."""
        digest = data if isinstance(data, bytes) else data.digest()
        signer, signed = self._signer(account, digest)
        signature = self.people[signer].sign(signed)
        if short and account not in self.wallets:
            signature = compact(signature)
        self._made[signature] = (signer, signed)
        return signature

    def is_valid(self, account: Address, digest: bytes, signature: bytes) -> bool:
        return self._made.get(signature) == self._signer(account, digest)

    def _signer(self, account: Address, digest: bytes) -> tuple[Address, bytes]:
        wallet = self.wallets.get(account)
        if wallet is None:
            return account, digest
        if wallet.bound:
            digest = keccak(encode(["address", "bytes32"], [account, digest]))
        return wallet.owner, digest
