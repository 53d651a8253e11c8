"""What `escrow invoice`, `receipt` and `statement` do: read the chain, write a file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

from milestone_escrow.cli.shell.desk import Desk, look
from milestone_escrow.cli.shell.output import good, table
from milestone_escrow.cli.shell.saving import save, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.documents.when import day_of, format_date, read_date
from milestone_escrow.papers.bill import document_number
from milestone_escrow.papers.invoice import invoice_pdf
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.receipt import (
    last_moved,
    receipt_number,
    receipt_pdf,
    require_paid,
    waiting,
)
from milestone_escrow.papers.sheet import Layout
from milestone_escrow.papers.statement import movements, statement_csv


@dataclass(frozen=True, slots=True)
class Print:
    """How a document is wanted on paper."""

    number: str | None
    page: str
    letter: bool
    fonts: tuple[Path, ...]

    @property
    def layout(self) -> Layout:
        return Layout("letter" if self.letter else "a4", self.fonts)


def ledger_of(desk: Desk) -> Ledger:
    """What the chain says of an agreement and the versions before it."""
    escrow, bound = desk.escrow, desk.bound
    earlier = tuple(before.bound for before in desk.earlier)
    events = escrow.history(bound) if escrow.is_open(bound.id) else ()
    return Ledger(bound, desk.network, events, escrow.now(), earlier)


def write_invoice(session: Session, name: str, key: str, day: str | None, how: Print) -> None:
    desk = look(session, name, key)
    ledger = ledger_of(desk)
    planned = desk.bound.agreement.milestones[milestone_index(desk.bound, key)]
    zone = desk.bound.agreement.timezone
    dated = read_date(day) if day else day_of(ledger.now, zone)
    number = how.number or document_number(ledger, planned)
    data = invoice_pdf(ledger, key, dated, number=number, page=how.page, layout=how.layout)
    paid = sum(payment.gross for payment in ledger.payments(planned))
    due = planned.amount - paid - ledger.returned(planned.index)
    text = f"{desk.bound.agreement.amount(due)} of {desk.bound.agreement.amount(planned.amount)}"
    words = f"invoice {number} of {format_date(dated)}: {text} still due"
    _written(session, data, "invoice", number, words, due, desk)


def write_receipt(session: Session, name: str, key: str, how: Print) -> None:
    desk = look(session, name, key)
    ledger = ledger_of(desk)
    planned = desk.bound.agreement.milestones[milestone_index(desk.bound, key)]
    payments = require_paid(ledger, planned)
    number = how.number or receipt_number(ledger, planned)
    data = receipt_pdf(ledger, key, number=number, page=how.page, layout=how.layout)
    paid = sum(payment.gross for payment in payments)
    day = format_date(ledger.day(last_moved(payments).time))
    kind, words = "receipt", f"{desk.bound.agreement.amount(paid)} paid"
    if waits := waiting(payments):
        kind = "payment notice"
        words = (
            f"{desk.bound.agreement.amount(paid)} decided, "
            f"{desk.bound.agreement.amount(waits)} of it not delivered; the receipt follows when "
            "that is collected"
        )
    _written(session, data, kind, number, f"{kind} {number} of {day}: {words}", paid, desk)


def show_statement(session: Session, name: str) -> None:
    """All versions' movements, the oldest first."""
    file = target(session) if session.output else None
    desk = look(session, name)
    ledgers = [ledger_of(one) for one in (*desk.earlier, desk)]
    rows = [row for ledger in ledgers for row in movements(ledger)]
    if file:
        # A byte-order mark is how a spreadsheet knows that it is UTF-8.
        save(session, file, ("\ufeff" + statement_csv(rows)).encode())
        session.say(f"{good('Written')} {file}: {len(rows)} movements")
    elif rows:
        head = ("date", "movement", "milestone", "gross", "fee", "counterparty")
        lines = [
            (r.date, r.movement, r.milestone, _shown(r.gross), _shown(r.fee), r.counterparty)
            for r in rows
        ]
        session.say(table(lines, head, right=(3, 4)))
        symbol = desk.bound.agreement.token_symbol
        session.say(f"in {symbol}; -o FILE.csv has VAT, accounts and all")
    else:
        session.say("No money has moved yet.")
    session.emit(
        {
            "agreement": "0x" + desk.bound.id.hex(),
            "reference": desk.bound.agreement.reference,
            "file": str(file) if file else None,
            "movements": [asdict(row) for row in rows],
        }
    )


def _shown(number: str) -> str:
    """With commas for thousands; a dash where there is nothing."""
    value = Decimal(number or "0")
    return f"{value:,}" if value else "–"


def _written(
    session: Session,
    data: bytes,
    kind: str,
    number: str,
    words: str,
    units: int,
    desk: Desk,
) -> None:
    file = target(session, re.sub(r"[^\w.-]+", "-", number) + ".pdf")
    save(session, file, data)
    session.say(f"{good('Written')} {file}")
    session.say(words)
    session.emit(
        {
            "kind": kind,
            "file": str(file),
            "number": number,
            "agreement": "0x" + desk.bound.id.hex(),
            "amount": {"units": str(units), "text": desk.bound.agreement.amount(units)},
        }
    )
