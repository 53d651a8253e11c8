"""`escrow evidence`: files for milestones, kept by the oracle."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.shell.options import reads, signs
from milestone_escrow.cli.shell.session import Session

WHERE = click.option(
    "--evidence", "where", metavar="WHERE", help="The folder or fsspec address of the files."
)


@click.group(short_help="Hand in evidence for a milestone, and get it.")
def evidence() -> None:
    """Evidence for milestones: handed in, listed, got back. It works on the oracle's own store; on
    another machine use the oracle's page or its API.

    A file's kind is its name without number and ending: photos-03.jpeg is one of the photos. Only
    the agreement's own people hand in and get files.

    \b
    Examples:
      escrow evidence add PO-2027-0114 manufactured photos-01.png photos-02.png --as supplier
      escrow evidence list PO-2027-0114 manufactured
    """


@evidence.command(short_help="Hand in files for a milestone.")
@click.argument("agreement")
@click.argument("milestone")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@click.option("--kind", metavar="KIND", help="What it is, where its name does not say so.")
@click.option("--hash-only", is_flag=True, help="Give only name, size and SHA-256; keep the file.")
@STORE
@WHERE
@CONFIG
@signs
def add(
    session: Session,
    agreement: str,
    milestone: str,
    files: tuple[Path, ...],
    kind: str | None,
    hash_only: bool,
    store: str | None,
    where: str | None,
    config: Path | None,
) -> None:
    """Hand in files for a milestone. Who does it is who supplied them: requirements say from whom
    a document must come.

    Handing in the same file again changes nothing. With --hash-only the file stays in the house:
    whoever signs for it has to see it another way, and compares its SHA-256.

    \b
    Examples:
      escrow evidence add PO-2027-0114 manufactured photos-01.png photos-02.png --as supplier
      escrow evidence add PO-2027-0114 departed scan.pdf --kind bill_of_lading --as forwarder
      escrow evidence add PO-2027-0114 departed invoice.pdf --hash-only --as supplier
    """
    from milestone_escrow.cli.evidence.evidencing import Cabinet, add_files

    add_files(Cabinet(session, agreement, milestone, store, where, config), files, kind, hash_only)


@evidence.command("list", short_help="Show what was handed in for a milestone.")
@click.argument("agreement")
@click.argument("milestone")
@STORE
@reads
def list_(session: Session, agreement: str, milestone: str, store: str | None) -> None:
    """Show what was handed in for a milestone, by whom and when, and the hash that an attestation
    on all of it commits to.

    \b
    Examples:
      escrow evidence list PO-2027-0114 manufactured
      escrow evidence list PO-2027-0114 manufactured --json
    """
    from milestone_escrow.cli.evidence.evidencing import Cabinet, list_files

    list_files(Cabinet(session, agreement, milestone, store))


@evidence.command(short_help="Get files of a milestone, verified.")
@click.argument("agreement")
@click.argument("milestone")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where to write them; by default here.",
)
@STORE
@WHERE
@CONFIG
@signs
def get(
    session: Session,
    agreement: str,
    milestone: str,
    names: tuple[str, ...],
    folder: Path,
    store: str | None,
    where: str | None,
    config: Path | None,
) -> None:
    """Get files of a milestone, all of them unless some are named. Each is compared with its
    SHA-256 before it is written; nothing that is there already is overwritten.

    \b
    Examples:
      escrow evidence get PO-2027-0114 manufactured --to looked-at --as inspector
      escrow evidence get PO-2027-0114 departed bill_of_lading.pdf --as bank
    """
    from milestone_escrow.cli.evidence.evidencing import Cabinet, get_files

    get_files(Cabinet(session, agreement, milestone, store, where, config), names, folder)


@evidence.command(short_help="Take back a file that nobody has signed for.")
@click.argument("agreement")
@click.argument("milestone")
@click.argument("name")
@STORE
@signs
def remove(session: Session, agreement: str, milestone: str, name: str, store: str | None) -> None:
    """Take back a file that you handed in, as long as nobody has signed for the milestone since.

    \b
    Examples:
      escrow evidence remove PO-2027-0114 packed packing_list.csv --as supplier
    """
    from milestone_escrow.cli.evidence.evidencing import Cabinet, remove_file

    remove_file(Cabinet(session, agreement, milestone, store), name)
