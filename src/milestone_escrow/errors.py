"""Every error of the package: one root, fields on each, one sentence for people.

An error says what was asked, what was allowed and the way out. The command line prints
`str(error)` and exits with `exit_status`; nothing else of it ever reaches a user.
"""

from __future__ import annotations

from typing import NoReturn


class EscrowError(Exception):
    """Root of all errors that this package raises on purpose."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(EscrowError):
    """The request itself is wrong: a bad option, an unknown name, a malformed file."""

    exit_status = 2


class TypedDataError(UsageError):
    """A typed-data message does not have exactly the fields and types of its struct."""


class TermsError(UsageError):
    """Terms that the contract would refuse to open."""


class DocumentError(UsageError):
    """An agreement file, or another human document, cannot be read or makes no sense.

    `file`, `line` (from 1; 0 = unknown) and `field` ("milestones.2.due") say where.
    """

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, field: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint, file=file, line=line, field=field)
        self.file = file
        self.line = line
        self.field = field

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = ": ".join(part for part in (place, self.field) if part)
        text = super().__str__()
        return f"{where}: {text}" if where else text


class LifecycleError(EscrowError):
    """A verb that the status table does not allow here and now, to this caller."""


class KeyFileError(EscrowError):
    """A keystore is missing, unreadable, or its password is wrong."""


class StoreError(EscrowError):
    """The oracle's database cannot be opened, belongs to another contract, or holds nonsense."""


class ChainError(EscrowError):
    """The node cannot be reached, is on another chain, or answers nonsense."""


class ContractError(ChainError):
    """The contract or the token refused: `name` is the decoded custom error, `args` its values."""

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        values: dict[str, object] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint, name=name, values=values or {})
        self.name = name
        self.values = values or {}


def assert_never(value: NoReturn) -> NoReturn:
    """The end of a `match` over a closed union: mypy fails where a kind is handled nowhere.

    The standard library has it from Python 3.11 on.
    """
    raise AssertionError(f"{value!r} is handled nowhere")
