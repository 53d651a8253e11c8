"""`escrow invoice`, `escrow receipt`, `escrow statement`: paper and rows for the accountant."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from milestone_escrow.cli.shell.options import on_paper, reads
from milestone_escrow.cli.shell.saving import saves
from milestone_escrow.cli.shell.session import Session

F = TypeVar("F", bound=Callable[..., Any])

_PRINT = (
    saves("Where to write, by default NUMBER.pdf here"),
    click.option("--number", metavar="TEXT", help="A number of your own."),
    click.option("--page", metavar="URL", default="", help="What the QR code leads to."),
    click.option("--letter", is_flag=True, help="On US letter paper instead of A4."),
    on_paper,
)


def _prints(function: F) -> F:
    """Adds the options of printing, and hands the command a `Print`."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        from milestone_escrow.cli.books.bookkeeping import Print

        names = ("number", "page", "letter", "fonts")
        return function(*args, how=Print(**{name: kwargs.pop(name) for name in names}), **kwargs)

    wrapped: F = command  # type: ignore[assignment]
    for option in reversed(_PRINT):
        wrapped = option(wrapped)
    return wrapped


@click.command(short_help="Write a milestone's invoice as PDF.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--date", "day", metavar="DATE", help="The invoice's date; by default today.")
@_prints
@reads
def invoice(session: Session, agreement: str, milestone: str, day: str | None, how: Any) -> None:
    """Write a milestone's invoice as PDF: what is due, and how the escrow contract pays it.

    Names, addresses, tax numbers, VAT and cost centres are those of the agreement file. Where the
    agreement is open, the invoice tells what was paid, what is retained and what waits.

    \b
    Examples:
      escrow invoice PO-48213 materials
      escrow invoice PO-48213 materials --date 2027-03-01 -o invoice.pdf
      escrow invoice deal.yaml deposit --letter --page https://escrow.example/PO-48213
    """
    from milestone_escrow.cli.books.bookkeeping import write_invoice

    write_invoice(session, agreement, milestone, day, how)


@click.command(short_help="Write a milestone's receipt as PDF.")
@click.argument("agreement")
@click.argument("milestone")
@_prints
@reads
def receipt(session: Session, agreement: str, milestone: str, how: Any) -> None:
    """Write a milestone's receipt as PDF: what was paid, when and why, read from the chain.

    Its date is the day of the last payment, so it is the same file whenever it is written. What
    was not paid has no receipt.

    \b
    Examples:
      escrow receipt PO-48213 materials
      escrow receipt PO-48213 materials -o receipt.pdf --page https://escrow.example/PO-48213
    """
    from milestone_escrow.cli.books.bookkeeping import write_receipt

    write_receipt(session, agreement, milestone, how)


@click.command(short_help="List every movement of money, for accounting.")
@click.argument("agreement")
@saves("Write it as CSV, with VAT, fees and cost centres")
@reads
def statement(session: Session, agreement: str) -> None:
    """List every movement of an agreement's money: paid in, paid out, given back, sold.

    With -o, one row each with date, milestone, document number, counterparty, account, cost
    centre, currency, net, VAT, gross, fee and transaction.

    \b
    Examples:
      escrow statement PO-48213
      escrow statement PO-48213 -o PO-48213.csv
    """
    from milestone_escrow.cli.books.bookkeeping import show_statement

    show_statement(session, agreement)
