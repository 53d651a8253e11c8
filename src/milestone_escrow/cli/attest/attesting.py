"""What `escrow attest` does: sign, collect the quorum, send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from milestone_escrow.cli.attest.verdicts import (
    as_json,
    consequence,
    count_words,
    one_verdict,
    options_again,
    required_words,
    verdict_words,
)
from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.cli.shell.desk import (
    Desk,
    deciding_version,
    desk_of,
    take_up,
)
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.letters import fields_of
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.paper import require_no_transaction, say_unsigned
from milestone_escrow.cli.shell.records import forget, keep, kept, remember_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose, names_at_hand
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.rights import ATTEST
from milestone_escrow.deals.shares import share
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.documents.files.collected import (
    CollectedAttestation,
    agreement_id_in,
    load_attestation,
    merged,
    words_hash,
    words_of,
)
from milestone_escrow.documents.manifest import Manifest, manifest
from milestone_escrow.documents.when import parse_duration
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.words.standing import Standing, only, person

VALID_FOR = "30 days"


@dataclass(frozen=True, slots=True)
class Wish:
    """A verdict as it was asked for on the command line."""

    verdict: Verdict
    part: str | None
    reason: str
    evidence: Sequence[str]
    valid_for: str


def sign_and_send(
    session: Session,
    name: str,
    key: str,
    wish: Wish | None,
    *,
    oracle: str | None = None,
    evidence: Sequence[str] = (),
    valid_for: str = VALID_FOR,
) -> None:
    """Sign and, where there is an oracle, hand it the signature. Without one, send once enough
    have signed, else keep the signature for the next verifier.

    Without a wish the verdict is asked for, once the evidence was shown.
    """
    from milestone_escrow.cli.attest.oracle_verifying import at_oracle, find_oracle

    if wish is None and not shell_session.has_terminal():
        raise one_verdict()
    desk, standing = take_up(
        session,
        name,
        key,
        ATTEST,
        not_again=lambda standing: _have_signed(session, standing, wish) if wish else (),
    )
    ask = partial(ask_for, standing, evidence, valid_for)
    client = find_oracle(session, desk, oracle)
    if client is not None:
        done, wish = at_oracle(session, desk, standing, client, wish, ask)
        if done:
            return
    wish = wish or ask()
    collected = continue_or_start(session, standing, wish, standing.now)
    if desk.signer.address in collected.signatures:
        raise signed_already(collected, desk)
    collected = collected.sign(desk.signer)
    if wish.verdict is not Verdict.RETURNED and collected.is_complete:
        send(session, desk, standing, collected)
    else:
        keep_signature(session, desk, standing, collected)


def ask_for(standing: Standing, evidence: Sequence[str], valid_for: str) -> Wish:
    """The verdict of somebody who has seen the evidence."""
    words = {"accept": Verdict.ACCEPTED, "return": Verdict.RETURNED, "reject": Verdict.REJECTED}
    question = f"Your verdict on '{standing.key}'"
    answer = click.prompt(question, type=click.Choice(list(words)), err=True)
    verdict = words[str(answer)]
    reason = ""
    while verdict is not Verdict.ACCEPTED and not reason.strip():
        reason = str(click.prompt("What is wrong, in a sentence", err=True))
    return Wish(verdict, None, reason, evidence, valid_for)


def sign_to_file(session: Session, name: str, key: str, wish: Wish, file: Path) -> None:
    """Sign without a node; a file that is there already is continued."""
    require_no_transaction(session)
    signed = deciding_version(session, session.find(name), key)
    index = milestone_index(signed.bound, key)
    planned = signed.agreement.milestones[index]
    standing = Standing(signed.bound, planned, State(), session.now())
    if not planned.quorum:
        raise EscrowError(f"'{key}' cannot be attested: the agreement names no verifier for it")
    collected = start(standing, wish, session.now())
    if file.exists():
        collected = _same(
            load_attestation(file, signed.bound, session.wallets), collected, wish, str(file)
        )
    left = tuple(a for a in collected.verifiers if a not in collected.signatures)
    signer = choose(session, signed.bound, signed.domain.chain_id, left)
    if signer.address in collected.signatures:
        raise EscrowError(f"{person(signed.bound, signer.address)} has signed {file} already")
    if signer.address not in collected.verifiers:
        raise only(standing, ATTEST.role, ATTEST.does, signer.address)
    session.say(bold(f"attest {signed.agreement.reference}, '{key}', to {file}"))
    who = person(signed.bound, signer.address)
    for line in (f"signs as {who}: {verdict_words(collected)}", *required_words(collected)):
        session.say(paragraph(line, "  "))
    if isinstance(signer, Absent):
        say_unsigned(session, signed.bound, signer, file, collected.dumps())
        return
    collected = collected.sign(signer)
    session.say()
    confirm(session, wish.verdict, "Sign it?")
    write(file, collected.dumps())
    session.say(f"{good('Signed')}: {count_words(collected)}. Nothing was sent.")
    if collected.is_complete and wish.verdict is not Verdict.RETURNED:
        session.say(f"\nNext\n  anyone sends it:\n    {command(f'escrow attest --submit {file}')}")
    elif wish.verdict is not Verdict.RETURNED:
        session.say(f"Send {file} to the next verifier, who continues it, or to whoever sends it.")
    session.emit({"file": str(file), **as_json(collected)})


def submit_files(session: Session, files: Sequence[Path]) -> None:
    """Send what others have signed, out of one or several files."""
    if not files:
        raise UsageError("no file is named", hint="as in `escrow attest --submit departed.json`")
    if "batch" in fields_of(files[0]):
        from milestone_escrow.cli.attest.batching import read_batches, submit_batch

        submit_batch(session, read_batches(session, files), str(files[0]))
        return
    agreement_id = agreement_id_in(files[0])
    signed = session.shelf.get(agreement_id)
    if signed is None:
        raise UsageError(
            f"{files[0]} is about an agreement not known here (0x{agreement_id.hex()[:8]}…)",
            hint="look at its file once: `escrow status FILE.signed.json`",
        )
    collected = merged([load_attestation(file, signed.bound, session.wallets) for file in files])
    desk = desk_of(session, signed)
    desk.require_open()
    standing = desk.standing(collected.planned.key)
    if collected.attestation.verdict is Verdict.RETURNED:
        raise EscrowError(
            f"'{standing.key}' was returned for rework, which the contract need not know",
            hint="show the file to the supplier",
        )
    ATTEST.require(standing)
    if not collected.is_complete:
        names = ", ".join(person(signed.bound, account) for account in collected.waiting_for)
        raise EscrowError(
            f"{count_words(collected)}, which is not enough", hint=f"collect a signature of {names}"
        )
    signer = choose(session, signed.bound, signed.domain.chain_id)
    send(session, desk.acting(signer), standing, collected)


def continue_or_start(
    session: Session, standing: Standing, wish: Wish, now: int
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
            return _same(waiting, fresh, wish, "the signature that waits here")
    return fresh


def start(
    standing: Standing, wish: Wish, now: int, seen: Manifest | None = None
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


def _same(
    waiting: CollectedAttestation, fresh: CollectedAttestation, wish: Wish, where: str
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


def _have_signed(session: Session, standing: Standing, wish: Wish) -> tuple[str, ...]:
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


def send(session: Session, desk: Desk, standing: Standing, collected: CollectedAttestation) -> None:
    """Send what a quorum has signed."""
    attestation = collected.attestation
    again = attestation.verdict is Verdict.REJECTED
    action = Action(
        doing=desk.doing("attest"),
        will=[
            f"'{standing.key}': {verdict_words(collected)}",
            *required_words(collected),
            *consequence(standing, attestation),
        ],
        prepare=lambda: desk.verbs.attest(desk.bound, attestation, collected.signatures),
        question="Reject it, really?" if again else "",
        facts={"milestone": standing.key, **as_json(collected)},
    )

    def keep_words() -> None:
        forget(session.home, collected)
        remember_words(session.home, attestation.evidence_hash, collected.words)

    run(desk, action, [standing.key], keep_words)


def keep_signature(
    session: Session, desk: Desk, standing: Standing, collected: CollectedAttestation
) -> None:
    """Too few have signed, or it is a return for rework, which is never sent."""
    returned = collected.attestation.verdict is Verdict.RETURNED
    session.say(bold(desk.doing("attest")))
    for line in (f"'{standing.key}': {verdict_words(collected)}", *required_words(collected)):
        session.say(paragraph(line, "  "))
    if returned:
        session.say("  changes nothing on chain: the milestone goes on and can be accepted later")
    else:
        session.say(f"  is not sent yet: {count_words(collected)}")
        for line in _otherwise(session, standing, collected):
            session.say(paragraph(line, "  "))
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit({**as_json(collected), "sent": False})
        return
    session.say()
    confirm(session, collected.attestation.verdict, "Sign it?")
    path = keep(session.home, collected)
    remember_words(session.home, collected.attestation.evidence_hash, collected.words)
    session.say(f"{good('Signed')}, and kept here:\n  {path}")
    if returned:
        session.say("Send that file to the supplier, so that they know what is missing.")
    else:
        _say_who_is_next(session, desk, standing, collected)
    session.emit(
        {"milestone": standing.key, "file": str(path), **as_json(collected), "sent": False}
    )


def _otherwise(session: Session, standing: Standing, collected: CollectedAttestation) -> list[str]:
    """What other verifiers have signed here that this one does not complete."""
    return [
        f"{', '.join(person(standing.bound, a) for a in other.signatures)} signed otherwise: "
        f"{verdict_words(other)}"
        for other in kept(session, standing.bound, standing.key)
        if other.attestation != collected.attestation
    ]


def _say_who_is_next(
    session: Session, desk: Desk, standing: Standing, collected: CollectedAttestation
) -> None:
    names = names_at_hand(session, desk.bound, desk.network)
    session.say("\nNext")
    for account in collected.waiting_for:
        line = f"escrow attest {desk.name} {standing.key} {options_again(collected)}"
        line += f" --as {names[account]}" if account in names else ""
        session.say(f"  {person(desk.bound, account)} signs too:\n    {command(line)}")


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
