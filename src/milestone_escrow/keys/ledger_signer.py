"""A Ledger as a signer: the Ethereum app's commands (APDUs), and what it answers.

Transactions are shown on the device field by field, with their data as far as the app knows the
contract. Typed data is sent field by field, so that the device can show it and hash it itself; one
that cannot gets the two hashes, the domain's and the message's. They are told here, too, so that a
person compares them. Whatever the device answers must recover to its own account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys import ledger_typed_data
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import normalized, recover

DEFAULT_PATH = "44'/60'/0'/0/0"

_CLA = 0xE0
_GET_ADDRESS, _SIGN_TRANSACTION, _SIGN_TYPED_DATA = 0x02, 0x04, 0x0C
_FIRST, _MORE = 0x00, 0x80
# How typed data is signed: by its hashes, or after all its fields.
_HASHED, _IN_FULL = 0x00, 0x01
_UNKNOWN_COMMAND = 0x6D00
# What the app takes in one piece.
_PIECE = 150
_HARDENED = 1 << 31
_STEP = re.compile(r"(\d{1,10})('?)")

_SAID = {
    0x6985: ("this was declined on the Ledger", ""),
    0x6A80: (
        "the Ledger does not sign data that it cannot read",
        "allow blind signing in the Ethereum app's settings, and compare what it shows",
    ),
    0x5515: ("the Ledger is locked", "unlock it, and open the Ethereum app"),
    0x6982: ("the Ledger is locked", "unlock it, and open the Ethereum app"),
    0x6511: ("the Ethereum app is not open on the Ledger", "open it there"),
    0x6D00: ("the Ethereum app is not open on the Ledger", "open it there"),
    0x6E00: ("the Ethereum app is not open on the Ledger", "open it there"),
    0x6E01: ("the Ethereum app is not open on the Ledger", "open it there"),
    0x6D02: ("the Ethereum app is not open on the Ledger", "open it there"),
}

Tell = Callable[[str], None]


class Device(Protocol):
    """One Ledger: a command in, its answer and status word out."""

    def exchange(self, apdu: bytes) -> tuple[bytes, int]: ...


class LedgerSigner:
    """One account of a Ledger, by its derivation path."""

    __slots__ = ("_device", "_path", "_tell", "address")

    address: Address

    def __init__(
        self, device: Device, path: str = DEFAULT_PATH, *, tell: Tell | None = None
    ) -> None:
        """Asks for the account's address once; `tell` says what to compare on the screen.

        Raises:
            UsageError: that is no path.
            KeyFileError: the device refuses.
        """
        self._device = device
        self._path = encoded_path(path)
        self._tell = tell or (lambda _: None)
        self.address = read_address(_ask(device, address_command(self._path)))

    @classmethod
    def connect(cls, path: str = DEFAULT_PATH, *, tell: Tell | None = None) -> LedgerSigner:
        """The account of the Ledger that is plugged in.

        Raises:
            KeyFileError: `ledgerblue` is not installed, no Ledger is there, or as above.
        """
        return cls(_plugged_in(), path, tell=tell)

    def sign_typed_data(self, data: TypedData) -> bytes:
        """A 65-byte signature of the digest of `data`, once what the device shows is confirmed.

        Raises:
            KeyFileError: it was declined, or the device signed something else.
        """
        separator, message = data.domain.separator(), data.struct.hash(data.message)
        self._tell("Read it on the Ledger, then confirm. Where it shows hashes, compare them:")
        self._tell(f"  domain 0x{separator.hex()}")
        self._tell(f"  message 0x{message.hex()}")
        if self._takes(data):
            answer = _ask(self._device, _command(_SIGN_TYPED_DATA, 0, self._path, _IN_FULL))
        else:
            answer = _ask(self._device, typed_data_command(self._path, separator, message))
        v, rest = _vrs(answer)
        signature = normalized(rest + bytes([v]))
        if recover(data.digest(), signature) != self.address:
            raise _other(self.address)
        return signature

    def _takes(self, data: TypedData) -> bool:
        """Send all fields; false where the device's app knows only hashes."""
        if not ledger_typed_data.is_showable(data):
            return False
        first, *rest = (
            _command(instruction, part, body, kind)
            for instruction, part, kind, body in ledger_typed_data.commands(data)
        )
        _, status = self._device.exchange(first)
        if status == _UNKNOWN_COMMAND:
            return False
        _require(status)
        for apdu in rest:
            _ask(self._device, apdu)
        return True

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed raw transaction (EIP-1559, or legacy with EIP-155).

        Raises:
            UsageError: it names no chain, so it could be replayed on any.
            KeyFileError: it was declined, or the device signed something else.
        """
        import rlp

        from milestone_escrow.protocol.hashing import keccak

        if not isinstance(transaction.get("chainId"), int):
            raise UsageError("a transaction without a chain id could be replayed on any chain")
        payload, fields = unsigned_payload(transaction)
        self._tell("Look at the transaction on the Ledger, then confirm it.")
        answer = b""
        for command in transaction_commands(self._path, payload):
            answer = _ask(self._device, command)
        _, rest = _vrs(answer)
        r, s = (int.from_bytes(half, "big") for half in (rest[:32], rest[32:]))
        for parity in (0, 1):
            if recover(keccak(payload), rest + bytes([27 + parity])) == self.address:
                break
        else:
            raise _other(self.address)
        if payload[:1] == b"\x02":
            return b"\x02" + bytes(rlp.encode([*fields, parity, r, s]))
        # The device answers only the lowest byte of v, so it is not taken from there.
        full = transaction["chainId"] * 2 + 35 + parity
        return bytes(rlp.encode([*fields[:6], full, r, s]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


def encoded_path(path: str) -> bytes:
    """A derivation path such as 44'/60'/0'/0/0: how many steps, then each as four bytes.

    Raises:
        UsageError: it is written otherwise.
    """
    steps = [_STEP.fullmatch(step) for step in path.removeprefix("m/").split("/")]
    numbers = [int(step[1]) + (_HARDENED if step[2] else 0) for step in steps if step]
    if len(numbers) != len(steps) or not 1 <= len(steps) <= 10 or max(numbers) >= 1 << 32:
        raise UsageError(f"'{path}' is no derivation path", hint=f"write it as {DEFAULT_PATH}")
    return bytes([len(numbers)]) + b"".join(number.to_bytes(4, "big") for number in numbers)


def address_command(path: bytes) -> bytes:
    """Which address a path has; the device asks nobody."""
    return _command(_GET_ADDRESS, 0, path)


def typed_data_command(path: bytes, separator: bytes, message: bytes) -> bytes:
    """Sign typed data by its two hashes (the app's command of version 0)."""
    return _command(_SIGN_TYPED_DATA, 0, path + separator + message, _HASHED)


def transaction_commands(path: bytes, payload: bytes) -> Iterator[bytes]:
    """Sign a transaction, in as many pieces as the app takes it; the last answer is the signature.

    A legacy transaction's last piece must be more than chain id and two zeros: where those begin a
    piece of their own, the app takes what is there for a transaction of before EIP-155.
    """
    left, size, first = path + payload, _PIECE, True
    if payload[:1] != b"\x02":
        while 0 < len(left) % size <= 12:
            size -= 1
    while left:
        piece, left = left[:size], left[size:]
        yield _command(_SIGN_TRANSACTION, _FIRST if first else _MORE, piece)
        first = False


def unsigned_payload(transaction: Mapping[str, Any]) -> tuple[bytes, list[object]]:
    """What is signed of a transaction, and its fields without the signature."""
    import rlp

    to = transaction.get("to") or b""
    target = bytes.fromhex(to[2:]) if isinstance(to, str) else b""
    common = [transaction["gas"], target, transaction["value"], bytes(transaction["data"])]
    if "gasPrice" in transaction:
        fields: list[object] = [
            transaction["nonce"], transaction["gasPrice"], *common, transaction["chainId"], 0, 0
        ]  # fmt: skip
        return bytes(rlp.encode(fields)), fields
    fields = [
        transaction["chainId"],
        transaction["nonce"],
        transaction["maxPriorityFeePerGas"],
        transaction["maxFeePerGas"],
        *common,
        [],
    ]
    return b"\x02" + bytes(rlp.encode(fields)), fields


def read_address(answer: bytes) -> Address:
    """The address in an answer: a public key and 40 hex digits, each after its length.

    Raises:
        KeyFileError: it is not such an answer, or the address is not the public key's.
    """
    from eth_keys.datatypes import PublicKey
    from eth_utils.address import is_hex_address, to_checksum_address

    size = answer[0] if answer else 0
    key, text = answer[1 : 1 + size], answer[2 + size : 42 + size].decode("ascii", "replace")
    if size != 65 or key[:1] != b"\x04" or not is_hex_address("0x" + text):
        raise KeyFileError("what answers is not the Ledger's Ethereum app", hint="open it there")
    address = str(to_checksum_address("0x" + text))
    if PublicKey(key[1:]).to_checksum_address() != address:
        raise KeyFileError("the Ledger's address is not that of its key", hint="do not use it")
    return address


def _command(instruction: int, first: int, data: bytes, second: int = 0x00) -> bytes:
    return bytes([_CLA, instruction, first, second, len(data)]) + data


def _vrs(answer: bytes) -> tuple[int, bytes]:
    """v, and r and s together, as the app answers a signature."""
    if len(answer) != 65:
        raise KeyFileError("the Ledger did not answer with a signature", hint="try again")
    return answer[0], answer[1:]


def _other(account: Address) -> KeyFileError:
    return KeyFileError(
        f"the Ledger's signature is not by {account} for what it was asked to sign",
        hint="nothing was done with it; was another device plugged in?",
    )


def _ask(device: Device, apdu: bytes) -> bytes:
    answer, status = device.exchange(apdu)
    _require(status)
    return answer


def _require(status: int) -> None:
    if status != 0x9000:
        message, hint = _SAID.get(
            status, (f"the Ledger refuses (status {status:04x})", "try again")
        )
        raise KeyFileError(message, hint=hint)


def _plugged_in() -> Device:
    try:
        from ledgerblue.comm import getDongle
        from ledgerblue.commException import CommException
    except ImportError:
        raise KeyFileError(
            "a Ledger needs the package ledgerblue", hint="pip install 'milestone-escrow[ledger]'"
        ) from None
    try:
        dongle = getDongle(debug=False)
    except CommException as error:
        raise KeyFileError(
            f"no Ledger was found ({error.message})",
            hint="plug it in, unlock it, and open the Ethereum app",
        ) from None
    return _Dongle(dongle, CommException)


class _Dongle:
    """ledgerblue's device: it raises what is not success."""

    def __init__(self, dongle: Any, refused: type[Exception]) -> None:
        self._dongle = dongle
        self._refused = refused

    def exchange(self, apdu: bytes) -> tuple[bytes, int]:
        try:
            return bytes(self._dongle.exchange(bytearray(apdu))), 0x9000
        except self._refused as error:
            return b"", int(getattr(error, "sw", 0) or 0)
