"""A batch of verdicts in people's words: what it will do, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from milestone_escrow.cli.attest.verdicts import consequence, verdict_words
from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.output import bold, good, waiting
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.collected import CollectedAttestation
from milestone_escrow.documents.files.collected_batch import CollectedBatch
from milestone_escrow.words.standing import Standing, person, silence_words, status

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.batching import BatchResult


def heading(desk: Desk, collected: CollectedBatch) -> str:
    """ "attest 3 milestones of SHED-7, SHED-8 on Sandbox as Vera Grün (surveyor)"."""
    roles = desk.bound.agreement.roles(desk.signer.address)
    name = person(desk.bound, desk.signer.address) + (f" ({', '.join(roles)})" if roles else "")
    count = len(collected.items)
    milestones = f"{count} milestones" if count > 1 else "1 milestone"
    return f"attest {milestones} of {references(collected)} on {desk.network.title} as {name}"


def references(collected: CollectedBatch) -> str:
    return ", ".join(sorted({bound.agreement.reference for bound, _ in collected.batch.items}))


def for_people(item: CollectedAttestation) -> tuple[str, int]:
    """People read by reference and milestone; the contract's order is by id."""
    return item.bound.agreement.reference, item.attestation.milestone


def foreseen_lines(
    desks: Mapping[bytes, Desk], collected: CollectedBatch, foreseen: Sequence[BatchResult]
) -> list[str]:
    """Each verdict with what it leads to, or why it will be skipped; without desks only what is
    said."""
    standings = {key: desk.standings() for key, desk in desks.items()}
    skipped = {found.attestation: found.reason for found in foreseen if found.skipped}
    lines = []
    for item in sorted(collected.items, key=for_people):
        name = f"{item.bound.agreement.reference} '{item.planned.key}'"
        if item.attestation in skipped:
            lines.append(f"{name}: will be skipped, {skipped[item.attestation]}")
            continue
        lines.append(f"{name}: {verdict_words(item)}")
        if item.bound.id in standings:
            standing = standings[item.bound.id][item.attestation.milestone]
            lines += [f"  {line}" for line in consequence(standing, item.attestation)]
    lines.append("one signature and one transaction; what can no longer be decided is skipped")
    return lines


def result_rows(
    desks: Mapping[bytes, Desk], results: Sequence[BatchResult]
) -> list[tuple[str, ...]]:
    """One row for each verdict: decided, and where the milestone stands; or skipped, and why."""
    standings = {key: desk.standings() for key, desk in desks.items()}
    rows: list[tuple[str, ...]] = []
    for result in results:
        standing = standings[result.agreement.id][result.attestation.milestone]
        reference = standing.bound.agreement.reference
        if result.skipped:
            said, what = waiting("skipped"), result.reason
        else:
            said, what = good("decided"), _outcome(standing)
        rows.append((said, reference, f"'{standing.key}'", what))
    return sorted(rows, key=lambda row: row[1])


def standing_rows(desks: Mapping[bytes, Desk], collected: CollectedBatch) -> list[tuple[str, ...]]:
    """One row for each milestone: where it stands."""
    standings = {key: desk.standings() for key, desk in desks.items()}
    rows: list[tuple[str, ...]] = []
    for item in sorted(collected.items, key=for_people):
        standing = standings[item.bound.id][item.attestation.milestone]
        rows.append((item.bound.agreement.reference, f"'{standing.key}'", _outcome(standing)))
    return rows


def _outcome(standing: Standing) -> str:
    later = silence_words(standing)
    return bold(status(standing)) + (f", {later}" if later else "")


def count_words(collected: CollectedBatch) -> str:
    return f"{len(collected.signatures)} of {collected.batch.quorum} needed verifiers signed"


def as_json(collected: CollectedBatch) -> dict[str, object]:
    """The batch for machines. It is about several agreements, so those fields are lists."""
    bounds: list[BoundAgreement] = [bound for bound, _ in collected.batch.items]
    return {
        "agreement": list(dict.fromkeys("0x" + bound.id.hex() for bound in bounds)),
        "reference": list(dict.fromkeys(bound.agreement.reference for bound in bounds)),
        "items": items_json(collected, ()),
        "signed_by": list(collected.signatures),
        "quorum": collected.batch.quorum,
        "complete": collected.is_complete,
    }


def items_json(
    collected: CollectedBatch, results: Sequence[BatchResult]
) -> list[dict[str, object]]:
    """Each verdict; with results also whether it was decided, or why it was skipped."""
    items = [_item(item) for item in collected.items]
    return (
        [
            {**item, "skipped": result.skipped or None, "why": result.reason or None}
            for item, result in zip(items, results, strict=True)
        ]
        if results
        else items
    )


def _item(item: CollectedAttestation) -> dict[str, object]:
    return {
        "reference": item.bound.agreement.reference,
        "milestone": item.planned.key,
        "verdict": item.attestation.verdict.name.lower(),
        "amount": {
            "units": str(item.attestation.amount),
            "text": item.bound.agreement.amount(item.attestation.amount),
        },
        "reason": item.reason,
        "evidence_hash": "0x" + item.attestation.evidence_hash.hex(),
    }
