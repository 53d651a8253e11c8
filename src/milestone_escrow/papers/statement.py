"""Every movement of an agreement's money as a row that an accounting program takes in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    CreditWithdrawn,
    Event,
    MilestoneAssigned,
    MilestonePaid,
    MilestonesFunded,
    PayoutCredited,
)
from milestone_escrow.chain.contract.replay import Undelivered
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.papers.bill import document_number
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.words import name_of
from milestone_escrow.protocol.eip712 import Address

# A spreadsheet would take text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One row; `counterparty` is the party that is not the contract. Amounts have a point and no
    thousands, empty where the agreement does not say."""

    date: str
    movement: str
    milestone: str
    document: str
    counterparty: str
    account: str
    cost_centre: str
    currency: str
    net: str
    vat_rate: str
    vat: str
    gross: str
    fee: str
    transaction: str


COLUMNS = tuple(field.name for field in fields(StatementRow))


def movements(ledger: Ledger) -> tuple[StatementRow, ...]:
    """What was paid in, paid out, given back and sold, in the order of the chain; what of it did
    not arrive, and was collected later."""
    found = [row for event in ledger.events for row in _rows(ledger, event)]
    return tuple(found)


def statement_csv(rows: Iterable[StatementRow]) -> str:
    """Movements as CSV (RFC 4180), the first line naming the columns."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    writer.writerows([_plain(value) for value in astuple(row)] for row in rows)
    return stream.getvalue()


def _rows(ledger: Ledger, event: Event) -> Iterator[StatementRow]:
    if event in ledger.own:
        yield from _own_rows(ledger, event)
    elif isinstance(event, PayoutCredited):
        # The contract has it back, for the account that could not receive it.
        for one in ledger.credited(event):
            yield _unpaid(ledger, event, one, "not delivered")
    elif isinstance(event, CreditWithdrawn):
        for one in ledger.collected(event):
            yield _unpaid(ledger, event, one, "collected")


def _own_rows(ledger: Ledger, event: Event) -> Iterator[StatementRow]:
    milestones = ledger.bound.agreement.milestones
    if isinstance(event, MilestonesFunded):
        carried = any(
            isinstance(other, AgreementAmended)
            and other.agreement_id == ledger.bound.id
            and other.place.transaction == event.place.transaction
            for other in ledger.events
        )
        word = "carried over" if carried else "paid in"
        for index in event.milestones:
            amount = ledger.bound.milestones[index].amount
            yield _row(ledger, event, milestones[index], word, event.funder, 0, amount)
    elif isinstance(event, MilestonePaid):
        planned = milestones[event.milestone]
        if event.to_payee + event.fee:
            before = _paid_before(ledger, event)
            gross = event.to_payee + event.fee
            yield _row(ledger, event, planned, "paid out", event.payee, before, gross, event.fee)
        if event.to_buyer:
            buyer = ledger.bound.terms.buyer
            yield _row(ledger, event, planned, "given back", buyer, 0, event.to_buyer)
    elif isinstance(event, MilestoneAssigned) and event.price:
        planned = milestones[event.milestone]
        yield _row(ledger, event, planned, "sold", event.assignee, 0, event.price)
    elif isinstance(event, AgreementAmended) and event.replaces == ledger.bound.id:
        for index in event.closes:
            left = _left(ledger, event, index)
            if left:
                buyer = ledger.bound.terms.buyer
                yield _row(ledger, event, milestones[index], "carried on", buyer, 0, left)


def _unpaid(ledger: Ledger, event: Event, one: Undelivered, movement: str) -> StatementRow:
    planned = None if one.milestone is None else ledger.bound.agreement.milestones[one.milestone]
    return _row(ledger, event, planned, movement, one.account, 0, one.units)


def _row(
    ledger: Ledger,
    event: Event,
    planned: PlannedMilestone | None,
    movement: str,
    account: Address,
    before: int,
    gross: int,
    fee: int = 0,
) -> StatementRow:
    """Only what is paid for a delivery bears tax: a deposit into escrow is nobody's turnover."""
    agreement = ledger.bound.agreement
    currency = agreement.currency

    def number(units: int) -> str:
        return format_amount(units, currency, symbol=False).replace(",", "")

    taxed = None
    vat = planned.vat if planned else None
    if planned and vat and movement == "paid out":
        taxed = vat.of_part(planned.decided + before, gross, currency)
    # What is paid outside of the contract, VAT on top, is no movement of its money.
    on_top = vat is not None and vat.on_top
    return StatementRow(
        date=ledger.day(event.place.time).isoformat(),
        movement=movement,
        milestone=planned.key if planned else "",
        document=document_number(ledger, planned) if planned else "",
        counterparty=name_of(agreement, account),
        account=account,
        cost_centre=planned.cost_centre if planned else "",
        currency=currency.symbol,
        net=number(taxed.net) if taxed else "",
        vat_rate=vat.words if taxed and vat else "",
        vat=number(taxed.tax) if taxed and not on_top else "",
        gross=number(gross),
        fee=number(fee) if movement == "paid out" else "",
        transaction=event.place.transaction,
    )


def _paid_before(ledger: Ledger, event: MilestonePaid) -> int:
    before = 0
    for other in ledger.payouts(event.milestone):
        if other.place == event.place:
            break
        before += other.to_payee + other.fee
    return before


def _left(ledger: Ledger, event: AgreementAmended, index: int) -> int:
    """What a milestone held when a change order closed it."""
    paid = [other for other in ledger.payouts(index) if _before(other, event)]
    if ledger.funding(index) is None:
        return 0
    return ledger.bound.milestones[index].amount - sum(other.total for other in paid)


def _before(one: Event, other: Event) -> bool:
    return (one.place.block, one.place.log_index) < (other.place.block, other.place.log_index)


def _plain(value: str) -> str:
    is_number = value.replace(".", "").removeprefix("-").isdigit()
    return f"'{value}" if value.startswith(_FORMULA) and not is_number else value
