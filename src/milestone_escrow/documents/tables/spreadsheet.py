"""Milestones out of a spreadsheet: what was understood of each column and row, and what was not.

    Milestone | Amount | Due | Responsible | Verified by | Requires
    Foundation poured | 30 % | 2027-04-01 | supplier | inspector | photos from supplier; ...

Only a title and an amount have to be there. What several people or requirements share a cell is
divided by semicolons. Whatever a sheet leaves open is a question, never a guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, TypeAlias

import yaml

from milestone_escrow.documents.edit import replace_value, set_fields
from milestone_escrow.documents.money import Currency, Sum, read_part
from milestone_escrow.documents.tables.conventions import (
    DateOrder,
    DecimalSign,
    as_date,
    as_number,
    date_order,
    decimal_sign,
)
from milestone_escrow.documents.tables.grid import Cell, Grid, plain, read_grids
from milestone_escrow.documents.values import RESERVED_KEYS
from milestone_escrow.errors import UsageError

MAX_MILESTONES = 60
LONGEST_KEY = 24

# What columns may mean, and what their headings are called then.
MEANINGS: Mapping[str, tuple[str, ...]] = {
    "title": ("milestone", "title", "stage", "name", "description", "description of work", "item",
              "meilenstein", "bezeichnung", "leistung"),
    "amount": ("amount", "pays", "payment", "price", "value", "betrag", "preis"),
    "share": ("share", "percent", "percentage", "%", "anteil"),
    "key": ("key", "id", "no", "no.", "number", "nr", "nr."),
    "due": ("due", "due date", "date", "deadline", "fällig", "termin"),
    "responsible": ("responsible", "responsible party", "owner"),
    "verified by": ("verified by", "verifier", "verifiers", "approver"),
    "requires": ("requires", "requirements", "evidence", "documents"),
}  # fmt: skip
_TOTAL = re.compile(
    r"((grand|contract) |sub-?\s?)?(total|sum)( amount| price| sum)?"
    r"|(gesamt|zwischen)?summe|gesamt|totale|montant total",
    re.IGNORECASE,
)

Fate: TypeAlias = Literal["milestone", "heading", "blank", "total", "left out", "not understood"]


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a person says of a sheet. `columns`: by meaning, the heading or letter of its column,
    "" where none has it."""

    sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    decimal: DecimalSign | None = None
    dates: DateOrder | None = None
    rows: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What the sheet leaves open; `about` names the correction that answers it, with `answers`:
    none where only another sheet does."""

    about: Literal["sheet", "column", "decimal", "dates", "rows"]
    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column and what it means, "" where it is not used."""

    letter: str
    heading: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one row, and why; `milestone` as an agreement file writes it."""

    number: int
    cells: tuple[str, ...]
    fate: Fate
    why: str = ""
    milestone: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Understood:
    """All that was made of a sheet. With questions left, nothing may be written out of it."""

    name: str
    sheet: str
    sheets: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    decimal: DecimalSign | None
    numbers: str
    questions: tuple[Question, ...]

    @property
    def milestones(self) -> tuple[Mapping[str, object], ...]:
        return tuple(row.milestone for row in self.rows if row.fate == "milestone")

    @property
    def total(self) -> str:
        """What the milestones cost together, "" where they are shares of a price."""
        sums = [read_part(str(milestone["pays"])) for milestone in self.milestones]
        if self.questions or not all(isinstance(one, Sum) for one in sums):
            return ""
        symbols = {one.symbol for one in sums if isinstance(one, Sum)}
        found = sum((one.value for one in sums if isinstance(one, Sum)), Decimal(0))
        return f"{_digits(found)} {symbols.pop()}" if len(symbols) == 1 else ""

    def written_into(self, text: str) -> str:
        """An agreement's text with these milestones instead of its own, and the price that they add
        up to; where they are shares of a price, that stays as it is.

        Raises:
            UsageError: something is still open, or there are too many milestones.
        """
        if self.questions:
            raise UsageError(self.questions[0].text, hint=" or ".join(self.questions[0].answers))
        found = [dict(milestone) for milestone in self.milestones]
        if not 1 <= len(found) <= MAX_MILESTONES:
            raise UsageError(
                f"{self.name} has {len(found)} milestones, 1 to {MAX_MILESTONES} are possible",
                hint="divide it into several agreements" if found else "add rows for milestones",
            )
        written = yaml.safe_dump(found, allow_unicode=True, sort_keys=False, width=92)
        indented = "\n" + "".join(f"  {line}\n" for line in written.splitlines())
        if self.total:
            text = replace_value(text, ("payment", "price"), f'"{self.total}"')
        return set_fields(text, {"milestones": indented.rstrip("\n")}, after="rules")


def understand(
    name: str, content: bytes, currency: Currency, corrections: Corrections | None = None
) -> Understood:
    """What a spreadsheet says; `currency` is the token of amounts that name none.

    Raises:
        UsageError: the file cannot be read, or a correction names what is not there.
    """
    said = corrections or Corrections()
    grids = read_grids(name, content)
    sheets = tuple(dict.fromkeys(grid.title for grid in grids))
    if said.sheet:
        chosen = [grid for grid in grids if grid.title == said.sheet]
        if not chosen:
            raise UsageError(
                f"{name} has no sheet '{said.sheet}'", hint=f"its sheets are {', '.join(sheets)}"
            )
    else:
        chosen = [grid for grid in grids if _header(grid, said)] or list(grids)
    reading = _Reading(name, chosen[0], currency, said)
    if len({grid.title for grid in chosen}) > 1:
        titles = tuple(dict.fromkeys(grid.title for grid in chosen))
        reading.ask("sheet", f"{name} has {len(titles)} sheets that may be meant", titles)
    return reading.result(sheets)


def read_columns(texts: Sequence[str]) -> dict[str, str]:
    """ "amount=Betrag", "title=B", "due=": by meaning the heading or letter of its column.

    Raises:
        UsageError: not written like this.
    """
    pairs = [text.partition("=") for text in texts]
    for meaning, sign, column in pairs:
        if not sign or meaning.strip().lower() not in MEANINGS:
            raise UsageError(
                f"'{meaning}{sign}{column}' does not say what a column means",
                hint=f"write amount=Betrag or title=B; known are {', '.join(MEANINGS)}",
            )
    return {meaning.strip().lower(): column.strip() for meaning, _, column in pairs}


def letter(index: int) -> str:
    """ "A" for 0, "AA" for 26."""
    before, last = divmod(index, 26)
    return (letter(before - 1) if before else "") + chr(ord("A") + last)


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split()).removesuffix(":")


def _headings(row: Sequence[Cell]) -> dict[int, str]:
    wanted = {alias: meaning for meaning, aliases in MEANINGS.items() for alias in aliases}
    found = {at: wanted.get(_folded(cell.text), "") for at, cell in enumerate(row)}
    return {at: meaning for at, meaning in found.items() if meaning}


def _header(grid: Grid, said: Corrections) -> int:
    """The number of the row that names the columns, 0 where none does."""
    named = {_folded(column) for column in said.columns.values() if column}
    for number, row in enumerate(grid.rows[:60], 1):
        texts = {_folded(cell.text) for cell in row}
        meanings = set(_headings(row).values())
        if named & texts or (len(meanings) >= 2 and "title" in meanings):
            return number
    return 0


class _Reading:
    """One sheet while it is being read: questions are collected, so that all are asked at once."""

    def __init__(self, name: str, grid: Grid, currency: Currency, said: Corrections) -> None:
        self.name, self.grid, self.currency, self.said = name, grid, currency, said
        self.questions: list[Question] = []
        self.header = _header(grid, said)
        self.width = max(len(row) for row in grid.rows)
        self.at = self._columns()
        body = [row for number, row in self._numbered() if number > self.header]
        amounts = [self._cell(row, self.pays).text for row in body if self._is_text(row)]
        self.decimal, self.sample = said.decimal, ""
        if said.decimal is None:
            self.decimal, self.sample = decimal_sign(amounts)
            if self.decimal is None:
                self.ask("decimal", f"{self.sample} may be read in two ways", ("point", "comma"))
        self.symbol = ""
        self.dates = said.dates
        if said.dates is None:
            self.dates, sample = date_order([self._cell(row, "due").text for row in body])
            if self.dates is None:
                self.ask("dates", f"{sample} may be read in two ways", ("day", "month"))
        self.keys: set[str] = set()
        self.sums: list[tuple[bool, Decimal]] = []
        self.since_total = 0

    def ask(
        self,
        about: Literal["sheet", "column", "decimal", "dates", "rows"],
        text: str,
        answers: tuple[str, ...],
    ) -> None:
        self.questions.append(Question(about, text, answers))

    def result(self, sheets: tuple[str, ...]) -> Understood:
        kept = self._kept()
        rows = []
        if "title" in self.at and self.pays in self.at:
            self._decide_on_shares()
            rows = [self._row(number, row, kept) for number, row in self._numbered()]
        columns_are_open = any(question.about == "column" for question in self.questions)
        open_rows = [row for row in rows if row.fate == "not understood"]
        for row in [] if columns_are_open else open_rows[:5]:
            others = [one.number for one in rows if one.fate == "milestone"]
            self.ask("rows", f"row {row.number} of {self.name} {row.why}", (_ranges(others),))
        meanings = {at: meaning for meaning, at in self.at.items()}
        heads = self.grid.rows[self.header - 1] if self.header else ()
        columns = tuple(
            Column(letter(at), heads[at].text if at < len(heads) else "", meanings.get(at, ""))
            for at in range(self.width)
        )
        return Understood(
            self.name, self.grid.title, sheets, columns, tuple(rows), self.decimal,
            self.sample, tuple(self.questions),
        )  # fmt: skip

    def _numbered(self) -> Iterator[tuple[int, tuple[Cell, ...]]]:
        return iter(enumerate(self.grid.rows, 1))

    @property
    def pays(self) -> str:
        return "amount" if "amount" in self.at else "share"

    def _cell(self, row: Sequence[Cell], meaning: str) -> Cell:
        at = self.at.get(meaning, len(row))
        return row[at] if at < len(row) else Cell("")

    def _is_text(self, row: Sequence[Cell]) -> bool:
        return self._cell(row, self.pays).number is None

    # Columns

    def _columns(self) -> dict[str, int]:
        found = {meaning: self._named(text) for meaning, text in self.said.columns.items() if text}
        free = {
            at: meaning
            for at, meaning in (
                _headings(self.grid.rows[self.header - 1]) if self.header else {}
            ).items()
            if at not in found.values() and meaning not in self.said.columns
        }
        if {"amount", "share"} & found.keys():
            free = {at: one for at, one in free.items() if one not in ("amount", "share")}
        self._item_is_a_number(free, found)
        pays = [at for at, meaning in free.items() if meaning in ("amount", "share")]
        groups = {"amount": pays} | {
            meaning: [at for at, one in free.items() if one == meaning]
            for meaning in MEANINGS
            if meaning not in ("amount", "share")
        }
        for meaning, columns in groups.items():
            if len(columns) > 1:
                names = tuple(self._heading(at) for at in columns)
                text = f"{' and '.join(names)} may both be the column '{meaning}'"
                self.ask("column", text, tuple(f"{meaning}={one}" for one in names))
            elif columns:
                found[free[columns[0]]] = columns[0]
        for meaning, ways in (("title", {"title"}), ("amount", {"amount", "share"})):
            asked = any(one.about == "column" for one in self.questions)
            if not asked and not ways & found.keys():
                heads = ", ".join(self._heading(at) for at in range(self.width))
                free_ones = [at for at in range(self.width) if at not in found.values()]
                if meaning == "amount":
                    free_ones = [at for at in free_ones if self._holds_numbers(at)]
                self.ask(
                    "column",
                    f"{self.name} has no column '{meaning}'; it has {heads[:200]}",
                    tuple(f"{meaning}={self._heading(at)}" for at in free_ones[:8]),
                )
        return found

    def _item_is_a_number(self, free: dict[int, str], found: Mapping[str, int]) -> None:
        """`Item` beside a column of words counts the rows."""
        titles = [at for at, meaning in free.items() if meaning == "title"]
        counting = [at for at in titles if self._counts(at)]
        if len(titles) > len(counting) or "title" in found:
            for at in counting:
                del free[at]
                if "key" not in found and "key" not in free.values():
                    free[at] = "key"

    def _counts(self, at: int) -> bool:
        texts = [row[at].text for row in self.grid.rows[self.header :] if at < len(row)]
        return all(re.fullmatch(r"[A-Z]?[\d.]*", text) for text in texts if not _is_total(text))

    def _holds_numbers(self, at: int) -> bool:
        cells = [row[at] for row in self.grid.rows[self.header :] if at < len(row)]
        return any(cell.number is not None or re.match(r"\d", cell.text) for cell in cells)

    def _heading(self, at: int) -> str:
        row = self.grid.rows[self.header - 1] if self.header else ()
        return (row[at].text if at < len(row) else "") or letter(at)

    def _named(self, text: str) -> int:
        heads = [_folded(self._heading(at)) for at in range(self.width)]
        if _folded(text) in heads:
            return heads.index(_folded(text))
        letters = [letter(at) for at in range(self.width)]
        if text.upper() in letters:
            return letters.index(text.upper())
        raise UsageError(
            f"{self.name} has no column '{text}'",
            hint=f"its columns are {', '.join(self._heading(at) for at in range(self.width))}",
        )

    # Rows

    def _kept(self) -> frozenset[int]:
        everything = frozenset(range(1, len(self.grid.rows) + 1))
        if not self.said.rows:
            return everything
        kept: set[int] = set()
        for part in self.said.rows.split(","):
            match = re.fullmatch(r"\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*", part, re.ASCII)
            if not match:
                raise UsageError(f"'{part}' names no rows", hint="write them as 2-7,9")
            kept |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
        return everything & kept

    def _decide_on_shares(self) -> None:
        """Numbers of a column of shares are percents where they make 100, parts where they make
        1."""
        self.factor: Decimal | None = Decimal(1)
        if self.pays != "share" or self.decimal is None:
            return
        cells = [
            self._cell(row, "share")
            for number, row in self._numbered()
            if number > self.header and not any(_is_total(cell.text) for cell in row)
        ]
        if any("rest" in cell.text.lower() for cell in cells):
            return
        signed = any(cell.is_share or "%" in cell.text for cell in cells)
        bare = [self._number(cell) for cell in cells]
        found = [one for one in bare if one is not None]
        total = sum(found, Decimal(0))
        if not found or total == 100:
            return
        if not signed and abs(total - 1) < Decimal("0.001"):
            self.factor = Decimal(100)
        elif max(found) > 100:
            heading = self._heading(self.at["share"])
            text = f"{plain(max(found))} is no share; the column {heading} may hold amounts"
            self.ask("column", text, (f"amount={heading}",))
        else:
            text = f"the shares of {self.name} add up to {plain(total)}, neither to 100 % nor to 1"
            self.ask("rows", f"{text}; mend the sheet, or write 'rest' for one of them", ())

    def _row(self, number: int, row: tuple[Cell, ...], kept: frozenset[int]) -> Row:
        cells = tuple(cell.text for cell in row)
        if number <= self.header:
            why = "names the columns" if number == self.header else "stands above the columns"
            return Row(number, cells, "heading" if any(cells) else "blank", why)
        if not any(cells) and not any(cell.trouble for cell in row):
            return Row(number, cells, "blank")
        if number not in kept:
            return Row(number, cells, "left out", "not among the rows that were named")
        try:
            return self._filled(number, row, cells)
        except UsageError as error:
            return Row(number, cells, "not understood", error.message)

    def _filled(self, number: int, row: tuple[Cell, ...], cells: tuple[str, ...]) -> Row:
        title, paid = self._cell(row, "title").text, self._cell(row, self.pays)
        if any(_is_total(text) for text in cells):
            return self._total(number, row, cells)
        if trouble := next((cell.trouble for cell in row if cell.trouble), ""):
            raise UsageError(trouble)
        if not title:
            raise UsageError("has no title")
        if not paid.text:
            raise UsageError("has no amount")
        milestone: dict[str, object] = {"key": self._key(row, title), "title": title}
        milestone["pays"], why = self._pays(paid)
        if due := self._cell(row, "due").text:
            milestone["due"] = as_date(due, self.dates or "day").isoformat()
        if responsible := self._cell(row, "responsible").text:
            milestone["responsible"] = responsible
        if verified := self._cell(row, "verified by").text:
            milestone["verified_by"] = ", ".join(_parts(verified))
        if requires := self._cell(row, "requires").text:
            milestone["requires"] = _parts(requires)
        return Row(number, cells, "milestone", why, milestone)

    def _total(self, number: int, row: Sequence[Cell], cells: tuple[str, ...]) -> Row:
        found = self._number(self._cell(row, self.pays))
        if found is not None and self.decimal and not any("%" in text for text in cells):
            plain_ones = [value for is_share, value in self.sums if not is_share]
            since = sum(plain_ones[self.since_total :], Decimal(0))
            if found not in (since, sum(plain_ones, Decimal(0))) and self.pays == "amount":
                raise UsageError(
                    f"is a total of {_digits(found)}, and the rows above add up to {_digits(since)}"
                )
            self.since_total = len(plain_ones)
        return Row(number, cells, "total", "a total of the rows above")

    def _number(self, cell: Cell) -> Decimal | None:
        if cell.number is not None:
            return cell.number
        return as_number(_divided(cell.text)[0], self.decimal or "point")

    def _pays(self, cell: Cell) -> tuple[str, str]:
        """What a cell pays as an agreement file writes it, and what was done to it."""
        bare, unit = (cell.text, "") if cell.number is not None else _divided(cell.text)
        if cell.number is None and self.decimal is None:
            return cell.text, "written in a way that is open"
        number = cell.number
        if number is None:
            number = as_number(bare, self.decimal or "point")
        if number is None:
            read_part(cell.text)
            self.sums.append((True, Decimal(0)))
            return cell.text, ""
        if self.pays == "share" or cell.is_share or unit == "%":
            scaled = number if cell.is_share or unit == "%" else number * (self.factor or 1)
            text = f"{plain(scaled)} %"
            read_part(text)
            self.sums.append((True, Decimal(0)))
            return text, ""
        rounded, why = number, ""
        if cell.number is not None:
            rounded = number.quantize(Decimal("0.01"), ROUND_HALF_UP)
            why = f"{plain(number)} to the cent" if rounded != number else ""
        return self._summed(rounded, unit or self.currency.symbol), why

    def _summed(self, value: Decimal, symbol: str) -> str:
        """An amount as an agreement file writes it, once it goes with those above it."""
        if (self.symbol or symbol).upper() != symbol.upper():
            raise UsageError(f"is in {symbol}, and the rows above are in {self.symbol}")
        self.symbol = symbol
        if symbol.upper() == self.currency.symbol.upper():
            Sum(value).units(self.currency)
        written = f"{_digits(value)} {symbol}"
        read_part(written)
        self.sums.append((False, value))
        return written

    def _key(self, row: Sequence[Cell], title: str) -> str:
        """A short name of its own, however much the titles are alike."""
        texts = (self._cell(row, "key").text, title, f"stage {len(self.keys) + 1}")
        first = next(key for text in texts if (key := _word(text)))
        key, count = first, 1
        while key in self.keys:
            count += 1
            key = f"{first}_{count}"
        self.keys.add(key)
        return key


def _word(text: str) -> str:
    letters = "".join(
        c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
    )
    words = re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")
    if len(words) > LONGEST_KEY:
        words = words[: LONGEST_KEY + 1].rpartition("_")[0] or words[:LONGEST_KEY]
    return words if words[:1].isalpha() and words not in RESERVED_KEYS else ""


def _is_total(text: str) -> bool:
    return bool(_TOTAL.fullmatch(text.strip(" :")))


def _digits(value: Decimal) -> str:
    """All digits that count, and at least two decimals."""
    whole, _, decimals = f"{value:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _divided(text: str) -> tuple[str, str]:
    """The number and the unit behind it, "24.000 USDC" or "30%"."""
    match = re.fullmatch(r"(\d[\d.,'’ ]*?)\s*(%|[A-Za-z][A-Za-z0-9.]*)?", text, re.ASCII)
    return (match[1].strip(), match[2] or "") if match else (text, "")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _ranges(numbers: Sequence[int]) -> str:
    """ "2-4,6" for the rows that are milestones beyond doubt."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
