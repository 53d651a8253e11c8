"""A PDF as a reader sees it: its words, where they stand, and the ink on its pages."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import pypdfium2

POINTS = 72 / 25.4


@dataclass(frozen=True)
class Print:
    """Text page by page; `strays` are letters outside the margins, which nothing may be."""

    pages: tuple[str, ...]
    size: tuple[float, float]
    strays: tuple[str, ...]
    ink: tuple[float, ...]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pages).split())


def read(data: bytes) -> Print:
    document = pypdfium2.PdfDocument(data)
    pages, strays, ink = [], [], []
    size = (0.0, 0.0)
    for page in document:
        size = page.get_size()
        text = page.get_textpage()
        pages.append(text.get_text_range().replace("\r\n", "\n"))
        strays += list(_strays(text, *size))
        shades = page.render(scale=1, grayscale=True).to_pil().convert("L").histogram()
        ink.append(sum(shades[:200]) / sum(shades))
    return Print(tuple(pages), (size[0] / POINTS, size[1] / POINTS), tuple(strays), tuple(ink))


def _strays(text: pypdfium2.PdfTextPage, width: float, height: float):
    """Letters that stand outside a margin of 18 mm at the sides and 10 mm above and below."""
    side, end = 18 * POINTS, 10 * POINTS
    for at in range(text.count_chars()):
        letter = text.get_text_range(at, 1)
        if not letter.strip():
            continue
        left, bottom, right, top = text.get_charbox(at)
        if left < side or right > width - side or bottom < end or top > height - end:
            yield letter


def visual_lines(data: bytes) -> list[str]:
    """The lines of a PDF with their letters from left to right as they stand, without spaces."""
    lines: list[str] = []
    for page in pypdfium2.PdfDocument(data):
        text = page.get_textpage()
        letters = []
        for at in range(text.count_chars()):
            letter = text.get_text_range(at, 1)
            if letter.strip():
                # The origin's height is the line's, whatever the letter's own shape.
                x, y = ctypes.c_double(), ctypes.c_double()
                pypdfium2.raw.FPDFText_GetCharOrigin(text, at, x, y)
                letters.append((-round(y.value), x.value, at, letter))
        letters.sort()
        for _, line in groupby(letters, key=itemgetter(0)):
            lines.append("".join(letter for *_, letter in line))
    return lines
