"""A folder of encrypted keys (Web3 Secret Storage), one file each, readable for its owner only."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys.local_signers import LocalSigner
from milestone_escrow.protocol.eip712 import Address

# scrypt's N as geth and MetaMask set it: about a second and 256 MB for each guess.
COST = 262_144

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEX_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key that is there, without its secret."""

    name: str
    address: Address
    path: Path


class Keystore:
    """The keys of one folder, by name."""

    def __init__(self, folder: Path, *, cost: int = COST) -> None:
        """`cost` is scrypt's N for new keys; anything but the default is for tests."""
        self.folder = folder
        self._cost = cost

    def create(self, name: str, password: str) -> KeyEntry:
        """Make a new random key.

        Raises:
            UsageError: the name or the password will not do.
            KeyFileError: the name is taken, or the folder cannot be written to.
        """
        self._require_free(name, password)
        # One in 2^128 draws is no private key, and is refused.
        return self._store(name, LocalSigner(secrets.token_bytes(32)), password)

    def import_key(self, name: str, secret: str, password: str) -> KeyEntry:
        """Keep a key that exists: 64 hex digits, or an encrypted key file with this password.

        Raises:
            UsageError, KeyFileError: as `create`, or `secret` is neither.
        """
        self._require_free(name, password)
        return self._store(name, _read_secret(secret.strip(), name, password), password)

    def list(self) -> tuple[KeyEntry, ...]:
        """All keys, by name; files that are no keys are passed over."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            with suppress(KeyFileError):
                found.append(KeyEntry(path.stem, _address(_load(path)), path))
        return tuple(found)

    def entry(self, name: str) -> KeyEntry:
        """The key `name`, without its secret.

        Raises:
            KeyFileError: there is none.
        """
        path = self._path(name)
        if not path.is_file():
            known = ", ".join(key.name for key in self.list()) or "none yet"
            raise KeyFileError(
                f"there is no key '{name}'",
                hint=f"keys here: {known}; make one with `escrow key new {name}`",
            )
        return KeyEntry(name, _address(_load(path)), path)

    def unlock(self, name: str, password: str) -> LocalSigner:
        """The signer behind a key.

        Raises:
            KeyFileError: no such key, a wrong password, or a damaged file.
        """
        entry = self.entry(name)
        signer = _decrypt(_load(entry.path), password, name)
        if signer.address != entry.address:
            raise KeyFileError(
                f"the file of key '{name}' says {entry.address} and holds another key",
                hint="somebody changed it: do not use it",
            )
        return signer

    def _path(self, name: str) -> Path:
        # Names become file names: nothing in them may lead out of the folder.
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"'{name}' cannot be a key's name",
                hint="use up to 64 letters, digits, - and _, beginning with a letter or digit",
            )
        return self.folder / f"{name}.json"

    def _require_free(self, name: str, password: str) -> None:
        if self._path(name).exists():
            raise KeyFileError(f"there is already a key '{name}'", hint="choose another name")
        if not password:
            raise UsageError("a key needs a password", hint="give one that is not empty")

    def _store(self, name: str, signer: LocalSigner, password: str) -> KeyEntry:
        path = self._path(name)
        body = signer.encrypted(password, cost=self._cost)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            _write_new(path, (json.dumps(body, indent=2) + "\n").encode())
        except FileExistsError:
            raise KeyFileError(
                f"there is already a key '{name}'", hint="choose another name"
            ) from None
        except OSError as error:
            raise KeyFileError(
                f"the key cannot be written to {path} ({error.strerror})",
                hint="choose another folder",
            ) from None
        return KeyEntry(name, signer.address, path)


def _write_new(path: Path, data: bytes) -> None:
    """Write whole or not at all, readable for the owner only, and never over another file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()


def _read_secret(secret: str, name: str, password: str) -> LocalSigner:
    if secret.startswith("{"):
        try:
            body = json.loads(secret)
        except ValueError:
            raise KeyFileError("this is not an encrypted key file", hint=_forms()) from None
        return _decrypt(body, password, name)
    match = _HEX_KEY.fullmatch(secret)
    if match is None:
        raise KeyFileError("this is not a private key", hint=_forms())
    return LocalSigner(bytes.fromhex(match[1]))


def _decrypt(body: Mapping[str, Any], password: str, name: str) -> LocalSigner:
    from eth_account import Account

    try:
        secret = bytes(Account.decrypt(dict(body), password))
    except ValueError as error:
        if "MAC" in str(error):
            raise KeyFileError(
                f"this is not the password of key '{name}'", hint="try again"
            ) from None
        raise _damaged(name) from None
    except (KeyError, TypeError, AttributeError, NotImplementedError):
        raise _damaged(name) from None
    return LocalSigner(secret)


def _load(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _damaged(path.stem) from None
    if not isinstance(body, dict):
        raise _damaged(path.stem)
    return body


def _address(body: Mapping[str, Any]) -> Address:
    from eth_utils.address import is_address, to_checksum_address

    text = body.get("address")
    if not isinstance(text, str) or not is_address("0x" + text.removeprefix("0x")):
        raise KeyFileError("a key file without an address")
    return str(to_checksum_address("0x" + text.removeprefix("0x")))


def _damaged(name: str) -> KeyFileError:
    return KeyFileError(
        f"the file of key '{name}' cannot be read as an encrypted key",
        hint="restore it from a backup",
    )


def _forms() -> str:
    return "give 64 hex digits, or an encrypted key file (Web3 Secret Storage)"
