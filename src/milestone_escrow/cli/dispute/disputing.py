"""What `escrow dispute show` does: both sides of a dispute, for whoever has to rule on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milestone_escrow.cli.oracle.asking import find_oracle, sign_in
from milestone_escrow.cli.oracle.showing import evidence_folder, show_files
from milestone_escrow.cli.shell.desk import Desk, look
from milestone_escrow.cli.shell.output import bold, command, paragraph, table, waiting
from milestone_escrow.cli.shell.records import recall_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.documents.files.collected import CollectedAttestation, words_hash
from milestone_escrow.documents.files.signed_act import reason_words
from milestone_escrow.documents.when import format_time
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import DISPUTED, Role, Verb
from milestone_escrow.words.standing import (
    Standing,
    amount,
    person,
    silence_words,
    status,
    when,
    who,
)
from milestone_escrow.words.telling import Teller

if TYPE_CHECKING:
    from milestone_escrow.oracle.answers import EvidenceAnswer, MilestoneEvidence, Proposed
    from milestone_escrow.oracle.api_client import OracleClient


@dataclass
class Told:
    """What an oracle says about a milestone; empty where there is none, or it says nothing."""

    client: OracleClient | None = None
    listed: MilestoneEvidence | None = None
    proposed: Sequence[Proposed] = ()
    words: dict[bytes, Mapping[str, object]] = field(default_factory=dict)


def show_dispute(session: Session, name: str, key: str, oracle: str | None) -> None:
    """Everything that bears on a dispute, in the order in which one reads it."""
    desk = look(session, name, key)
    desk.require_open()
    standing = desk.standing(key)
    told = _ask(session, desk, standing, oracle)
    session.say(f"{bold(desk.bound.agreement.reference)} {standing.key}  {standing.planned.title}")
    _say_place(session, standing)
    session.say(f"\n{bold('What happened')}")
    events = list(_events(session, desk, standing, told))
    session.say(table([(f"  {at}", who_, what) for at, who_, what in events]))
    verdicts = list(_verdicts(desk, told))
    if verdicts:
        session.say(f"\n{bold('What verifiers signed, and the contract did not take')}")
        for line in verdicts:
            session.say(paragraph(line, "  "))
    files = _say_evidence(session, desk, standing, told)
    _say_ruling(session, desk, standing)
    session.emit(_facts(desk, standing, told, events, files))


def _say_place(session: Session, standing: Standing) -> None:
    rows = [
        ("  status", status(standing)),
        ("  held", amount(standing, standing.held)),
        ("  buyer", person(standing.bound, standing.terms.buyer)),
        ("  payee", person(standing.bound, standing.payee)),
    ]
    if standing.terms.has_arbiter:
        rows.append(("  arbiter", person(standing.bound, standing.terms.arbiter)))
    if standing.state.status in DISPUTED:
        left = "over since" if standing.is_overdue else "until"
        rows.append(("  time to rule", f"{left} {when(standing, standing.end)}"))
    if silence := silence_words(standing):
        rows.append(("  silence", silence))
    session.say(table(rows))


def _events(
    session: Session, desk: Desk, standing: Standing, told: Told
) -> Iterator[tuple[str, str, str]]:
    """What the chain says about the milestone, with the words behind its hashes."""

    def recall(digest: bytes) -> Mapping[str, object]:
        return recall_words(session.home, digest) or told.words.get(digest, {})

    events = desk.escrow.events(desk.bound)
    teller = Teller(desk.bound, events, recall)
    for event in events:
        if teller.is_about(event, standing.key):
            who_, what = teller.tell(event)
            yield format_time(event.place.time, desk.bound.agreement.timezone), who_, what


def _verdicts(desk: Desk, told: Told) -> Iterator[str]:
    from milestone_escrow.cli.attest.verdicts import verdict_words

    for one in told.proposed:
        if one.stage == "settled" and one.attestation.verdict.name != "RETURNED":
            continue
        words = told.words.get(one.attestation.evidence_hash, {})
        collected = CollectedAttestation(desk.bound, one.attestation, words, {})
        at = format_time(one.attestation.issued_at, desk.bound.agreement.timezone)
        names = ", ".join(person(desk.bound, account) for account in one.signers)
        yield f"{at}  {names}: {verdict_words(collected)}"


def _say_evidence(
    session: Session, desk: Desk, standing: Standing, told: Told
) -> list[dict[str, object]]:
    """The files of each side, fetched and compared with their hashes."""
    if told.client is None or told.listed is None:
        session.say(
            f"\n{waiting('No oracle was asked')}: the evidence is what both sides show you. "
            "Compare its SHA-256."
        )
        return []
    found: list[dict[str, object]] = []
    folder = evidence_folder(session, standing)
    for side, items in _sides(desk, standing, told.listed.items).items():
        session.say(f"\n{bold(f'Evidence from {side}')}")
        if not items:
            session.say("  none")
            continue
        files = show_files(session, desk, told.client, items, folder)
        found += [{**file, "side": side} for file in files]
    return found


def _sides(
    desk: Desk, standing: Standing, items: Sequence[EvidenceAnswer]
) -> dict[str, list[EvidenceAnswer]]:
    """Files by who has an interest: the two parties always, others where they handed any in."""
    payee, buyer = standing.payee, standing.terms.buyer
    sides: dict[str, list[EvidenceAnswer]] = {
        f"the payee, {person(desk.bound, payee)}": [],
        f"the buyer, {person(desk.bound, buyer)}": [],
    }
    names = list(sides)
    for item in items:
        if item.supplied_by == payee:
            sides[names[0]].append(item)
        elif item.supplied_by == buyer:
            sides[names[1]].append(item)
        else:
            sides.setdefault("others", []).append(item)
    return sides


def _say_ruling(session: Session, desk: Desk, standing: Standing) -> None:
    session.say()
    rule = standing.option(Verb.RULE)
    if rule is None:
        session.say(f"'{standing.key}' is not disputed.")
        option = standing.option(Verb.DISPUTE)
        if option is not None and option.is_open(standing.now):
            line = command(f"escrow dispute {desk.name} {standing.key} --reason '...'")
            session.say(f"{_first(who(standing, option.role))} may object:\n  {line}")
        return
    if standing.is_overdue:
        line = command(f"escrow finalize {desk.name} {standing.key}")
        session.say(f"The time to rule is over; anyone lets silence decide:\n  {line}")
        return
    line = (
        f"escrow rule {desk.name} {standing.key} --to-supplier 60% --to-buyer rest --reason '...'"
    )
    session.say(f"{_first(who(standing, Role.ARBITER))} rules, for example:\n  {command(line)}")


def _ask(session: Session, desk: Desk, standing: Standing, url: str | None) -> Told:
    """What an oracle has, where there is one; without a key it is asked for nothing private."""
    from milestone_escrow.oracle.answers import plain
    from milestone_escrow.oracle.api_client import OracleAwayError, OracleRefusedError

    client = find_oracle(session, desk, url)
    if client is None:
        return Told()
    about = (desk.bound.id, standing.planned.index)
    try:
        sign_in(session, desk, client, _reader(session, desk))
        told = Told(client, client.evidence(*about), client.proposals(*about))
        for digest, reason in client.reasons(*about).items():
            told.words[digest] = reason_words(plain(reason, 10_000))
    except (OracleAwayError, OracleRefusedError) as error:
        session.say(paragraph(f"{waiting('Without the oracle')}: {error}"))
        session.say()
        return Told()
    for one in told.proposed:
        words = dict(one.words)
        if words and _fits(words, one.attestation.evidence_hash):
            told.words[one.attestation.evidence_hash] = words
    if told.listed:
        told.words[told.listed.hash] = {"files": [item.file.data() for item in told.listed.items]}
    return told


def _reader(session: Session, desk: Desk) -> Any:
    """The key to sign in with: the named one, or one at hand with a role here; else nobody's."""
    people = tuple(desk.bound.agreement.people.values())
    try:
        terms = desk.bound.terms
        first = (terms.arbiter, *people) if terms.has_arbiter else people
        return choose(session, desk.bound, desk.network.chain_id, first, any_will_do=True)
    except UsageError:
        if session.signer_name:
            raise
        return None


def _fits(words: Mapping[str, object], digest: bytes) -> bool:
    try:
        return words_hash(words) == digest
    except (EscrowError, ValueError, TypeError):
        return False


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _facts(
    desk: Desk,
    standing: Standing,
    told: Told,
    events: Sequence[tuple[str, str, str]],
    files: Sequence[Mapping[str, object]],
) -> dict[str, object]:
    from milestone_escrow.cli.shell.outcome import as_json
    from milestone_escrow.oracle.signing.attestation_json import attestation_data

    return {
        "agreement": "0x" + desk.bound.id.hex(),
        "reference": desk.bound.agreement.reference,
        "milestone": as_json(standing),
        "disputed": standing.state.status in DISPUTED,
        "rule_until": standing.end if standing.state.status in DISPUTED else None,
        "events": [{"at": at, "who": who_, "what": what} for at, who_, what in events],
        "attestations": [
            {
                **attestation_data(one.attestation),
                "state": one.stage,
                "signers": list(one.signers),
                "words": dict(told.words.get(one.attestation.evidence_hash, {})),
            }
            for one in told.proposed
        ],
        "evidence": [dict(file) for file in files],
        "oracle": told.client.origin if told.client else None,
    }
