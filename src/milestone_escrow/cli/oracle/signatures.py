"""`escrow oracle signatures`: what the oracle's keys have signed, moved to another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.oracle.run import STORE
from milestone_escrow.cli.oracle.store_home import connect, existing_store, open_store
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.output import bad, good, paragraph
from milestone_escrow.cli.shell.saving import save, saves, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.terms import numbered

if TYPE_CHECKING:
    from milestone_escrow.oracle.store.store import Store


@click.group(short_help="Move a key's signing history to another machine.")
def signatures() -> None:
    """What the oracle's keys have decided, so that they never contradict themselves elsewhere.

    A key signs on another machine only with its history. Stop the old machine first, for good:
    what it signs after the export is in no file.

    \b
    Examples:
      escrow oracle signatures export -o history.json
      escrow oracle signatures import history.json
    """


@signatures.command("export", short_help="Write the history of the keys to a file.")
@saves("Where to write, by default signatures.json here")
@click.option("--account", metavar="ACCOUNT", help="Only this key's.")
@STORE
@reads
def export(session: Session, account: str | None, store: str | None) -> None:
    """Write what each key has decided, chained by hashes. It holds no secret.

    \b
    Examples:
      escrow oracle signatures export -o history.json
      escrow oracle signatures export -o history.json --store postgresql://escrow@db/escrow
    """
    export_history(session, account, store)


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
    import_history(session, file, store)


MAX_FILE = 512 * 1024 * 1024


def export_history(session: Session, account: str | None, where: str | None) -> None:
    """Write the histories of the store's keys."""
    from milestone_escrow.documents.values import read_account
    from milestone_escrow.oracle.signing import interchange

    file = target(session, "signatures.json")
    store = existing_store(session, where)
    try:
        domain = store.domain
        with store.reading() as connection:
            found = interchange.export(connection, domain, read_account(account) if account else "")
    finally:
        store.close()
    histories = interchange.read(found, domain)
    save(session, file, (json.dumps(found, indent=2) + "\n").encode())
    count = sum(len(one.decided) for one in histories)
    for one in histories:
        session.say(f"{one.signer}  {len(one.decided)} decisions")
    session.say(f"{good('Written')} to {file}.")
    session.say(paragraph("Stop this machine's oracle before another one signs with the same key."))
    session.emit(
        {"file": str(file), "signers": [one.signer for one in histories], "decisions": count}
    )


def import_history(session: Session, file: Path, where: str | None) -> None:
    """Add a file's histories to the store, which is made where it is not there yet."""
    from milestone_escrow.documents.files.hostile import parse_json
    from milestone_escrow.oracle.signing import interchange

    try:
        body = parse_json(file.read_bytes(), limit=MAX_FILE)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a signing history ({error})") from None
    store = _store(session, where)
    try:
        histories = interchange.read(body, store.domain)
        with store.transaction() as connection:
            done = interchange.import_(connection, histories, session.now())
    finally:
        store.close()
    session.say(f"{good('Imported')}: {done.added} decisions are new, {done.known} were known.")
    for one in done.conflicts:
        what = one.attestation
        session.say(
            paragraph(
                f"{bad('contradiction')}: two different verdicts of {what.issued_at} on "
                f"{numbered(what.milestone)} of 0x{what.agreement_id.hex()[:12]}… were signed "
                "with one key"
            )
        )
    session.emit(
        {
            "signers": list(done.signers),
            "added": done.added,
            "known": done.known,
            "conflicts": ["0x" + one.digest.hex() for one in done.conflicts],
        }
    )
    if done.conflicts:
        raise EscrowError(
            "a key of this history has contradicted itself: it was used on two machines",
            hint="stop using it, and name another verifier by a change order",
        )


def _store(session: Session, where: str | None) -> Store:
    try:
        return existing_store(session, where)
    except EscrowError:
        return open_store(session, connect(session), where)
