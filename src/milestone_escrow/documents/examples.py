"""The examples that ship with the package: complete agreements from real trades."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path

from milestone_escrow.documents.attachments import file_sha256
from milestone_escrow.documents.edit import set_fields
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.documents.source import parse_source, suggest
from milestone_escrow.documents.when import add_months, is_month_end, read_date
from milestone_escrow.errors import UsageError

AGREEMENT_FILE = "agreement.yaml"

_ORDER = ("electronics", "construction", "software", "carpets", "services", "remodelling")
_DATE = re.compile(r"\b20\d{2}-\d{2}-\d{2}\b")
_FIRST = re.compile(r"\bfirst:?\s*$")


@lru_cache(maxsize=1)
def folder() -> Path:
    """Where the examples are: inside an installed package, at the top of a source tree."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "examples", package.parents[1] / "examples"):
        if (place / _ORDER[0] / AGREEMENT_FILE).is_file():
            return place
    raise UsageError(
        f"the examples are missing from {package}", hint="install milestone-escrow again"
    )


def names() -> tuple[str, ...]:
    """The examples in the order in which the demo plays them."""
    return _ORDER


def path(name: str) -> Path:
    """The agreement file of an example; attachments and `evidence/KEY/` are beside it.

    Raises:
        UsageError: there is no such example.
    """
    if name not in _ORDER:
        raise UsageError(f"'{name}' is not an example", hint=_hint(name))
    return folder() / name / AGREEMENT_FILE


def evidence(name: str, milestone: str) -> tuple[Path, ...]:
    """The evidence files that an example has for a milestone, by name; none for most deposits."""
    place = path(name).parent / "evidence" / milestone
    if not place.is_dir():
        return ()
    return tuple(sorted(file for file in place.iterdir() if file.is_file()))


def starting_file(name: str, today: date) -> str:
    """An example's text with every date moved by the same number of days, so that it is of today.

    Comments stay. A series that starts on a month's last day starts on one again.
    """
    text = path(name).read_text(encoding="utf-8")
    moved = today - _own_date(text, name)

    def move(match: re.Match[str]) -> str:
        day = read_date(match[0])
        there = day + moved
        if is_month_end(day) and _FIRST.search(text, 0, match.start()):
            there = add_months(there, 0, month_end=True)
        return there.isoformat()

    return _DATE.sub(move, text)


def starting_draft(name: str, today: date) -> str:
    """The same for those who have no folder: the attachments are there by their hashes."""
    text, source = starting_file(name, today), path(name).parent
    attached = parse_source(text).tree.get("attachments", [])
    hashed = [f"{{name: {item}, sha256: {file_sha256(source / str(item))}}}" for item in attached]
    if not hashed:
        return text
    return set_fields(text, {"attachments": f"[{', '.join(hashed)}]"}, after="timezone")


def write_starting_file(
    name: str,
    today: date,
    file: Path,
    *,
    change: Callable[[str], str] = str,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write an example's starting file and its attachments beside it; returns what was written.

    `change` makes the text that is written out of the example's.

    Raises:
        UsageError: a file is in the way, and without `force` nothing is overwritten.
    """
    text = change(starting_file(name, today))
    source = path(name).parent
    attached = parse_source(text).tree.get("attachments", [])
    copies = {source / str(item): file.parent / str(item) for item in attached}
    in_the_way = [file] if file.exists() else []
    in_the_way += [to for of, to in copies.items() if to.exists() and not _same(of, to)]
    if in_the_way and not force:
        raise UsageError(
            f"{in_the_way[0]} exists already",
            hint="give another file name or folder, or overwrite it with --force",
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, text.encode(), fresh=not force)
        for of, to in copies.items():
            if not _same(of, to):
                write_private(to, of.read_bytes(), fresh=not force)
    except OSError as error:
        reason = error.strerror or "failed"
        raise UsageError(f"{file} cannot be written ({reason})", hint="choose another") from error
    return (file, *copies.values())


def _own_date(text: str, name: str) -> date:
    own = parse_source(text, file=name).tree["date"]
    return read_date(str(own))


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and file_sha256(one) == file_sha256(other)


def _hint(name: str) -> str:
    hint = suggest(name, _ORDER)
    return hint if hint.startswith("known") else f"{hint} Known are {', '.join(_ORDER)}"
