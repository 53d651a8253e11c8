"""`escrow receivable`: a milestone's payout as something to look at, sell, buy and hand on."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import reads, sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session

_TO = "An account, one of your keys, or on the sandbox a name."


@click.group(short_help="Sell a milestone's payout, or buy one.")
def receivable() -> None:
    """Sell the right to a milestone's payout for early cash, buy one, or hand one on.

    Whoever holds the right is the milestone's payee: paid instead of the supplier, and the only
    one who submits, disputes and gives back in its place.

    \b
    Examples:
      escrow receivable check PO-2027-0114 departed
      escrow receivable offer PO-2027-0114 departed --price 58,500.00
    """


@receivable.command(short_help="Answer what a factor asks before buying.")
@click.argument("agreement", metavar="AGREEMENT|OFFER")
@click.argument("milestone", required=False)
@reads
def check(session: Session, agreement: str, milestone: str | None) -> None:
    """Answer what a factor asks before buying: what kind of payment it is, whether the money is
    there and the work verified, who can still stop it, when it pays at the earliest and at the
    latest, the worst case, and earlier sales.

    All of it follows from the terms and the chain; nobody's favour is counted. With the file of
    an offer, also what buying at its price would bring.

    \b
    Examples:
      escrow receivable check PO-2027-0114 departed
      escrow receivable check departed.offer.json
    """
    from milestone_escrow.cli.receivable.assessing import check_offer, check_receivable

    if milestone is None:
        check_offer(session, Path(agreement))
    else:
        check_receivable(session, agreement, milestone)


@receivable.command(short_help="Offer a milestone's payout for sale.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--price", required=True, metavar="PART", help="96,000.00, or 96% of what is held.")
@click.option("--to", "buyer", metavar="WHO", help=f"Who alone may buy; anyone otherwise. {_TO}")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the offer goes; MILESTONE.offer.json otherwise.",
)
@click.option(
    "--valid-for", metavar="TIME", default="7 days", show_default=True, help="How long it stands."
)
@click.option(
    "--oracle",
    metavar="URL",
    help="An oracle to give the offer to: it shows it to whoever may buy, and reminds of its end.",
)
@sends
def offer(
    session: Session,
    agreement: str,
    milestone: str,
    price: str,
    buyer: str | None,
    output: Path | None,
    valid_for: str,
    oracle: str | None,
) -> None:
    """Offer a milestone's payout for sale, as its payee. Writes a signed file; no transaction is
    sent.

    It shows what that costs as a yearly rate. The offer dies with its date, and as soon as
    anything else happens to the milestone; before that it cannot be taken back.

    \b
    Examples:
      escrow receivable offer PO-2027-0114 departed --price 58,500.00
      escrow receivable offer PO-2027-0114 departed --price 97.5% --to 0x9A1c…
      escrow receivable offer PO-2027-0114 departed --price 97% --oracle https://oracle.example
    """
    from milestone_escrow.cli.receivable import selling

    paper = Paper(output or Path(f"{milestone}.offer.json"), valid_for)
    selling.offer(session, agreement, milestone, price, buyer, paper, oracle)


@receivable.command(short_help="Buy what an offer sells.")
@click.argument("offer", type=click.Path(path_type=Path), metavar="OFFER")
@click.option(
    "--with",
    "way",
    type=click.Choice(["allowance", "permit"]),
    help="How the price is paid; the best that the token knows otherwise.",
)
@sends
def buy(session: Session, offer: Path, way: str | None) -> None:
    """Buy what an offer sells, as a financier. The price goes straight to the payee, and you
    become the payee, in the same transaction.

    What you get, when, and what can still go wrong is shown first, as `receivable check` shows
    it. The contract may take exactly the price, and only for this.

    \b
    Examples:
      escrow receivable buy departed.offer.json
      escrow receivable buy departed.offer.json --as mykey --dry-run
    """
    from milestone_escrow.cli.receivable import selling

    selling.buy(session, offer, way)


@receivable.command(short_help="Hand a milestone's payout on, for nothing.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--to", "assignee", required=True, metavar="WHO", help=_TO)
@sends
@on_paper
def assign(session: Session, agreement: str, milestone: str, assignee: str, paper: Paper) -> None:
    """Hand a milestone's payout on, as its payee. Nothing is paid for it here: for a sale that
    pays in the same moment, use `receivable offer`. It cannot be taken back.

    \b
    Examples:
      escrow receivable assign PO-2027-0114 departed --to 0x9A1c…
      escrow receivable assign PO-2027-0114 departed --to mybank --sign-only assigned.json
    """
    from milestone_escrow.cli.receivable import selling

    selling.assign(session, agreement, milestone, assignee, paper)


@receivable.command("list", short_help="Show the payouts that are yours, bought or offered.")
@click.option("--as", "signer_name", metavar="NAME", help="Only those of this key or role.")
@reads
def list_(session: Session) -> None:
    """Show the payouts that your keys will receive, and those that you have offered or bought,
    with what a factor would say of each.

    \b
    Examples:
      escrow receivable list
      escrow receivable list --as financier
    """
    from milestone_escrow.cli.receivable.assessing import list_receivables

    list_receivables(session)
