"""An agreement as its page shows it: sentences and amounts, ready to be printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from milestone_escrow.chain.events import Event, MilestonePaid
from milestone_escrow.chain.networks import Network
from milestone_escrow.documents.check_power import powers
from milestone_escrow.documents.signed import PARTIES
from milestone_escrow.documents.when import format_relative, format_time
from milestone_escrow.oracle.book import AgreementView, MilestoneView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split, Status, held
from milestone_escrow.sandbox.names import listed
from milestone_escrow.words import standing as words
from milestone_escrow.words.standing import NOTHING, Standing
from milestone_escrow.words.tasks import Task, tasks
from milestone_escrow.words.telling import Recall, Teller

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
# The verbs that a wallet performs on the page, as its addresses name them.
ACTS = frozenset(
    {
        "fund",
        "attest",
        "submit",
        "dispute",
        "rule",
        "finalize",
        "approve",
        "refund",
        "offer",
        "settle",
    }
)


@dataclass(frozen=True, slots=True)
class Todo:
    """Something that somebody can do; `href` is where, "" where it is not this viewer's."""

    milestone: str
    who: str
    text: str
    until: str
    href: str
    is_yours: bool
    is_needed: bool


@dataclass(frozen=True, slots=True)
class File:
    """A piece of evidence; `href` is "" where only its hash is here."""

    name: str
    kind: str
    size: str
    sha256: str
    by: str
    when: str
    href: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A split or an offer that somebody has signed and that waits for an answer; `takes` is what
    the button says, "" where this viewer cannot answer it."""

    digest: str
    verb: str
    kind: str
    text: str
    takes: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a milestone besides the chain: its evidence, what its requirements come to
    ("met", "missing" or "failed", and a sentence), who has signed a verdict that waits, and what
    is proposed."""

    files: tuple[File, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
    signed: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One milestone on the timeline."""

    index: int
    key: str
    title: str
    description: str
    tone: str
    status: str
    amount: str
    paid: str
    due: str
    ends: str
    silence: str
    responsible: str
    requires: tuple[str, ...]
    verified_by: str
    pays_alone: tuple[str, ...]
    refunds_alone: tuple[str, ...]
    shown: Shown


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the history."""

    when: str
    who: str
    text: str
    transaction: str
    href: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Where the price is. The parts are thousandths of it, for the bar."""

    price: str
    held: str
    paid: str
    back: str
    unpaid: str
    parts: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Deal:
    """The whole page."""

    id: str
    reference: str
    title: str
    network: str
    contract: str
    contract_href: str
    is_open: bool
    unsigned: str
    may_sign: bool
    may_act: bool
    may_share: bool
    replaced_by: str
    changes: tuple[tuple[str, str], ...]
    now: str
    people: tuple[tuple[str, str, Address, str], ...]
    sums: Sums
    todos: tuple[Todo, ...]
    stages: tuple[Stage, ...]
    history: tuple[Told, ...]


def deal(
    view: AgreementView,
    network: Network,
    now: int,
    *,
    paid: Mapping[int, Sequence[MilestonePaid]],
    events: Sequence[Event] = (),
    recall: Recall = lambda _: {},
    shown: Mapping[int, Shown] = MappingProxyType({}),
    changes: Mapping[bytes, Sequence[Address]] = MappingProxyType({}),
    viewer: Address | None = None,
) -> Deal:
    """What the page of an agreement says to `viewer`; the document must be known. `changes` are
    the change orders that wait, by digest, with who has signed each."""
    assert view.signed is not None
    agreement, bound = view.signed.agreement, view.signed.bound
    standings = tuple(
        Standing(bound, stage.planned, stage.state, now, _paid_out(paid.get(stage.index, ())))
        for stage in view.views
        if stage.planned is not None
    )
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
        people=tuple(
            (role, party.name, party.account, network.link("address", party.account))
            for role, party in agreement.parties.items()
        ),
        sums=_sums(standings),
        todos=todos(view, standings, viewer),
        stages=tuple(
            _stage(standing, stage, shown.get(stage.index, Shown()))
            for standing, stage in zip(standings, view.views, strict=True)
        ),
        history=_history(view, network, events, recall),
    )


def todos(
    view: AgreementView, standings: Sequence[Standing], viewer: Address | None
) -> tuple[Todo, ...]:
    """What can be done now: the viewer's own first, then what the deal waits for, by urgency."""
    if not view.opened_block:
        return ()
    found = [
        (task, standing)
        for standing in standings
        for task in (*tasks(view.name, standing), *_splits(view, standing))
        if task.is_needed or (viewer is not None and task.account == viewer)
    ]
    found.sort(key=lambda pair: (pair[0].account != viewer, pair[0].until == 0, pair[0].until))
    return tuple(_together(_todo(view, task, standing, viewer) for task, standing in found))


def _change(view: AgreementView, digest: bytes, signers: Sequence[Address]) -> tuple[str, str]:
    """Where a change order is, and who has signed it."""
    assert view.signed is not None
    names = listed([words.person(view.signed.bound, account) for account in signers])
    return f"/a/0x{view.id.hex()}/amend/0x{digest.hex()}", names or "nobody yet"


def _splits(view: AgreementView, standing: Standing) -> Iterator[Task]:
    """Either side may propose to the other how what is held is divided."""
    if not standing.held:
        return
    text = f"propose how {words.amount(standing, standing.held)} is split between the two sides"
    line = f"escrow settle {view.name} {standing.key}"
    for account in (standing.terms.buyer, standing.payee):
        yield Task(standing.key, account, text, "settle", line, 0, is_needed=False)


def _together(todos: Iterable[Todo]) -> Iterator[Todo]:
    """What several people may do alike is said once."""
    grouped: dict[tuple[str, str, str, bool], list[Todo]] = {}
    for todo in todos:
        key = (todo.milestone, todo.text, todo.until, todo.is_yours)
        grouped.setdefault(key, []).append(todo)
    for alike in grouped.values():
        yield replace(alike[0], who=listed([todo.who for todo in alike]))


def _todo(view: AgreementView, task: Task, standing: Standing, viewer: Address | None) -> Todo:
    is_yours = viewer is not None and task.account in (viewer, None)
    who = words.person(standing.bound, task.account) if task.account else "anyone"
    href = f"/a/0x{view.id.hex()}/{standing.planned.index}/{task.verb}"
    return Todo(
        milestone=standing.planned.title,
        who="you" if task.account == viewer and viewer else who,
        text=task.text,
        until=words.when(standing, task.until) if task.until else "",
        href=href if is_yours and task.verb in ACTS else "",
        is_yours=is_yours,
        is_needed=task.is_needed,
    )


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
        tone=TONES[standing.state.status],
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
    out = standing.paid_out
    return words.split_words(standing, out).replace("pays", "paid", 1) if out.total else ""


def _sums(standings: Sequence[Standing]) -> Sums:
    agreement = standings[0].bound.agreement
    price = sum(standing.planned.amount for standing in standings)
    waits = sum(held(standing.milestone, standing.state) for standing in standings)
    paid = sum(standing.paid_out.to_payee for standing in standings)
    back = sum(standing.paid_out.to_buyer for standing in standings)
    parts, start = [], 0
    for name, units in (("paid", paid), ("back", back), ("held", waits)):
        width = round(Fraction(1000 * units, price))
        parts.append((name, start, width))
        start += width
    return Sums(
        price=agreement.amount(price),
        held=agreement.amount(waits),
        paid=agreement.amount(paid),
        back=agreement.amount(back),
        unpaid=agreement.amount(price - waits - paid - back),
        parts=tuple(parts),
    )


def _paid_out(payouts: Sequence[MilestonePaid]) -> Split:
    if not payouts:
        return NOTHING
    return Split(
        sum(payout.to_payee + payout.fee for payout in payouts),
        sum(payout.to_buyer for payout in payouts),
    )


def _history(
    view: AgreementView, network: Network, events: Sequence[Event], recall: Recall
) -> tuple[Told, ...]:
    assert view.signed is not None
    teller, zone = Teller(view.signed.bound, events, recall), view.signed.agreement.timezone
    told: list[Told] = []
    for event in events:
        who, text = teller.tell(event)
        place: Any = event.place
        when, href = format_time(place.time, zone), network.link("tx", place.transaction)
        told.append(Told(when, who, text, place.transaction, href))
    return tuple(reversed(told))
