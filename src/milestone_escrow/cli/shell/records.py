"""What people wrote behind the hashes on chain, and signatures that wait, in the state folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.home import Home, write
from milestone_escrow.errors import EscrowError

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.documents.files.collected import CollectedAttestation


def remember_words(home: Home, digest: bytes, words: Mapping[str, object]) -> None:
    """Keep what a hash commits to, so that `escrow history` can show it."""
    text = json.dumps(dict(words), indent=2, ensure_ascii=False) + "\n"
    write(home.words / f"{digest.hex()}.json", text)


def recall_words(home: Home, digest: bytes) -> dict[str, object]:
    """The words behind a hash; empty where only others know them."""
    try:
        found = json.loads((home.words / f"{digest.hex()}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def keep(home: Home, collected: CollectedAttestation) -> Path:
    """Keep signatures that wait for others; returns the file."""
    path = _path(home, collected)
    write(path, collected.dumps())
    return path


def forget(home: Home, collected: CollectedAttestation) -> None:
    """Drop signatures that have done their work, or never will."""
    _path(home, collected).unlink(missing_ok=True)


def kept(session: Session, bound: BoundAgreement, key: str) -> list[CollectedAttestation]:
    """The attestations of a milestone that are kept here, the newest first."""
    from milestone_escrow.documents.files.collected import load_attestation

    found = []
    for path in sorted(session.home.attestations.glob(f"0x{bound.id.hex()}-{key}-*.json")):
        try:
            found.append(load_attestation(path, bound, session.wallets))
        except EscrowError:
            # A damaged file must not stop anybody from signing anew.
            continue
    return sorted(found, key=lambda collected: -collected.attestation.issued_at)


def _path(home: Home, collected: CollectedAttestation) -> Path:
    name = f"0x{collected.bound.id.hex()}-{collected.planned.key}"
    return home.attestations / f"{name}-{collected.typed_data.digest().hex()[:8]}.json"
