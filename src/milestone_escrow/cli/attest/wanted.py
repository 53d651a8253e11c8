"""A verdict as it was asked for, and the attestation that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from milestone_escrow.cli.attest.verdicts import (
    count_words,
    verdict_words,
)
from milestone_escrow.cli.shell.desk import (
    Desk,
)
from milestone_escrow.cli.shell.records import forget, kept
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.shares import share
from milestone_escrow.documents.files.collected import (
    CollectedAttestation,
    words_hash,
    words_of,
)
from milestone_escrow.documents.manifest import Manifest, manifest
from milestone_escrow.documents.when import parse_duration
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.words.standing import Standing, person

VALID_FOR = "30 days"


@dataclass(frozen=True, slots=True)
class WantedVerdict:
    """A verdict as it was asked for on the command line."""

    verdict: Verdict
    part: str | None
    reason: str
    evidence: Sequence[str]
    valid_for: str


def ask_for(standing: Standing, evidence: Sequence[str], valid_for: str) -> WantedVerdict:
    """The verdict of somebody who has seen the evidence."""
    words = {"accept": Verdict.ACCEPTED, "return": Verdict.RETURNED, "reject": Verdict.REJECTED}
    question = f"Your verdict on '{standing.key}'"
    answer = click.prompt(question, type=click.Choice(list(words)), err=True)
    verdict = words[str(answer)]
    reason = ""
    while verdict is not Verdict.ACCEPTED and not reason.strip():
        reason = str(click.prompt("What is wrong, in a sentence", err=True))
    return WantedVerdict(verdict, None, reason, evidence, valid_for)


def continue_or_start(
    session: Session, standing: Standing, wish: WantedVerdict, now: int
) -> CollectedAttestation:
    """The attestation that waits here for this verdict, or a new one."""
    fresh = start(standing, wish, now)
    for waiting in kept(session, standing.bound, standing.key):
        attestation = waiting.attestation
        usable = standing.state.issued_at < attestation.issued_at and now <= attestation.valid_until
        if not usable:
            forget(session.home, waiting)
            continue
        if (attestation.verdict, attestation.amount) == (wish.verdict, fresh.attestation.amount):
            return same(waiting, fresh, wish, "the signature that waits here")
    return fresh


def start(
    standing: Standing, wish: WantedVerdict, now: int, seen: Manifest | None = None
) -> CollectedAttestation:
    """A new attestation, on the evidence that was named or else on what was `seen`."""
    files = manifest(wish.evidence) if wish.evidence else seen
    words = words_of(files, wish.reason)
    accepted = wish.verdict is Verdict.ACCEPTED
    attestation = Attestation(
        agreement_id=standing.bound.id,
        milestone=standing.planned.index,
        verdict=wish.verdict,
        amount=share(standing, wish.part, standing.milestone.amount) if accepted else 0,
        evidence_hash=words_hash(words),
        issued_at=now,
        valid_until=now + parse_duration(wish.valid_for),
    )
    return CollectedAttestation(standing.bound, attestation, words, {})


def same(
    waiting: CollectedAttestation, fresh: CollectedAttestation, wish: WantedVerdict, where: str
) -> CollectedAttestation:
    """The waiting attestation, if it says what the second verifier wants to say, too.

    Evidence that the second one names must be the same; without any, theirs is shown and signed.
    """
    old, new = waiting.attestation, fresh.attestation
    if (old.verdict, old.milestone, old.amount) != (new.verdict, new.milestone, new.amount):
        raise EscrowError(
            f"{where} says otherwise: {verdict_words(waiting)}",
            hint="agree on one verdict, or write to another file",
        )
    if (wish.evidence or wish.reason) and old.evidence_hash != new.evidence_hash:
        raise EscrowError(
            f"{where} is about other evidence or another reason: {verdict_words(waiting)}",
            hint="give the same reason and files; without --evidence you sign theirs",
        )
    return waiting


def have_signed(session: Session, standing: Standing, wish: WantedVerdict) -> tuple[str, ...]:
    """Who needs not be asked for another signature of the same verdict."""
    now = standing.now
    return tuple(
        account
        for waiting in kept(session, standing.bound, standing.key)
        if waiting.attestation.verdict is wish.verdict
        and standing.state.issued_at < waiting.attestation.issued_at
        and now <= waiting.attestation.valid_until
        for account in waiting.signatures
    )


def confirm(session: Session, verdict: Verdict, question: str) -> None:
    """Ask; twice before a rejection."""
    session.confirm(question)
    if verdict is Verdict.REJECTED:
        session.confirm("Reject it, really?")


def signed_already(collected: CollectedAttestation, desk: Desk) -> EscrowError:
    who = person(desk.bound, desk.signer.address)
    names = ", ".join(person(desk.bound, account) for account in collected.waiting_for)
    return EscrowError(
        f"{who} has signed this already; {count_words(collected)}", hint=f"it waits for {names}"
    )
