"""What `escrow attest` does: sign, collect the quorum, send."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from milestone_escrow.cli.attest.batching import read_batches, submit_batch
from milestone_escrow.cli.attest.oracle_verifying import at_oracle
from milestone_escrow.cli.attest.verdicts import (
    as_json,
    consequence,
    count_words,
    one_verdict,
    options_again,
    required_words,
    verdict_words,
)
from milestone_escrow.cli.attest.wanted import (
    VALID_FOR,
    WantedVerdict,
    ask_for,
    confirm,
    continue_or_start,
    have_signed,
    same,
    signed_already,
    start,
)
from milestone_escrow.cli.oracle.asking import (
    find_oracle,
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
from milestone_escrow.cli.shell.paper import nothing_signed, require_no_transaction, say_unsigned
from milestone_escrow.cli.shell.records import forget, keep, kept, remember_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose, names_at_hand
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import attestation_pays, undeliverable
from milestone_escrow.deals.rights import ATTEST
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.documents.files.collected import (
    CollectedAttestation,
    agreement_id_in,
    load_attestation,
    merged,
)
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.words.standing import Standing, only, person


def sign_and_send(
    session: Session,
    name: str,
    key: str,
    wish: WantedVerdict | None,
    *,
    oracle: str | None = None,
    evidence: Sequence[str] = (),
    valid_for: str = VALID_FOR,
) -> None:
    """Sign and, where there is an oracle, hand it the signature. Without one, send once enough
    have signed, else keep the signature for the next verifier.

    Without a wish the verdict is asked for, once the evidence was shown.
    """

    if wish is None and not shell_session.has_terminal():
        raise one_verdict()
    desk, standing = take_up(
        session,
        name,
        key,
        ATTEST,
        not_again=lambda standing: have_signed(session, standing, wish) if wish else (),
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


def sign_to_file(session: Session, name: str, key: str, wish: WantedVerdict, file: Path) -> None:
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
        collected = same(
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
            *undeliverable(desk, attestation_pays(standing, attestation)),
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
    if nothing_signed(session, {**as_json(collected), "sent": False}):
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
    others = kept(session, standing.bound, standing.key)
    decided = {a for o in others if o.attestation != collected.attestation for a in o.signatures}
    session.say("\nNext")
    for account in collected.waiting_for:
        line = f"escrow attest {desk.name} {standing.key} {options_again(collected)}"
        line += f" --as {names[account]}" if account in names else ""
        signs = "signed otherwise; to agree with this" if account in decided else "signs too"
        session.say(f"  {person(desk.bound, account)} {signs}:\n    {command(line)}")
