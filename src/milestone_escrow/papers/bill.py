"""What invoices and receipts have in common: their number, and how they are laid out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.model import Party
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.vat import Taxed
from milestone_escrow.documents.when import format_date
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.sheet import (
    BODY,
    CODE,
    GREY,
    INK,
    LABEL,
    QUIET,
    STRONG,
    TITLE,
    Layout,
    Sheet,
    Style,
)

TOTAL = Style(11.5, bold=True)
MONEY = 38.0
QR_SIZE = 27.0


@dataclass(frozen=True, slots=True)
class Bill:
    """One document about one milestone; `page` is where its QR code leads, "" for nowhere."""

    kind: str
    number: str
    day: date
    ledger: Ledger
    planned: PlannedMilestone
    page: str

    def amount(self, units: int) -> str:
        """Without the symbol, which stands above the column; with a minus, not a hyphen."""
        currency = self.ledger.bound.agreement.currency
        return format_amount(units, currency, symbol=False).replace("-", "−")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the totals; a strong one is ruled off above."""

    text: str
    units: int
    strong: bool = False


def document_number(ledger: Ledger, planned: PlannedMilestone) -> str:
    """The invoice number of a milestone: unique, because keys are, and the same every time."""
    agreement = ledger.bound.agreement
    prefix = agreement.model.payment.invoice_prefix or f"{agreement.reference}-"
    version = f"-v{ledger.version}" if ledger.version > 1 else ""
    return f"{prefix}{planned.key}{version}"


def begin(bill: Bill, layout: Layout, facts: Sequence[tuple[str, str]]) -> Sheet:
    """A sheet with its head: who writes to whom, and the facts beside."""
    agreement = bill.ledger.bound.agreement
    supplier, buyer = agreement.parties["supplier"], agreement.parties["buyer"]
    foot = f"{bill.kind} {bill.number}  ·  {supplier.name}"
    title = f"{bill.kind} {bill.number}"
    sheet = Sheet(layout, title, supplier.name, bill.day, foot, written_by(agreement))
    _letterhead(sheet, supplier)
    sheet.down(13)
    top, gap = sheet.y, 12.0
    half = sheet.width * 0.5
    above = {"Invoice": "Billed to", "Receipt": "Received from"}.get(bill.kind, "Paid in by")
    sheet.write_text(above, LABEL)
    _party(sheet, buyer, sheet.left, half - gap)
    below = sheet.y
    sheet.set_y(top)
    sheet.write_text(bill.kind, TITLE, x=sheet.left + half)
    sheet.down(2)
    for label, value in facts:
        if value:
            widths = (30.0, sheet.width - half - 30)
            sheet.row((label, value), widths, (QUIET, BODY), x=sheet.left + half)
    sheet.set_y(max(below, sheet.y) + 9)
    return sheet


def written_by(agreement: Agreement) -> Iterator[str]:
    """What people wrote and sentences quote."""
    yield agreement.title
    yield from (party.name for party in agreement.parties.values())
    yield from (milestone.title for milestone in agreement.milestones)


def lines_of(sheet: Sheet, bill: Bill, rows: Sequence[tuple[str, str, int]]) -> None:
    """The table of what is billed: words, a smaller explanation, an amount."""
    currency = bill.ledger.bound.agreement.token_symbol
    widths = (sheet.width - MONEY, MONEY)
    sheet.row(("Description", f"Amount in {currency}"), widths, (LABEL, LABEL), right=(1,))
    sheet.down(0.8)
    sheet.rule(colour=INK, weight=0.3)
    for text, more, units in rows:
        sheet.down(2)
        sheet.row((text, bill.amount(units)), widths, (STRONG, BODY), right=(1,))
        if more:
            sheet.write_text(more, QUIET, width=sheet.width - MONEY - 6)
        sheet.down(2)
        sheet.rule()


def totals(sheet: Sheet, bill: Bill, lines: Sequence[Line]) -> None:
    """Rows that add up, flush right, the strong ones ruled off."""
    label = 62.0
    start = sheet.right - label - MONEY
    sheet.need(6.5 * len(lines))
    sheet.down(2)
    for line in lines:
        style = TOTAL if line.strong else BODY
        if line.strong:
            sheet.down(1)
            sheet.rule(x=start, colour=INK, weight=0.3)
            sheet.down(1.4)
        text = bill.ledger.bound.agreement.amount(line.units) if line.strong else None
        words = text or bill.amount(line.units)
        widths = (label - (8 if line.strong else 0), MONEY + (8 if line.strong else 0))
        sheet.row((line.text, words), widths, (style, style), right=(1,), x=start, gap=2)
        sheet.down(0.6)


def vat_lines(bill: Bill, taxed: Taxed | None, total: str) -> list[Line]:
    """Net, tax and total, or only the total where nothing is said of VAT."""
    vat = bill.planned.vat
    if vat is None or taxed is None:
        return []
    if not vat.rate:
        return [Line("Net, without VAT", taxed.net)]
    rate = vat.words.removesuffix(" on top")
    lines = [Line("Net", taxed.net), Line(f"VAT {rate}", taxed.tax)]
    return [*lines, Line(total, taxed.gross)] if vat.on_top else lines


def vat_note(bill: Bill) -> str:
    """What an invoice must say about VAT beside the amounts."""
    vat = bill.planned.vat
    if vat is None:
        return "The agreement does not state VAT."
    if vat.on_top:
        return (
            "The escrow contract pays the net amount; the VAT is paid outside of it, to the "
            "supplier directly."
        )
    if vat.rate:
        return ""
    note = vat.note or "No VAT is charged."
    return note if note.endswith(".") else f"No VAT is charged: {note}."


def side_by_side(
    sheet: Sheet, bill: Bill, title: str, texts: Sequence[str], rows: Sequence[Line]
) -> None:
    """Paragraphs on the left, on the right the contract so far: price, payments, what remains."""
    aside = 67.0
    width = sheet.width - aside - 10
    high = sum(sheet.tall(text, BODY, width) + 1.2 for text in texts)
    sheet.need(max(high, 5.4 * len(rows)) + 8)
    top = sheet.y
    sheet.heading(title, keep=0)
    for text in texts:
        sheet.write_text(text, BODY, width=width)
        sheet.down(1.2)
    below = sheet.y
    sheet.set_y(top)
    start = sheet.right - aside
    sheet.heading("The contract so far", keep=0, x=start)
    for line in rows:
        style = STRONG if line.strong else BODY
        cells = (line.text, bill.amount(line.units))
        sheet.row(cells, (aside - 31, 31), (style, style), right=(1,), x=start, gap=2)
        sheet.down(0.4)
    sheet.set_y(max(below, sheet.y))


def on_chain(sheet: Sheet, bill: Bill, more: Sequence[tuple[str, str]]) -> None:
    """What anybody can check: the chain, the ids, the hashes, and the QR code beside them."""
    bound, network = bill.ledger.bound, bill.ledger.network
    rows: list[tuple[str, str]] = [
        ("Chain", f"{network.title}, chain id {network.chain_id}"),
        ("Contract", bound.domain.verifying_contract),
        ("Token", f"{bound.token.symbol} {bound.token.address}"),
        ("Payer", bound.terms.buyer),
        ("Payee", bill.ledger.payee(bill.planned.index)),
        ("Agreement", _hash(bound.id)),
        ("Document hash", _hash(bound.agreement.document_hash)),
    ]
    if any(bill.planned.requirements_hash):
        rows.append(("Proof required", _hash(bill.planned.requirements_hash)))
    rows += more
    has_code = bool(bill.page)
    value = sheet.width - 25 - (QR_SIZE + 8 if has_code else 0)
    height = sum(sheet.tall(text, CODE, value - 4) + 0.5 for _, text in rows)
    sheet.need(max(height, QR_SIZE + 8 if has_code else 0) + 10)
    sheet.heading("On the chain")
    top = sheet.y
    label = Style(7, colour=GREY, leading=1.45)
    for name, text in rows:
        sheet.row((name, text), (25.0, value), (label, CODE))
        sheet.down(0.5)
    if has_code:
        below = sheet.y
        left = sheet.right - QR_SIZE
        sheet.qr(bill.page, left, top + 0.5, QR_SIZE)
        sheet.set_y(top + QR_SIZE + 1.5)
        with_link = Style(6.5, colour=GREY, leading=1.3)
        sheet.write_text("Scan to see it live", with_link, x=left, width=QR_SIZE)
        sheet.set_y(max(below, sheet.y))


def party_facts(party: Party) -> Iterator[str]:
    """Tax number, registration and how to reach a party, one a line."""
    if party.tax_id:
        yield f"Tax ID {party.tax_id}"
    if party.registration:
        yield f"Reg. no. {party.registration}"
    if party.contact:
        yield party.contact
    yield from (value for value in (party.email, party.phone, party.website) if value)


def _letterhead(sheet: Sheet, party: Party) -> None:
    top = sheet.y
    half = sheet.width * 0.5
    sheet.write_text(party.name, Style(11.5, bold=True), width=half - 8)
    for line in _address(sheet, party, half - 8):
        sheet.write_text(line, QUIET, width=half - 8)
    below = sheet.y
    sheet.set_y(top + 0.8)
    for line in party_facts(party):
        sheet.write_text(line, QUIET, x=sheet.left + half, width=half)
    sheet.set_y(max(below, sheet.y) + 3.5)
    sheet.rule(colour=(22, 62, 99), weight=0.5)


def _party(sheet: Sheet, party: Party, x: float, width: float) -> None:
    sheet.down(0.6)
    sheet.write_text(party.name, Style(9.5, bold=True), x=x, width=width)
    for line in (*_address(sheet, party, width), *party_facts(party)):
        sheet.write_text(line, BODY, x=x, width=width)


def _address(sheet: Sheet, party: Party, width: float) -> Iterator[str]:
    """The address in as few lines as fit, broken at its commas."""
    line = ""
    for part in (party.address or "").split(","):
        part = part.strip()
        longer = f"{line}, {part}" if line else part
        if line and sheet.wide(longer, BODY) > min(width, 62):
            yield line
            line = part
        else:
            line = longer
    if line:
        yield line


def _hash(value: bytes) -> str:
    return "0x" + value.hex()


def date_or(day: date | None, words: str) -> str:
    return format_date(day) if day else words
