"""An agreement as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from milestone_escrow.chain.contract.events import Event
from milestone_escrow.chain.contract.replay import undelivered
from milestone_escrow.chain.node.network import Network
from milestone_escrow.documents.check.power import powers
from milestone_escrow.documents.files.signed_agreement import PARTIES
from milestone_escrow.documents.when import format_relative, format_time
from milestone_escrow.oracle.viewing import DocumentedView, MilestoneView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status, held
from milestone_escrow.web.shapes import Deal, Shown, Stage, Sums, Told
from milestone_escrow.web.todos import todos
from milestone_escrow.words import standing as words
from milestone_escrow.words.departures import departure_words
from milestone_escrow.words.listing import listed
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names
from milestone_escrow.words.standing import Standing
from milestone_escrow.words.telling import Recall, Teller
from milestone_escrow.words.undelivered import waits

TONES = {
    Status.UNFUNDED: "",
    Status.FUNDED: "wait",
    Status.SUBMITTED: "wait",
    Status.RELEASE_PENDING: "wait",
    Status.REFUND_PENDING: "bad",
    Status.DISPUTED_BEFORE_VERDICT: "bad",
    Status.DISPUTED_OVER_VERDICT: "bad",
    Status.SETTLED: "good",
}


def deal(
    view: DocumentedView,
    network: Network,
    now: int,
    events: Sequence[Event],
    *,
    recall: Recall | None = None,
    shown: Mapping[int, Shown] = MappingProxyType({}),
    changes: Mapping[bytes, Sequence[Address]] = MappingProxyType({}),
    viewer: Address | None = None,
) -> Deal:
    """What the page of an agreement says to `viewer`; the document must be known. `changes` are
    the change orders that wait, by digest, with who has signed each. Without `recall` it tells no
    history."""
    agreement, bound = view.agreement, view.bound
    standings = words.standings_after(bound, view.states, now, events)
    waiting = undelivered(bound, events)
    return Deal(
        id="0x" + view.id.hex(),
        reference=agreement.reference,
        title=agreement.title,
        network=network.title,
        contract=bound.domain.verifying_contract,
        contract_href=network.link("address", bound.domain.verifying_contract),
        is_open=bool(view.opened_block),
        unsigned=", ".join(role for role in PARTIES if role not in view.signed.signatures),
        may_sign=any(role not in view.signed.signatures for role in agreement.roles(viewer or "")),
        may_act=viewer is not None and viewer in view.people,
        may_share=viewer is not None and viewer in (view.terms.buyer, view.terms.supplier),
        replaced_by="0x" + view.replaced_by.hex() if view.replaced_by else "",
        changes=tuple(_change(view, digest, signers) for digest, signers in changes.items())
        if not view.replaced_by
        else (),
        now=format_time(now, agreement.timezone),
        notes=tuple(departure_words(view.signed)),
        people=tuple(
            (role, party.name, party.account, network.link("address", party.account))
            for role, party in agreement.parties.items()
        ),
        sums=_sums(standings),
        waiting=tuple(
            say(
                "{waits}: it could not be delivered on {time}",
                waits=waits(Names.of(bound), one.account, one.units),
                time=format_time(one.place.time, agreement.timezone),
            )
            for one in waiting
        ),
        todos=todos(view, standings, waiting, viewer),
        stages=tuple(
            _stage(standing, stage, shown.get(stage.index, Shown()))
            for standing, stage in zip(standings, view.views, strict=True)
        ),
        history=_history(view, network, events, recall) if recall else (),
    )


def _change(view: DocumentedView, digest: bytes, signers: Sequence[Address]) -> tuple[str, str]:
    """Where a change order is, and who has signed it."""
    names = listed([words.person(view.bound, account) for account in signers])
    return f"/a/0x{view.id.hex()}/amend/0x{digest.hex()}", names or "nobody yet"


def _stage(standing: Standing, stage: MilestoneView, shown: Shown) -> Stage:
    planned, agreement = standing.planned, standing.bound.agreement
    alone = powers(agreement)[planned.index]
    settled = standing.state.status is Status.SETTLED
    open_until = "" if settled or not standing.end else words.when(standing, standing.end)
    responsible = agreement.name(planned.responsible) if planned.responsible else ""
    zone = agreement.timezone
    due = f"{format_time(planned.due_at, zone)} ({format_relative(planned.due_at, standing.now)})"
    return Stage(
        index=planned.index,
        key=planned.key,
        title=planned.title,
        description=planned.description,
        tone="bad" if standing.undelivered else TONES[standing.state.status],
        status=words.status(standing),
        amount=words.amount(standing, planned.amount),
        paid=_paid_words(standing),
        due=due if planned.due_at else "",
        ends=open_until,
        silence=words.silence_words(standing),
        responsible=responsible,
        requires=tuple(item.words() for item in planned.requirements.items),
        verified_by=_verified_by(standing),
        pays_alone=tuple(_role(standing, who) for who in alone.pays_alone),
        refunds_alone=tuple(_role(standing, who) for who in alone.refunds_alone),
        is_settled=settled,
        shown=shown,
    )


def _role(standing: Standing, role: str) -> str:
    agreement = standing.bound.agreement
    return agreement.short_name(role) if role in agreement.parties else role


def _verified_by(standing: Standing) -> str:
    planned = standing.planned
    if not planned.quorum:
        return ""
    names = ", ".join(standing.bound.agreement.short_name(name) for name in planned.verifiers)
    count = f"{planned.quorum} of " if len(planned.verifiers) > 1 else ""
    return count + names


def _paid_words(standing: Standing) -> str:
    out = standing.delivered
    parts = [words.split_words(standing, out).replace("pays", "paid", 1)] if out.total else []
    parts += [waits(standing.names, one.account, one.units) for one in standing.undelivered]
    return "; ".join(parts)


def _sums(standings: Sequence[Standing]) -> Sums:
    agreement = standings[0].bound.agreement
    price = sum(standing.planned.amount for standing in standings)
    kept = sum(held(standing.milestone, standing.state) for standing in standings)
    paid = sum(standing.delivered.to_payee for standing in standings)
    back = sum(standing.delivered.to_buyer for standing in standings)
    lost = sum(one.units for standing in standings for one in standing.undelivered)
    parts, start = [], 0
    for name, units in (("paid", paid), ("back", back), ("lost", lost), ("held", kept)):
        width = round(Fraction(1000 * units, price))
        parts.append((name, start, width))
        start += width
    return Sums(
        price=agreement.amount(price),
        held=agreement.amount(kept),
        paid=agreement.amount(paid),
        back=agreement.amount(back),
        undelivered=agreement.amount(lost) if lost else "",
        unpaid=agreement.amount(price - kept - paid - back - lost),
        parts=tuple(parts),
    )


def _history(
    view: DocumentedView, network: Network, events: Sequence[Event], recall: Recall
) -> tuple[Told, ...]:
    teller, zone = Teller(view.bound, events, recall), view.agreement.timezone
    told: list[Told] = []
    for event in events:
        who, text = teller.tell(event)
        place: Any = event.place
        when, href = format_time(place.time, zone), network.link("tx", place.transaction)
        told.append(Told(when, who, text, place.transaction, href))
    return tuple(reversed(told))
