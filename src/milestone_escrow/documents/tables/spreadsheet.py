"""Milestones out of a spreadsheet, CSV or XLSX: one row each, named columns, in any order.

    Milestone | Amount | Due | Responsible | Verified by | Requires
    Foundation poured | 30 % | 2027-04-01 | supplier | inspector | photos from supplier; ...

Only `Milestone` and `Amount` have to be there. What several people or requirements share a cell is
divided by semicolons.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import yaml

from milestone_escrow.documents.edit import set_fields
from milestone_escrow.errors import UsageError

MAX_ROWS = 60
MAX_UNPACKED = 50_000_000

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "title": ("milestone", "title", "stage", "name", "description of work", "item"),
    "key": ("key", "id", "no", "number"),
    "pays": ("amount", "pays", "payment", "price", "value", "share", "percent", "%"),
    "due": ("due", "due date", "date", "deadline"),
    "responsible": ("responsible", "responsible party", "owner"),
    "verified_by": ("verified by", "verifier", "verifiers", "approver"),
    "requires": ("requires", "requirements", "evidence", "documents"),
}


def with_milestones(text: str, name: str, content: bytes, symbol: str) -> str:
    """An agreement's text with the milestones of a spreadsheet instead of its own.

    `symbol` is the currency of amounts that name none.

    Raises:
        UsageError: the file cannot be read, or a row lacks something; says which.
    """
    rows = read_milestones(name, content, symbol)
    written = yaml.safe_dump(rows, allow_unicode=True, sort_keys=False, width=92)
    indented = "\n" + "".join(f"  {line}\n" for line in written.splitlines())
    return set_fields(text, {"milestones": indented.rstrip("\n")}, after="rules")


def read_milestones(name: str, content: bytes, symbol: str) -> list[dict[str, object]]:
    """The milestones of a spreadsheet, as the agreement file writes them; see `with_milestones`."""
    table = [row for row in _rows(name, content) if any(cell.strip() for cell in row)]
    if not table:
        raise UsageError(f"{name} has no rows", hint="give it a row for each milestone")
    columns = _columns(name, table[0])
    found = [_milestone(name, line, row, columns, symbol) for line, row in enumerate(table[1:], 2)]
    if not 1 <= len(found) <= MAX_ROWS:
        raise UsageError(
            f"{name} has {len(found)} milestones, 1 to {MAX_ROWS} are possible",
            hint="divide it into several agreements" if found else "add a row for each milestone",
        )
    return found


def _rows(name: str, content: bytes) -> Iterator[Sequence[str]]:
    if content[:2] == b"PK":
        yield from _sheet(name, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"{name} is neither XLSX nor CSV in UTF-8", hint="save it as one of these"
        ) from None
    # Some programs still end lines by a carriage return alone.
    table = io.StringIO(text, newline=None)
    divider = max(",;\t", key=table.readline().count)
    table.seek(0)
    try:
        yield from csv.reader(table, delimiter=divider)
    except csv.Error as error:
        raise UsageError(
            f"{name} is not CSV ({error})", hint="save it as XLSX or CSV again"
        ) from None


def _sheet(name: str, content: bytes) -> Iterator[Sequence[str]]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(item.file_size for item in packed.infolist()) > MAX_UNPACKED:
                raise UsageError(f"{name} is too large", hint="keep only the milestones in it")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        for row in sheet.iter_rows(max_row=MAX_ROWS + 20, max_col=20):
            yield [_cell(cell.value, str(cell.number_format or "")) for cell in row]
    except UsageError:
        raise
    except Exception as error:
        # Whatever is wrong inside a foreign file, the library says in its own ways.
        raise UsageError(
            f"{name} cannot be read as a spreadsheet ({type(error).__name__})",
            hint="save it as XLSX or CSV again",
        ) from None


def _cell(value: object, shown_as: str) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = Decimal(str(value))
        if "%" in shown_as:
            return f"{_plain(number * 100)} %"
        return _plain(number)
    return str(value)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _columns(name: str, header: Sequence[str]) -> Mapping[str, int]:
    wanted = {alias: field for field, aliases in _COLUMNS.items() for alias in aliases}
    found: dict[str, int] = {}
    for at, cell in enumerate(header):
        field = wanted.get(" ".join(cell.lower().replace("_", " ").split()))
        if field:
            found.setdefault(field, at)
    for field, column in (("title", "Milestone"), ("pays", "Amount")):
        if field not in found:
            raise UsageError(
                f"{name} has no column '{column}'",
                hint=f"its first row must name the columns; it has {', '.join(header)[:200]}",
            )
    return found


def _milestone(
    name: str, line: int, row: Sequence[str], columns: Mapping[str, int], symbol: str
) -> dict[str, object]:
    def cell(field: str) -> str:
        at = columns.get(field, len(row))
        return " ".join(row[at].split()) if at < len(row) else ""

    title, pays = cell("title"), cell("pays")
    if not title or not pays:
        lacks = "a title" if not title else "an amount"
        raise UsageError(
            f"row {line} of {name} has no {lacks[2:].strip()}", hint=f"give it {lacks}"
        )
    found: dict[str, object] = {
        "key": _key(cell("key") or title, line),
        "title": title,
        "pays": _pays(pays, symbol),
    }
    for field in ("due", "responsible"):
        if cell(field):
            found[field] = cell(field)
    if cell("verified_by"):
        found["verified_by"] = ", ".join(_parts(cell("verified_by")))
    if cell("requires"):
        found["requires"] = _parts(cell("requires"))
    return found


def _pays(text: str, symbol: str) -> str:
    """An amount without a currency is one of the agreement's; a percentage stays one."""
    if re.fullmatch(r"[\d.,]+", text):
        return f"{text} {symbol}"
    return text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _key(text: str, line: int) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:24].strip("_")
    return words if words and words[0].isalpha() else f"stage_{line - 1}"
