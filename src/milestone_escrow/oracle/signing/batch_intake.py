"""Batches taken in from verifiers: each item is checked as if it came alone, and then all or
nothing is taken.

What a batch holds becomes attestations like any others. That later some of them can no longer be
decided is no reason to refuse a further signature: the contract skips those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert

from milestone_escrow.errors import TypedDataError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.relaying.calls import batch_call
from milestone_escrow.oracle.signing import waiting_batches
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.batch_json import BatchPost
from milestone_escrow.oracle.signing.counting import cases, dossiers
from milestone_escrow.oracle.signing.examining import (
    INTAKE,
    Examined,
    IntakeOutcome,
    unknown,
)
from milestone_escrow.oracle.signing.recording import Writer, bad_words
from milestone_escrow.oracle.signing.rules import Refusal, conflict, refused_by_contract
from milestone_escrow.oracle.signing.waiting_batches import Kept
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.batch import Batch
from milestone_escrow.protocol.batch import batches as batches_of
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.signatures import Wallets, is_signed, not_signed, settled
from milestone_escrow.protocol.terms import numbered

MAX_CALLDATA = 120_000
"""Bytes of calldata: nodes pass on no transaction above 128 KiB. Each item carries the hashes of
all milestones of its agreement, so some fifty items are too many where those are long."""


@dataclass(frozen=True, slots=True)
class ExaminedBatch:
    """A batch whose signers are known, before anything is asked of the store's other posts."""

    digest: bytes
    items: tuple[Examined, ...] = ()
    signatures: Mapping[Address, bytes] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    actor: str = INTAKE


def take_batch(
    store: Store,
    domain: Domain,
    post: BatchPost,
    now: int,
    *,
    wallets: Wallets | None = None,
    actor: str = INTAKE,
) -> IntakeOutcome:
    """Take in a batch, all of it or nothing; once this returns, it is durable. `now` is the
    chain's time."""
    examined = examine_batch(store, domain, post, wallets, actor=actor)
    if examined.refused:
        return IntakeOutcome(examined.digest, None, refused=examined.refused)
    with store.transaction() as connection:
        return record_batch(connection, examined, now)


def examine_batch(
    store: Store,
    domain: Domain,
    post: BatchPost,
    wallets: Wallets | None = None,
    *,
    actor: str = INTAKE,
) -> ExaminedBatch:
    """Whether it is one batch, and whose signatures these are; the chain is asked for contracts."""
    with store.reading() as connection:
        ids = dict.fromkeys(item.attestation.agreement_id for item in post.items)
        views = {view.id: view for view in viewing.agreements(connection, ids)}
    items: list[Examined] = []
    refused: list[Refusal] = []
    for place, item in enumerate(post.items, start=1):
        single = Post(item.attestation, {}, item.words)
        try:
            digest = item.attestation.typed_data(domain).digest()
        except TypedDataError as error:
            refused.append(_of_item(place, item.attestation, Refusal("Malformed", error.message)))
            continue
        items.append(Examined(single, digest, actor=actor))
        view = views.get(item.attestation.agreement_id)
        if view is None or item.attestation.milestone >= len(view.milestones):
            refused.append(_of_item(place, item.attestation, unknown(item.attestation)))
        elif (why := bad_words(single)) is not None:
            refused.append(_of_item(place, item.attestation, why))
    if refused:
        return ExaminedBatch(b"", refused=tuple(refused))
    attested = [(views[i.attestation.agreement_id], i.attestation) for i in post.items]
    try:
        batch = _one(attested)
    except UsageError as error:
        hint = f"; {error.hint}" if error.hint else ""
        return ExaminedBatch(b"", refused=(Refusal("NotOneBatch", f"{error.message}{hint}"),))
    digest = batch.typed_data(domain).digest()
    refused += _unsigned(domain.chain_id, batch, digest, post.signatures, wallets)
    if not refused and len(batch_call(batch, digest, post.signatures)) > MAX_CALLDATA:
        most = f"the batch is too large for one transaction, which holds {MAX_CALLDATA:,} bytes"
        refused.append(Refusal("TooLarge", f"{most}; sign several smaller ones"))
    return ExaminedBatch(digest, tuple(items), post.signatures, tuple(refused), actor)


def record_batch(connection: Connection, examined: ExaminedBatch, now: int) -> IntakeOutcome:
    """Take an examined batch in, in the caller's write transaction, or nothing of it."""
    if examined.refused:
        return IntakeOutcome(examined.digest, None, refused=examined.refused)
    writer = Writer.start(connection, examined.items, now, examined.actor)
    there = waiting_batches.load(connection, [examined.digest]).get(examined.digest)
    known = tuple(a for a in examined.signatures if there and a in there.signatures)
    fresh = tuple(account for account in examined.signatures if account not in known)
    refused = tuple(_refused(writer, examined, fresh, there, now)) if fresh else ()
    if refused:
        writer.write(connection)
        return IntakeOutcome(examined.digest, None, refused=refused)
    if fresh:
        _take(writer, examined, fresh)
        writer.write(connection, lambda: _insert(connection, examined, fresh, there, now))
    found = waiting_batches.load(connection, [examined.digest])[examined.digest]
    counted = waiting_batches.count(
        found, cases(connection, found.keys), dossiers(connection, found.keys)
    )
    return IntakeOutcome(
        examined.digest,
        counted.stage,
        fresh,
        known,
        signers=counted.signers,
        quorum=counted.quorum,
        waiting_for=counted.waiting_for,
    )


def _one(attested: Sequence[tuple[AgreementView, Attestation]]) -> Batch[AgreementView]:
    """The batch that these make, in their order.

    Raises:
        UsageError: they make none, or several, or stand in another order.
    """
    found = batches_of(attested)
    if len(found) > 1:
        raise UsageError(
            f"these attestations make {len(found)} batches: their verifiers differ",
            hint="sign and post each batch by itself",
        )
    if found[0].attestations != tuple(attestation for _, attestation in attested):
        raise UsageError(
            "the items stand in another order than everybody signs them in",
            hint="order them by agreement, milestone and time",
        )
    places = [(one.agreement_id, one.milestone) for one in found[0].attestations]
    for place, about in enumerate(places[1:], start=2):
        if about == places[place - 2]:
            raise UsageError(
                f"items {place - 1} and {place} are about the same milestone",
                hint="say of each milestone one thing",
            )
    return found[0]


def _unsigned(
    chain_id: int,
    batch: Batch[AgreementView],
    digest: bytes,
    signatures: Mapping[Address, bytes],
    wallets: Wallets | None,
) -> Iterator[Refusal]:
    for account, signature in signatures.items():
        if account not in batch.signers:
            # All items have the same verifiers, so the first one stands for all.
            view, first = batch.items[0]
            verifies = account in view.terms.verifiers_of(view.milestones[first.milestone])
            which = "all items of the batch" if verifies else "the milestones of this batch"
            reason = f"{account} does not verify {which}"
            yield Refusal("SignerNotAllowed", reason, account)
        elif not is_signed(chain_id, account, digest, signature, wallets):
            reason = not_signed(account, "this batch", signature)
            yield Refusal("InvalidSignature", reason, account)


def _refused(
    writer: Writer,
    examined: ExaminedBatch,
    accounts: Sequence[Address],
    there: Kept | None,
    now: int,
) -> Iterator[Refusal]:
    """Why these accounts' signatures cannot be taken; each is noted for its signer."""
    objections: list[Refusal] = []
    conflicts: list[Refusal] = []
    for place, item in enumerate(examined.items, start=1):
        attestation = item.post.attestation
        case, dossier = writer.cases.get(item.key), writer.dossiers[item.key]
        why = unknown(attestation) if case is None else refused_by_contract(case, attestation, now)
        if why is not None:
            objections.append(_of_item(place, attestation, why))
            for account in accounts:
                writer.log_refusal(attestation, account, why)
        entry = dossier.entries.get(item.digest)
        if entry is not None and not entry.is_live:
            continue  # it is decided, and whatever else they said of it does no harm
        for account in accounts:
            why = conflict(account, attestation, dossier.signed_by(account))
            if why is not None:
                conflicts.append(_of_item(place, attestation, why))
                writer.log_refusal(attestation, account, why)
    # What others have signed before is continued as long as anything of it can be decided.
    if there is None or len(objections) == len(examined.items):
        yield from objections
    yield from conflicts


def _take(writer: Writer, examined: ExaminedBatch, accounts: Sequence[Address]) -> None:
    name = "0x" + examined.digest.hex()
    for item in examined.items:
        dossier, case = writer.dossiers[item.key], writer.cases[item.key]
        evidence = writer.evidence(item.post, remember=True)
        entry = dossier.entries.get(item.digest) or writer.begin(dossier, item)
        entry.together |= set(accounts)
        writer.said(dossier, case, entry, set(accounts), evidence, batch=name)


def _insert(
    connection: Connection,
    examined: ExaminedBatch,
    accounts: Sequence[Address],
    there: Kept | None,
    now: int,
) -> None:
    digest = examined.digest
    if there is None:
        until = min(item.post.attestation.valid_until for item in examined.items)
        row = {"digest": digest, "valid_until": until, "received_at": now, "state": "open"}
        connection.execute(insert(t.batches), row)
        connection.execute(
            insert(t.batch_items),
            [
                {"batch": digest, "position": place, "attestation": item.digest}
                for place, item in enumerate(examined.items)
            ],
        )
    connection.execute(
        insert(t.batch_signatures),
        [
            {
                "batch": digest,
                "signer": account,
                "signature": settled(account, digest, examined.signatures[account]),
                "received_at": now,
            }
            for account in accounts
        ],
    )


def _of_item(place: int, attestation: Attestation, why: Refusal) -> Refusal:
    """A refusal that says which item it is about."""
    of = f"0x{attestation.agreement_id.hex()[:12]}…"
    reason = f"item {place} ({numbered(attestation.milestone)} of {of}): {why.reason}"
    return Refusal(why.error, reason, why.account)
