"""Files that somebody signed: which agreement of the shelf they are about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.documents.files.envelope import Envelope
from milestone_escrow.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.files.signed_agreement import SignedAgreement

KIND = "a file that somebody signed"


def fields_of(file: Path) -> set[str]:
    """The names of a file's fields, which tell what it is.

    Raises:
        DocumentError: it cannot be read, or is no such file.
    """
    return set(Envelope.look(file, KIND).fields)


def is_change(file: Path) -> bool:
    """Whether a file holds a change order."""
    try:
        return {"old", "new", "closes"} <= fields_of(file)
    except DocumentError:
        return False


def not_sendable(file: Path) -> UsageError:
    return Envelope.look(file, KIND).damaged("nothing in it can be sent")


def agreement_of(session: Session, file: Path) -> SignedAgreement:
    """The agreement that a file says it is about, out of the shelf.

    Raises:
        UsageError: this machine does not know it.
    """
    envelope = Envelope.look(file, KIND)
    if "agreement" not in envelope.fields:
        raise envelope.damaged("it names no agreement")
    agreement_id = envelope.agreement_id()
    signed = session.shelf.get(agreement_id)
    if signed is None:
        raise UsageError(
            f"{file} is about an agreement not known here (0x{agreement_id.hex()[:8]}…)",
            hint="look at its file once: `escrow status FILE.signed.json`",
        )
    return signed
