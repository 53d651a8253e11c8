"""A Ledger: its commands against recorded exchanges, and a small Ethereum app that signs."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys.ledger import (
    LedgerSigner,
    encoded_path,
    read_address,
    transaction_commands,
    typed_data_command,
    unsigned_payload,
)
from milestone_escrow.protocol.acts import Appointment
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.signatures import recover

KEY = PrivateKey(b"\x11" * 32)
ACCOUNT = KEY.public_key.to_checksum_address()
TOKEN = "0xE41d2489571d322189246DaFA5ebDe1F4699F498"
PATH = "44'/60'/0'/0/0"
DOMAIN = Domain(11155111, TOKEN)

ASKED: Mapping[str, Any] = {
    "type": 2, "chainId": 1, "nonce": 6, "to": TOKEN, "value": 10**16,
    "data": bytes.fromhex(
        "095ea7b3000000000000000000000000221657776846890989a759ba2973e427dff5c9bb"
        "0000000000000000000000000000000000000000000000004563918244f40000"
    ),
    "gas": 21_000, "maxFeePerGas": 20 * 10**9, "maxPriorityFeePerGas": 10**9,
}  # fmt: skip
LEGACY: Mapping[str, Any] = {
    "chainId": 11155111, "nonce": 1, "to": TOKEN, "value": 0, "data": b"\xab" * 700,
    "gas": 90_000, "gasPrice": 21 * 10**9,
}  # fmt: skip

# What devices and their own library exchanged, from that library's tests.
RECORDED_APPROVAL = (
    "e00400008c058000002c8000003c80000000000000000000000002f8740106843b9aca008504a817c8008252"
    "0894e41d2489571d322189246dafa5ebde1f4699f498872386f26fc10000b844095ea7b30000000000000000"
    "00000000221657776846890989a759ba2973e427dff5c9bb0000000000000000000000000000000000000000"
    "000000004563918244f40000c0"
)
RECORDED_ADDRESS = (
    "4104df00ad3869baad7ce54f4d560ba7f268d542df8f2679a5898d78a690c3db8f9833d2973671cb14b088e9"
    "1bdf7c0ab00029a576473c0e12f84d252e630bb3809b28436241393833363265313939633431453138363444"
    "30393233414639363436643341363438343531"
)
RECORDED_TYPED_DATA = (
    "e00c000055058000002c8000003c800000000000000000000000239f83f0e5cffb0066b29194d820885963cf"
    "4631edc247a93465edf245fe2a743ae9302329ea4532e9dfd49237157e053215d5e0fa97711ed9ab4e607ae2"
    "4b1c"
)


def typed() -> TypedData:
    return Appointment(b"\1" * 32, "surveyor", ACCOUNT).typed_data(DOMAIN)


class App:
    """The device's Ethereum app as its documentation describes it, with one key."""

    def __init__(self, status: int = 0x9000, key: PrivateKey = KEY) -> None:
        self.status = status
        self.key = key
        self.pieces: list[bytes] = []

    def exchange(self, apdu: bytes) -> tuple[bytes, int]:
        cla, instruction, first, last, size = apdu[:5]
        data = apdu[5:]
        assert (cla, last, len(data)) == (0xE0, 0, size)
        if instruction == 0x02:
            key = b"\x04" + KEY.public_key.to_bytes()
            return bytes([65]) + key + b"\x28" + ACCOUNT[2:].encode(), 0x9000
        if self.status != 0x9000:
            return b"", self.status
        if instruction == 0x0C:
            return self._sign(keccak(b"\x19\x01" + data[21:]), 27), 0x9000
        assert instruction == 0x04
        if first == 0x00:
            self.pieces = []
        self.pieces.append(data)
        payload = b"".join(self.pieces)[21:]
        typed_one = payload[:1] == b"\x02"
        try:
            rlp.decode(payload[1:] if typed_one else payload)
        except rlp.DecodingError:
            return b"", 0x9000
        return self._sign(keccak(payload), 0 if typed_one else 0x25), 0x9000

    def _sign(self, digest: bytes, base: int) -> bytes:
        signature = self.key.sign_msg_hash(digest).to_bytes()
        return bytes([(base + signature[64]) & 0xFF]) + signature[:64]


def test_encodes_a_path_as_the_device_reads_it():
    assert encoded_path(PATH).hex() == "058000002c8000003c800000000000000000000000"
    assert encoded_path("m/44'/60'/3'").hex() == "038000002c8000003c80000003"


@pytest.mark.parametrize("path", ["", "44'/x", "44''", "44h/60h", "4294967296", "1/" * 11 + "1"])
def test_refuses_what_is_no_path(path: str):
    with pytest.raises(UsageError, match="no derivation path"):
        encoded_path(path)


def test_asks_for_a_transaction_as_recorded():
    payload, _ = unsigned_payload(ASKED)
    commands = list(transaction_commands(encoded_path(PATH), payload))
    assert [command.hex() for command in commands] == [RECORDED_APPROVAL]


def test_asks_for_typed_data_as_recorded():
    hashes = bytes.fromhex(RECORDED_TYPED_DATA[-128:])
    command = typed_data_command(encoded_path(PATH), hashes[:32], hashes[32:])
    assert command.hex() == RECORDED_TYPED_DATA


def test_reads_an_address_as_recorded():
    answer = bytes.fromhex(RECORDED_ADDRESS)
    assert read_address(answer) == "0xCbA98362e199c41E1864D0923AF9646d3A648451"


def test_refuses_an_address_that_is_not_its_keys():
    forged = bytes.fromhex(RECORDED_ADDRESS[:-2] + "32")
    with pytest.raises(KeyFileError, match="not that of its key"):
        read_address(forged)


@pytest.mark.parametrize("answer", [b"", b"\x41", b"\x20" + b"a" * 80])
def test_refuses_what_is_no_address(answer: bytes):
    with pytest.raises(KeyFileError, match="Ethereum app"):
        read_address(answer)


def test_signs_typed_data_and_tells_what_to_compare():
    told: list[str] = []
    signer = LedgerSigner(App(), tell=told.append)
    assert signer.address == ACCOUNT
    assert recover(typed().digest(), signer.sign_typed_data(typed())) == ACCOUNT
    assert DOMAIN.separator().hex() in told[0]
    assert typed().struct.hash(typed().message).hex() in told[1]


@pytest.mark.parametrize("asked", [ASKED, LEGACY, {**LEGACY, "to": b""}])
def test_signs_a_transaction_that_nodes_read_the_same(asked: Mapping[str, Any]):
    raw = LedgerSigner(App()).sign_transaction(asked)
    assert Account.recover_transaction(raw) == ACCOUNT
    assert asked["data"] in raw


def test_never_leaves_chain_and_zeros_alone_in_a_piece():
    for size in range(80, 420):
        payload, _ = unsigned_payload({**LEGACY, "data": b"\xab" * size})
        commands = list(transaction_commands(encoded_path(PATH), payload))
        assert b"".join(command[5:] for command in commands)[21:] == payload
        assert all(len(command) <= 155 for command in commands)
        assert [command[2] for command in commands] == [0x00] + [0x80] * (len(commands) - 1)
        assert len(commands[-1]) - 5 > 11, size


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(0x6985, "declined"), (0x6A80, "blind signing"), (0x5515, "locked"), (0x6E00, "open it"),
     (0x6F00, "status 6f00")],
)  # fmt: skip
def test_says_what_the_device_means(status: int, sentence: str):
    signer = LedgerSigner(App(status))
    for sign in (lambda: signer.sign_typed_data(typed()), lambda: signer.sign_transaction(ASKED)):
        with pytest.raises(KeyFileError, match=sentence):
            sign()


def test_refuses_a_signature_of_another_key():
    signer = LedgerSigner(App(key=PrivateKey(b"\x22" * 32)))
    with pytest.raises(KeyFileError, match="is not by"):
        signer.sign_typed_data(typed())
    with pytest.raises(KeyFileError, match="is not by"):
        signer.sign_transaction(ASKED)


def test_refuses_a_transaction_without_a_chain():
    with pytest.raises(UsageError, match="chain id"):
        LedgerSigner(App()).sign_transaction({**ASKED, "chainId": None})


def test_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ledgerblue", None)
    with pytest.raises(KeyFileError, match=r"pip install 'milestone-escrow\[ledger\]'"):
        LedgerSigner.connect()


@pytest.fixture
def ledgerblue(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The package's two modules, as far as they are used; its device raises what is no success."""

    class CommException(Exception):  # noqa: N818 - its name there
        def __init__(self, message: str, sw: int = 0x6F00) -> None:
            self.message, self.sw = message, sw

    comm = types.ModuleType("ledgerblue.comm")
    refused = types.ModuleType("ledgerblue.commException")
    refused.CommException = CommException  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ledgerblue", types.ModuleType("ledgerblue"))
    monkeypatch.setitem(sys.modules, "ledgerblue.comm", comm)
    monkeypatch.setitem(sys.modules, "ledgerblue.commException", refused)
    comm.CommException = CommException  # type: ignore[attr-defined]
    return comm


def test_uses_the_device_that_is_plugged_in(ledgerblue: Any):
    app = App()

    class Dongle:
        def exchange(self, apdu: bytearray) -> bytearray:
            answer, status = app.exchange(bytes(apdu))
            if status != 0x9000:
                raise ledgerblue.CommException("refused", status)
            return bytearray(answer)

    ledgerblue.getDongle = lambda debug: Dongle()
    signer = LedgerSigner.connect()
    assert recover(typed().digest(), signer.sign_typed_data(typed())) == ACCOUNT
    app.status = 0x6985
    with pytest.raises(KeyFileError, match="declined"):
        signer.sign_typed_data(typed())


def test_says_that_no_device_is_there(ledgerblue: Any):
    def none(debug: bool) -> None:
        raise ledgerblue.CommException("No dongle found")

    ledgerblue.getDongle = none
    with pytest.raises(KeyFileError, match="No dongle found"):
        LedgerSigner.connect()
