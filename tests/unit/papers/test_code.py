"""The code on paper is the code of its address, module by module."""

from __future__ import annotations

from datetime import date

import pypdfium2
import segno

from milestone_escrow.papers.sheet import Layout, Sheet

URL = "https://escrow.example/agreements/PO-2027-0114"
SIZE, LEFT, TOP, SCALE = 27.0, 30.0, 40.0, 6


def test_every_module_is_where_a_scanner_looks_for_it() -> None:
    sheet = Sheet(Layout(), "Code", "Nobody", date(2027, 1, 14), "")
    sheet.qr(URL, LEFT, TOP, SIZE)
    page = pypdfium2.PdfDocument(sheet.finish())[0]
    picture = page.render(scale=SCALE).to_pil().convert("L")
    matrix = segno.make(URL, error="m", micro=False).matrix
    pixel = SCALE * 72 / 25.4
    module = SIZE / len(matrix)
    for down, line in enumerate(matrix):
        for along, dark in enumerate(line):
            x = (LEFT + (along + 0.5) * module) * pixel
            y = (TOP + (down + 0.5) * module) * pixel
            assert (picture.getpixel((int(x), int(y))) < 128) == bool(dark)
