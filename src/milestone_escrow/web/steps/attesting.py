"""A verifier's verdict: joined where another has proposed the same, signed, and taken in."""

from __future__ import annotations

from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.listing import manifest
from milestone_escrow.oracle.signing.attestation_json import attestation_data, read_attestation
from milestone_escrow.oracle.signing.intake import take
from milestone_escrow.oracle.signing.waiting import open_attestations
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.web.steps.wish import Step, Table, done, sign

VERDICTS = {
    "accept": Verdict.ACCEPTED,
    "return": Verdict.RETURNED,
    "reject": Verdict.REJECTED,
}


def attest(table: Table) -> Step:
    """Ask for the signature; with it, take the verdict in."""
    if "attestation" in table.wish.signed:
        return _taken(table)
    attestation = _wanted(table)
    data = attestation.typed_data(table.web.escrow.domain)
    said = {
        Verdict.ACCEPTED: f"You certify {table.amount(attestation.amount)}.",
        Verdict.RETURNED: "You return it for rework; nothing is paid, nothing ends.",
        Verdict.REJECTED: "You reject it; unless somebody objects, the buyer is refunded.",
    }[attestation.verdict]
    held = {**attestation_data(attestation), "reason": _reason(table)}
    return sign("attestation", "Sign the verdict", data, said, "Signing costs nothing.", held=held)


def _wanted(table: Table) -> Attestation:
    word = table.wish.text("verdict")
    if word not in VERDICTS:
        raise UsageError("that is no verdict", hint="accept, return or reject")
    verdict, words = VERDICTS[word], _words(table)
    amount = table.units("amount") if verdict is Verdict.ACCEPTED else 0
    evidence = words_hash(words)
    new = table.web.escrow.attestation(
        table.view, table.index, verdict, amount=amount, evidence_hash=evidence
    )
    with table.web.api.store.reading() as connection:
        waiting = open_attestations(connection, table.view.id, table.index)
    for one in waiting:
        other = one.attestation
        same = (other.verdict, other.amount, other.evidence_hash) == (verdict, new.amount, evidence)
        if same and table.wish.account in one.missing:
            return other
    return new


def _reason(table: Table) -> str:
    wanted = table.wish.fields.get("verdict") in ("return", "reject")
    return table.wish.text("reason", wanted=wanted)


def _words(table: Table) -> dict[str, object]:
    with table.web.api.store.reading() as connection:
        files = manifest(connection, table.view.id, table.index)
    return words_of(files if files.files else None, _reason(table))


def _taken(table: Table) -> Step:
    held = dict(table.wish.held.get("attestation", {}))
    held.pop("reason", None)
    attestation, signature = read_attestation(held), table.wish.signed["attestation"]
    api, escrow = table.web.api, table.web.escrow
    with api.store.transaction() as connection:
        view = viewing.agreement(connection, table.view.id)
        outcome = take(
            connection,
            escrow.domain,
            view,
            attestation,
            {table.wish.account: signature},
            api.chain_now(connection),
            words=_words(table),
            contract_signs=api.contract_signature,
            actor=table.wish.account,
        )
    if not outcome.is_taken:
        raise EscrowError(outcome.reason or "the verdict was not taken")
    api.wake()
    count = f"{len(outcome.signers)} of {outcome.quorum} needed verifiers have signed."
    return done("Your verdict is taken in", count)
