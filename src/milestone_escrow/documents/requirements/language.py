"""What must be shown for a milestone: short sentences, read into a small typed tree.

    inspection_report from inspector
    photos from supplier, at least 12, as jpeg
    statement of inspector: the goods match the sample
    after packed
    {any: [...]}, {all: [...]}, {at least 2 of: [...]}
    {webhook: {source: carrier, event: delivered}}
    {http: {url: "https://…", value: /status, equals: done}}

Further kinds come from other packages, see `plug_ins`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    DocumentRequired,
    HttpRequired,
    OtherRequired,
    Requirement,
    SomeRequired,
    StatementRequired,
    WebhookRequired,
)
from milestone_escrow.documents.requirements.plug_ins import (
    RESERVED,
    find_kind,
    kind_name,
    registered,
)
from milestone_escrow.documents.source import Tree, Where, suggest
from milestone_escrow.documents.values import read_key
from milestone_escrow.errors import UsageError

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "json": "application/json",
    "xml": "application/xml",
    "zip": "application/zip",
    "csv": "text/csv",
    "text": "text/plain",
    "markdown": "text/markdown",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "mp4": "video/mp4",
}


class RequirementError(UsageError):
    """A requirement makes no sense; `where` is its place below the list."""

    def __init__(self, message: str, *, where: Where = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.where = where


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Who and what a requirement may refer to.

    Where people have signed it already (`is_signed`), kinds whose packages are not here, or are
    here in a version that reads them otherwise, stand as they were written.
    """

    parties: tuple[str, ...]
    verifiers: tuple[str, ...]
    milestones: tuple[str, ...]
    is_signed: bool = False


def read_requirements(tree: Tree, names: KnownNames) -> AllRequired:
    """Read a milestone's `requires`: a list, or one requirement alone.

    Raises:
        RequirementError: a sentence that is not understood, or that names an unknown party.
    """
    return AllRequired(_items(tree if isinstance(tree, list) else [tree], names, ()))


def _items(trees: Tree, names: KnownNames, where: Where) -> tuple[Requirement, ...]:
    if not isinstance(trees, list):
        raise RequirementError("must be a list", where=where, hint="put the items in [ ]")
    read = tuple(_one(tree, names, (*where, index)) for index, tree in enumerate(trees))
    for index, item in enumerate(read):
        if item in read[:index]:
            raise RequirementError(
                f"'{item.words()}' is required twice",
                where=(*where, index),
                hint="keep one, or write at least 2",
            )
    return read


def _one(tree: Tree, names: KnownNames, where: Where) -> Requirement:
    try:
        if isinstance(tree, str):
            return _sentence(" ".join(tree.split()).replace(" ,", ","), names)
        if isinstance(tree, dict) and len(tree) == 1:
            ((name, inner),) = tree.items()
            return _combination(name, inner, names, where)
    except RequirementError as error:
        if error.where:
            raise
        raise RequirementError(error.message, where=where, hint=error.hint) from error
    raise RequirementError(
        "is not a requirement", where=where, hint="write a sentence, or any: [...], all: [...]"
    )


_AT_LEAST_OF = re.compile(r"at[ _]least (\d{1,3}) of", re.ASCII)


def _combination(name: str, inner: Tree, names: KnownNames, where: Where) -> Requirement:
    words = " ".join(name.lower().split())
    if words in {"all", "all of"}:
        return AllRequired(_several(inner, names, (*where, name)))
    if words in {"any", "any of"}:
        return SomeRequired(1, _several(inner, names, (*where, name)))
    if match := _AT_LEAST_OF.fullmatch(words):
        items = _several(inner, names, (*where, name))
        if not 1 <= int(match[1]) <= len(items):
            raise RequirementError(
                f"asks for {match[1]} of {len(items)} items", hint=f"write 1 to {len(items)}"
            )
        return SomeRequired(int(match[1]), items)
    if words in {"webhook", "http"}:
        if not isinstance(inner, dict):
            raise RequirementError(f"{words} needs fields", hint=_FIELD_HINTS[words])
        return _webhook(inner) if words == "webhook" else _http(inner)
    # "statement of inspector: the goods match" without quotes is a mapping to YAML.
    if words.startswith("statement of") and isinstance(inner, str):
        return _sentence(f"{name}: {inner}", names)
    if other := _other(kind_name(name), inner, names):
        return other
    known = ["any", "all", "at least 2 of", "webhook", "http", *registered()]
    raise RequirementError(f"'{name}' is not a kind of requirement", hint=suggest(words, known))


def _several(inner: Tree, names: KnownNames, where: Where) -> tuple[Requirement, ...]:
    items = _items(inner, names, where)
    if not items:
        raise RequirementError("has no items", where=where, hint="name at least one")
    return items


_FIELD_HINTS = {
    "webhook": "write webhook: {source: carrier, event: delivered}",
    "http": 'write http: {url: "https://…", value: /status, equals: done}',
}
_CONDITIONS = ("equals", "at_least", "at_most")


def _webhook(fields: Mapping[str, Tree]) -> WebhookRequired:
    source, event = fields.get("source"), fields.get("event")
    if set(fields) != {"source", "event"} or not (_text(source) and _text(event)):
        raise RequirementError("webhook needs source and event", hint=_FIELD_HINTS["webhook"])
    return WebhookRequired(str(source), str(event))


def _http(fields: Mapping[str, Tree]) -> HttpRequired:
    conditions = [name for name in _CONDITIONS if name in fields]
    url, value = str(fields.get("url", "")), str(fields.get("value", ""))
    known = {"url", "value", *_CONDITIONS}
    if len(conditions) != 1 or set(fields) - known or not all(map(_text, fields.values())):
        raise RequirementError(
            "http needs url, value and one of equals, at_least, at_most", hint=_FIELD_HINTS["http"]
        )
    if not url.startswith("https://") or not value.startswith("/"):
        raise RequirementError(
            "http needs an https:// url and a JSON pointer as value", hint=_FIELD_HINTS["http"]
        )
    return HttpRequired(url, value, conditions[0], str(fields[conditions[0]]))


def _other(name: str, inner: Tree, names: KnownNames) -> OtherRequired | None:
    """A kind that another package brings; None where there is none of that name."""
    if name in RESERVED:
        return None
    fields = inner if isinstance(inner, dict) and all(map(_text, inner.values())) else None
    try:
        kind = find_kind(name)
        if kind is None:
            return _as_written(name, fields) if names.is_signed and fields is not None else None
        if fields is None:
            raise UsageError("needs fields", hint=f"write {name}: {{field: value}}")
        normal = kind.read({key: str(value) for key, value in fields.items()})
        text = kind.words(normal)
    except UsageError as error:
        if names.is_signed and fields is not None:
            return _as_written(name, fields)
        raise RequirementError(f"{name}: {error.message}", hint=error.hint) from error
    return OtherRequired(name, tuple(sorted(normal.items())), text)


def _as_written(name: str, fields: Mapping[str, Tree]) -> OtherRequired:
    written = {key: str(value) for key, value in fields.items()}
    words = ", ".join(f"{key} {value}" for key, value in written.items())
    return OtherRequired(name, tuple(sorted(written.items())), f"{name.replace('_', ' ')}: {words}")


def _text(value: Tree | None) -> bool:
    return isinstance(value, str) and bool(value.strip())


_STATEMENT = re.compile(r"statement of (\S+?)(?::\s*(.+))?", re.IGNORECASE)
_AFTER = re.compile(r"after (\S+)", re.IGNORECASE)
_DOCUMENT = re.compile(r"(.+?) from ([^\s,]+)((?:,.*)?)", re.IGNORECASE)
_AT_LEAST = re.compile(r"at least (\d{1,4})", re.ASCII | re.IGNORECASE)
_AS = re.compile(r"as (\S+)", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")


_Reading: TypeAlias = Callable[[re.Match[str], KnownNames], Requirement]


def _sentence(text: str, names: KnownNames) -> Requirement:
    patterns: tuple[
        tuple[re.Pattern[str], Callable[[re.Match[str], KnownNames], Requirement]], ...
    ] = (
        (_STATEMENT, _statement),
        (_AFTER, _after),
        (_DOCUMENT, _document),
    )
    for pattern, read in patterns:
        if match := pattern.fullmatch(text):
            return read(match, names)
    hint = "write 'photos from supplier, at least 12', 'statement of inspector' or 'after packed'"
    if _AT_LEAST.fullmatch(text) or _AS.fullmatch(text):
        hint = "a comma inside [ ] starts a new item: put the whole sentence in quotes"
    raise RequirementError(f"'{text}' is not a requirement", hint=hint)


def _statement(match: re.Match[str], names: KnownNames) -> Requirement:
    if match[1] not in names.verifiers:
        raise RequirementError(
            f"'{match[1]}' is not one of the agreement's verifiers",
            hint=suggest(match[1], names.verifiers) or "name them under parties.verifiers",
        )
    return StatementRequired(match[1], match[2] or "")


def _after(match: re.Match[str], names: KnownNames) -> Requirement:
    if match[1] not in names.milestones:
        raise RequirementError(
            f"'{match[1]}' is not a milestone", hint=suggest(match[1], names.milestones)
        )
    return AfterRequired(match[1])


def _document(match: re.Match[str], names: KnownNames) -> Requirement:
    kind = _kind(match[1])
    if match[2] not in names.parties:
        raise RequirementError(
            f"'{match[2]}' is not a party of the agreement", hint=suggest(match[2], names.parties)
        )
    at_least, media_type = 1, ""
    for piece in filter(None, (piece.strip() for piece in match[3].split(","))):
        if count := _AT_LEAST.fullmatch(piece):
            at_least = int(count[1])
        elif media := _AS.fullmatch(piece):
            media_type = _media_type(media[1].lower())
        else:
            raise RequirementError(
                f"'{piece}' is not understood", hint="write 'at least 12' or 'as pdf'"
            )
    if at_least < 1:
        raise RequirementError("at least 0 asks for nothing", hint="write at least 1")
    return DocumentRequired(kind, match[2], at_least, media_type)


def _kind(text: str) -> str:
    """ "inspection report" and inspection_report are the same kind."""
    kind = text.lower().replace(" ", "_")
    try:
        return read_key(kind)
    except UsageError as error:
        raise RequirementError(
            f"'{text}' is not a kind of document", hint="write it as inspection_report"
        ) from error


def _media_type(text: str) -> str:
    if text in MEDIA_TYPES:
        return MEDIA_TYPES[text]
    if _MEDIA_TYPE.fullmatch(text):
        return text
    raise RequirementError(f"'{text}' is not a media type", hint=suggest(text, MEDIA_TYPES))
