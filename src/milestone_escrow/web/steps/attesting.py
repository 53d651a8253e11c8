"""A verifier's verdict: joined where another has proposed the same, signed, and taken in."""

from __future__ import annotations

from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.entries import manifest
from milestone_escrow.oracle.signing.attestation_json import attestation_data, read_attestation
from milestone_escrow.oracle.signing.intake import take
from milestone_escrow.oracle.signing.waiting import open_attestations
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.web.steps.visit import Visit, WalletStep, done, sign

VERDICTS = {
    "accept": Verdict.ACCEPTED,
    "return": Verdict.RETURNED,
    "reject": Verdict.REJECTED,
}


def attest(visit: Visit) -> WalletStep:
    """Ask for the signature; with it, take the verdict in."""
    if "attestation" in visit.answers:
        return _taken(visit)
    attestation = _wanted(visit)
    data = attestation.typed_data(visit.escrow.domain)
    whole = visit.here.milestone.amount
    part = f" of {visit.amount(whole)}" if attestation.amount < whole else ""
    said = {
        Verdict.ACCEPTED: f"You certify {visit.amount(attestation.amount)}{part}.",
        Verdict.RETURNED: "You return it for rework; nothing is paid, nothing ends.",
        Verdict.REJECTED: "You reject it; unless somebody objects, the buyer is refunded.",
    }[attestation.verdict]
    held = {**attestation_data(attestation), "reason": _reason(visit)}
    return sign("attestation", "Sign the verdict", data, said, "Signing costs nothing.", held=held)


def _wanted(visit: Visit) -> Attestation:
    word = visit.text("verdict")
    if word not in VERDICTS:
        raise UsageError("that is no verdict", hint="accept, return or reject")
    verdict, words = VERDICTS[word], _words(visit)
    amount = visit.units("amount") if verdict is Verdict.ACCEPTED else 0
    evidence = words_hash(words)
    new = visit.escrow.attestation(
        visit.view, visit.index, verdict, amount=amount, evidence_hash=evidence
    )
    with visit.web.api.store.reading() as connection:
        waiting = open_attestations(connection, visit.view.id, visit.index)
    for one in waiting:
        other = one.attestation
        same = (other.verdict, other.amount, other.evidence_hash) == (verdict, new.amount, evidence)
        if same and visit.account in one.missing:
            return other
    return new


def _reason(visit: Visit) -> str:
    wanted = visit.fields.get("verdict") in ("return", "reject")
    return visit.text("reason", wanted=wanted)


def _words(visit: Visit) -> dict[str, object]:
    with visit.web.api.store.reading() as connection:
        files = manifest(connection, visit.view.id, visit.index)
    return words_of(files if files.files else None, _reason(visit))


def _taken(visit: Visit) -> WalletStep:
    held = dict(visit.held.get("attestation", {}))
    held.pop("reason", None)
    attestation, signature = read_attestation(held), visit.answers["attestation"]
    api, escrow = visit.web.api, visit.escrow
    with api.store.transaction() as connection:
        view = viewing.agreement(connection, visit.view.id)
        outcome = take(
            connection,
            escrow.domain,
            view,
            attestation,
            {visit.account: signature},
            api.chain_now(connection),
            words=_words(visit),
            wallets=api.wallets,
            actor=visit.account,
        )
    if not outcome.is_taken:
        raise EscrowError(outcome.reason or "the verdict was not taken")
    api.wake()
    count = f"{len(outcome.signers)} of {outcome.quorum} needed verifiers have signed."
    return done("Your verdict is taken in", count)
