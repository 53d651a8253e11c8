"""What `escrow attest --batch` does: many verdicts, one signature of each verifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.attest.batch_words import (
    as_json,
    count_words,
    foreseen_lines,
    heading,
    items_json,
    result_rows,
)
from milestone_escrow.cli.attest.batches import (
    confirm_batch,
    desks_of,
    finder,
    kept_path,
    substance,
    verifier_of,
)
from milestone_escrow.cli.attest.oracle_batching import list_at_oracle
from milestone_escrow.cli.shell.desk import Desk, deciding_version
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.output import bold, command, good, paragraph, table
from milestone_escrow.cli.shell.paper import (
    Paper,
    nothing_signed,
    require_no_transaction,
    say_unsigned,
    seconds,
)
from milestone_escrow.cli.shell.records import remember_words
from milestone_escrow.cli.shell.sending import body, carry_out
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose, names_at_hand
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import attestation_pays, undeliverable
from milestone_escrow.deals.outcome import lost
from milestone_escrow.deals.shares import share
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.documents.files.collected_batch import CollectedBatch, collect, load_batch
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.manifest import manifest
from milestone_escrow.documents.tables.verdict_list import VerdictLine, VerdictList, load_verdicts
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.words.standing import Standing, person

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.batching import BatchResult
    from milestone_escrow.protocol.signatures import Signer

Item = tuple[BoundAgreement, Attestation, Mapping[str, object]]


def attest_list(session: Session, file: Path, paper: Paper, oracle: str | None = None) -> None:
    """Sign a list of verdicts; hand it to an oracle, where there is one. Without one, send it once
    enough have signed, else keep it, or write it."""
    if paper.file:
        require_no_transaction(session)
    verdicts = load_verdicts(file)
    named = [_named(session, verdicts, line) for line in verdicts.lines]
    # As with a single verdict, signing to a file needs no node.
    desks = {} if paper.file else desks_of(session, named)
    now = next(iter(desks.values())).escrow.now() if desks else session.now()
    collected = _one(verdicts, list(_items(verdicts, named, now, seconds(paper))))
    if paper.file and paper.file.exists():
        collected = _same(
            load_batch(paper.file, finder(session), session.wallets), collected, str(paper.file)
        )
    waiting_here = [] if paper.file else list(_kept(session, collected, now))
    if not paper.file and list_at_oracle(session, desks, [*waiting_here, collected], oracle):
        return
    done = {who for one in [collected, *waiting_here] for who in one.signatures}
    signer = verifier_of(session, collected, done)
    fitting = [one for one in waiting_here if signer.address not in one.signatures]
    if signer.address in done and not fitting:
        who = person(collected.batch.items[0][0], signer.address)
        raise EscrowError(f"{who} has signed these verdicts already", hint=_waits_for(collected))
    collected = fitting[0] if fitting else collected
    if paper.file and isinstance(signer, Absent):
        bound = collected.batch.items[0][0]
        say_unsigned(session, bound, signer, paper.file, collected.dumps())
        return
    collected = collected.sign(signer)
    if paper.file:
        _write(session, collected, signer, paper.file)
    elif collected.is_complete:
        _send(session, desks, collected, signer, str(file))
    else:
        _keep(session, desks, collected, signer, file)


def submit_batch(session: Session, collected: CollectedBatch, file: str) -> None:
    """Send a batch that enough have signed; anybody may."""
    bound = collected.batch.items[0][0]
    if not collected.is_complete:
        raise EscrowError(
            f"{count_words(collected)}, which is not enough", hint=_waits_for(collected)
        )
    find = finder(session)
    known = [session.shelf.get(find(one.id).id) for one, _ in collected.batch.items]
    desks = desks_of(session, [signed for signed in known if signed])
    signer = choose(session, bound, bound.domain.chain_id)
    _send(session, desks, collected, signer, file)


def read_batches(session: Session, files: Sequence[Path]) -> CollectedBatch:
    """One batch out of one or several files of it."""
    find = finder(session)
    first, *others = (load_batch(file, find, session.wallets) for file in files)
    for other in others:
        first = first.merge(other)
    return first


def _named(session: Session, verdicts: VerdictList, line: VerdictLine) -> SignedAgreement:
    with verdicts.source.at((*line.where, "agreement")):
        return deciding_version(session, session.find(line.agreement), line.milestone)


def _items(
    verdicts: VerdictList, named: Sequence[SignedAgreement], now: int, lasts: int
) -> Iterator[Item]:
    """Each line as an attestation; a line's own mistakes name the line."""
    source = verdicts.source
    seen: dict[tuple[bytes, int], int] = {}
    for line, signed in zip(verdicts.lines, named, strict=True):
        bound = signed.bound
        with source.at((*line.where, "milestone")):
            index = milestone_index(bound, line.milestone)
        if (bound.id, index) in seen:
            raise source.error(
                line.where,
                f"decides '{line.milestone}' of {bound.agreement.reference} again, first on line "
                f"{seen[bound.id, index]}",
                "keep one of the two",
            )
        seen[bound.id, index] = source.line(line.where)
        standing = Standing(bound, bound.agreement.milestones[index], State(), now)
        if not standing.milestone.quorum:
            raise source.error(
                (*line.where, "milestone"), f"is '{line.milestone}', which nobody verifies"
            )
        with source.at((*line.where, "evidence")):
            files = manifest(line.evidence) if line.evidence else None
        units = 0
        if line.verdict is Verdict.ACCEPTED:
            with source.at((*line.where, "amount")):
                units = share(standing, line.amount, standing.milestone.amount)
        words = words_of(files, line.reason)
        hashed = words_hash(words)
        yield (
            bound,
            Attestation(bound.id, index, line.verdict, units, hashed, now, now + lasts),
            words,
        )


def _one(verdicts: VerdictList, items: Sequence[Item]) -> CollectedBatch:
    """The one batch that the list makes; where it makes several, which lines belong together."""
    try:
        found = collect(items)
    except UsageError as error:
        raise verdicts.source.error(("verdicts",), error.message, error.hint) from error
    if len(found) == 1:
        return found[0]
    lines = {
        attestation: verdicts.source.line(line.where)
        for line, (_, attestation, _) in zip(verdicts.lines, items, strict=True)
    }
    groups = [", ".join(str(lines[one]) for one in batch.batch.attestations) for batch in found]
    raise verdicts.source.error(
        ("verdicts",),
        f"need {len(found)} signatures, because their verifiers differ: lines "
        f"{'; lines '.join(groups)}",
        "write a list for each of them",
    )


def _kept(session: Session, fresh: CollectedBatch, now: int) -> Iterator[CollectedBatch]:
    """Batches that wait here, say the same, and may still be used."""
    for path in sorted(session.home.attestations.glob("batch-*.json")):
        try:
            there = load_batch(path, finder(session), session.wallets)
        except EscrowError:
            # A damaged file must not stop anybody from signing anew.
            continue
        usable = all(one.valid_until >= now for one in there.batch.attestations)
        if usable and substance(there) == substance(fresh):
            yield there


def _same(there: CollectedBatch, fresh: CollectedBatch, where: str) -> CollectedBatch:
    if substance(there) != substance(fresh):
        raise EscrowError(f"{where} holds other verdicts", hint="write to another file")
    return there


def _send(
    session: Session,
    desks: Mapping[bytes, Desk],
    collected: CollectedBatch,
    signer: Signer,
    file: str,
) -> None:
    from milestone_escrow.chain.contract.batching import batch_results, foresee

    desk = next(iter(desks.values())).acting(signer)
    foreseen = foresee(desk.escrow, collected.batch)
    if all(result.skipped for result in foreseen):
        reasons = "; ".join(dict.fromkeys(result.reason for result in foreseen))
        raise EscrowError(
            f"none of these {len(foreseen)} verdicts can take effect any more: {reasons}",
            hint="`escrow status` shows where the milestones stand",
        )
    rejects = sum(one.verdict is Verdict.REJECTED for one in collected.batch.attestations)
    action = Action(
        doing=heading(desk, collected),
        will=[*foreseen_lines(desks, collected, foreseen), *_not_arriving(desks, foreseen)],
        prepare=lambda: desk.verbs.attest_batch(collected.batch, collected.signatures),
        question=f"Reject {rejects} of them, really?" if rejects else "",
        facts={"file": file, **as_json(collected), "items": items_json(collected, foreseen)},
    )
    receipts = carry_out(desk, action)
    if not receipts:
        return
    kept_path(session, collected).unlink(missing_ok=True)
    for item in collected.items:
        remember_words(session.home, item.attestation.evidence_hash, item.words)
    results = batch_results(collected.batch, receipts[-1])
    session.say(table(result_rows(desks, results)))
    for one in desks.values():
        for line in lost(one, receipts):
            session.say(line)
    session.emit(body(desk, action, receipts, items=items_json(collected, results)))


def _not_arriving(desks: Mapping[bytes, Desk], foreseen: Sequence[BatchResult]) -> Iterator[str]:
    """Who would not receive what the verdicts pay at once, agreement by agreement."""
    for desk in desks.values():
        standings = desk.standings()
        payouts = [
            payout
            for one in foreseen
            if one.agreement.id == desk.bound.id and not one.skipped
            for payout in attestation_pays(standings[one.attestation.milestone], one.attestation)
        ]
        yield from undeliverable(desk, payouts)


def _keep(
    session: Session,
    desks: Mapping[bytes, Desk],
    collected: CollectedBatch,
    signer: Signer,
    file: Path,
) -> None:
    """Too few have signed: the next verifier on this machine goes on."""
    from milestone_escrow.chain.contract.batching import foresee

    desk = next(iter(desks.values())).acting(signer)
    foreseen = foresee(desk.escrow, collected.batch)
    session.say(bold(heading(desk, collected)))
    for line in foreseen_lines(desks, collected, foreseen):
        session.say(paragraph(line, "  "))
    session.say(f"  is not sent yet: {count_words(collected)}")
    if nothing_signed(session, {"sent": False, **as_json(collected)}):
        return
    session.say()
    confirm_batch(session, collected)
    path = kept_path(session, collected)
    write(path, collected.dumps())
    session.say(f"{good('Signed')}, and kept here:\n  {path}\n\nNext")
    names = names_at_hand(session, desk.bound, desk.network)
    for account in collected.waiting_for:
        line = f"escrow attest --batch {file}"
        line += f" --as {names[account]}" if account in names else ""
        session.say(f"  {person(desk.bound, account)} signs too:\n    {command(line)}")
    session.emit({"file": str(path), "sent": False, **as_json(collected)})


def _write(session: Session, collected: CollectedBatch, signer: Signer, file: Path) -> None:
    bound = collected.batch.items[0][0]
    session.say(bold(f"attest {len(collected.items)} milestones, to {file}"))
    session.say(f"  signs as {person(bound, signer.address)}:")
    for line in foreseen_lines({}, collected, ()):
        session.say(paragraph(line, "  "))
    if nothing_signed(session, {"sent": False, **as_json(collected)}):
        return
    session.say()
    confirm_batch(session, collected)
    write(file, collected.dumps())
    session.say(f"{good('Signed')}: {count_words(collected)}. Nothing was sent.")
    if collected.is_complete:
        session.say(f"\nNext\n  anyone sends it:\n    {command(f'escrow send {file}')}")
    else:
        session.say(f"Send {file} to the next verifier, who continues it, or to whoever sends it.")
    session.emit({"file": str(file), "sent": False, **as_json(collected)})


def _waits_for(collected: CollectedBatch) -> str:
    bound = collected.batch.items[0][0]
    names = ", ".join(person(bound, account) for account in collected.waiting_for)
    return f"it waits for {names}" if names else "anyone can send it"
