"""`escrow evidence`: files for milestones, kept by the oracle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.oracle.store_home import existing_store, load_settings
from milestone_escrow.cli.oracle.views import known_view
from milestone_escrow.cli.shell.options import reads, signs
from milestone_escrow.cli.shell.output import bold, command, dim, good, paragraph, table, waiting
from milestone_escrow.cli.shell.saving import FORCE, require_free
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.documents.when import format_time
from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.oracle.evidence.blobs import Blobs
    from milestone_escrow.oracle.evidence.entries import EvidenceEntry
    from milestone_escrow.oracle.evidence.handing_in import IntakeRules
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.oracle.viewing import AgreementView, MilestoneView
    from milestone_escrow.protocol.eip712 import Address


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
    list_files(Cabinet(session, agreement, milestone, store))


@evidence.command(short_help="Get files of a milestone, verified.")
@click.argument("agreement")
@click.argument("milestone")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where to write them, by default here.",
)
@FORCE
@STORE
@WHERE
@CONFIG
@signs
def get(
    session: Session,
    agreement: str,
    milestone: str,
    names: tuple[str, ...],
    store: str | None,
    where: str | None,
    config: Path | None,
) -> None:
    """Get files of a milestone, all of them unless some are named. Each is compared with its
    SHA-256 before it is written; nothing that is there already is overwritten
    without --force.

    \b
    Examples:
      escrow evidence get PO-2027-0114 manufactured -o looked-at --as inspector
      escrow evidence get PO-2027-0114 departed bill_of_lading.pdf --as bank
    """
    get_files(Cabinet(session, agreement, milestone, store, where, config), names)


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
    remove_file(Cabinet(session, agreement, milestone, store), name)


CHUNK = 1 << 20


@dataclass(frozen=True)
class Cabinet:
    """Where the evidence for one milestone is, as a command line names it."""

    session: Session
    name: str
    key: str
    where_store: str | None
    where: str | None = None
    config: Path | None = None

    @contextmanager
    def open(self) -> Iterator[tuple[Store, AgreementView, MilestoneView]]:
        """The store with the milestone.

        Raises:
            UsageError: it is not known there.
        """
        store = existing_store(self.session, self.where_store)
        try:
            view = known_view(self.session, store, self.name)
            yield store, view, view.find(self.key)
        finally:
            store.close()

    @property
    def blobs(self) -> Blobs:
        from milestone_escrow.oracle.evidence.blobs import open_blobs

        settings = load_settings(self.session, self.config)
        usual = self.session.home.root / "oracle" / "evidence"
        return open_blobs(self.where or settings.evidence.where or usual)

    @property
    def rules(self) -> IntakeRules:
        from milestone_escrow.oracle.evidence.handing_in import IntakeRules

        settings = load_settings(self.session, self.config).evidence
        return IntakeRules(settings.max_size, frozenset(settings.types))

    def account(self, view: AgreementView) -> Address:
        """Whoever acts: the key of --as, or the only one at hand with a role here.

        Raises:
            UsageError: no key, or several.
        """
        assert view.signed is not None
        bound = view.signed.bound
        people = sorted(view.people)
        return choose(self.session, bound, view.signed.domain.chain_id, people).address


def add_files(cabinet: Cabinet, files: Sequence[Path], kind: str | None, hash_only: bool) -> None:
    """Look at each file, keep it, list it."""
    from milestone_escrow.oracle.evidence import handing_in

    session = cabinet.session
    with cabinet.open() as (store, view, stage):
        account, now = cabinet.account(view), session.now()
        blobs, rules = cabinet.blobs, cabinet.rules
        entries: list[EvidenceEntry] = []
        for path in files:
            if hash_only:
                offered = handing_in.hashed(path.name, *_fingerprint(path), kind=kind or "")
                with store.transaction() as connection:
                    entry = handing_in.record(connection, view, stage.index, offered, account, now)
            else:
                with _opened(path) as stream:
                    entry = handing_in.add(
                        store, blobs, rules, view, stage.index, path.name, _pieces(stream),
                        account, now, kind=kind or "",
                    )  # fmt: skip
            entries.append(entry)
            _say_added(session, path, entry)
        for text in _unasked(stage, entries):
            session.say(paragraph(text))
        line = f"escrow oracle explain {view.name} {stage.key}"
        session.say(f"\nWhat is still missing\n  {command(line)}")
        session.emit({"milestone": stage.key, "evidence": [entry.to_json() for entry in entries]})


def list_files(cabinet: Cabinet) -> None:
    """All that is listed, in the order in which it came, and the manifest's hash."""
    from milestone_escrow.oracle.evidence.entries import listing
    from milestone_escrow.oracle.evidence.manifests import manifest_files, manifest_hash

    session = cabinet.session
    with cabinet.open() as (store, view, stage), store.reading() as connection:
        entries = listing(connection, view.id, stage.index)
        assert view.agreement is not None
        zone = view.agreement.timezone
        digest = manifest_hash(manifest_files(entries)).hex()
    session.say(f"{bold(view.name)} {stage.key}  {stage.title}")
    if not entries:
        session.say("Nothing was handed in yet.")
    else:
        rows = [
            (e.name, e.kind, _size(e.size), e.role, format_time(e.added_at, zone), _place(e))
            for e in entries
        ]
        session.say(
            table(rows, ("file", "kind", "size", "from", "handed in", "SHA-256"), right=[2])
        )
        session.say(f"\nAn attestation on all of it commits to {digest}")
    session.emit(
        {
            "agreement": "0x" + view.id.hex(),
            "milestone": stage.key,
            "evidence_hash": "0x" + digest,
            "evidence": [entry.to_json() for entry in entries],
        }
    )


def get_files(cabinet: Cabinet, names: Sequence[str]) -> None:
    """Write files, verified, where no others are."""
    from milestone_escrow.oracle.evidence.entries import listing, may_read, read

    session = cabinet.session
    with cabinet.open() as (store, view, stage):
        account = cabinet.account(view)
        if not may_read(view, account):
            raise UsageError(
                f"{account} has no role in {view.name}", hint="evidence is for its own people"
            )
        with store.reading() as connection:
            entries = listing(connection, view.id, stage.index)
        chosen = _chosen(entries, names, stage.key)
        written: list[str] = []
        for entry in chosen:
            if not entry.stored and not names:
                session.say(f"{waiting('left out')}  {entry.name}: only its hash is here")
                continue
            with read(cabinet.blobs, entry) as stream:
                path = _write(session, entry.name, stream)
            session.say(f"{good('verified')}  {path}")
            written.append(str(path))
        session.emit({"milestone": stage.key, "files": written})


def remove_file(cabinet: Cabinet, name: str) -> None:
    """Take a file off the list."""
    from milestone_escrow.oracle.evidence.handing_in import remove

    session = cabinet.session
    with cabinet.open() as (store, view, stage):
        account = cabinet.account(view)
        with store.transaction() as connection:
            entry = remove(connection, view, stage.index, name, account, session.now())
    session.say(f"{good('Taken back')}: {entry.name}")
    session.emit({"milestone": stage.key, "removed": entry.to_json()})


def _say_added(session: Session, path: Path, entry: EvidenceEntry) -> None:
    listed = "" if entry.name == path.name else f", listed as {entry.name}"
    kept = "" if entry.stored else "; the file itself stays with you"
    session.say(
        f"{good('handed in')}  {path.name}{listed}: {entry.kind.replace('_', ' ')} from "
        f"{entry.role}, SHA-256 {entry.sha256.hex()[:12]}…{kept}"
    )


def _unasked(stage: MilestoneView, entries: Sequence[EvidenceEntry]) -> Iterator[str]:
    """Where a file is of a kind that nothing asks for: most often a misnamed one."""
    from milestone_escrow.documents.requirements.kinds import DocumentRequired, leaves

    if stage.planned is None:
        return
    asked = {
        leaf.kind
        for leaf in leaves(stage.planned.requirements)
        if isinstance(leaf, DocumentRequired)
    }
    for kind in dict.fromkeys(entry.kind for entry in entries):
        if kind not in asked and asked:
            known = ", ".join(sorted(asked))
            yield (
                f"{waiting('Note')}: '{stage.key}' asks for no {kind}; it asks for {known}. Say "
                "what a file is with --kind."
            )


def _chosen(
    entries: Sequence[EvidenceEntry], names: Sequence[str], key: str
) -> Sequence[EvidenceEntry]:
    known = {entry.name: entry for entry in entries}
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no evidence '{name}' for '{key}'",
                hint=f"there are {', '.join(known) or 'no files'}",
            )
    if not entries:
        raise EscrowError(f"nothing was handed in for '{key}' yet")
    return [known[name] for name in names] or entries


def _write(session: Session, name: str, stream: IO[bytes]) -> Path:
    """A file that was not there before; its name was checked when it was handed in."""
    folder = session.output or Path()
    path = folder / name
    require_free(session, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EscrowError(
            f"{folder} cannot be created ({error.strerror})", hint="name a folder with -o"
        ) from error
    write_private(path, _pieces(stream), fresh=not session.force)
    return path


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from error
    with stream:
        yield stream


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(CHUNK):
        yield piece


def _fingerprint(path: Path) -> tuple[str, int]:
    """A file's SHA-256 in hex, and its size."""
    digest, size = hashlib.sha256(), 0
    with _opened(path) as stream:
        for piece in _pieces(stream):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _size(size: int) -> str:
    if size < 1_000:
        return f"{size} B"
    return f"{size / 1_000:,.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


def _place(entry: EvidenceEntry) -> str:
    digest = f"{entry.sha256.hex()[:12]}…"
    return digest if entry.stored else f"{digest} {dim('(hash only)')}"
