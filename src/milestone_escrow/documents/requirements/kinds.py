"""The kinds of requirements: a small typed tree, hashed into the terms, evaluated elsewhere.

The union is closed: whoever asks for the kind does so with `match` and `assert_never`, so that a
kind that is handled nowhere is a mistake that mypy finds. Further kinds, that other packages bring,
are all `OtherRequired`, see `plug_ins`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from milestone_escrow.documents.canonical import canonical_json, sha256
from milestone_escrow.protocol.eip712 import ZERO_HASH

Data: TypeAlias = "str | list[Data] | dict[str, Data]"


@dataclass(frozen=True, slots=True)
class DocumentRequired:
    """At least `at_least` documents of a kind from one party; any media type if it is empty."""

    kind: str
    source: str
    at_least: int = 1
    media_type: str = ""

    def data(self) -> Data:
        data: dict[str, Data] = {"document": self.kind, "from": self.source}
        if self.at_least > 1:
            data["at_least"] = str(self.at_least)
        if self.media_type:
            data["media_type"] = self.media_type
        return data

    def words(self) -> str:
        count = f", at least {self.at_least}" if self.at_least > 1 else ""
        media = f", as {self.media_type}" if self.media_type else ""
        return f"{self.kind.replace('_', ' ')} from {self.source}{count}{media}"


@dataclass(frozen=True, slots=True)
class StatementRequired:
    """A named verifier's own judgement, on `text` where one is given."""

    source: str
    text: str = ""

    def data(self) -> Data:
        data: dict[str, Data] = {"statement": self.source}
        if self.text:
            data["text"] = self.text
        return data

    def words(self) -> str:
        return f"statement of {self.source}" + (f": {self.text}" if self.text else "")


@dataclass(frozen=True, slots=True)
class AfterRequired:
    """Another milestone is settled first."""

    milestone: str

    def data(self) -> Data:
        return {"after": self.milestone}

    def words(self) -> str:
        return f"after {self.milestone}"


@dataclass(frozen=True, slots=True)
class WebhookRequired:
    """An authenticated event from a carrier, a build server, a bank."""

    source: str
    event: str

    def data(self) -> Data:
        return {"webhook": {"source": self.source, "event": self.event}}

    def words(self) -> str:
        return f"event '{self.event}' from {self.source}"


@dataclass(frozen=True, slots=True)
class HttpRequired:
    """A JSON value (`value`, a JSON pointer) at an address meets a condition."""

    url: str
    value: str
    condition: str
    operand: str

    def data(self) -> Data:
        return {"http": {"url": self.url, "value": self.value, self.condition: self.operand}}

    def words(self) -> str:
        return f"{self.value} at {self.url} {self.condition.replace('_', ' ')} {self.operand}"


@dataclass(frozen=True, slots=True)
class OtherRequired:
    """A kind that another package brings, with its fields in normal form, sorted by name."""

    kind: str
    fields: tuple[tuple[str, str], ...]
    text: str = field(compare=False)

    def data(self) -> Data:
        return {self.kind: dict(self.fields)}

    def words(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class AllRequired:
    """Every item."""

    items: tuple[Requirement, ...]

    def data(self) -> Data:
        return {"all": [item.data() for item in self.items]}

    def words(self) -> str:
        return "all of (" + "; ".join(item.words() for item in self.items) + ")"


@dataclass(frozen=True, slots=True)
class SomeRequired:
    """At least `at_least` of the items; 1 is `any`."""

    at_least: int
    items: tuple[Requirement, ...]

    def data(self) -> Data:
        return {"at_least": str(self.at_least), "of": [item.data() for item in self.items]}

    def words(self) -> str:
        count = "any" if self.at_least == 1 else f"at least {self.at_least}"
        return f"{count} of (" + "; ".join(item.words() for item in self.items) + ")"


Leaf: TypeAlias = (
    DocumentRequired
    | StatementRequired
    | AfterRequired
    | WebhookRequired
    | HttpRequired
    | OtherRequired
)
Requirement: TypeAlias = Leaf | AllRequired | SomeRequired


def requirements_hash(requirement: AllRequired) -> bytes:
    """SHA-256 of the canonical requirements; 32 zero bytes where nothing is required."""
    return sha256(canonical_json(requirement.data())) if requirement.items else ZERO_HASH


def leaves(requirement: Requirement) -> Iterator[Leaf]:
    """Every requirement of the tree that is not a combination."""
    if isinstance(requirement, (AllRequired, SomeRequired)):
        for item in requirement.items:
            yield from leaves(item)
    else:
        yield requirement
