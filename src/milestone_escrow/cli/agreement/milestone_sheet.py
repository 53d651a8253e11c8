"""What `escrow agreement new --milestones` does: shows what was understood, asks, then writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import click

from milestone_escrow.cli.shell.output import bold, command, table, waiting
from milestone_escrow.cli.shell.saving import STDOUT, target
from milestone_escrow.cli.shell.session import Session, has_terminal
from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.tables.grid import MAX_BYTES
from milestone_escrow.documents.tables.spreadsheet import (
    Corrections,
    Question,
    Understood,
    read_columns,
    understand,
)
from milestone_escrow.errors import EscrowError, UsageError, assert_never


def write_from_sheet(session: Session, example: str, sheet: Path, said: Corrections) -> None:
    """An example's file with the milestones of a spreadsheet, once somebody has seen them.

    Raises:
        UsageError: the sheet leaves something open and nobody answers; names the options that do.
    """
    file = target(session, "agreement.yaml")
    if file == STDOUT:
        raise UsageError(
            "what was understood is shown on standard output, too", hint="name a file with -o"
        )
    before = Agreement.load(examples.path(example))
    content = _content(sheet)
    read = understand(sheet.name, content, before.currency, said)
    _show(session, read)
    while _answerable(read) and not session.yes and not session.as_json and has_terminal():
        said = _answered(said, _answerable(read)[0])
        read = understand(sheet.name, content, before.currency, said)
        _show(session, read)
    if read.questions:
        raise UsageError(
            "; ".join(question.text for question in read.questions),
            hint=", and ".join(map(_options, _answerable(read))),
        )
    session.confirm(f"Write {file} with {_counted(read)}?")
    today = datetime.fromtimestamp(session.now(), timezone.utc).date()
    written = examples.write_starting_file(
        example, today, file, change=read.written_into, force=session.force
    )
    session.say(f"{bold(str(file))}: {_counted(read)} from {sheet.name}.")
    if read.total:
        session.say(f"The price is their sum, {read.total}.")
    else:
        session.say(
            f"The sheet does not say the price: {before.amount(before.price)} is the example's. "
            "Write in yours."
        )
    session.say("\nWrite in who the parties are, then:")
    session.say(f"  {command(f'escrow agreement check {file}')}")
    session.emit(
        {
            "file": str(file),
            "example": example,
            "written": [str(path) for path in written],
            "price": read.total or None,
            "sheet": read.sheet or None,
            "columns": {column.letter: column.meaning for column in read.columns},
            "rows": [
                {"row": row.number, "became": row.fate, "why": row.why, **row.milestone}
                for row in read.rows
            ],
        }
    )


def _content(sheet: Path) -> bytes:
    try:
        with sheet.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise EscrowError(
            f"{sheet} cannot be read ({error.strerror})", hint="give the path of a spreadsheet"
        ) from error


def _show(session: Session, read: Understood) -> None:
    """The sheet beside what was understood; blank rows are counted, not listed."""
    columns = [
        (column.letter, column.heading, column.meaning or "not used") for column in read.columns
    ]
    place = f"{read.name}, sheet {read.sheet}" if read.sheet else read.name
    session.say(bold(place))
    session.say(table(columns, ("column", "heading", "is taken for")))
    if read.numbers and read.decimal:
        session.say(f"Decimals are set off by a {read.decimal}, as {read.numbers} shows.")
    rows = [
        (
            str(row.number),
            _short(row.cells),
            row.fate if row.fate != "not understood" else waiting(row.fate),
            _understood(row.milestone) or row.why,
        )
        for row in read.rows
        if row.fate != "blank"
    ]
    session.say(f"\n{table(rows, ('row', 'the sheet says', 'is', 'understood as'), right=(0,))}")
    blank = sum(row.fate == "blank" for row in read.rows)
    counts = [_counted(read), *([read.total] if read.total else [])]
    left = [f"{blank} blank row{'s' if blank > 1 else ''}"] if blank else []
    session.say("\n" + "; ".join([", ".join(counts), *left]) + ".")


def _counted(read: Understood) -> str:
    count = len(read.milestones)
    return f"{count} milestone{'s' if count != 1 else ''}"


def _answerable(read: Understood) -> list[Question]:
    return [question for question in read.questions if question.answers]


def _short(cells: Sequence[str]) -> str:
    text = " | ".join(cell for cell in cells if cell)
    return text if len(text) <= 44 else f"{text[:43]}…"


def _understood(milestone: object) -> str:
    if not isinstance(milestone, dict) or not milestone:
        return ""
    due = f", due {milestone['due']}" if "due" in milestone else ""
    return f"{milestone['key']}: {milestone['pays']}{due}"


def _answered(said: Corrections, question: Question) -> Corrections:
    """The corrections with one more, as somebody at the terminal gives it."""
    click.echo(f"{question.text}.")
    answer = click.prompt(
        question.about.capitalize(),
        type=click.Choice(question.answers) if question.about != "rows" else str,
        default=question.answers[0] if question.about == "rows" else None,
    )
    match question.about:
        case "column":
            return replace(said, columns={**said.columns, **read_columns([answer])})
        case "sheet":
            return replace(said, sheet=answer)
        case "decimal":
            return replace(said, decimal="comma" if answer == "comma" else "point")
        case "dates":
            return replace(said, dates="month" if answer == "month" else "day")
        case "rows":
            return replace(said, rows=answer)
    assert_never(question.about)


def _options(question: Question) -> str:
    options = " or ".join(f"--{question.about} '{answer}'" for answer in question.answers)
    return f"answer with {options}"
