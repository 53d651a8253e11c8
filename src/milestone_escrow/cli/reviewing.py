"""What `escrow submit` and `escrow dispute` do."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.desk import take_up
from milestone_escrow.cli.outcome import show_outcome
from milestone_escrow.cli.records import reason_hash, remember_words
from milestone_escrow.cli.sending import Intent, carry_out
from milestone_escrow.cli.tasks import silence_split
from milestone_escrow.cli.words import Standing, amount, person, when
from milestone_escrow.documents.collected import words_hash, words_of
from milestone_escrow.documents.evidence import manifest
from milestone_escrow.documents.when import format_duration
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.lifecycle import PENDING, Role, Split, Verb, disputing_role
from milestone_escrow.protocol.terms import BPS


def submit_milestone(session: Session, name: str, key: str, evidence: Sequence[str]) -> None:
    """The payee's claim, with the hash of the evidence."""
    desk, standing = take_up(
        session, name, key, Verb.SUBMIT, Role.PAYEE, doing="submitted", does="submits"
    )
    words = words_of(manifest(evidence) if evidence else None)
    digest = words_hash(words)
    period = standing.terms.review_period
    buyer, payee = person(desk.bound, standing.terms.buyer), person(desk.bound, standing.payee)
    will = [
        f"'{key}': starts the review period of {format_duration(period)}",
        f"if {buyer} does not object, pays {amount(standing, standing.held)} to {payee} on "
        f"{when(standing, standing.now + period)}",
    ]
    if evidence:
        will.append(f"commits to {len(manifest(evidence).files)} files: show them to {buyer}")
    intent = Intent(
        doing=desk.doing("submit"),
        will=will,
        prepare=lambda: desk.verbs.submit(desk.bound, key, digest),
        facts={"milestone": key, "evidence_hash": "0x" + digest.hex()},
    )
    receipts = carry_out(session, desk, intent)
    if receipts and evidence:
        remember_words(session.home, digest, words)
    show_outcome(session, desk, intent, receipts, [key])


def dispute_milestone(session: Session, name: str, key: str, reason: str) -> None:
    """Whoever the milestone is about to go against objects."""
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say in a sentence what is wrong")
    from milestone_escrow.cli.desk import look

    looked = look(session, name)
    looked.require_open()
    standing = looked.standing(key)
    role = disputing_role(standing.milestone, standing.state) or Role.BUYER
    desk, standing = take_up(
        session, name, key, Verb.DISPUTE, role, doing="disputed", does="may dispute it now"
    )
    digest = reason_hash(reason)
    intent = Intent(
        doing=desk.doing("dispute"),
        will=[f"'{key}': objects, “{reason}”", *_consequence(standing)],
        prepare=lambda: desk.verbs.dispute(desk.bound, key, digest),
        facts={"milestone": key, "reason": reason, "reason_hash": "0x" + digest.hex()},
    )
    receipts = carry_out(session, desk, intent)
    if receipts:
        remember_words(session.home, digest, {"format": "1", "reason": reason})
    show_outcome(session, desk, intent, receipts, [key])


def _consequence(standing: Standing) -> list[str]:
    """Who decides now, and what happens if they do not."""
    terms = standing.terms
    over_verdict = standing.state.status in PENDING
    start = standing.now if over_verdict else max(standing.now, standing.milestone.deadline)
    until = when(standing, start + terms.arbitration_period)
    if over_verdict:
        silent = silence_split(standing)
    else:
        to_payee = standing.held * terms.default_payee_bps // BPS
        split = Split(to_payee, standing.held - to_payee)
        from milestone_escrow.cli.words import split_words

        silent = split_words(standing, split)
    if not terms.has_arbiter:
        return [f"unless both sides settle it or it is proven, on {until} {silent}"]
    arbiter = person(standing.bound, terms.arbiter)
    return [f"{arbiter} has until {until} to decide; otherwise {silent}"]
