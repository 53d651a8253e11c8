"""`escrow audit`: bundles that a stranger checks without trusting anybody."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.saving import saves
from milestone_escrow.cli.shell.session import Session


@click.group(short_help="Export everything about an agreement, and verify it.")
def audit() -> None:
    """Export everything about an agreement into one file, and verify such a file.

    \b
    Examples:
      escrow audit export PO-48213
      escrow audit verify PO-48213.audit.zip
    """


@audit.command(short_help="Write an audit bundle.")
@click.argument("agreement")
@saves("Where to write, by default REFERENCE.audit.zip here")
@click.option(
    "--with-files",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Add the files of evidence and attachments that are found there; may be repeated.",
)
@reads
def export(session: Session, agreement: str, folders: tuple[Path, ...]) -> None:
    """Write an audit bundle: the agreement with its signatures, what its hashes stand for, the
    verdicts, and every transaction with its receipt and the proofs that they are in their blocks.

    The same agreement at the same block gives the same file. Files of evidence are private: they
    are added only where a folder is named.

    \b
    Examples:
      escrow audit export PO-48213
      escrow audit export PO-48213 --with-files evidence -o bundle.zip
    """
    from milestone_escrow.cli.books.auditing import write_bundle

    write_bundle(session, agreement, folders)


@audit.command(short_help="Check an audit bundle.")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reads
def verify(session: Session, bundle: Path) -> None:
    """Check an audit bundle claim by claim: hashes, ids, signatures, quorums, proofs, the rules,
    and that money in is money out and money held. It needs no network.

    With --network or --rpc it asks a node, too, whether the blocks are the chain's, nothing is
    left out, and the agreement stands where the bundle says. The exit status is 1 where a claim
    does not hold.

    \b
    Examples:
      escrow audit verify PO-48213.audit.zip
      escrow audit verify PO-48213.audit.zip --network sepolia
      escrow audit verify PO-48213.audit.zip --rpc http://127.0.0.1:8545 --json
    """
    from milestone_escrow.cli.books.auditing import check_bundle

    check_bundle(session, bundle)
