"""What `escrow submit` and `escrow dispute` do."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.cli.attest.oracle_verifying import find_oracle
from milestone_escrow.cli.dispute.giving import give_reason, require_sent
from milestone_escrow.cli.shell.deeds import Deed, do, once
from milestone_escrow.cli.shell.desk import look, take_up
from milestone_escrow.cli.shell.paper import Paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.documents.files.signed_act import reason_hash, reason_words
from milestone_escrow.documents.manifest import manifest
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Dispute, Submission
from milestone_escrow.protocol.lifecycle import Role, Verb, disputing_role


def submit_milestone(
    session: Session, name: str, key: str, evidence: Sequence[str], paper: Paper
) -> None:
    """The payee's claim, with the hash of the evidence."""
    desk, standing = take_up(
        session, name, key, Verb.SUBMIT, Role.PAYEE, doing="submitted", does="submits"
    )
    words = words_of(manifest(evidence) if evidence else None)
    digest = words_hash(words)
    act = Submission(desk.bound.id, standing.planned.index, digest, *once(standing, paper))
    deed = Deed(
        standing,
        act,
        prepare=lambda verbs: verbs.submit(desk.bound, key, digest),
        words=words,
    )
    do(session, desk, "submit", [deed], paper)


def dispute_milestone(
    session: Session, name: str, key: str, reason: str, paper: Paper, oracle: str | None = None
) -> None:
    """Whoever the milestone is about to go against objects; an oracle tells the others why."""
    require_sent(paper, oracle)
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say in a sentence what is wrong")
    looked = look(session, name, key)
    looked.require_open()
    standing = looked.standing(key)
    role = disputing_role(standing.milestone, standing.state) or Role.BUYER
    desk, standing = take_up(
        session, name, key, Verb.DISPUTE, role, doing="disputed", does="may dispute it now"
    )
    digest = reason_hash(reason)
    act = Dispute(desk.bound.id, standing.planned.index, digest, *once(standing, paper))
    deed = Deed(
        standing,
        act,
        prepare=lambda verbs: verbs.dispute(desk.bound, key, digest),
        words=reason_words(reason),
    )
    client = find_oracle(session, desk, oracle) if oracle else None
    if do(session, desk, "dispute", [deed], paper) and client:
        give_reason(session, desk, client, standing, reason)
