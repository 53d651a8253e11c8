"""A receipt for a milestone: what was paid, read from the chain; a notice while it waits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add

from milestone_escrow.chain.contract.events import Place
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.when import format_date, format_time
from milestone_escrow.errors import EscrowError
from milestone_escrow.papers.bill import (
    MONEY,
    Bill,
    Line,
    begin,
    document_number,
    on_chain,
    side_by_side,
    totals,
    vat_lines,
    vat_note,
)
from milestone_escrow.papers.ledger import Ledger, Payout
from milestone_escrow.papers.sheet import BODY, INK, LABEL, QUIET, STRONG, Layout, Sheet
from milestone_escrow.papers.words import name_of

NOTICE = "Payment notice"
"""What is written while something that was paid has not been received."""


def receipt_number(ledger: Ledger, planned: PlannedMilestone) -> str:
    """Like the invoice's, with R and the number of payments that it covers; N while something of
    them waits to be collected, because a receipt follows."""
    payments = ledger.payments(planned)
    letter = "N" if waiting(payments) else "R"
    return f"{document_number(ledger, planned)}-{letter}{len(payments)}"


def waiting(payments: tuple[Payout, ...]) -> int:
    """What was paid and has not been received, token units."""
    return sum(payment.waiting for payment in payments)


def last_moved(payments: tuple[Payout, ...]) -> Place:
    """Where the last payment stands, or the withdrawal by which all was received."""
    last = payments[-1].event.place
    if waiting(payments):
        return last
    places = [last, *(payment.collected for payment in payments if payment.collected)]
    return max(places, key=lambda place: (place.block, place.log_index))


def receipt_pdf(
    ledger: Ledger, key: str, *, number: str = "", page: str = "", layout: Layout | None = None
) -> bytes:
    """The receipt for a milestone as PDF, dated on the day on which all of it had arrived. It tells
    how things stood then, so that it stays the same whatever happens later. While something that
    was paid waits to be collected it is no receipt but a payment notice.

    `page` is what the QR code leads to, by default the payment in the network's explorer.

    Raises:
        EscrowError: nothing was paid for it.
        UsageError: there is no such milestone, or no font for a name.
    """
    planned = ledger.bound.agreement.milestone(key)
    last = last_moved(require_paid(ledger, planned))
    ledger = ledger.until(last)
    payments = ledger.payments(planned)
    link = page or ledger.network.link("tx", last.transaction)
    number = number or receipt_number(ledger, planned)
    kind = NOTICE if waiting(payments) else "Receipt"
    bill = Bill(kind, number, ledger.day(last.time), ledger, planned, link)
    sheet = begin(bill, layout or Layout(), _facts(bill))
    _what_for(sheet, bill)
    _payments(sheet, bill, payments)
    totals(sheet, bill, _totals(bill, payments))
    _notes(sheet, bill)
    sheet.down(6)
    words = _words(bill, payments)
    title = "How this was decided" if kind == NOTICE else "How this was paid"
    side_by_side(sheet, bill, title, tuple(words), _contract(bill, payments))
    sheet.down(6)
    on_chain(sheet, bill, _proof(bill, payments))
    return sheet.finish()


def require_paid(ledger: Ledger, planned: PlannedMilestone) -> tuple[Payout, ...]:
    """The payments of a milestone.

    Raises:
        EscrowError: there are none.
    """
    payments = ledger.payments(planned)
    if payments:
        return payments
    why = "nothing was paid for it yet"
    if not ledger.is_open:
        why = "the agreement is not open"
    elif ledger.returned(planned.index):
        why = "it was given back to the buyer"
    elif not ledger.states[planned.index].status.holds:
        moved = "a change order has moved it into a new version"
        why = moved if ledger.funding(planned.index) else "it is not funded"
    raise EscrowError(
        f"there is no receipt for '{planned.key}': {why}",
        hint="`escrow invoice` says what is due and what pays it",
    )


def _facts(bill: Bill) -> list[tuple[str, str]]:
    ledger = bill.ledger
    payee = ledger.payments(bill.planned)[-1].event.payee
    supplier = ledger.bound.terms.supplier
    return [
        (f"{bill.kind} no." if bill.kind == NOTICE else "Receipt number", bill.number),
        ("Decided on" if bill.kind == NOTICE else "Paid on", format_date(bill.day)),
        ("For invoice", document_number(ledger, bill.planned)),
        ("Purchase order", ledger.bound.agreement.reference),
        ("Cost centre", bill.planned.cost_centre),
        ("Paid to", "" if payee == supplier else name_of(ledger.bound.agreement, payee)),
    ]


def _what_for(sheet: Sheet, bill: Bill) -> None:
    sheet.write_text("Description", LABEL)
    sheet.down(0.8)
    sheet.rule(colour=INK, weight=0.3)
    sheet.down(2)
    sheet.write_text(bill.planned.title, STRONG)
    title = bill.ledger.bound.agreement.title
    sheet.write_text(f"{title}; milestone “{bill.planned.key}”", QUIET)
    sheet.down(6)


def _payments(sheet: Sheet, bill: Bill, payments: tuple[Payout, ...]) -> None:
    currency = bill.ledger.bound.agreement.token_symbol
    zone = bill.ledger.bound.agreement.timezone
    widths = (52.0, sheet.width - 52 - MONEY, MONEY)
    head = ("Payment", "Decided", f"Amount in {currency}")
    sheet.row(head, widths, (LABEL, LABEL, LABEL), right=(2,))
    sheet.down(0.8)
    sheet.rule(colour=INK, weight=0.3)
    for payment in payments:
        at = format_time(payment.event.place.time, zone)
        sheet.down(1.6)
        cells = (at, payment.why, bill.amount(payment.gross))
        sheet.row(cells, widths, (BODY, BODY, BODY), right=(2,))
        sheet.down(1.6)
        sheet.rule()


def _totals(bill: Bill, payments: tuple[Payout, ...]) -> list[Line]:
    taxed = [payment.taxed for payment in payments if payment.taxed]
    gross, fee = sum(p.gross for p in payments), sum(p.event.fee for p in payments)
    whole = reduce(add, taxed) if taxed else None
    lines = vat_lines(bill, whole, "Total with VAT")
    if waits := waiting(payments):
        lines.append(Line("Decided", gross))
        lines += [Line("Less escrow fee", -fee)] if fee else []
        lines.append(Line("Less not delivered", -waits))
        return [*lines, Line("Received", gross - fee - waits, strong=True)]
    lines.append(Line("Paid", gross, strong=True))
    if fee:
        lines += [Line("Less escrow fee", -fee), Line("Received", gross - fee)]
    return lines


def _notes(sheet: Sheet, bill: Bill) -> None:
    sheet.down(3)
    if note := vat_note(bill):
        sheet.write_text(note, QUIET)


def _words(bill: Bill, payments: tuple[Payout, ...]) -> Iterator[str]:
    agreement, network = bill.ledger.bound.agreement, bill.ledger.network
    decided = "decided this payment" if bill.kind == NOTICE else "paid it out"
    if funding := bill.ledger.funding(bill.planned.index):
        since = format_date(bill.ledger.day(funding.place.time))
        yield (
            f"{name_of(agreement, funding.funder)} had paid this into the escrow contract on "
            f"{network.title} on {since}. The contract has {decided} by itself; the transactions "
            "below say so."
        )
    for payment in payments:
        if payment.credited:
            yield _undelivered(bill, payment)
    if returned := bill.ledger.returned(bill.planned.index):
        yield f"A further {agreement.amount(returned)} of this milestone went back to the buyer."
        if waits := bill.ledger.waiting(bill.planned.index, bill.ledger.bound.terms.buyer):
            yield f"Of that, {agreement.amount(waits)} could not be delivered to the buyer."


def _undelivered(bill: Bill, payment: Payout) -> str:
    ledger, agreement = bill.ledger, bill.ledger.bound.agreement
    amount, payee = agreement.amount(payment.credited), name_of(agreement, payment.event.payee)
    day = format_date(ledger.day(payment.event.place.time))
    if payment.collected:
        collected = format_date(ledger.day(payment.collected.time))
        return f"{amount} could not be delivered to {payee} on {day}; collected on {collected}."
    return (
        f"{amount} could not be delivered to {payee} on {day}: the token refused the transfer. The "
        f"contract keeps it for {payee}, to be collected with `escrow withdraw`."
    )


def _contract(bill: Bill, payments: tuple[Payout, ...]) -> list[Line]:
    ledger = bill.ledger
    price, here = ledger.bound.agreement.price, sum(payment.gross for payment in payments)
    before, back = ledger.paid_in_all() - here, ledger.returned_in_all()
    rows = [
        Line("Contract price", price),
        Line("Previously paid", before),
        Line("This notice" if bill.kind == NOTICE else "This receipt", here),
    ]
    if back:
        rows.append(Line("Given back to the buyer", back))
    rows.append(Line("Balance after this", price - before - here - back, strong=True))
    if ledger.withheld():
        rows.append(Line("of which retainage", ledger.withheld()))
    return rows


def _proof(bill: Bill, payments: tuple[Payout, ...]) -> list[tuple[str, str]]:
    evidence = bill.ledger.evidence(bill.planned.index)
    rows = [("Evidence hash", f"0x{evidence.hex()}")] if evidence else []
    for payment in payments:
        place = payment.event.place
        rows.append(("Transaction", place.transaction))
        rows.append(("in block", str(place.block)))
        if payment.collected:
            rows.append(("Collected by", payment.collected.transaction))
            rows.append(("in block", str(payment.collected.block)))
    return rows
