"""What `escrow audit` does: collect a bundle, and print what one proves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from milestone_escrow.cli.shell.desk import look
from milestone_escrow.cli.shell.output import (
    bad,
    bold,
    command,
    dim,
    good,
    paragraph,
    waiting,
)
from milestone_escrow.cli.shell.records import recall_words
from milestone_escrow.cli.shell.saving import save, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import EscrowError
from milestone_escrow.papers.audit.archive import MAX_BUNDLE
from milestone_escrow.papers.audit.claims import Claim, failed, verify
from milestone_escrow.papers.audit.fetching import export
from milestone_escrow.papers.audit.online import verify_on_chain


def write_bundle(session: Session, name: str, folders: Sequence[Path]) -> None:
    desk = look(session, name)
    desk.require_open()
    reference = desk.bound.agreement.reference
    file = target(session, re.sub(r"[^\w.-]+", "-", reference) + ".audit.zip")
    versions = [*(before.signed for before in desk.earlier), desk.signed]
    home = session.home
    data = export(desk.escrow, versions, lambda digest: recall_words(home, digest), folders)
    save(session, file, data)
    digest = sha256(data).hexdigest()
    session.say(f"{good('Written')} {file}")
    session.say(f"{len(data):,} bytes, SHA-256 {digest}")
    session.say(f"Anybody checks it with {command(f'escrow audit verify {file}')}")
    session.emit(
        {
            "agreement": "0x" + desk.bound.id.hex(),
            "reference": reference,
            "file": str(file),
            "size": len(data),
            "sha256": digest,
        }
    )


def check_bundle(session: Session, file: Path) -> None:
    """Print the claims; the exit status is 1 where one does not hold."""
    data = _read(file)
    contents, claims = verify(data, file=str(file))
    online = bool(session.network or session.rpc)
    if contents and online:
        reader = session.connect(contents.agreement)
        claims = (*claims, *verify_on_chain(contents, reader))
    session.say(f"{bold(str(file))}  {dim('SHA-256 ' + sha256(data).hexdigest())}")
    for signed in contents.agreements if contents else ():
        session.say_departures(signed)
    for claim in claims:
        session.say(f"{_mark(claim)} {claim.title}")
        session.say(paragraph(claim.why, "    "))
    holds = not failed(claims)
    if not holds:
        count = sum(claim.holds is False for claim in claims)
        session.say(bad(f"{count} of {len(claims)} claims do not hold: do not rely on it."))
        session.exit_status = 1
    elif online:
        session.say(good("Everything that was claimed holds, here and on the chain."))
    else:
        session.say(good("Everything that was claimed holds."))
        session.say(
            paragraph(
                "Whether these blocks are those of the chain can only the chain say: compare the "
                "hash of the last one, or add --network or --rpc."
            )
        )
    session.emit(
        {
            "file": str(file),
            "sha256": sha256(data).hexdigest(),
            "holds": holds,
            "online": online and contents is not None,
            "claims": [
                {"claim": claim.title, "holds": claim.holds, "why": claim.why} for claim in claims
            ],
        }
    )


def _mark(claim: Claim) -> str:
    return {True: good("✓"), False: bad("✗"), None: waiting("·")}[claim.holds]


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BUNDLE + 1)
    except OSError as error:
        raise EscrowError(
            f"{file} cannot be read ({error.strerror})", hint="check the path"
        ) from error
