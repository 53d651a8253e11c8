"""The cells of a spreadsheet as text, out of CSV or XLSX, with limits that hold before the work."""

from __future__ import annotations

import csv
import datetime
import io
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from milestone_escrow.errors import UsageError

MAX_BYTES = 2_000_000
MAX_UNPACKED = 50_000_000
MAX_ROWS = 5_000
MAX_COLUMNS = 60

_DIVIDERS = ";\t,"
_FINEST = Decimal("0.000001")
# Marks of the Unicode algorithm for two directions of writing.
_TURNS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows. `number` is set where the program kept a number, with no doubt about its
    separators; `trouble` where it shows nothing that can be relied on."""

    text: str
    number: Decimal | None = None
    is_share: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """One sheet; row 1 is the first, as people count them."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def is_empty(self) -> bool:
        return not any(cell.text or cell.trouble for row in self.rows for cell in row)


def read_grids(name: str, content: bytes) -> tuple[Grid, ...]:
    """The visible sheets that hold something. For CSV one for each way to divide its columns.

    Raises:
        UsageError: too large, or no spreadsheet; says what to do.
    """
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{name} is larger than {MAX_BYTES:,} bytes", hint="keep only the milestones in it"
        )
    grids = tuple(_workbook(name, content) if content[:2] == b"PK" else _csv(name, content))
    found = tuple(grid for grid in grids if not grid.is_empty)
    if not found:
        raise UsageError(f"{name} has no rows", hint="give it a row for each milestone")
    return found


def decoded(name: str, content: bytes) -> str:
    """Text in whatever encoding programs write tables: UTF-8, UTF-16 with its mark, Windows-1252.

    Raises:
        UsageError: none of these.
    """
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            # Some programs still end lines by a carriage return alone.
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UsageError(
        f"{name} is neither XLSX nor CSV in UTF-8", hint="save it as one of these again"
    )


def _csv(name: str, content: bytes) -> Iterator[Grid]:
    text = decoded(name, content)
    dividers = sorted(_DIVIDERS, key=text.count, reverse=True)
    for divider in [one for one in dividers if one in text] or dividers[:1]:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=divider)
            yield Grid("", _bounded(name, ([Cell(_line(cell)) for cell in row] for row in rows)))
        except csv.Error as error:
            raise UsageError(
                f"{name} is not CSV ({error})", hint="save it as XLSX or CSV again"
            ) from None


def _workbook(name: str, content: bytes) -> Iterator[Grid]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(item.file_size for item in packed.infolist()) > MAX_UNPACKED:
                raise UsageError(f"{name} is too large", hint="keep only the milestones in it")
        # A formula stands in the one, its last result in the other; links are never followed.
        shown, written = (
            openpyxl.load_workbook(
                io.BytesIO(content), read_only=True, data_only=results, keep_links=False
            )
            for results in (True, False)
        )
        for sheet, formulas in zip(shown.worksheets, written.worksheets, strict=True):
            if sheet.sheet_state == "visible":
                yield Grid(_line(sheet.title), _bounded(name, _sheet_rows(sheet, formulas)))
    except UsageError:
        raise
    except Exception as error:
        # Whatever is wrong inside a foreign file, the library says in its own ways.
        raise UsageError(
            f"{name} cannot be read as a spreadsheet ({type(error).__name__})",
            hint="save it as XLSX or CSV again",
        ) from None


def _sheet_rows(sheet: Any, formulas: Any) -> Iterator[Sequence[Cell]]:
    for one in (sheet, formulas):
        # The size that a file claims for itself may be anything.
        one.reset_dimensions()
    width = MAX_COLUMNS + 1
    pairs = zip(sheet.iter_rows(max_col=width), formulas.iter_rows(max_col=width), strict=True)
    for cells, originals in pairs:
        yield [
            _cell(cell.value, str(getattr(cell, "number_format", "")), original.value)
            for cell, original in zip(cells, originals, strict=True)
        ]


def _bounded(name: str, rows: Iterable[Sequence[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    found: list[tuple[Cell, ...]] = []
    for row in rows:
        cells = list(row)
        while cells and not cells[-1].text and not cells[-1].trouble:
            cells.pop()
        if len(cells) > MAX_COLUMNS:
            raise UsageError(
                f"{name} has more than {MAX_COLUMNS} columns in row {len(found) + 1}",
                hint="keep only the columns of the milestones",
            )
        found.append(tuple(cells))
        if len(found) > MAX_ROWS:
            raise UsageError(
                f"{name} has more than {MAX_ROWS:,} rows",
                hint="delete the rows below the milestones",
            )
    return tuple(found)


def _cell(value: object, shown_as: str, original: object) -> Cell:
    if value is None:
        if isinstance(original, str) and original.startswith("="):
            return Cell("", trouble="holds a formula whose result was not saved")
        return Cell("")
    if isinstance(value, datetime.datetime):
        return Cell(value.date().isoformat())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = Decimal(str(value))
        if not number.is_finite():
            return Cell(str(value))
        is_share = "%" in shown_as
        # What a program computes is off in its last digits: 64749.99999999999.
        number = (number * (100 if is_share else 1)).quantize(_FINEST, ROUND_HALF_UP)
        text = plain(number)
        return Cell(f"{text} %" if is_share else text, number, is_share)
    return Cell(_line(str(value)))


def plain(number: Decimal) -> str:
    """A number in digits, without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _line(text: str) -> str:
    """On one line, letters in the form that compares (NFC); what would command a terminal, or turn
    letters round unseen, shows as �."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join("�" if _commands(character) else character for character in line)


def _commands(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in _TURNS
