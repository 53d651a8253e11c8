"""`escrow oracle signatures`: what the oracle's keys have signed, moved to another machine."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.oracle.run import STORE
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.session import Session


@click.group(short_help="Move a key's signing history to another machine.")
def signatures() -> None:
    """What the oracle's keys have decided, so that they never contradict themselves elsewhere.

    A key signs on another machine only with its history. Stop the old machine first, for good:
    what it signs after the export is in no file.

    \b
    Examples:
      escrow oracle signatures export history.json
      escrow oracle signatures import history.json
    """


@signatures.command("export", short_help="Write the history of the keys to a file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--account", metavar="ACCOUNT", help="Only this key's.")
@STORE
@reads
def export(session: Session, file: Path, account: str | None, store: str | None) -> None:
    """Write to FILE what each key has decided, chained by hashes. It holds no secret.

    \b
    Examples:
      escrow oracle signatures export history.json
      escrow oracle signatures export history.json --store postgresql://escrow@db/escrow
    """
    from milestone_escrow.cli.oracle.histories import export_history

    export_history(session, file, account, store)


@signatures.command("import", short_help="Add the history in a file to what is known here.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@STORE
@reads
def import_(session: Session, file: Path, store: str | None) -> None:
    """Verify FILE and add what is in it: afterwards its keys may sign here, and never more freely
    than before. Importing it again changes nothing.

    \b
    Examples:
      escrow oracle signatures import history.json
      escrow oracle signatures import history.json --network sepolia
    """
    from milestone_escrow.cli.oracle.histories import import_history

    import_history(session, file, store)
