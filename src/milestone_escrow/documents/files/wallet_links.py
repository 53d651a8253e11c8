"""Links that a phone's wallet opens, and codes to scan them from a screen.

An EIP-681 link names a contract, a function and values of plain types. That is enough for a token's
`approve`; the escrow's own functions take an agreement's terms, which are structs and lists, and no
link can carry those. So a link allows, and a page (or the command line) pays in.
"""

from __future__ import annotations

from io import BytesIO, StringIO
from typing import TYPE_CHECKING

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address

if TYPE_CHECKING:
    import segno


def approve_link(token: Address, chain_id: int, spender: Address, units: int) -> str:
    """Let `spender` take exactly so many token units of whoever opens the link (EIP-681)."""
    return f"ethereum:{token}@{chain_id}/approve?address={spender}&uint256={units}"


def fund_page(page: str, agreement_id: bytes) -> str:
    """Where an agreement is paid in, on the page whose address begins with `page`.

    Raises:
        UsageError: that is no web address.
    """
    if not page.startswith(("https://", "http://")):
        raise UsageError(
            f"'{page}' is no web address", hint="give the page's own, as https://escrow.example"
        )
    return f"{page.rstrip('/')}/a/0x{agreement_id.hex()}/fund"


def terminal_code(text: str) -> str:
    """A QR code of block characters, light on dark, with its quiet margin."""
    out = StringIO()
    _code(text).terminal(out, compact=True)
    return out.getvalue().rstrip("\n")


def png_code(text: str) -> bytes:
    """A QR code as a PNG image, 8 pixels for each of its squares."""
    out = BytesIO()
    _code(text).save(out, kind="png", scale=8)
    return out.getvalue()


def svg_code(text: str) -> str:
    """A QR code as the address of an SVG image, which a page shows without asking anybody."""
    return _code(text).svg_data_uri(scale=4, dark="#000", light="#fff")


def _code(text: str) -> segno.QRCode:
    import segno

    return segno.make(text, error="m", micro=False)
