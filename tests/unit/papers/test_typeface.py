"""Letters beyond the shipped fonts: from a font of one's own, shaped, or refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fpdf.errors import FPDFException

from milestone_escrow.errors import UsageError
from milestone_escrow.papers.invoice import invoice_pdf
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.sheet import Layout, Sheet
from tests.unit.papers.print import Print

DAY = date(2027, 3, 25)
BUYER = "Nordlicht Teppiche GmbH"
Draft = Callable[..., Ledger]


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two letters, one of them of a script whose letters stand from right to left."""
    letters = {"一": "one", "ש": "shin"}
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *letters.values()]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in letters.items()})
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 700), (600, 700), (600, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (700, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Two", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    path = tmp_path_factory.mktemp("font") / "two.ttf"
    builder.save(path)
    return path


def test_a_font_of_ones_own_writes_what_the_shipped_ones_cannot(
    draft: Draft, font: Path, printed: Callable[[bytes], Print]
) -> None:
    name = "一一 Handel"
    ledger = draft((BUYER, name))
    with pytest.raises(UsageError, match="no font here can write '一'"):
        invoice_pdf(ledger, "packed", DAY)
    assert name in printed(invoice_pdf(ledger, "packed", DAY, layout=Layout(font=font))).text


def test_a_script_that_is_shaped_needs_what_shapes_it(
    draft: Draft, font: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise FPDFException("the library is not installed")

    monkeypatch.setattr(Sheet, "set_text_shaping", missing)
    ledger = draft((BUYER, "שש"))
    with pytest.raises(UsageError, match="pip install uharfbuzz"):
        invoice_pdf(ledger, "packed", DAY, layout=Layout(font=font))
