"""A verifier's path through an oracle: look at what it has, decide, sign, hand it the signature."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milestone_escrow.cli.attest.verdicts import as_json, consequence, required_words, verdict_words
from milestone_escrow.cli.attest.wanted import (
    WantedVerdict,
    confirm,
    continue_or_start,
    signed_already,
    start,
)
from milestone_escrow.cli.oracle.asking import (
    BEHIND,
    EFFECT,
    go_on_alone,
    patiently,
    sign_in,
)
from milestone_escrow.cli.oracle.showing import evidence_folder, show_evidence, show_requirements
from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.output import bold, command, good, paragraph, table, waiting
from milestone_escrow.cli.shell.records import forget, remember_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.files.collected import CollectedAttestation, words_hash
from milestone_escrow.documents.manifest import Manifest
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.words.standing import Standing, person, silence_words, status

if TYPE_CHECKING:
    from milestone_escrow.oracle.answers import (
        MilestoneEvidence,
        Proposed,
        RequirementAnswer,
        Taken,
    )
    from milestone_escrow.oracle.api_client import OracleClient


@dataclass(frozen=True, slots=True)
class Seen:
    """What an oracle told about a milestone; None where it did not."""

    listed: MilestoneEvidence | None = None
    proposed: tuple[Proposed, ...] = ()
    files: list[dict[str, object]] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest | None:
        return self.listed.manifest if self.listed and self.listed.items else None


def at_oracle(
    session: Session,
    desk: Desk,
    standing: Standing,
    client: OracleClient,
    wish: WantedVerdict | None,
    ask: Callable[[], WantedVerdict],
) -> tuple[bool, WantedVerdict | None]:
    """Look, decide, sign and post; whether that was done, and the verdict as far as it is known.

    Where the oracle is away, the verifier goes on alone.
    """
    from milestone_escrow.oracle.api_client import OracleAwayError, OracleRefusedError

    session.say(bold(desk.doing("attest")))
    try:
        seen = look(session, desk, standing, client)
    except OracleAwayError as error:
        go_on_alone(session, error)
        return False, wish
    wish = wish or ask()
    collected = _collected(session, desk, standing, wish, seen)
    for line in (f"'{standing.key}': {verdict_words(collected)}", *required_words(collected)):
        session.say(paragraph(line, "  "))
    if wish.verdict is Verdict.RETURNED:
        session.say("  changes nothing on chain: the milestone goes on and can be accepted later")
    else:
        session.say(paragraph(_then(standing, collected), "  "))
    facts: dict[str, object] = {
        "milestone": standing.key,
        "oracle": client.origin,
        "evidence": seen.files,
    }
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit({**facts, **as_json(collected), "posted": False})
        return True, wish
    session.say()
    confirm(session, wish.verdict, f"Sign it, and give it to {client.origin}?")
    collected = collected.sign(desk.signer)
    try:
        taken = _post(client, collected)
    except OracleAwayError as error:
        go_on_alone(session, error)
        return False, wish
    except OracleRefusedError as error:
        if error.kind not in BEHIND:
            raise
        go_on_alone(session, error)
        return False, wish
    forget(session.home, collected)
    remember_words(session.home, collected.attestation.evidence_hash, collected.words)
    _tell(session, desk, standing, collected, taken, facts)
    return True, wish


def look(session: Session, desk: Desk, standing: Standing, client: OracleClient) -> Seen:
    """Everything that the oracle has on a milestone: shown, its files fetched and verified.

    Raises:
        OracleAwayError: it does not answer.
        OracleStrangeError: what it answers does not fit together.
    """
    from milestone_escrow.oracle.api_client import OracleRefusedError

    about = (desk.bound.id, standing.planned.index)
    session.say(f"  the oracle at {client.origin} has:")
    try:
        sign_in(session, desk, client, desk.signer)
        listed = client.evidence(*about)
        requirements = _unless_refused(lambda: client.requirements(*about))
        proposed = client.proposals(*about)
    except OracleRefusedError as error:
        session.say(paragraph(f"{waiting('nothing to show')}: {error}", "  "))
        return Seen()
    show_requirements(session, requirements)
    folder = evidence_folder(session, standing)
    files = show_evidence(session, desk, standing, client, listed, folder)
    for one in proposed:
        if one.stage == "open" and one.attestation.verdict is not Verdict.RETURNED:
            names = ", ".join(person(desk.bound, account) for account in one.signers)
            said = _words_of(one, desk)
            session.say(paragraph(f"{names} signed: {verdict_words(said)}", "  "))
            for batch in one.batches:
                # A signature of this milestone alone would not add up with theirs.
                line = command(f"escrow attest --batch {client.batch_address(batch)}")
                session.say(f"  in a batch, which you can sign instead:\n    {line}")
    session.say()
    return Seen(listed, proposed, files)


def _unless_refused(ask: Callable[[], RequirementAnswer]) -> RequirementAnswer | None:
    from milestone_escrow.oracle.api_client import OracleRefusedError

    try:
        return ask()
    except OracleRefusedError:
        # It knows no document: what must be shown stands in one's own.
        return None


def _collected(
    session: Session, desk: Desk, standing: Standing, wish: WantedVerdict, seen: Seen
) -> CollectedAttestation:
    """What others have proposed, where it says the same; what waits here; or something new."""

    fresh = start(standing, wish, standing.now, seen.manifest)
    for one in seen.proposed:
        what = one.attestation
        if (
            one.stage != "open"
            or (what.verdict, what.amount) != (wish.verdict, fresh.attestation.amount)
            or what.issued_at <= standing.state.issued_at
            or standing.now > what.valid_until
        ):
            continue
        theirs = _words_of(one, desk)
        if desk.signer.address in one.signers:
            known = dict.fromkeys(one.signers, b"")
            raise signed_already(
                CollectedAttestation(theirs.bound, what, theirs.words, known), desk
            )
        same = what.evidence_hash == fresh.attestation.evidence_hash
        if same or (_is_contained(theirs, seen) and not (wish.evidence or wish.reason)):
            return theirs
        text = f"another one is proposed, on other evidence or reasons: {verdict_words(theirs)}"
        session.say(paragraph(f"{waiting(text)}; to sign that one, give the same", "  "))
    kept = continue_or_start(session, standing, wish, standing.now)
    return kept if kept.signatures else fresh


def _words_of(one: Proposed, desk: Desk) -> CollectedAttestation:
    """Somebody's proposal, with its words where they are what was signed."""
    words = dict(one.words)
    try:
        fits = words_hash(words) == one.attestation.evidence_hash
    except (EscrowError, ValueError, TypeError):
        fits = False
    return CollectedAttestation(desk.bound, one.attestation, words if fits else {}, {})


def _is_contained(theirs: CollectedAttestation, seen: Seen) -> bool:
    """Whether all files that they signed are among those that were just shown."""
    files = theirs.words.get("files")
    if not isinstance(files, list) or theirs.words.get("reason") or seen.listed is None:
        return False
    shown = [item.file.data() for item in seen.listed.items]
    return all(file in shown for file in files)


def _post(client: OracleClient, collected: CollectedAttestation) -> Taken:
    from milestone_escrow.oracle.signing.attestation_json import Post

    post = Post(collected.attestation, collected.signatures, collected.words)
    return patiently(lambda: client.post(post))


def _tell(
    session: Session,
    desk: Desk,
    standing: Standing,
    collected: CollectedAttestation,
    taken: Taken,
    facts: dict[str, object],
) -> None:
    """How far it is now, and what came of it."""
    returned = collected.attestation.verdict is Verdict.RETURNED
    count = f": {len(taken.signers)} of {taken.quorum} needed verifiers signed"
    session.say(f"{good('Signed')}, and the oracle has it{'' if returned else count}.")
    for reason in taken.refused:
        session.say(paragraph(f"{waiting('not taken')}: {reason}"))
    after = standing
    if returned:
        session.say("It tells the supplier what is missing.")
    elif taken.is_complete:
        session.say("That is enough: the oracle sends it.")
        after = _wait_for_effect(desk, standing, collected)
        session.say(table([(f"'{after.key}'", bold(status(after)), silence_words(after))]))
        if after.state == standing.state:
            session.say(
                f"It is not on chain yet; look with {command(f'escrow status {desk.name}')}"
            )
    else:
        left = [a for a in collected.verifiers if a not in taken.signers]
        session.say(f"It waits for {', '.join(person(desk.bound, account) for account in left)}.")
    session.emit(
        {
            **facts,
            **as_json(collected),
            "signed_by": list(taken.signers),
            "complete": taken.is_complete,
            "posted": True,
            "status": after.state.status.name.lower(),
        }
    )


def _wait_for_effect(desk: Desk, standing: Standing, collected: CollectedAttestation) -> Standing:
    """The milestone once the verdict has reached the chain, or after half a minute."""
    until = time.monotonic() + EFFECT
    while True:
        after = desk.standing(standing.key)
        if after.state != standing.state:
            # Once more, because its events were read before its state.
            return desk.standing(standing.key)
        if time.monotonic() > until:
            return after
        time.sleep(0.5)


def _then(standing: Standing, collected: CollectedAttestation) -> str:
    quorum, count = standing.milestone.quorum, len(collected.verifiers)
    once = "" if count == 1 else f"once {quorum} of {count} verifiers have signed: "
    return once + "; ".join(consequence(standing, collected.attestation))
