"""A page that an accountant keeps: one grid, few sizes, numbers flush right, hairlines.

Lengths are millimetres, sizes are points. The same calls give the same bytes: the only date in a
file is the document's own.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, XPos, YPos

from milestone_escrow.errors import UsageError
from milestone_escrow.papers.typeface import MONO, SANS, Typefaces
from milestone_escrow.papers.typeset import Line, Typesetter, has_rtl, is_simple, isolated

Colour = tuple[int, int, int]

INK: Colour = (24, 28, 36)
GREY: Colour = (104, 111, 122)
LINE: Colour = (205, 209, 215)
ACCENT: Colour = (22, 62, 99)

MARGIN = 20.0
BOTTOM = 24.0
POINT = 25.4 / 72


@dataclass(frozen=True, slots=True)
class Style:
    """How a piece of text looks; `leading` is the distance of lines in font sizes."""

    size: float = 9
    bold: bool = False
    colour: Colour = INK
    mono: bool = False
    leading: float = 1.4

    @property
    def height(self) -> float:
        return self.size * self.leading * POINT


BODY = Style()
STRONG = Style(bold=True)
QUIET = Style(8, colour=GREY)
LABEL = Style(7, colour=GREY, leading=1.5)
TITLE = Style(25, colour=ACCENT, leading=1.1)
HEADING = Style(9.5, bold=True, colour=ACCENT, leading=1.5)
CODE = Style(7, mono=True, colour=INK, leading=1.45)


@dataclass(frozen=True, slots=True)
class Layout:
    """Paper ("a4" or "letter"), and fonts of one's own for scripts that the shipped ones lack."""

    paper: str = "a4"
    fonts: tuple[Path, ...] = ()


class Sheet(FPDF):
    """One document; `y` moves down as it is written."""

    def __init__(
        self,
        layout: Layout,
        title: str,
        author: str,
        day: date,
        foot: str,
        names: Iterable[str] = (),
    ) -> None:
        """`names` are what people wrote and sentences quote: they keep a direction of their own.

        Raises:
            UsageError: a font cannot be read.
        """
        super().__init__(format=layout.paper, unit="mm")
        self.foot = foot
        self._names = sorted(filter(has_rtl, set(names)), key=len, reverse=True)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(True, BOTTOM)
        # Names must not be taken for the library's placeholder of a number of pages.
        self.str_alias_nb_pages = ""
        self.c_margin = 0.0
        self._faces = Typefaces(self, layout.fonts)
        self._typesetter = Typesetter(self, self._faces)
        self.set_title(title)
        self.set_author(author)
        self.set_creator("milestone-escrow")
        self.set_producer("milestone-escrow")
        self.set_lang("en")
        self.set_creation_date(datetime(day.year, day.month, day.day, tzinfo=timezone.utc))
        self.add_page()

    @property
    def left(self) -> float:
        return MARGIN

    @property
    def right(self) -> float:
        return float(self.w) - MARGIN

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def room(self) -> float:
        """What is left on the page."""
        return float(self.h) - BOTTOM - self.y

    def write_text(
        self,
        text: str,
        style: Style = BODY,
        *,
        x: float | None = None,
        width: float | None = None,
        right: bool = False,
    ) -> None:
        """A paragraph at the present height; lines break within `width`.

        Raises:
            UsageError: no font for a letter.
        """
        start = self.left if x is None else x
        room = self.right - start if width is None else width
        if not self._is_simple(text, style):
            lines = self._lines(text, style, room)
            for line in lines:
                self.need(style.height)
                # A paragraph that runs from right to left begins at the right.
                flush = right or (line.is_rtl and len(lines) > 1)
                self._draw(line, style, start + (room - line.width if flush else 0), self.y)
                self.set_xy(self.left, self.y + style.height)
            return
        self._style(style)
        self.set_x(start)
        self.multi_cell(
            room,
            style.height,
            text,
            align=Align.R if right else Align.L,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )

    def tall(self, text: str, style: Style, width: float) -> float:
        """How high a paragraph comes out."""
        if not self._is_simple(text, style):
            return len(self._lines(text, style, width)) * style.height
        self._style(style)
        how = MethodReturnValue.HEIGHT
        height = self.multi_cell(width, style.height, text, dry_run=True, output=how, align=Align.L)
        assert isinstance(height, (int, float))
        return float(height)

    def wide(self, text: str, style: Style) -> float:
        """How wide one line comes out."""
        if not self._is_simple(text, style):
            return max(line.width for line in self._lines(text, style, math.inf))
        self._style(style)
        return float(self.get_string_width(text))

    def row(
        self,
        cells: Sequence[str],
        widths: Sequence[float],
        styles: Sequence[Style],
        *,
        right: Sequence[int] = (),
        x: float | None = None,
        gap: float = 4.0,
    ) -> None:
        """Columns beside each other, all of them on one page; those in `right` are flush right."""
        start = self.left if x is None else x
        inner = [width - (gap if i < len(widths) - 1 else 0) for i, width in enumerate(widths)]
        heights = [
            self.tall(*each) if each[0] else 0.0 for each in zip(cells, styles, inner, strict=True)
        ]
        self.need(max(heights))
        top = self.y
        # Small type beside large stands on the same first line.
        first = max(style.height for style in styles)
        for i, (text, style) in enumerate(zip(cells, styles, strict=True)):
            if text:
                self.set_y(top + (first - style.height) * 0.62)
                at = start + sum(widths[:i])
                self.write_text(text, style, x=at, width=inner[i], right=i in right)
        self.set_y(top + max(*heights, first))

    def rule(
        self,
        *,
        colour: Colour = LINE,
        weight: float = 0.2,
        at: float | None = None,
        x: float | None = None,
    ) -> None:
        """A line across, from `x` to the right margin."""
        y = self.y if at is None else at
        self.set_draw_color(*colour)
        self.set_line_width(weight)
        self.line(self.left if x is None else x, y, self.right, y)

    def down(self, distance: float) -> None:
        self.set_y(self.y + distance)

    def need(self, height: float) -> None:
        """Start a new page where this one has less room."""
        if height > self.room:
            self.add_page()

    def heading(self, text: str, *, keep: float = 12, x: float | None = None) -> None:
        """A heading that stays with the `keep` millimetres below it."""
        self.need(HEADING.height + keep)
        self.write_text(text, HEADING, x=x)
        self.down(0.8)

    def qr(self, text: str, x: float, y: float, size: float) -> None:
        """A QR code of `size` millimetres, quiet zone left to the white around it.

        Raises:
            UsageError: it leads to no page.
        """
        import segno

        if not re.fullmatch(r"https?://[^\s/]\S*", text):
            raise UsageError(
                f"'{text}' is not the address of a page", hint="write it with https:// in front"
            )

        matrix = segno.make(text, error="m", micro=False).matrix
        module = size / len(matrix)
        self.set_fill_color(*INK)
        for down, line in enumerate(matrix):
            start = 0
            for end in range(len(line) + 1):
                if end < len(line) and line[end]:
                    continue
                if end > start:  # dark modules beside each other as one bar: no seams in print
                    self.rect(
                        x + start * module, y + down * module, (end - start) * module, module, "F"
                    )
                start = end + 1

    def finish(self) -> bytes:
        """The file; every page gets its foot once it is known how many there are."""
        self.set_auto_page_break(False)
        for page in range(1, self.pages_count + 1):
            self.page = page
            # What was drawn last on this page is not what the library thinks: it must say its type,
            # its colour and the width of its lines anew.
            self._style(CODE)
            self.set_draw_color(*ACCENT)
            self.set_line_width(1)
            self._foot(page)
        return bytes(self.output())

    def _foot(self, page: int) -> None:
        top = float(self.h) - (BOTTOM - 9)
        self.rule(at=top - 2)
        most = self.width * 0.8
        self._cell(self.foot, LABEL, self.left, top, most)
        self.set_xy(self.left + most, top)
        number = f"Page {page} of {self.pages_count}"
        self.cell(self.width - most, LABEL.height, number, align=Align.R)

    def _is_simple(self, text: str, style: Style) -> bool:
        return text.isascii() or is_simple(text, self._faces.letters(_family(style)))

    def _lines(self, text: str, style: Style, width: float) -> list[Line]:
        text = isolated(unicodedata.normalize("NFC", text), self._names)
        self._faces.require(text, _family(style))
        return self._typesetter.lines(text, _family(style), _cut(style), style.size, width)

    def _draw(self, line: Line, style: Style, x: float, y: float) -> None:
        self.set_text_color(*style.colour)
        for run in line.runs:
            # What is copied or read aloud: vowels and marks that change places do not say it. From
            # right to left programs turn glyphs round themselves, and would turn this round, too.
            says = not run.is_rtl and not run.text.isascii()
            if says:
                self._out(f"/Span <</ActualText <feff{run.text.encode('utf-16-be').hex()}>>> BDC")
            wide = self._typesetter.wide(run, _cut(style), style.size)
            self.set_xy(x, y)
            self.cell(wide, style.height, run.text)
            if says:
                self._out("EMC")
            x += wide
        self.set_text_shaping(False)

    def _style(self, style: Style) -> None:
        self.set_text_shaping(False)
        self.set_font(_family(style), _cut(style), style.size)
        self.set_text_color(*style.colour)

    def _cell(self, text: str, style: Style, x: float, y: float, width: float) -> None:
        """One line, cut off where there is no more room."""
        whole = text
        while text and self.wide(text, style) > width:
            whole = whole[:-1].rstrip()
            text = whole + "…"
        if not self._is_simple(text, style):
            self._draw(self._lines(text, style, width)[0], style, x, y)
            return
        self._style(style)
        self.set_xy(x, y)
        self.cell(width, style.height, text)


def _family(style: Style) -> str:
    return MONO if style.mono else SANS


def _cut(style: Style) -> str:
    return "B" if style.bold else ""
