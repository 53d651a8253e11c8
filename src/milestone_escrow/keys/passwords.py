"""Where passwords come from: a prompt, a private file, or the system's keyring."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from milestone_escrow.errors import KeyFileError

Ask: TypeAlias = Callable[[str], str]
"""Asks a person for the password of the key of that name, without showing what is typed."""

SERVICE = "milestone-escrow"


def find_password(name: str, *, file: Path | None = None, ask: Ask | None = None) -> str:
    """The password of a key: from `file` if given, else from the keyring, else by asking.

    Raises:
        KeyFileError: none of them has it, or the file can be read by others.
    """
    if file is not None:
        return read_password_file(file)
    known = keyring_password(name)
    if known is not None:
        return known
    if ask is None:
        raise KeyFileError(
            f"nobody is there to ask for the password of key '{name}'",
            hint="give a file with --password-file",
        )
    return ask(name)


def read_password_file(path: Path, what: str = "password file") -> str:
    """The first line of a file that only its owner can read; errors call it `what`.

    Raises:
        KeyFileError: others can read it, or nobody can.
    """
    try:
        # The opened file is checked, not the name, which could mean another by then.
        # Some editors begin with a byte order mark, which is no part of a password.
        with path.open(encoding="utf-8-sig") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise KeyFileError(f"the {what} {path} cannot be read ({reason})") from None
    if os.name == "posix" and mode & 0o077:
        raise KeyFileError(
            f"the {what} {path} can be read by others", hint=f"run `chmod 600 {path}`"
        )
    if not text:
        raise KeyFileError(f"the {what} {path} is empty", hint="write it on the first line")
    return text


def keyring_password(name: str) -> str | None:
    """What the system's keyring has for a key; None without a keyring or an entry."""
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        found = keyring.get_password(SERVICE, name)
    except Exception:  # every system's keyring has errors of its own; then a person is asked
        return None
    return found if isinstance(found, str) else None


def remember_password(name: str, password: str) -> None:
    """Keep a password in the system's keyring.

    Raises:
        KeyFileError: there is no keyring, or it refuses.
    """
    keyring = _keyring()
    try:
        if keyring is None:
            raise LookupError
        keyring.set_password(SERVICE, name, password)
    except Exception:  # as above
        raise KeyFileError(
            "this system's keyring cannot be used", hint="install `keyring`, or use a password file"
        ) from None


def _keyring() -> Any | None:
    # Optional: the package works without it.
    try:
        return import_module("keyring")
    except ImportError:
        return None
