"""A Ledger: its commands against recorded exchanges, and a small Ethereum app that signs."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys.ledger_signer import (
    LedgerSigner,
    encoded_path,
    read_address,
    transaction_commands,
    typed_data_command,
    unsigned_payload,
)
from milestone_escrow.keys.ledger_typed_data import commands
from milestone_escrow.protocol.acts import (
    Appointment,
    Attestation,
    Dispute,
    Resolution,
    Ruling,
    Submission,
    Verdict,
)
from milestone_escrow.protocol.amendment import Amendment
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain, Field, Struct, TypedData
from milestone_escrow.protocol.paying import Permit
from milestone_escrow.protocol.receivables import Assignment, Offer
from milestone_escrow.protocol.safe import safe_message
from milestone_escrow.protocol.signatures import recover
from milestone_escrow.protocol.terms import DAY, Milestone, Terms, agreement_typed_data

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


# The types of a nested message and a list of it, from the tests of a port of that app.
RECORDED_TYPES = [
    "e01a00000a4174746163686d656e74", "e01a00ff0605046e616d65", "e01a00ff0742020473697a65",
    "e01a00000b4174746163686d656e7473", "e01a00ff13800a4174746163686d656e740100046c697374",
    "e01a00000c454950373132446f6d61696e", "e01a00ff0605046e616d65",
    "e01a00ff09050776657273696f6e", "e01a00ff0a422007636861696e4964",
    "e01a00ff130311766572696679696e67436f6e7472616374", "e01a0000044d61696c",
    "e01a00ff0d0006506572736f6e0466726f6d", "e01a00ff10000b4d61696c696e674c69737402746f",
    "e01a00ff0a0508636f6e74656e7473", "e01a00ff14000b4174746163686d656e747306617474616368",
    "e01a00000b4d61696c696e674c697374", "e01a00ff0605046e616d65",
    "e01a00ff128006506572736f6e0100076d656d62657273", "e01a000006506572736f6e",
    "e01a00ff0605046e616d65", "e01a00ff0b8301000777616c6c657473",
    "e01c00000c454950373132446f6d61696e",
    "e01c00ff160014436f6d706c65782053747275637473204d61696c", "e01c00ff03000131",
    "e01c00ff06000444a50f9c", "e01c00ff160014cccccccccccccccccccccccccccccccccccccccc",
    "e01c0000044d61696c", "e01c00ff050003436f77",
]  # fmt: skip
RECORDED_LIST = [
    "e01c000f0102", "e01c00ff0700056669727374", "e01c00ff03000164", "e01c00ff0800067365636f6e64",
    "e01c00ff0400020d48",
]  # fmt: skip


def every_struct() -> Iterator[TypedData]:
    """One of each kind that this package signs, with the largest agreement that it opens."""
    account, one = ACCOUNT, b"\1" * 32
    terms = Terms(
        buyer=account, supplier=TOKEN, token=TOKEN, arbiter=account,
        verifiers=(account, TOKEN) * 16,
        objection_period=0, review_period=DAY, arbitration_period=3 * DAY, default_payee_bps=10_000,
        fee_recipient=ZERO_ADDRESS, fee_bps=0, document_hash=one, salt=2**256 - 1,
    )  # fmt: skip
    milestones = tuple(Milestone(number + 1, 0, True, 3, 2, one) for number in range(60))
    yield agreement_typed_data(DOMAIN, terms, milestones)
    yield agreement_typed_data(DOMAIN, replace(terms, verifiers=()), milestones[:1])
    yield Amendment(one, 1, 2, 3, 4, 5, terms, milestones).typed_data(DOMAIN)
    yield typed()
    yield Attestation(one, 1, Verdict.ACCEPTED, 0, one, 1, 2**64 - 1).typed_data(DOMAIN)
    yield Submission(one, 0, one, 1, 2).typed_data(DOMAIN)
    yield Dispute(one, 0, one, 1, 2).typed_data(DOMAIN)
    yield Ruling(one, 0, 1, 2, one, 1, 2).typed_data(DOMAIN)
    yield Resolution(one, 0, 1, 2, 3, 4, 5).typed_data(DOMAIN)
    yield Assignment(one, 0, account, 1, 2).typed_data(DOMAIN)
    yield Offer(one, 0, account, 5, 6, 1, 0, 2).typed_data(DOMAIN)
    yield Permit(account, TOKEN, 2**256 - 1, 0, 1).typed_data(DOMAIN)
    yield safe_message(1, TOKEN, one)


def typed() -> TypedData:
    return Appointment(b"\1" * 32, "surveyor", ACCOUNT).typed_data(DOMAIN)


class App:
    """The device's Ethereum app as its documentation describes it, with one key.

    Older ones know typed data by its hashes only.
    """

    def __init__(
        self, status: int = 0x9000, key: PrivateKey = KEY, *, is_old: bool = False
    ) -> None:
        self.status = status
        self.key = key
        self.is_old = is_old
        self.pieces: list[bytes] = []
        self.reader = TypedDataReader()

    def exchange(self, apdu: bytes) -> tuple[bytes, int]:
        cla, instruction, first, second, size = apdu[:5]
        data = apdu[5:]
        assert (cla, len(data)) == (0xE0, size)
        if instruction == 0x02:
            key = b"\x04" + KEY.public_key.to_bytes()
            return bytes([65]) + key + b"\x28" + ACCOUNT[2:].encode(), 0x9000
        if self.status != 0x9000:
            return b"", self.status
        if instruction in (0x1A, 0x1C):
            if self.is_old:
                return b"", 0x6D00
            self.reader.take(instruction, first, second, data)
            return b"", 0x9000
        if instruction == 0x0C and second == 0x01:
            assert data == encoded_path(PATH)
            return self._sign(self.reader.digest(), 27), 0x9000
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


class TypedDataReader:
    """Hashes typed data out of the commands alone, as the device does."""

    def __init__(self) -> None:
        self.types: dict[str, list[tuple[str, str]]] = {}
        self.values: list[bytes] = []
        self.part = b""

    def take(self, instruction: int, first: int, second: int, data: bytes) -> None:
        if instruction == 0x1A and second == 0x00:
            self.types[data.decode()] = []
        elif instruction == 0x1A:
            list(self.types.values())[-1].append(self._field(data))
        elif second == 0xFF:
            self.part += data
            if first == 0x00:
                size, value = int.from_bytes(self.part[:2], "big"), self.part[2:]
                assert len(value) == size
                self.values.append(value)
                self.part = b""
        else:
            self.values.append(data)

    @staticmethod
    def _field(data: bytes) -> tuple[str, str]:
        kind, data = data[0], data[1:]
        plain = {3: "address", 4: "bool", 5: "string", 7: "bytes"}
        if kind & 0x0F == 0:
            size = data[0]
            text, data = data[1 : 1 + size].decode(), data[1 + size :]
        elif kind & 0x40:
            number, data = data[0], data[1:]
            text = {2: f"uint{number * 8}", 6: f"bytes{number}"}[kind & 0x0F]
        else:
            text = plain[kind & 0x0F]
        if kind & 0x80:
            assert data[:2] == b"\x01\x00"
            text, data = f"{text}[]", data[2:]
        assert len(data) == 1 + data[0]
        return text, data[1:].decode()

    def digest(self) -> bytes:
        values, self.values = iter(self.values), []
        hashes = [self._struct(next(values).decode(), values) for _ in range(2)]
        assert next(values, None) is None
        self.types = {}
        return keccak(b"\x19\x01" + hashes[0] + hashes[1])

    def _struct(self, name: str, values: Iterator[bytes]) -> bytes:
        words = [self._word(kind, values) for kind, _ in self.types[name]]
        return keccak(keccak(self._encoded(name).encode()) + b"".join(words))

    def _word(self, kind: str, values: Iterator[bytes]) -> bytes:
        if kind.endswith("[]"):
            count = next(values)[0]
            return keccak(b"".join(self._word(kind[:-2], values) for _ in range(count)))
        if kind in self.types:
            return self._struct(kind, values)
        value = next(values)
        if kind in ("string", "bytes"):
            return keccak(value)
        return value.ljust(32, b"\0") if kind.startswith("bytes") else value.rjust(32, b"\0")

    def _encoded(self, name: str) -> str:
        used, queue = [name], [name]
        while queue:
            for kind, _ in self.types[queue.pop()]:
                base = kind.removesuffix("[]")
                if base in self.types and base not in used:
                    used.append(base)
                    queue.append(base)
        return "".join(
            f"{one}({','.join(f'{kind} {field}' for kind, field in self.types[one])})"
            for one in [name, *sorted(used[1:])]
        )


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


@pytest.mark.parametrize("is_old", [False, True])
def test_signs_typed_data_and_tells_what_to_compare(is_old: bool):
    told: list[str] = []
    signer = LedgerSigner(App(is_old=is_old), tell=told.append)
    assert signer.address == ACCOUNT
    assert recover(typed().digest(), signer.sign_typed_data(typed())) == ACCOUNT
    assert DOMAIN.separator().hex() in told[1]
    assert typed().struct.hash(typed().message).hex() in told[2]


def test_the_device_reads_every_struct_that_people_sign():
    """The structs of the vectors, agreements with their lists of milestones among them."""
    signer, count = LedgerSigner(App()), 0
    for data in every_struct():
        assert recover(data.digest(), signer.sign_typed_data(data)) == ACCOUNT
        count += 1
    assert count >= 10


def test_defines_types_as_recorded():
    def struct(name: str, *fields: str, members: tuple[Struct, ...] = ()) -> Struct:
        parts = (field.split() for field in fields)
        return Struct(name, tuple(Field(kind, title) for kind, title in parts), members)

    attachment = struct("Attachment", "string name", "uint16 size")
    attachments = struct("Attachments", "Attachment[] list", members=(attachment,))
    person = struct("Person", "string name", "address[] wallets")
    people = struct("MailingList", "string name", "Person[] members", members=(person,))
    mail = struct(
        "Mail", "Person from", "MailingList to", "string contents", "Attachments attach",
        members=(person, people, attachments),
    )  # fmt: skip
    message = {
        "from": {"name": "Cow", "wallets": []},
        "to": {"name": "", "members": []},
        "contents": "",
        "attach": {"list": [{"name": "first", "size": 100}, {"name": "second", "size": 3400}]},
    }
    data = TypedData(Domain(0x44A50F9C, "0x" + "cc" * 20, "Complex Structs Mail"), mail, message)
    sent = [bytes([0xE0, *one[:3], len(one[3])]) + one[3] for one in commands(data)]
    texts = [one.hex() for one in sent]
    assert texts[: len(RECORDED_TYPES)] == RECORDED_TYPES
    assert texts[-5:] == RECORDED_LIST
    assert recover(data.digest(), LedgerSigner(App()).sign_typed_data(data)) == ACCOUNT


def test_long_texts_go_in_pieces():
    long = Appointment(b"\1" * 32, "surveyor" * 90, ACCOUNT).typed_data(DOMAIN)
    assert recover(long.digest(), LedgerSigner(App()).sign_typed_data(long)) == ACCOUNT


def test_what_cannot_be_sent_in_full_is_signed_by_its_hashes():
    odd = Struct("Odd", (Field("int256", "below"),))
    data = TypedData(DOMAIN, odd, {"below": -1})
    assert recover(data.digest(), LedgerSigner(App()).sign_typed_data(data)) == ACCOUNT


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
