"""Links and codes for a phone's wallet."""

from __future__ import annotations

import base64
import struct
from urllib.parse import unquote

import pytest

from milestone_escrow.documents.files.wallet_links import (
    approve_link,
    fund_page,
    png_code,
    svg_code,
    terminal_code,
)
from milestone_escrow.errors import UsageError

TOKEN, SPENDER = "0x" + "1" * 40, "0x" + "2" * 40


def test_a_link_lets_the_contract_take_exactly_so_much() -> None:
    assert approve_link(TOKEN, 8453, SPENDER, 12_000_000) == (
        f"ethereum:{TOKEN}@8453/approve?address={SPENDER}&uint256=12000000"
    )


@pytest.mark.parametrize("page", ["https://escrow.example", "https://escrow.example/"])
def test_the_page_pays_in(page: str) -> None:
    assert fund_page(page, b"\x0a" * 32) == f"https://escrow.example/a/0x{'0a' * 32}/fund"


def test_what_is_no_web_address_is_refused() -> None:
    with pytest.raises(UsageError, match="is no web address"):
        fund_page("escrow.example", bytes(32))


def test_a_code_for_the_terminal_is_square_and_has_its_margin() -> None:
    lines = terminal_code("https://escrow.example").split("\n")
    widths = {len(line.replace("\x1b[7m", "").replace("\x1b[0m", "").rstrip()) for line in lines}
    assert len(lines) > 10
    assert max(widths) >= len(lines)


def test_a_code_as_an_image_grows_with_what_it_says() -> None:
    def width(text: str) -> int:
        data = png_code(text)
        assert data.startswith(b"\x89PNG")
        across, down = struct.unpack(">II", data[16:24])
        assert across == down
        return int(across)

    assert width("a") % 8 == 0
    assert width("a" * 200) > width("a")


def test_a_page_shows_a_code_without_asking_anybody() -> None:
    found = svg_code("https://escrow.example")
    head, _, data = found.partition(",")
    assert head.startswith("data:image/svg+xml")
    text = base64.b64decode(data).decode() if "base64" in head else unquote(data)
    assert text.lstrip().startswith(("<svg", "<?xml"))
    assert "http://www.w3.org/2000/svg" in text
