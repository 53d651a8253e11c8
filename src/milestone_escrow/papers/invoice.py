"""An invoice for a milestone: what is due, and how the escrow pays it."""

from __future__ import annotations

from datetime import date

from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.when import format_date
from milestone_escrow.papers.bill import (
    Bill,
    Line,
    begin,
    date_or,
    document_number,
    lines_of,
    on_chain,
    side_by_side,
    totals,
    vat_lines,
    vat_note,
)
from milestone_escrow.papers.ledger import Ledger, is_retainage
from milestone_escrow.papers.sheet import QUIET, Layout, Sheet
from milestone_escrow.papers.words import how_it_is_paid, name_of, when_paid


def invoice_pdf(
    ledger: Ledger,
    key: str,
    day: date,
    *,
    number: str = "",
    page: str = "",
    layout: Layout | None = None,
) -> bytes:
    """The invoice for a milestone as PDF, dated `day`; the same input gives the same bytes.

    `page` is what the QR code leads to, by default the contract in the network's explorer.

    Raises:
        UsageError: there is no such milestone, or no font for a name.
    """
    bound = ledger.bound
    planned = bound.agreement.milestone(key)
    link = page or ledger.network.link("address", bound.domain.verifying_contract)
    bill = Bill("Invoice", number or document_number(ledger, planned), day, ledger, planned, link)
    sheet = begin(bill, layout or Layout(), _facts(bill))
    lines_of(sheet, bill, _lines(bill))
    totals(sheet, bill, _totals(bill))
    _notes(sheet, bill)
    sheet.down(4)
    paragraphs = how_it_is_paid(ledger, planned)
    side_by_side(sheet, bill, "How this is paid", paragraphs, _contract(bill))
    sheet.down(4)
    on_chain(sheet, bill, [])
    return sheet.finish()


def _facts(bill: Bill) -> list[tuple[str, str]]:
    agreement = bill.ledger.bound.agreement
    return [
        ("Invoice number", bill.number),
        ("Invoice date", format_date(bill.day)),
        ("Work due", date_or(bill.planned.due, "")),
        ("Payment expected", when_paid(bill.ledger, bill.planned)),
        ("Purchase order", agreement.reference),
        ("Order date", format_date(agreement.date)),
        ("Cost centre", bill.planned.cost_centre),
    ]


def _lines(bill: Bill) -> list[tuple[str, str, int]]:
    planned, agreement = bill.planned, bill.ledger.bound.agreement
    more = f"{agreement.title}; milestone “{planned.key}”"
    rows = [(planned.title, more, planned.whole + planned.withheld)]
    if planned.withheld:
        released = "released in milestones of its own"
        rows.append(("Less retainage", f"Withheld as agreed, {released}", -planned.withheld))
    if planned.decided:
        rows.append(("Less decided before", "By an earlier version of the agreement",
                     -planned.decided))  # fmt: skip
    if returned := bill.ledger.returned(planned.index):
        rows.append(("Less given back", "By the escrow contract, to the buyer", -returned))
    return rows


def _billed(bill: Bill) -> int:
    """What is owed for it or was paid, token units: what went back to the buyer is neither."""
    return bill.planned.amount - bill.ledger.returned(bill.planned.index)


def _totals(bill: Bill) -> list[Line]:
    planned, ledger, billed = bill.planned, bill.ledger, _billed(bill)
    taxed = None
    if planned.vat:
        currency = ledger.bound.agreement.currency
        taxed = planned.vat.of_part(planned.decided, billed, currency)
    lines = vat_lines(bill, taxed, "Total with VAT")
    on_top = planned.vat is not None and planned.vat.on_top
    total = "To the escrow" if on_top else "Total"
    payments = ledger.payments(planned)
    if not payments:
        return [*lines, Line(total, billed, strong=True)]
    lines.append(Line(total, billed))
    for payment in payments:
        day = format_date(ledger.day(payment.event.place.time))
        word = "Decided on" if payment.waiting else "Paid on"
        lines.append(Line(f"{word} {day}", -payment.gross))
    paid = sum(payment.gross for payment in payments)
    return [*lines, Line("Still due", billed - paid, strong=True)]


def _notes(sheet: Sheet, bill: Bill) -> None:
    sheet.down(3)
    if note := vat_note(bill):
        sheet.write_text(note, QUIET)
    agreement = bill.ledger.bound.agreement
    if bill.planned.amount % 10 ** max(agreement.currency.decimals - 2, 0):
        exact = agreement.amount(bill.planned.amount)
        sheet.write_text(f"The contract pays {exact} exactly, parts of a cent included.", QUIET)
    payee = bill.ledger.payee(bill.planned.index)
    if payee != bill.ledger.bound.terms.supplier:
        name = name_of(bill.ledger.bound.agreement, payee)
        sheet.write_text(f"This claim is assigned: the contract pays {name}.", QUIET)


def _contract(bill: Bill) -> list[Line]:
    ledger, planned = bill.ledger, bill.planned
    price = ledger.bound.agreement.price
    here = sum(payment.gross for payment in ledger.payments(planned))
    before = ledger.paid_in_all() - here
    back = ledger.returned_in_all()
    rows = [
        Line("Contract price", price),
        Line("Previously paid", before),
        Line("This invoice", _billed(bill)),
    ]
    if back:
        rows.append(Line("Given back to the buyer", back))
    rows.append(Line("Balance after this", price - before - back - _billed(bill), strong=True))
    retained = ledger.withheld() - _own_retainage(ledger, planned)
    if retained:
        rows.append(Line("of which retainage", retained))
    return rows


def _own_retainage(ledger: Ledger, planned: PlannedMilestone) -> int:
    state = ledger.states[planned.index]
    return max(planned.amount - state.paid, 0) if is_retainage(planned) else 0
