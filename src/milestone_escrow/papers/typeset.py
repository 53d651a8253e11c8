"""Lines of text in any mix of scripts: broken, ordered and shaped as their readers expect.

Order follows the Unicode bidirectional algorithm (UAX #9): levels belong to the paragraph, and are
turned round line by line, after lines are broken. Shapes are HarfBuzz's. A library that orders a
paragraph before it breaks it puts the end of an Arabic sentence on its first line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.enums import TextDirection

from milestone_escrow.papers.typeface import Typefaces, clusters, is_unseen, script

FIRST_STRONG, END_OF_ISOLATE = "\u2068", "\u2069"
_STARTS = frozenset({"LRI", "RLI", "FSI"})
_LEFT_TO_RIGHT = ("L",)
_RIGHT_TO_LEFT = ("R", "AL")
# What must not begin a line, and what must not end one, where lines break between any two letters.
_CLOSING = frozenset("、。，．・：；！？）］｝〕〉》」』】ー々,.:;!?)]}%…")
_OPENING = frozenset("（［｛〔〈《「『【([{")
_WITHOUT_SPACES = frozenset({"Han", "Hiragana", "Katakana", "Bopomofo"})


@dataclass(frozen=True, slots=True)
class Run:
    """Letters of one font, one script and one direction."""

    text: str
    family: str
    script: str
    level: int

    @property
    def is_rtl(self) -> bool:
        return self.level % 2 == 1


@dataclass(frozen=True, slots=True)
class Line:
    """Runs from left to right; `is_rtl` is the paragraph's direction."""

    runs: tuple[Run, ...]
    width: float
    is_rtl: bool


def is_simple(text: str, letters: frozenset[int]) -> bool:
    """Whether each letter is a glyph of its own, and all run from left to right."""
    return all(ord(c) in letters or c == "\n" for c in text) and not any(
        unicodedata.combining(c) or (is_unseen(c) and c != "\n") for c in text
    )


def has_rtl(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in text)


def isolated(text: str, names: Sequence[str]) -> str:
    """The text with each of the names set apart, so that none turns round what stands beside it:
    a number after a Hebrew name stays after it. `names` are the longest first."""
    for name in names:
        if name != text:
            text = text.replace(name, f"{FIRST_STRONG}{name}{END_OF_ISOLATE}")
    return text


class Typesetter:
    """Breaks paragraphs into lines; the document's size of type must be set before."""

    def __init__(self, pdf: FPDF, faces: Typefaces) -> None:
        self._pdf = pdf
        self._faces = faces

    def lines(self, text: str, base: str, style: str, size: float, width: float) -> list[Line]:
        """A text in lines of at most `width`; a letter that is wider stands alone."""
        found: list[Line] = []
        for paragraph in text.split("\n"):
            found += self._paragraph(paragraph, base, style, size, width)
        return found

    def put(self, run: Run, style: str, size: float) -> None:
        """Make a run's font and direction the document's own."""
        # Only the shipped typeface has a second cut.
        self._pdf.set_font(run.family, style if run.family == "sans" else "", size)
        direction = TextDirection.RTL if run.is_rtl else TextDirection.LTR
        self._pdf.set_text_shaping(direction=direction)

    def _paragraph(
        self, text: str, base: str, style: str, size: float, width: float
    ) -> Iterator[Line]:
        rtl = _starts_rtl(text)
        atoms = list(self._atoms(text, base, rtl))
        line: list[Run] = []
        room = width
        for unit in _units(atoms):
            need = self._wide(_trimmed(unit), style, size)
            if line and need > room:
                yield self._line(line, style, size, rtl)
                line, room = [], width
            for piece in [unit] if need <= width else [[atom] for atom in unit]:
                wide = self._wide(piece, style, size)
                if line and wide > room and need > width:
                    yield self._line(line, style, size, rtl)
                    line, room = [], width
                line += piece
                room -= wide
        yield self._line(line, style, size, rtl)

    def _atoms(self, text: str, base: str, rtl: bool) -> Iterator[Run]:
        direction = TextDirection.RTL if rtl else TextDirection.LTR
        paragraph = BidiParagraph(text, direction, preserve_bn_chars=True)
        levels = [c.embedding_level for c in paragraph.get_characters_with_embedding_level()]
        near = name = ""
        at = 0
        for cluster in clusters(text):
            level, at = levels[at], at + len(cluster)
            kept = "".join(c for c in cluster if not is_unseen(c) or c in "\u200c\u200d")
            if not kept.strip("\u200c\u200d"):
                continue
            near = self._faces.family(cluster, base, near)
            name = script(kept[0]) or name
            yield Run(kept, near, name, level)

    def _line(self, atoms: Sequence[Run], style: str, size: float, rtl: bool) -> Line:
        runs = _ordered(_merged(_trimmed(atoms)))
        return Line(tuple(runs), self._wide(runs, style, size), rtl)

    def _wide(self, runs: Sequence[Run], style: str, size: float) -> float:
        return sum(self.wide(run, style, size) for run in _merged(runs))

    def wide(self, run: Run, style: str, size: float) -> float:
        """How wide a run comes out."""
        self.put(run, style, size)
        return float(self._pdf.get_string_width(run.text))


def _starts_rtl(text: str) -> bool:
    """The direction of the first letter that has one outside of isolates, else of any (P2, P3)."""
    depth, inside = 0, ""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in _STARTS:
            depth += 1
        elif kind == "PDI":
            depth = max(depth - 1, 0)
        elif kind in _LEFT_TO_RIGHT or kind in _RIGHT_TO_LEFT:
            if not depth:
                return kind in _RIGHT_TO_LEFT
            inside = inside or kind
    return inside in _RIGHT_TO_LEFT


def _units(atoms: Sequence[Run]) -> Iterator[list[Run]]:
    """What stays together on a line: words with the spaces after them, or single ideographs."""
    unit: list[Run] = []
    for atom in atoms:
        if unit and _breaks(unit[-1], atom):
            yield unit
            unit = []
        unit.append(atom)
    if unit:
        yield unit


def _breaks(before: Run, after: Run) -> bool:
    last, first = before.text[-1], after.text[0]
    if first in " \u200b":
        return False
    if last in " \u200b" or (last == "-" and first.isalpha()):
        return True
    if first in _CLOSING or last in _OPENING:
        return False
    return script(last) in _WITHOUT_SPACES or script(first) in _WITHOUT_SPACES


def _trimmed(atoms: Sequence[Run]) -> list[Run]:
    """Without the spaces at the end."""
    end = len(atoms)
    while end and atoms[end - 1].text == " ":
        end -= 1
    return list(atoms[:end])


def _merged(atoms: Sequence[Run]) -> list[Run]:
    """Neighbours of one font, script and level as one run, in which letters join."""
    runs: list[Run] = []
    for atom in atoms:
        if runs and runs[-1] == Run(runs[-1].text, atom.family, atom.script, atom.level):
            runs[-1] = Run(runs[-1].text + atom.text, atom.family, atom.script, atom.level)
        else:
            runs.append(atom)
    return runs


def _ordered(runs: list[Run]) -> list[Run]:
    """From left to right as read (L2): from the highest level down, what is there is turned."""
    highest = max((run.level for run in runs), default=0)
    for level in range(highest, 0, -1):
        at = 0
        while at < len(runs):
            end = at
            while end < len(runs) and runs[end].level >= level:
                end += 1
            runs[at:end] = reversed(runs[at:end])
            at = max(end, at + 1)
    return runs
