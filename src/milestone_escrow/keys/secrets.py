"""Secrets that are no keys: what signs webhooks, what mail servers ask for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from milestone_escrow.errors import KeyFileError
from milestone_escrow.keys.passwords import read_password_file

_TOKEN = re.compile(r"[!-~]{32,}")


class Secret:
    """Text that cannot be copied, pickled or printed; whoever needs it asks for it by name."""

    __slots__ = ("__value", "name")

    def __init__(self, name: str, value: str) -> None:
        """`name` says what it is for, in errors and logs."""
        if not value:
            raise KeyFileError(f"the secret '{name}' is empty", hint="write it on the first line")
        self.name = name
        self.__value = value

    @classmethod
    def from_file(cls, name: str, path: Path) -> Secret:
        """The first line of a file that only its owner can read.

        Raises:
            KeyFileError: others can read it, or nobody can.
        """
        return cls(name, read_password_file(path, f"file of '{name}',"))

    @classmethod
    def from_environment(cls, name: str, variable: str, environment: Mapping[str, str]) -> Secret:
        """What `environment` holds under `variable`.

        Raises:
            KeyFileError: nothing.
        """
        value = environment.get(variable, "")
        if not value:
            raise KeyFileError(
                f"the environment has no {variable}, which '{name}' needs",
                hint="set it, or keep the secret in a file of your own",
            )
        return cls(name, value)

    def reveal(self) -> str:
        """The secret itself: use it, do not keep it."""
        return self.__value

    def hashed(self) -> bytes:
        """SHA-256 of a token, which is enough to know it again when somebody shows it.

        Raises:
            KeyFileError: it could be guessed, or no header can carry it.
        """
        if not _TOKEN.fullmatch(self.__value):
            raise KeyFileError(
                f"'{self.name}' needs at least 32 letters, digits or signs, and no spaces",
                hint="make one with `openssl rand -hex 32`",
            )
        return hashlib.sha256(self.__value.encode()).digest()

    def __repr__(self) -> str:
        return f"Secret({self.name})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")
