"""Reading a YAML agreement file as plain text scalars that remember their lines.

Scalars stay what was written: `0x…`, `off` and `NO` are text, never numbers or booleans. What
makes a file ambiguous (duplicate keys, anchors, tags) is refused, because two people must never
read two different agreements out of one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

import yaml

from milestone_escrow.errors import DocumentError, UsageError

MAX_BYTES = 1_000_000
MAX_DEPTH = 16

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"
Step: TypeAlias = "str | int"
Where: TypeAlias = tuple[Step, ...]

_Loader: type = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: its tree of text, the line of every node by its path, and what was written.

    `text` is "" where the tree did not come from a file.
    """

    file: str
    tree: dict[str, Tree]
    lines: Mapping[Where, int]
    text: str = field(default="", repr=False)
    # A document that people have signed is read though what it names may be unknown here.
    is_signed: bool = False

    def line(self, where: Where) -> int:
        """The line of a node, or of the nearest one around it; 0 where there is no file."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 0)

    def error(self, where: Where, message: str, hint: str = "") -> DocumentError:
        return DocumentError(
            message, file=self.file, line=self.line(where), field=field_name(where), hint=hint
        )

    @contextmanager
    def at(self, where: Where) -> Iterator[None]:
        """Turn a value's own complaint into one that names file, line and field."""
        try:
            yield
        except DocumentError:
            raise
        except UsageError as error:
            raise self.error(where, error.message, error.hint) from error


def field_name(where: Where) -> str:
    """The path as people see it: `milestones.2.due`, counted from 0 as in the tree."""
    return ".".join(str(step) for step in where)


# Close to "weekly" in letters, and twice as long: nobody means it.
_EVERY_TWO_WEEKS = frozenset({"biweekly", "bi-weekly", "fortnightly"})


def suggest(name: str, known: object) -> str:
    """A hint for an unknown name: the one that was probably meant, or all there are."""
    names = [str(item) for item in known] if isinstance(known, (list, tuple, set, dict)) else []
    if "weekly" in names and name.lower() in _EVERY_TWO_WEEKS:
        return "for every two weeks write each milestone with its due date, or use weekly, monthly"
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known are {', '.join(names)}" if names else ""


def read_source(path: Path) -> Source:
    """Read an agreement file.

    Raises:
        DocumentError: it cannot be read, is too large, not UTF-8, or not plain YAML.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise DocumentError(
            f"cannot be read ({reason})", file=str(path), hint="give the path of an agreement file"
        ) from error
    return parse_source(data, file=str(path))


def parse_source(data: str | bytes, *, file: str = "agreement.yaml") -> Source:
    """Parse the text of an agreement file; see `read_source`."""
    text = _decode(data, file)
    reader = _Reader(file)
    try:
        tree = reader.read(text)
    except yaml.YAMLError as error:
        raise _syntax_error(error, file) from error
    if not isinstance(tree, dict):
        raise DocumentError(
            "is not a list of fields",
            file=file,
            line=1,
            hint="start from `escrow agreement new`, which writes a complete file",
        )
    return Source(file, tree, reader.lines, text)


def _decode(data: str | bytes, file: str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise DocumentError(
            f"is larger than the allowed {MAX_BYTES:,} bytes",
            file=file,
            hint="keep long texts in attachments",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DocumentError(
            "is not UTF-8 text", file=file, line=line, hint="save the file with UTF-8 encoding"
        ) from error


class _Reader:
    """Builds the tree from parser events, so that anchors and depth are seen before they cost."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Where, int] = {}
        self._events: Iterator[yaml.Event] = iter(())

    def read(self, text: str) -> Tree:
        self._events = iter(yaml.parse(text, Loader=_Loader))
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                tree = self._node(next(self._events), ())
                self._expect_end()
                return tree
        return ""

    def _expect_end(self) -> None:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise self._error(event, (), "a second document starts", "one file, one agreement")

    def _node(self, event: yaml.Event, where: Where) -> Tree:
        self._refuse_indirection(event, where)
        self.lines.setdefault(where, _line(event))
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        if len(where) >= MAX_DEPTH:
            raise self._error(event, where, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(where)
        return self._mapping(where)

    def _list(self, where: Where) -> Tree:
        items: list[Tree] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*where, len(items))))
        return items

    def _mapping(self, where: Where) -> Tree:
        fields: dict[str, Tree] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._refuse_indirection(event, where)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, where, "a field's name must be plain text")
            name = str(event.value)
            inner = (*where, name)
            if name in fields:
                first = self.lines[inner]
                self.lines[inner] = _line(event)
                raise self._error(
                    event, inner, f"is given twice, first on line {first}", "keep one of the two"
                )
            self.lines[inner] = _line(event)
            fields[name] = self._node(next(self._events), inner)
        return fields

    def _refuse_indirection(self, event: yaml.Event, where: Where) -> None:
        if anchor := getattr(event, "anchor", None):
            raise self._error(
                event,
                where,
                f"uses a YAML anchor or alias ({anchor})",
                "write the value out, or quote it if it starts with & or *",
            )
        if tag := getattr(event, "tag", None):
            raise self._error(
                event, where, f"has a YAML tag ({tag})", "remove it, or quote the value"
            )

    def _error(
        self, event: yaml.Event, where: Where, message: str, hint: str = ""
    ) -> DocumentError:
        line = _line(event)
        return DocumentError(message, file=self.file, line=line, field=field_name(where), hint=hint)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


_SYNTAX_HINTS = (
    ("cannot start any token", "indent with spaces, not tabs; quote text that starts with % @ `"),
    ("mapping values are not allowed", "put text that contains a colon in quotes"),
    ("could not find expected ':'", "put a colon and a space after the field's name"),
    ("did not find expected ':'", "put a colon and a space after the field's name"),
    ("special characters", "remove the control character"),
    ("control characters", "remove the control character"),
)


def _syntax_error(error: yaml.YAMLError, file: str) -> DocumentError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    hint = next(
        (hint for sign, hint in _SYNTAX_HINTS if sign in problem),
        "check indentation, quotes and brackets on this line and the one before",
    )
    line = mark.line + 1 if mark else 0
    return DocumentError(f"is not valid YAML ({problem})", file=file, line=line, hint=hint)
