"""What is known of a milestone besides the chain: evidence, requirements, verdicts that wait."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from milestone_escrow.documents.when import format_time
from milestone_escrow.oracle.book import AgreementView
from milestone_escrow.oracle.evidence.listing import Entry, listing
from milestone_escrow.oracle.policies.evaluate import evaluate
from milestone_escrow.oracle.policies.gather import gather
from milestone_escrow.oracle.signing.waiting import Waiting, open_attestations
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.web.deal import File, Shown
from milestone_escrow.words.standing import person

_UNITS = ("bytes", "kB", "MB", "GB")
_SAID = {
    Verdict.ACCEPTED: "accepted",
    Verdict.REJECTED: "rejected",
    Verdict.RETURNED: "returned for rework",
}


def shown_of(connection: Connection, view: AgreementView, index: int, now: int) -> Shown:
    """Everything about one milestone, for somebody who may read the agreement."""
    planned = view.views[index].planned
    if planned is None:
        return Shown()
    finding = evaluate(planned.requirements, gather(connection, view, index), now)
    leaves = finding.leaves() if planned.requirements.items else ()
    return Shown(
        files=tuple(_file(view, entry) for entry in listing(connection, view.id, index)),
        findings=tuple((leaf.standing.value, leaf.text) for leaf in leaves),
        signed=tuple(
            sentence
            for waiting in open_attestations(connection, view.id, index)
            for sentence in _signed(view, waiting)
        ),
    )


def size_of(count: int) -> str:
    """ "1.4 MB"."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def _file(view: AgreementView, entry: Entry) -> File:
    assert view.signed is not None
    digest = entry.sha256.hex()
    return File(
        name=entry.name,
        kind=entry.kind.replace("_", " "),
        size=size_of(entry.size),
        sha256=digest,
        by=person(view.signed.bound, entry.supplied_by),
        when=format_time(entry.added_at, view.signed.agreement.timezone),
        href=f"/v1/evidence/{digest}" if entry.stored else "",
    )


def _signed(view: AgreementView, waiting: Waiting) -> Iterator[str]:
    assert view.signed is not None
    names = ", ".join(person(view.signed.bound, account) for account in waiting.signatures)
    missing = waiting.quorum - len(waiting.signatures)
    said = _SAID[waiting.attestation.verdict]
    reason = waiting.words.get("reason")
    because = f": “{reason}”" if reason else ""
    more = f"; {missing} more needed" if missing > 0 else ""
    if names:
        yield f"{names} {said}{because}{more}"
