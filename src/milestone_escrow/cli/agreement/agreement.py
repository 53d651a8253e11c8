"""`escrow agreement`: write, check, show and sign agreements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.shell.options import on_paper, reads, signs, speaks
from milestone_escrow.cli.shell.saving import saves
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.documents.tables.conventions import DateOrder, DecimalSign


@click.group(short_help="Write, check, show and sign agreements.")
def agreement() -> None:
    """Write, check, show and sign agreements.

    \b
    Examples:
      escrow agreement new carpets -o deal.yaml
      escrow agreement check deal.yaml
    """


@agreement.command(short_help="Write a commented starting file with dates from today.")
@click.argument("example", default="carpets")
@saves("Where to write it, by default agreement.yaml here")
@click.option("--list", "list_them", is_flag=True, help="Show which examples there are.")
@click.option(
    "--milestones",
    "milestone_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Take the milestones from a spreadsheet, XLSX or CSV.",
)
@click.option("--sheet", metavar="NAME", default="", help="Which sheet of it.")
@click.option(
    "--column",
    "columns",
    metavar="MEANING=COLUMN",
    multiple=True,
    help="What a column means, by its heading or letter: amount=Betrag, title=B.",
)
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    help="What sets off decimals: with comma, 64.000 is sixty-four thousand.",
)
@click.option(
    "--dates",
    type=click.Choice(["day", "month"]),
    help="What stands first in dates such as 04/03/2027.",
)
@click.option("--rows", metavar="ROWS", default="", help="Only these rows, as in 2-7,9.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@speaks
def new(
    session: Session,
    example: str,
    list_them: bool,
    milestone_file: Path | None,
    sheet: str,
    columns: tuple[str, ...],
    decimal: DecimalSign | None,
    dates: DateOrder | None,
    rows: str,
) -> None:
    """Write a commented starting file with dates from today.

    EXAMPLE is one of the agreements that ship with the package, by default carpets. What the
    agreement attaches is written beside it. Nothing is overwritten without --force.

    With --milestones the milestones come from a spreadsheet: what was understood of every row is
    shown and confirmed, what the sheet leaves open is asked, and nothing is guessed.

    \b
    Examples:
      escrow agreement new
      escrow agreement new software -o booking-app.yaml
      escrow agreement new --milestones plan.xlsx --column amount=Betrag --decimal comma
      escrow agreement new --list
    """
    from milestone_escrow.cli.agreement.drafting import list_examples, write_example
    from milestone_escrow.cli.agreement.milestone_sheet import write_from_sheet
    from milestone_escrow.documents.tables.spreadsheet import Corrections, read_columns

    said = sheet or columns or decimal or dates or rows
    if list_them:
        list_examples(session)
    elif milestone_file:
        corrections = Corrections(sheet, read_columns(columns), decimal, dates, rows)
        write_from_sheet(session, example, milestone_file, corrections)
    elif said:
        raise UsageError("there is no spreadsheet to correct", hint="add --milestones FILE")
    else:
        write_example(session, example)


@agreement.command(short_help="Say what a careful lawyer and engineer would, before you sign.")
@click.argument("file")
@speaks
def check(session: Session, file: str) -> None:
    """Say what a careful lawyer and a careful engineer would, before anyone signs.

    Who alone can cause a payment or a refund, what follows from each decision and from silence,
    played by the contract's own rules, when the last of the money has left, and what is unclear.
    Ends with status 1 if something must be corrected.

    \b
    Examples:
      escrow agreement check agreement.yaml
      escrow agreement check agreement.yaml --json
    """
    from milestone_escrow.cli.agreement.drafting import check_file

    check_file(session, file)


@agreement.command(short_help="Print an agreement for people, or as JSON.")
@click.argument("agreement")
@click.option("--yaml", "as_file", is_flag=True, help="As a file to change, for a change order.")
@click.option("--pdf", is_flag=True, help="As a contract on paper, with the signatures there are.")
@saves("Where --pdf or --yaml is written; a PDF by default to REFERENCE.pdf here")
@on_paper
@reads
def show(
    session: Session, agreement: str, as_file: bool, pdf: bool, fonts: tuple[Path, ...]
) -> None:
    """Print an agreement for people, or with --json as the contract and programs see it.

    \b
    Examples:
      escrow agreement show agreement.yaml
      escrow agreement show agreement.yaml --pdf -o contract.pdf
      escrow agreement show PO-2027-0114 --json
      escrow agreement show PO-2027-0114 --yaml -o changed.yaml
    """
    from milestone_escrow.cli.agreement import drafting

    if (pdf and as_file) or (session.output and not (pdf or as_file)):
        raise UsageError(
            "what is written is a PDF or a YAML file", hint="choose one of --pdf and --yaml"
        )
    if pdf:
        drafting.print_agreement(session, agreement, fonts)
    elif as_file:
        drafting.show_file(session, agreement)
    else:
        drafting.show_agreement(session, agreement)


@agreement.command("list", short_help="List what this machine knows, with the money in each.")
@reads
def list_(session: Session) -> None:
    """List every agreement that this machine knows with what was paid in, paid out and is held,
    and the totals of each token on each network.

    \b
    Examples:
      escrow agreement list
      escrow agreement list --json
    """
    from milestone_escrow.cli.agreement.totals import list_agreements

    list_agreements(session)


@agreement.command(short_help="Sign as a party, or confirm a role as verifier or arbiter.")
@click.argument("agreement")
@saves("Where the signatures go, by default beside the file")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@signs
def sign(session: Session, agreement: str) -> None:
    """Sign as buyer or supplier, or confirm your account as a verifier or the arbiter.

    The signature is added to NAME.signed.json beside the agreement, which you send to the other
    side; nothing is sent to a chain. Signing needs no node.

    \b
    Examples:
      escrow agreement sign agreement.yaml --as buyer
      escrow agreement sign agreement.signed.json --as supplier
      escrow agreement sign agreement.signed.json --as inspector
    """
    from milestone_escrow.cli.agreement.signing import sign_agreement

    sign_agreement(session, agreement)
