"""What is known of a milestone besides the chain: evidence, requirements, verdicts that wait."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.when import format_time
from milestone_escrow.oracle.evidence.entries import EvidenceEntry, listing
from milestone_escrow.oracle.policies.gather import gather
from milestone_escrow.oracle.proposals import offers, splits
from milestone_escrow.oracle.signing.waiting import WaitingAttestation, open_attestations
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.protocol.acts import Resolution, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.receivables import Offer, price
from milestone_escrow.web.shapes import File, Proposal, Shown
from milestone_escrow.words.standing import person

_UNITS = ("bytes", "kB", "MB", "GB")
_SAID = {
    Verdict.ACCEPTED: "accepted",
    Verdict.REJECTED: "rejected",
    Verdict.RETURNED: "returned for rework",
}


def shown_of(
    connection: Connection,
    view: DocumentedView,
    index: int,
    now: int,
    viewer: Address | None = None,
) -> Shown:
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
        proposals=(
            *(_split(view, one, viewer) for one in splits(connection, view, index, now)),
            *(_offer(view, one, viewer) for one in offers(connection, view, index, now)),
        ),
    )


def size_of(count: int) -> str:
    """ "1.4 MB"."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def _file(view: DocumentedView, entry: EvidenceEntry) -> File:
    digest = entry.sha256.hex()
    return File(
        name=entry.name,
        kind=entry.kind.replace("_", " "),
        size=size_of(entry.size),
        sha256=digest,
        by=person(view.bound, entry.supplied_by),
        when=format_time(entry.added_at, view.agreement.timezone),
        href=f"/v1/evidence/{digest}" if entry.stored else "",
    )


def _split(view: DocumentedView, signed: SignedAct, viewer: Address | None) -> Proposal:
    assert isinstance(signed.act, Resolution)
    act, bound = signed.act, view.bound
    (by,) = signed.signatures
    sides = (view.terms.buyer, view.payee(act.milestone))
    answers = viewer in sides and viewer != by
    amount, until = bound.agreement.amount, _time(view, act.valid_until)
    return Proposal(
        digest=_digest(signed),
        verb="settle",
        kind="split",
        text=f"{person(bound, by)} proposes to settle it: {amount(act.to_payee)} to "
        f"{person(bound, sides[1])} and {amount(act.to_buyer)} back to {person(bound, sides[0])}; "
        f"open until {until}",
        takes="Look at it and accept" if answers else "",
    )


def _offer(view: DocumentedView, signed: SignedAct, viewer: Address | None) -> Proposal:
    assert isinstance(signed.act, Offer)
    act, bound = signed.act, view.bound
    (by,) = signed.signatures
    anyone = act.financier == ZERO_ADDRESS
    whom = "whoever buys it" if anyone else person(bound, act.financier)
    deciders = (view.terms.arbiter, *view.terms.verifiers)
    # Whoever only has a link says with their wallet who they are.
    may = viewer is None or (anyone and viewer not in deciders) or viewer == act.financier
    amount, until = bound.agreement.amount, _time(view, act.valid_until)
    rest = view.views[act.milestone].held
    return Proposal(
        digest=_digest(signed),
        verb="buy",
        kind="offer",
        text=f"{person(bound, by)} sells the {amount(rest)} that it pays to {whom} for "
        f"{amount(price(act, rest))}; open until {until}",
        takes="Look at it and buy" if may and viewer != by else "",
    )


def _digest(signed: SignedAct) -> str:
    return "0x" + signed.typed_data.digest().hex()


def _time(view: DocumentedView, moment: int) -> str:
    return format_time(moment, view.agreement.timezone)


def _signed(view: DocumentedView, waiting: WaitingAttestation) -> Iterator[str]:
    names = ", ".join(person(view.bound, account) for account in waiting.said_by)
    said = _SAID[waiting.attestation.verdict]
    reason = waiting.words.get("reason")
    because = f": “{reason}”" if reason else ""
    more = f"; {waiting.lacking} more needed" if waiting.lacking else ""
    if names:
        yield f"{names} {said}{because}{more}"
