"""What an oracle has on a milestone, shown: requirements as a tree, evidence with its proof."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.output import bad, good, paragraph, table, waiting
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.when import format_time
from milestone_escrow.protocol.eip712 import ZERO_HASH
from milestone_escrow.words.standing import Standing, person

if TYPE_CHECKING:
    from milestone_escrow.oracle.answers import EvidenceAnswer, MilestoneEvidence, RequirementAnswer
    from milestone_escrow.oracle.api_client import OracleClient

_SHOWN = {"met": good, "missing": waiting, "failed": bad}


def show_requirements(session: Session, found: RequirementAnswer | None) -> None:
    """What must be shown, and what it comes to."""
    if found is None:
        return
    # The whole of one requirement says nothing that this one does not.
    found = found.items[0] if len(found.items) == 1 else found
    for depth, one in found.lines():
        mark = _SHOWN[one.state](one.state.ljust(7))
        session.say(f"  {mark}  {'  ' * depth}{one.text}")


def show_evidence(
    session: Session,
    desk: Desk,
    standing: Standing,
    client: OracleClient,
    listed: MilestoneEvidence,
    folder: Path,
) -> list[dict[str, object]]:
    """All files, and the whole compared with what the payee has submitted on chain.

    Raises:
        OracleStrangeError: a file is not what the manifest says.
    """
    if not listed.items:
        session.say("  no evidence was handed in")
        return []
    facts = show_files(session, desk, client, listed.items, folder)
    session.say(paragraph(_against_chain(desk, standing, listed.hash), "  "))
    return facts


def show_files(
    session: Session,
    desk: Desk,
    client: OracleClient,
    items: Sequence[EvidenceAnswer],
    folder: Path,
) -> list[dict[str, object]]:
    """Each file with who handed it in; what is there is fetched and compared with its hash.

    Raises:
        OracleStrangeError: a file is not what the manifest says.
    """
    zone = desk.bound.agreement.timezone
    rows: list[tuple[str, ...]] = []
    facts: list[dict[str, object]] = []
    for item in items:
        path = _fetch(session, client, item, folder)
        what = good("verified") if path else waiting("only its hash" if not item.stored else "")
        who = person(desk.bound, item.supplied_by)
        digest = f"{item.file.sha256[:12]}…"
        rows.append((f"  {item.file.name}", who, format_time(item.added_at, zone), digest, what))
        file = str(path) if path else None
        facts.append({**item.file.data(), "supplied_by": item.supplied_by, "file": file})
    session.say(table(rows))
    if any(fact["file"] for fact in facts):
        session.say(f"  the files are in {folder}")
    return facts


def evidence_folder(session: Session, standing: Standing) -> Path:
    """Where the evidence for a milestone is written on this machine."""
    return session.home.root / "evidence" / f"0x{standing.bound.id.hex()[:16]}" / standing.key


def submitted_hash(events: Sequence[object], index: int) -> bytes:
    """The evidence that the payee last submitted on chain; zero where there is none."""
    from milestone_escrow.chain.contract.events import MilestoneSubmitted

    found = [e for e in events if isinstance(e, MilestoneSubmitted) and e.milestone == index]
    return found[-1].evidence_hash if found else ZERO_HASH


def _fetch(
    session: Session, client: OracleClient, item: EvidenceAnswer, folder: Path
) -> Path | None:
    return None if session.dry_run or not item.stored else client.download(item, folder)


def _against_chain(desk: Desk, standing: Standing, digest: bytes) -> str:
    mark = f"manifest {digest.hex()[:12]}…"
    submitted = submitted_hash(desk.escrow.events(desk.bound), standing.planned.index)
    who = person(desk.bound, standing.payee)
    if submitted == ZERO_HASH:
        return f"{mark}; {who} has submitted no evidence on chain to compare it with"
    if submitted == digest:
        return f"{mark}, {good('the same')} that {who} has submitted on chain"
    return (
        f"{mark} is {bad('another')} than {who} has submitted on chain ({submitted.hex()[:12]}…): "
        "files were added or taken away since"
    )
