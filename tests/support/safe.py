"""Safes on the embedded chain: Safe's own contracts, as its package ships them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.packed import encode_packed

from milestone_escrow.chain.contract.codec import Interface
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, TypedData
from milestone_escrow.protocol.safe import joined, safe_message
from tests.support.npm import package

_PATHS = {
    "Safe": "Safe.sol/Safe",
    "SafeProxyFactory": "proxies/SafeProxyFactory.sol/SafeProxyFactory",
    "CompatibilityFallbackHandler": (
        "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler"
    ),
    "MultiSendCallOnly": "libraries/MultiSendCallOnly.sol/MultiSendCallOnly",
}
_CALL, _DELEGATE_CALL = 0, 1
OPERATOR = 20


@lru_cache
def _artifact(name: str) -> dict[str, Any]:
    built = package("@safe-global/safe-smart-account") / "build" / "artifacts" / "contracts"
    file = built / f"{_PATHS[name]}.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


@lru_cache
def _interface(name: str) -> Interface:
    return Interface(_artifact(name)["abi"])


@dataclass(frozen=True)
class Workshop:
    """Safe's contracts on one chain, once for all Safes there."""

    chain: EmbeddedChain
    singleton: Address
    factory: Address
    handler: Address
    multisend: Address

    @classmethod
    def build(cls, chain: EmbeddedChain) -> Workshop:
        return cls(chain, *(_deploy(chain, name) for name in _PATHS))

    def safe(self, owners: Sequence[int], threshold: int, salt: int = 0) -> TestSafe:
        """A Safe of those sandbox accounts; `threshold` of them decide."""
        accounts = [DevSigner(number).address for number in owners]
        setup = _interface("Safe").call(
            "setup", accounts, threshold, ZERO_ADDRESS, b"", self.handler, ZERO_ADDRESS, 0,
            ZERO_ADDRESS,
        )  # fmt: skip
        make = _interface("SafeProxyFactory").call(
            "createProxyWithNonce", self.singleton, setup, salt
        )
        call = {"from": DevSigner(OPERATOR).address, "to": self.factory, "data": "0x" + make.hex()}
        (address,) = _interface("SafeProxyFactory").answer(
            "createProxyWithNonce", bytes.fromhex(self.chain.handle("eth_call", [call])[2:])
        )
        self.chain.send_from(OPERATOR, bytes.fromhex(self.factory[2:]), make)
        return TestSafe(self, address, tuple(owners), threshold)


@dataclass(frozen=True)
class TestSafe:
    """One Safe, and the sandbox accounts that own it."""

    __test__ = False

    workshop: Workshop
    address: Address
    owners: tuple[int, ...]
    threshold: int

    def sign(self, data: TypedData, owners: Sequence[int] | None = None) -> bytes:
        """The Safe's signature by those owners, by just enough of them if none are named."""
        return self.sign_digest(data.domain.chain_id, data.digest(), owners)

    def sign_digest(
        self, chain_id: int, digest: bytes, owners: Sequence[int] | None = None
    ) -> bytes:
        message = safe_message(chain_id, self.address, digest)
        signers = [DevSigner(number) for number in owners or self.owners[: self.threshold]]
        return joined({one.address: one.sign_typed_data(message) for one in signers})

    def run(self, batch: Mapping[str, Any]) -> None:
        """What Safe's own page makes of a batch file: one call, or several through MultiSend."""
        calls = batch["transactions"]
        if len(calls) == 1:
            (only,) = calls
            self.execute(only["to"], bytes.fromhex(only["data"][2:]), _CALL)
            return
        packed = b"".join(
            encode_packed(
                ["uint8", "address", "uint256", "uint256", "bytes"],
                [_CALL, call["to"], int(call["value"]), len(data), data],
            )
            for call in calls
            for data in [bytes.fromhex(call["data"][2:])]
        )
        whole = _interface("MultiSendCallOnly").call("multiSend", packed)
        self.execute(self.workshop.multisend, whole, _DELEGATE_CALL)

    def execute(self, to: Address, data: bytes, operation: int = _CALL) -> bytes:
        """Send a transaction of the Safe, signed by just enough owners, and answer its hash;
        raises if it fails."""
        values = (to, 0, data, operation, 0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS)
        (nonce,) = self._ask("nonce")
        (digest,) = self._ask("getTransactionHash", *values, nonce)
        keys = [DevSigner(number) for number in self.owners[: self.threshold]]
        parts = {key.address: _raw_signature(number, digest)
                 for number, key in zip(self.owners, keys, strict=False)}  # fmt: skip
        call = _interface("Safe").call("execTransaction", *values, joined(parts))
        sent = self.workshop.chain.send_from(OPERATOR, bytes.fromhex(self.address[2:]), call)
        return sent.hash

    def _ask(self, function: str, *values: object) -> tuple[Any, ...]:
        data = _interface("Safe").call(function, *values)
        call = {"to": self.address, "data": "0x" + data.hex()}
        answer = self.workshop.chain.handle("eth_call", [call])
        return _interface("Safe").answer(function, bytes.fromhex(answer[2:]))


def _raw_signature(number: int, digest: bytes) -> bytes:
    from eth_keys.datatypes import PrivateKey

    signature = PrivateKey(number.to_bytes(32, "big")).sign_msg_hash(digest).to_bytes()
    return signature[:64] + bytes([27 + signature[64]])


def _deploy(chain: EmbeddedChain, name: str) -> Address:
    code = bytes.fromhex(_artifact(name)["bytecode"][2:])
    mined = chain.send_from(OPERATOR, b"", code)
    receipt = chain.handle("eth_getTransactionReceipt", ["0x" + mined.hash.hex()])
    assert receipt["status"] == "0x1"
    return _checksummed(receipt["contractAddress"])


def _checksummed(address: str) -> Address:
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))
