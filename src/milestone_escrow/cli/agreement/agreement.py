"""`escrow agreement`: write, check, show and sign agreements."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import on_paper, reads, signs, speaks
from milestone_escrow.cli.shell.session import Session


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
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to write it."
)
@click.option("--list", "list_them", is_flag=True, help="Show which examples there are.")
@speaks
def new(session: Session, example: str, output: Path | None, list_them: bool) -> None:
    """Write a commented starting file with dates from today.

    EXAMPLE is one of the agreements that ship with the package, by default carpets. What the
    agreement attaches is written beside it. Nothing is ever overwritten.

    \b
    Examples:
      escrow agreement new
      escrow agreement new software -o booking-app.yaml
      escrow agreement new --list
    """
    from milestone_escrow.cli.agreement.drafting import list_examples, write_example

    if list_them:
        list_examples(session)
    else:
        write_example(session, example, output or Path("agreement.yaml"))


@agreement.command(short_help="Say what a careful lawyer and engineer would, before you sign.")
@click.argument("file")
@speaks
def check(session: Session, file: str) -> None:
    """Say what a careful lawyer and a careful engineer would, before anyone signs.

    Who alone can cause a payment or a refund, what happens when somebody goes silent, and what
    is unclear. Ends with status 1 if something must be corrected.

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
@click.option(
    "--pdf",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="As a contract on paper, with the signatures there are.",
)
@on_paper
@reads
def show(
    session: Session, agreement: str, as_file: bool, pdf: Path | None, fonts: tuple[Path, ...]
) -> None:
    """Print an agreement for people, or with --json as the contract and programs see it.

    \b
    Examples:
      escrow agreement show agreement.yaml
      escrow agreement show agreement.yaml --pdf contract.pdf
      escrow agreement show PO-2027-0114 --json
      escrow agreement show PO-2027-0114 --yaml > changed.yaml
    """
    from milestone_escrow.cli.agreement import drafting

    if pdf:
        drafting.print_agreement(session, agreement, pdf, fonts)
    elif as_file:
        drafting.show_file(session, agreement)
    else:
        drafting.show_agreement(session, agreement)


@agreement.command(short_help="Sign as a party, or confirm a role as verifier or arbiter.")
@click.argument("agreement")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the signatures go; beside the file otherwise.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@signs
def sign(session: Session, agreement: str, output: Path | None) -> None:
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

    sign_agreement(session, agreement, output)
