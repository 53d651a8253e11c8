"""Every error of the package: one root, fields on each, one sentence for people.

An error says what was asked, what was allowed and the way out. The command line prints
`str(error)` and exits with `exit_status`; nothing else of it ever reaches a user.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NoReturn


class EscrowError(Exception):
    """Root of all errors that this package raises on purpose."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(message)
        self._told = message, hint
        self.fields = fields

    def told(self) -> tuple[str, str]:
        """What was refused, and the way out; the latter is "" where there is none."""
        return self._told

    @property
    def message(self) -> str:
        return self.told()[0]

    @property
    def hint(self) -> str:
        return self.told()[1]

    @property
    def sentence(self) -> str:
        """The message with where it happened, without the way out."""
        return self.message

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.sentence, self.hint)))


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

    @property
    def sentence(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(filter(None, (place, self.field, self.message)))


class LifecycleError(EscrowError):
    """A verb that the status table does not allow here and now, to this caller."""


class KeyFileError(EscrowError):
    """A keystore is missing, unreadable, or its password is wrong."""


class StoreError(EscrowError):
    """The oracle's database cannot be opened, belongs to another contract, or holds nonsense."""


class ChainError(EscrowError):
    """The node cannot be reached, is on another chain, or answers nonsense."""


class ContractError(ChainError):
    """The contract or the token refused: `name` is the decoded custom error, `values` its fields,
    `attempt` what was tried.

    By itself it repeats what the contract said. The words, a floor that no raiser may know, tell it
    by the people, dates and money of the agreement: the package puts their `teller` here.
    """

    teller: ClassVar[Callable[[ContractError], tuple[str, str] | None]] = staticmethod(
        lambda error: None
    )

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        values: dict[str, object] | None = None,
        attempt: object = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint, name=name, values=values or {})
        self.name = name
        self.values = values or {}
        self.attempt = attempt

    def told(self) -> tuple[str, str]:
        return type(self).teller(self) or self._told


def assert_never(value: NoReturn) -> NoReturn:
    """The end of a `match` over a closed union: mypy fails where a kind is handled nowhere.

    The standard library has it from Python 3.11 on.
    """
    raise AssertionError(f"{value!r} is handled nowhere")
