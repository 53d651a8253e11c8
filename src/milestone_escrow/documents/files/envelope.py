"""Small JSON files that go from one person to another, read as hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address

MAX_FILE = 1_000_000

Act = TypeVar("Act")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields of such a file; `file` is where it lies or what it is called, `kind` what people
    call such files."""

    file: str
    kind: str
    fields: dict[str, object]

    @classmethod
    def read(
        cls, path: str | Path, kind: str, expected: set[str], limit: int = MAX_FILE
    ) -> Envelope:
        """The fields, which must be exactly the expected ones; `limit` is in bytes.

        Raises:
            DocumentError: the file cannot be read, or is of another kind.
        """
        return cls.look(path, kind, limit).only(expected)

    @classmethod
    def look(cls, path: str | Path, kind: str, limit: int = MAX_FILE) -> Envelope:
        """Whatever fields it has, to find out what it is.

        Raises:
            DocumentError: the file cannot be read, or has no fields.
        """
        try:
            with Path(path).open("rb") as stream:
                data = stream.read(limit + 1)
        except OSError as error:
            raise DocumentError(
                f"cannot be read ({error.strerror or 'unreadable'})",
                file=str(path),
                hint="check the path",
            ) from error
        return cls.parse(data, str(path), kind, limit)

    @classmethod
    def parse(cls, data: bytes | str, file: str, kind: str, limit: int = MAX_FILE) -> Envelope:
        """The fields of a file's content.

        Raises:
            DocumentError: it has no fields.
        """
        empty = cls(file, kind, {})
        try:
            found = parse_json(data, limit=limit)
        except json.JSONDecodeError as error:
            raise empty.damaged("it is not JSON") from error
        except ValueError as error:
            raise empty.damaged(f"it is not JSON ({error})") from error
        return empty.inner(found)

    def part(self, name: str, kind: str, called: str) -> Envelope:
        """A field that holds a whole file of its own; `called` tells it from this one."""
        return Envelope(f"{self.file}, {called}", kind, {}).inner(self.fields[name])

    def inner(self, value: object) -> Envelope:
        """A part of the file that has fields of its own."""
        if not isinstance(value, dict):
            raise self.damaged("it holds something else")
        return Envelope(self.file, self.kind, value)

    def only(self, expected: set[str]) -> Envelope:
        """Itself, where its fields are exactly the expected ones.

        Raises:
            DocumentError: it is of another kind.
        """
        if set(self.fields) != expected or self.fields["format"] != "1":
            raise self.damaged("it holds something else")
        return self

    def group(self, name: str) -> dict[str, object]:
        """A field that is itself a group of fields."""
        value = self.fields[name]
        if not isinstance(value, dict):
            raise self.damaged(f"{name} is not a group of fields")
        return value

    def entries(self, name: str, expected: set[str]) -> list[Envelope]:
        """A field that lists parts, each with exactly these fields; at least one."""
        value = self.fields[name]
        if not isinstance(value, list) or not value:
            raise self.damaged(f"its {name} has no entry")
        parts = [self.inner(entry) for entry in value]
        if any(set(part.fields) != expected for part in parts):
            raise self.damaged("it holds something else")
        return parts

    def struct(self, kind: type[Act], name: str) -> Act:
        """A field that holds a signed struct, whose fields are those of `kind` in camel case."""
        message, values = self.group(name), {}
        for field in fields(kind):  # type: ignore[arg-type]
            first, *rest = field.name.split("_")
            value = message.get(first + "".join(map(str.capitalize, rest)))
            values[field.name] = self._value(str(field.type), value)
        return kind(**values)

    def _value(self, kind: str, value: object) -> object:
        if kind == "bytes":
            return self.hexadecimal(value)
        if kind == "int":
            return self.whole(value)
        if kind == "Verdict":
            verdict = self.whole(value)
            if verdict not in list(Verdict):
                raise self.damaged("its verdict does not exist")
            return Verdict(verdict)
        assert kind == "Address"
        return ZERO_ADDRESS if value == ZERO_ADDRESS else self.account(value)

    def account(self, value: object) -> Address:
        try:
            return read_account(str(value))
        except UsageError as error:
            raise self.damaged(error.message) from error

    def hexadecimal(self, value: object) -> bytes:
        if isinstance(value, str) and value.startswith("0x"):
            try:
                return bytes.fromhex(value[2:])
            except ValueError:
                pass
        raise self.damaged("a value is not hexadecimal")

    def whole(self, value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
            return int(value)
        raise self.damaged("a value is not a whole number")

    def agreement_id(self) -> bytes:
        """Which agreement it says it is about; nothing is verified by that."""
        return self.hexadecimal(self.group("agreement").get("id"))

    def require(self, bound: BoundAgreement) -> None:
        """Refuse a file that is about another agreement."""
        if self.agreement_id() != bound.id:
            raise DocumentError(
                f"is not about {bound.agreement.reference}",
                file=self.file,
                hint="it belongs to another agreement, version or network",
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is refused within is refused as this file's mistake."""
        try:
            yield
        except DocumentError as error:
            if error.file:
                raise
            raise DocumentError(
                error.message, file=self.file, field=error.field, hint=error.hint
            ) from error
        except UsageError as error:
            raise DocumentError(error.message, file=self.file, hint=error.hint) from error

    def damaged(self, why: str) -> DocumentError:
        return DocumentError(
            f"is not {self.kind}: {why}", file=self.file, hint="ask for the file again"
        )


def heading(bound: BoundAgreement) -> dict[str, object]:
    """How such a file names its agreement."""
    return {
        "id": "0x" + bound.id.hex(),
        "reference": bound.agreement.reference,
        "chain_id": str(bound.domain.chain_id),
        "contract": bound.domain.verifying_contract,
    }


def dumps(body: dict[str, object]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
