"""The typefaces of every document, and what they cannot write.

IBM Plex Sans and Mono, under the SIL Open Font License: Latin, Greek and Cyrillic with all their
accents. Other scripts need a font of the reader's own, whose file is named.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from fpdf import FPDF

SANS = "sans"
MONO = "mono"
OWN = "own"

_FILES = (
    (SANS, "", "IBMPlexSans-Regular.ttf"),
    (SANS, "B", "IBMPlexSans-SemiBold.ttf"),
    (MONO, "", "IBMPlexMono-Regular.ttf"),
)
# Scripts whose letters join, stack or run the other way: first and last code points.
_SHAPED = ((0x0590, 0x08FF), (0x0900, 0x109F), (0x1780, 0x17FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFF))


def add_fonts(pdf: FPDF, own: Path | None = None) -> None:
    """Give a document its typefaces, and for other scripts a font of one's own.

    Raises:
        UsageError: the file of that font cannot be read.
    """
    folder = resources.files("milestone_escrow.papers") / "fonts"
    for family, style, name in _FILES:
        with resources.as_file(folder / name) as path:
            pdf.add_font(family, style, path)
    if own is None:
        return
    try:
        pdf.add_font(OWN, "", own)
    except Exception as error:  # whatever a broken font makes its reader stumble over
        raise UsageError(
            f"the font {own} cannot be read", hint="name a TrueType or OpenType file"
        ) from error
    pdf.set_fallback_fonts([OWN], exact_match=False)


def require_letters(pdf: FPDF, text: str) -> None:
    """Refuse text that would come out as empty boxes or in the wrong order.

    Raises:
        UsageError: a letter is in none of the fonts, or its script needs shaping.
    """
    if text.isascii():
        return
    known = _letters(pdf)
    missing = sorted({letter for letter in text if ord(letter) not in known})
    if missing:
        raise UsageError(
            f"no font here can write '{''.join(missing[:8])}' in “{text[:60]}”",
            hint="name a font file that can with --font",
        )
    if any(first <= ord(letter) <= last for letter in text for first, last in _SHAPED):
        _shape(pdf, text)


def _shape(pdf: FPDF, text: str) -> None:
    from fpdf.errors import FPDFException

    try:
        pdf.set_text_shaping(True)
    except FPDFException as error:
        raise UsageError(
            f"the letters of “{text[:60]}” join as they are written, which needs one library more",
            hint="install it with `pip install uharfbuzz`",
        ) from error


def _letters(pdf: FPDF) -> set[int]:
    from fpdf.fonts import TTFFont

    fonts = (pdf.fonts.get(SANS), pdf.fonts.get(OWN))
    return {letter for font in fonts if isinstance(font, TTFFont) for letter in font.cmap}
