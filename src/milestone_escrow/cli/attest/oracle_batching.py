"""Batches of verdicts at an oracle: joined where others have signed the same, or reviewed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from milestone_escrow.cli.attest.batch_words import as_json, foreseen_lines, heading, standing_rows
from milestone_escrow.cli.attest.batches import (
    confirm_batch,
    desks_of,
    finder,
    kept_path,
    substance,
    verifier_of,
)
from milestone_escrow.cli.oracle.asking import (
    BEHIND,
    EFFECT,
    find_oracle,
    go_on_alone,
    patiently,
    sign_in,
)
from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.output import bold, command, good, paragraph, table
from milestone_escrow.cli.shell.records import remember_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.files.collected_batch import CollectedBatch, collect
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.words.standing import person

if TYPE_CHECKING:
    from milestone_escrow.oracle.answers import ProposedBatch, Taken
    from milestone_escrow.oracle.api_client import OracleClient
    from milestone_escrow.protocol.signatures import Signer


def list_at_oracle(
    session: Session,
    desks: Mapping[bytes, Desk],
    ready: Sequence[CollectedBatch],
    url: str | None,
) -> bool:
    """Sign a list's batch and hand it to an oracle; False where one goes on without one.

    `ready` are what waits here and says the same, and last a new batch; what waits at the oracle
    comes before both.
    """
    from milestone_escrow.oracle.api_client import OracleAwayError

    client = find_oracle(session, next(iter(desks.values())), url)
    if client is None:
        return False
    try:
        theirs = list(_alike(session, client, ready[-1]))
    except OracleAwayError as error:
        go_on_alone(session, error)
        return False
    done = {who for _, signers in theirs for who in signers}
    done |= {who for one in ready for who in one.signatures}
    signer = verifier_of(session, ready[-1], done)
    for collected, signers in theirs:
        if signer.address in signers:
            raise _signed_already(collected, signers, signer)
    fitting = [one for one, _ in theirs]
    fitting += [one for one in ready if signer.address not in one.signatures]
    return _hand_over(session, desks, fitting[0], signer, client)


def attest_digest(session: Session, digest: bytes, url: str | None) -> None:
    """Show a batch that others have signed at an oracle, sign it, and hand the signature in.

    Raises:
        UsageError: no oracle is known, or an agreement of it is not known here.
    """
    client = find_oracle(session, None, url)
    if client is None:
        raise UsageError("an oracle has this batch", hint="name it with --oracle")
    proposed = client.batch(digest)
    collected = _rebuilt(session, proposed, digest)
    signer = verifier_of(session, collected, set(proposed.signers))
    if signer.address in proposed.signers:
        raise _signed_already(collected, proposed.signers, signer)
    known = [session.shelf.get(bound.id) for bound, _ in collected.batch.items]
    desks = desks_of(session, [signed for signed in known if signed])
    # Once more, now with the reasons and files that only the agreements' people may see.
    sign_in(session, next(iter(desks.values())), client, signer)
    collected = _rebuilt(session, client.batch(digest), digest)
    if not _hand_over(session, desks, collected, signer, client):
        raise EscrowError("the signature could not be handed in", hint="run the same command again")


def _alike(
    session: Session, client: OracleClient, fresh: CollectedBatch
) -> list[tuple[CollectedBatch, tuple[Address, ...]]]:
    """Batches that wait at the oracle, say the same, and may still be used, with who has signed."""
    from milestone_escrow.oracle.api_client import OracleRefusedError

    first = fresh.batch.attestations[0]
    found = []
    try:
        waiting = client.proposals(first.agreement_id, first.milestone)
    except OracleRefusedError:
        return []  # it does not know the agreement, or not yet
    for digest in dict.fromkeys(batch for one in waiting for batch in one.batches):
        proposed = client.batch(digest)
        said = [
            (one.agreement_id, one.milestone, one.verdict, one.amount, one.evidence_hash)
            for one, _ in proposed.items
        ]
        usable = all(one.valid_until >= first.issued_at for one, _ in proposed.items)
        if proposed.stage == "open" and usable and said == substance(fresh):
            found.append((_rebuilt(session, proposed, digest, fresh), proposed.signers))
    return found


def _rebuilt(
    session: Session, proposed: ProposedBatch, digest: bytes, ours: CollectedBatch | None = None
) -> CollectedBatch:
    """What others have signed, out of agreements that are known here; with `ours`' words where
    it says the same.

    Raises:
        OracleStrangeError: it is not the batch of that digest.
    """
    from milestone_escrow.oracle.answers import strange

    find = finder(session)
    words = ours.words if ours else [_checked(one.evidence_hash, w) for one, w in proposed.items]
    items = [
        (find(one.agreement_id), one, said)
        for (one, _), said in zip(proposed.items, words, strict=True)
    ]
    for bound, one, _ in items:
        if one.milestone >= len(bound.milestones):
            raise strange("its batch is about a milestone that does not exist")
    try:
        found = collect(items)
    except UsageError as error:
        raise strange(error.message) from None
    same = found[0].batch.attestations == tuple(one for one, _ in proposed.items)
    if not same or found[0].typed_data.digest() != digest:
        raise strange("its batch is not the one of that digest")
    return found[0]


def _checked(evidence_hash: bytes, words: Mapping[str, object]) -> Mapping[str, object]:
    """Somebody's words, if they are what was signed."""
    try:
        return words if words_hash(words) == evidence_hash else {}
    except (EscrowError, ValueError, TypeError):
        return {}


def _hand_over(
    session: Session,
    desks: Mapping[bytes, Desk],
    collected: CollectedBatch,
    signer: Signer,
    client: OracleClient,
) -> bool:
    """Show, sign, post, tell; False where the oracle is away."""
    from milestone_escrow.chain.contract.batching import foresee
    from milestone_escrow.oracle.api_client import OracleAwayError, OracleRefusedError
    from milestone_escrow.oracle.signing.batch_json import BatchItem, BatchPost

    desk = next(iter(desks.values())).acting(signer)
    before = _states(desks)
    foreseen = foresee(desk.escrow, collected.batch)
    session.say(bold(heading(desk, collected)))
    for line in foreseen_lines(desks, collected, foreseen):
        session.say(paragraph(line, "  "))
    facts: dict[str, object] = {"oracle": client.origin}
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit({**facts, **as_json(collected), "sent": False, "posted": False})
        return True
    session.say()
    confirm_batch(session, collected, f"Sign it, and give it to {client.origin}?")
    collected = collected.sign(signer)
    items = zip(collected.batch.attestations, collected.words, strict=True)
    post = BatchPost(tuple(BatchItem(one, words) for one, words in items), collected.signatures)
    try:
        taken = patiently(lambda: client.post_batch(post))
    except OracleAwayError as error:
        go_on_alone(session, error)
        return False
    except OracleRefusedError as error:
        if error.kind not in BEHIND:
            raise
        go_on_alone(session, error)
        return False
    kept_path(session, collected).unlink(missing_ok=True)
    for item in collected.items:
        if item.words:
            remember_words(session.home, item.attestation.evidence_hash, item.words)
    _tell(session, collected, taken, client, facts)
    if taken.is_complete:
        waited_for = [found.attestation for found in foreseen if not found.skipped]
        _wait_for_effect(desks, waited_for, before)
        session.say(table(standing_rows(desks, collected)))
    return True


def _tell(
    session: Session,
    collected: CollectedBatch,
    taken: Taken,
    client: OracleClient,
    facts: dict[str, object],
) -> None:
    """How far it is now, and who else can sign."""
    digest = collected.typed_data.digest()
    count = f"{len(taken.signers)} of {taken.quorum} needed verifiers signed"
    session.say(f"{good('Signed')}, and the oracle has it: {count}.")
    if taken.is_complete:
        session.say("That is enough: the oracle sends it.")
    else:
        bound = collected.batch.items[0][0]
        left = [who for who in collected.batch.signers if who not in taken.signers]
        names = ", ".join(person(bound, account) for account in left)
        line = f"escrow attest --batch {client.batch_address(digest)}"
        session.say(f"\nNext\n  {names} can sign it, too:\n    {command(line)}")
    session.emit(
        {
            **facts,
            **as_json(collected),
            "batch": "0x" + digest.hex(),
            "signed_by": list(taken.signers),
            "complete": taken.is_complete,
            "posted": True,
            "sent": False,
        }
    )


def _wait_for_effect(
    desks: Mapping[bytes, Desk],
    attestations: Sequence[Attestation],
    before: Mapping[bytes, Sequence[State]],
) -> None:
    """Until all milestones have moved on, or for half a minute."""
    until = time.monotonic() + EFFECT
    while time.monotonic() < until:
        now = _states(desks)
        if all(
            now[one.agreement_id][one.milestone] != before[one.agreement_id][one.milestone]
            for one in attestations
        ):
            return
        time.sleep(0.5)


def _states(desks: Mapping[bytes, Desk]) -> dict[bytes, Sequence[State]]:
    return {key: desk.escrow.states(desk.bound) for key, desk in desks.items()}


def _signed_already(
    collected: CollectedBatch, signers: Sequence[Address], signer: Signer
) -> EscrowError:
    bound = collected.batch.items[0][0]
    left = [who for who in collected.batch.signers if who not in signers]
    names = ", ".join(person(bound, account) for account in left)
    who = person(bound, signer.address)
    return EscrowError(f"{who} has signed these verdicts already", hint=f"it waits for {names}")
