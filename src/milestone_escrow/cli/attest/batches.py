"""What batches of verdicts need, with an oracle and without: agreements, a key, a place to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.desk import Desk, desk_of
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.collected_batch import CollectedBatch
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.standing import person

if TYPE_CHECKING:
    from milestone_escrow.protocol.signatures import Signer


def desks_of(session: Session, agreements: Iterable[SignedAgreement]) -> dict[bytes, Desk]:
    """Each agreement at the one contract that all of them share."""
    desks: dict[bytes, Desk] = {}
    for signed in agreements:
        if signed.id not in desks:
            first = next(iter(desks.values()), None)
            shared = first is not None and first.bound.domain == signed.domain
            desk = Desk(signed, first.escrow, session) if first and shared else None
            desks[signed.id] = desk or desk_of(session, signed)
            desks[signed.id].require_open()
    return desks


def verifier_of(session: Session, collected: CollectedBatch, done: set[Address]) -> Signer:
    """Whose key signs it, preferably of somebody who has not.

    Raises:
        EscrowError: the key that was chosen does not verify all of it.
    """
    bound = collected.batch.items[0][0]
    signers = collected.batch.signers
    left = tuple(account for account in signers if account not in done) or signers
    signer = choose(session, bound, bound.domain.chain_id, left)
    if signer.address not in signers:
        names = " or ".join(person(bound, account) for account in signers)
        raise EscrowError(
            f"{person(bound, signer.address)} does not verify all of these milestones",
            hint=f"{names} can sign them together",
        )
    return signer


def finder(session: Session) -> Callable[[bytes], BoundAgreement]:
    """Looks up the agreements that are known here."""

    def find(agreement_id: bytes) -> BoundAgreement:
        signed = session.shelf.get(agreement_id)
        if signed is None:
            raise UsageError(
                f"the batch is about an agreement not known here (0x{agreement_id.hex()[:8]}…)",
                hint="look at its file once: `escrow status FILE.signed.json`",
            )
        return signed.bound

    return find


def substance(collected: CollectedBatch) -> list[tuple[object, ...]]:
    """What is said, apart from when."""
    return [
        (one.agreement_id, one.milestone, one.verdict, one.amount, one.evidence_hash)
        for one in collected.batch.attestations
    ]


def kept_path(session: Session, collected: CollectedBatch) -> Path:
    """Where a batch waits on this machine for others' signatures."""
    name = f"batch-{collected.typed_data.digest().hex()[:16]}.json"
    return session.home.attestations / name


def confirm_batch(session: Session, collected: CollectedBatch, question: str = "Sign it?") -> None:
    """Ask; once more where something is rejected."""
    session.confirm(question)
    rejects = sum(one.verdict is Verdict.REJECTED for one in collected.batch.attestations)
    if rejects:
        session.confirm(f"Reject {rejects} of them, really?")
