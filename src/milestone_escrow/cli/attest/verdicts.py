"""An attestation in people's words: the verdict, the evidence, and what it leads to."""

from __future__ import annotations

import shlex
from dataclasses import replace

from milestone_escrow.documents.files.collected import CollectedAttestation
from milestone_escrow.documents.money import format_amount
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import (
    Status,
    fee,
    rest_until,
    silence_split,
    time_to_object,
)
from milestone_escrow.words.standing import Standing, amount, person, split_words, when


def one_verdict() -> UsageError:
    """What to say where a verdict is missing, or several are given."""
    return UsageError("this needs one verdict", hint="--accept, --return REASON or --reject REASON")


def options_again(collected: CollectedAttestation) -> str:
    """The options that say the same once more."""
    attestation = collected.attestation
    if attestation.verdict is Verdict.REJECTED:
        return f"--reject {shlex.quote(collected.reason)}"
    if attestation.amount == collected.milestone.amount:
        return "--accept"
    text = format_amount(attestation.amount, collected.bound.token, symbol=False)
    return f"--accept --amount {text}"


def consequence(standing: Standing, attestation: Attestation) -> list[str]:
    """What an attestation that is sent now leads to."""
    terms, state = standing.terms, standing.state
    buyer = person(standing.bound, terms.buyer)
    payee = person(standing.bound, standing.payee)
    if state.status is Status.DISPUTED_OVER_VERDICT:
        return _in_dispute(standing, attestation)
    if attestation.verdict is Verdict.REJECTED:
        moment = when(standing, standing.now + time_to_object(terms))
        back = amount(standing, standing.held)
        if not terms.has_arbiter:
            return [f"gives {back} back to {buyer} on {moment}"]
        return [f"unless {payee} disputes it, gives {back} back to {buyer} on {moment}"]
    paid = attestation.amount - state.paid
    less = fee(terms, paid)
    text = amount(standing, paid) + (f", less a fee of {amount(standing, less)}," if less else "")
    rest = standing.milestone.amount - attestation.amount
    later = []
    if rest:
        until = rest_until(terms, standing.milestone, standing.now + terms.objection_period)
        later = [
            f"{amount(standing, rest)} stays; without more proof it goes back to {buyer} on "
            f"{when(standing, until)}"
        ]
    if not terms.objection_period:
        return [f"pays {text} to {payee} now, final", *later]
    moment = when(standing, standing.now + terms.objection_period)
    unless = f"unless {buyer} disputes it, " if terms.has_arbiter else ""
    return [f"{unless}pays {text} to {payee} on {moment}", *later]


def _in_dispute(standing: Standing, attestation: Attestation) -> list[str]:
    """The arbiter keeps the case; the verdict is what stands without a ruling."""
    terms = standing.terms
    accepted = attestation.verdict is Verdict.ACCEPTED
    clock = max(standing.state.clock, standing.now + time_to_object(terms))
    state = replace(standing.state, clock=clock, pending=attestation.amount if accepted else 0)
    split = split_words(standing, silence_split(terms, standing.milestone, state))
    arbiter, moment = person(standing.bound, terms.arbiter), when(standing, clock)
    return [f"{arbiter} has until {moment} to decide; otherwise {split}"]


def verdict_words(collected: CollectedAttestation) -> str:
    attestation, agreement = collected.attestation, collected.bound.agreement
    if attestation.verdict is Verdict.ACCEPTED:
        whole = collected.milestone.amount
        part = "" if attestation.amount == whole else f" of {agreement.amount(whole)}"
        text = f"accepted, {agreement.amount(attestation.amount)}{part}"
    elif attestation.verdict is Verdict.REJECTED:
        text = f"rejected, “{collected.reason}”"
    else:
        text = f"returned for rework, “{collected.reason}”"
    return f"{text}; {evidence_words(collected)}"


def required_words(collected: CollectedAttestation) -> list[str]:
    """What the agreement says must be shown, for whoever accepts it."""
    items = collected.planned.requirements.items
    if collected.attestation.verdict is not Verdict.ACCEPTED or not items:
        return []
    shown = "; ".join(item.words() for item in items)
    whole = collected.milestone.amount
    if collected.attestation.amount < whole:
        amount = collected.bound.agreement.amount(whole)
        return [f"which says that less was shown than {amount} asks for: {shown}"]
    return [f"which says that this was shown: {shown}"]


def evidence_words(collected: CollectedAttestation) -> str:
    files = collected.words.get("files")
    names = (
        [str(f["name"]) for f in files if isinstance(f, dict)] if isinstance(files, list) else []
    )
    if not names:
        return "no evidence files"
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"evidence {shown} (SHA-256 {collected.attestation.evidence_hash.hex()[:12]}…)"


def count_words(collected: CollectedAttestation) -> str:
    return f"{len(collected.signatures)} of {collected.milestone.quorum} needed verifiers signed"


def as_json(collected: CollectedAttestation) -> dict[str, object]:
    attestation = collected.attestation
    return {
        "verdict": attestation.verdict.name.lower(),
        "amount": {
            "units": str(attestation.amount),
            "text": collected.bound.agreement.amount(attestation.amount),
        },
        "reason": collected.reason,
        "evidence_hash": "0x" + attestation.evidence_hash.hex(),
        "issued_at": attestation.issued_at,
        "valid_until": attestation.valid_until,
        "signed_by": list(collected.signatures),
        "quorum": collected.milestone.quorum,
        "complete": collected.is_complete,
    }
