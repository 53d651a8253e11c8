"""Small JSON files that carry signatures from one person to another, read as hostile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.errors import DocumentError

MAX_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields of such a file; `kind` is what people call it."""

    path: Path
    kind: str
    fields: dict[str, object]

    @classmethod
    def read(cls, path: Path, kind: str, expected: set[str]) -> Envelope:
        """The fields, which must be exactly the expected ones.

        Raises:
            DocumentError: the file cannot be read, or is of another kind.
        """
        return cls.look(path, kind).only(expected)

    @classmethod
    def look(cls, path: Path, kind: str) -> Envelope:
        """Whatever fields it has, to find out what it is.

        Raises:
            DocumentError: the file cannot be read, or has no fields.
        """
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE + 1)
        except OSError as error:
            raise DocumentError(
                f"cannot be read ({error.strerror})", file=str(path), hint="check the path"
            ) from error
        return cls.parse(data, path, kind)

    @classmethod
    def parse(cls, data: bytes | str, path: Path, kind: str) -> Envelope:
        """The fields of a file's content; `path` is only what it is called.

        Raises:
            DocumentError: it has no fields.
        """
        empty = cls(path, kind, {})
        try:
            fields = parse_json(data, limit=MAX_FILE)
        except ValueError as error:
            raise empty.damaged("it is not JSON") from error
        if not isinstance(fields, dict):
            raise empty.damaged("it holds something else")
        return cls(path, kind, fields)

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
                file=str(self.path),
                hint="it belongs to another agreement, version or network",
            )

    def damaged(self, why: str) -> DocumentError:
        return DocumentError(
            f"is not {self.kind}: {why}", file=str(self.path), hint="ask for the file again"
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
