"""Text for people: tables that fit the terminal, colour where it is wanted, JSON for machines."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import click

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
GAP = "  "
MAX_WIDTH = 118


def say(text: str = "", *, aside: bool = False) -> None:
    """One line, or several, for people; on stderr where standard output is a file's content."""
    click.echo(text, err=aside)


def bear_narrow_terminals() -> None:
    """A name that a terminal's encoding lacks stops nothing there: "?" stands for such letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def emit(body: Mapping[str, object]) -> None:
    """The one JSON object of a command; in ASCII where letters could get lost on the way."""
    narrow = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(body, indent=2, ensure_ascii=narrow))


# Seconds before the first word of progress, and between words where they are lines in a log.
_QUIET, _LINES = 2.0, 15.0


def progress(doing: str) -> Callable[[int, int], None]:
    """Tells on stderr how far long work is, of how much; what is quick says nothing."""
    begun = time.monotonic()
    told, terminal = 0.0, sys.stderr.isatty()

    def tell(done: int, of: int) -> None:
        nonlocal begun, told
        now = time.monotonic()
        if done >= of:
            if told and terminal:
                click.echo("\r\x1b[K", err=True, nl=False)
            begun, told = now, 0.0
        elif now - begun >= _QUIET and now - told >= (0.2 if terminal else _LINES):
            told = now
            text = f"{doing}: {done * 100 // of} %"
            click.echo(f"\r{text}" if terminal else text, err=True, nl=not terminal)

    return tell


def bold(text: str) -> str:
    return click.style(text, bold=True)


def dim(text: str) -> str:
    return click.style(text, dim=True)


def good(text: str) -> str:
    return click.style(text, fg="green")


def bad(text: str) -> str:
    return click.style(text, fg="red")


def waiting(text: str) -> str:
    return click.style(text, fg="yellow")


def command(text: str) -> str:
    """A command to copy; indented alone on its line, so that it can be."""
    return click.style(text, fg="cyan")


def terminal_width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, MAX_WIDTH)


def paragraph(text: str, indent: str = "") -> str:
    """Text wrapped to the terminal; further lines hang two further in."""
    return textwrap.fill(
        text,
        max(terminal_width(), 40),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(
    rows: Iterable[Sequence[str]], header: Sequence[str] = (), *, right: Sequence[int] = ()
) -> str:
    """Columns two spaces apart; those in `right` are flush right, the last one wraps."""
    body = [list(row) for row in rows]
    heads = [[bold(cell) for cell in header]] if header else []
    everything = heads + body
    if not everything:
        return ""
    count = len(everything[0])
    widths = [max(_width(row[i]) for row in everything) for i in range(count)]
    left_of_last = sum(widths[:-1]) + len(GAP) * (count - 1)
    room = max(terminal_width() - left_of_last, 24)
    lines: list[str] = []
    for row in everything:
        cells = [_pad(cell, widths[i], flush_right=i in right) for i, cell in enumerate(row[:-1])]
        last = row[-1]
        if count - 1 in right:
            last = _pad(last, widths[-1], flush_right=True)
        pieces = _wrap(last, room)
        lines.append(GAP.join([*cells, pieces[0]]).rstrip())
        lines.extend(" " * left_of_last + piece for piece in pieces[1:])
    return "\n".join(lines)


def _width(cell: str) -> int:
    return len(_ANSI.sub("", cell))


def _pad(cell: str, width: int, *, flush_right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if flush_right else cell + space


def _wrap(cell: str, room: int) -> list[str]:
    if _width(cell) <= room or _ANSI.search(cell):
        return [cell]
    return textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False)
