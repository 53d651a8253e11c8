"""What the store knows of agreements, typed: the chain's view, with names where there are any."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, exists, or_, select

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    CreditWithdrawn,
    Event,
    MilestonePaid,
    PayoutCredited,
    Place,
)
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import StoreError, UsageError
from milestone_escrow.oracle.store import aside, audit_log, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new, upsert
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import State, held, payee
from milestone_escrow.protocol.terms import Milestone, Terms, numbered
from milestone_escrow.protocol.token import Token
from milestone_escrow.words.departures import departure_words

log = logging.getLogger("milestone_escrow.oracle.viewing")


@dataclass(frozen=True, slots=True)
class FollowedHead:
    """How far the store has followed the chain; `time` is that block's, Unix seconds."""

    number: int
    hash: bytes
    time: int
    final_number: int


@dataclass(frozen=True, slots=True)
class MilestoneView:
    """One milestone: what was agreed, where it stands, and what its document calls it."""

    index: int
    milestone: Milestone
    state: State
    next_at: int | None
    changed_at: int
    planned: PlannedMilestone | None = None

    @property
    def key(self) -> str:
        """Its key in the document; its number, counted from 1, where there is none."""
        return self.planned.key if self.planned else str(self.index + 1)

    @property
    def title(self) -> str:
        return self.planned.title if self.planned else numbered(self.index)

    @property
    def held(self) -> int:
        """What still waits in the contract for it, token units."""
        return held(self.milestone, self.state)


@dataclass(frozen=True)
class AgreementView:
    """One agreement that was opened on chain. `signed` is its document, where it is known."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]
    opened_block: int
    opened_at: int
    views: tuple[MilestoneView, ...]
    replaced_by: bytes | None = None
    amends: bytes | None = None
    signed: SignedAgreement | None = None

    @property
    def agreement(self) -> Agreement | None:
        return self.signed.agreement if self.signed else None

    @property
    def token(self) -> Token | None:
        """The token as the document knows it; None without one."""
        return self.signed.token if self.signed else None

    @property
    def states(self) -> tuple[State, ...]:
        return tuple(view.state for view in self.views)

    @property
    def name(self) -> str:
        return self.agreement.reference if self.agreement else f"0x{self.id.hex()[:8]}…"

    @cached_property
    def people(self) -> frozenset[Address]:
        """The accounts of everybody with a role, assignees included."""
        terms = self.terms
        assignees = (state.assignee for state in self.states)
        everybody = {terms.buyer, terms.supplier, terms.arbiter, *terms.verifiers, *assignees}
        return frozenset(everybody - {ZERO_ADDRESS})

    def payee(self, index: int) -> Address:
        """Whom the milestone pays."""
        return payee(self.terms, self.views[index].state)

    def role_of(self, account: Address, index: int | None = None) -> str:
        """Its name in the document, else "buyer", "supplier", "assignee", "verifier", "arbiter";
        "" for a stranger. An assignee is one only of its own milestone, where `index` says."""
        if self.agreement and (roles := self.agreement.roles(account)):
            return roles[0]
        for role in ("buyer", "supplier", "arbiter"):
            if getattr(self.terms, role) == account:
                return role
        views = self.views if index is None else (self.views[index],)
        if account != ZERO_ADDRESS and any(view.state.assignee == account for view in views):
            return "assignee"
        return "verifier" if account in self.terms.verifiers else ""

    def find(self, milestone: int | str) -> MilestoneView:
        """A milestone by its index, an integer, or by its key.

        Raises:
            UsageError: there is no such milestone.
        """
        for view in self.views:
            if milestone in (view.index, view.key):
                return view
        known = ", ".join(view.key for view in self.views)
        raise UsageError(
            f"'{milestone}' is not a milestone of {self.name}", hint=f"its milestones are {known}"
        )


@dataclass(frozen=True)
class DocumentedView(AgreementView):
    """An agreement whose document is known."""

    signed: SignedAgreement = field(kw_only=True)

    @property
    def agreement(self) -> Agreement:
        return self.signed.agreement

    @property
    def bound(self) -> BoundAgreement:
        return self.signed.bound

    @property
    def token(self) -> Token:
        return self.signed.token


def documented(view: AgreementView) -> DocumentedView | None:
    """The same with what its document says; None where that is not known."""
    if view.signed is None:
        return None
    return DocumentedView(**{one.name: getattr(view, one.name) for one in fields(view)})


def head(connection: Connection) -> FollowedHead | None:
    """How far the chain was followed; None before the first block."""
    row = connection.execute(select(t.cursor)).first()
    return FollowedHead(row.number, row.hash, row.time, row.final_number) if row else None


def agreement(connection: Connection, agreement_id: bytes) -> AgreementView | None:
    """One agreement; None where it was not opened on chain, as far as the store knows."""
    return next(iter(agreements(connection, [agreement_id])), None)


def require_readable(connection: Connection, agreement_id: bytes) -> None:
    """Tell an agreement that is not open from one that is, and cannot be read here.

    Raises:
        StoreError: it is open, and what is kept of it is set aside.
    """
    kept = select(t.agreements.c.agreement_id).where(t.agreements.c.agreement_id == agreement_id)
    if connection.execute(kept).first() and agreement(connection, agreement_id) is None:
        raise StoreError(
            f"what is kept here of agreement 0x{agreement_id.hex()} cannot be read",
            hint="its operator finds out why with `escrow oracle doctor`; the chain has it all",
        )


def agreements(connection: Connection, ids: Iterable[bytes]) -> list[AgreementView]:
    """Agreements by id, in the order of `ids`; those that are not open are left out."""
    wanted = list(ids)
    if not wanted:
        return []
    opened = connection.execute(select(t.agreements).where(t.agreements.c.agreement_id.in_(wanted)))
    by_id = {row.agreement_id: row for row in opened}
    stages: dict[bytes, list[Row[Any]]] = {}
    where = t.milestones.c.agreement_id.in_(wanted)
    for row in connection.execute(
        select(t.milestones).where(where).order_by(t.milestones.c.milestone)
    ):
        stages.setdefault(row.agreement_id, []).append(row)
    known = documents(connection, wanted)
    found = (_seen(by_id[i], stages.get(i, []), known.get(i)) for i in wanted if i in by_id)
    return [view for view in found if view is not None]


def ids_of(connection: Connection, party: Address | None = None) -> list[bytes]:
    """The ids of all agreements, the newest first; of those in which `party` has a role."""
    query = select(t.agreements.c.agreement_id)
    if party:
        mine = t.milestones.c.agreement_id == t.agreements.c.agreement_id
        query = query.where(
            or_(
                t.agreements.c.buyer == party,
                t.agreements.c.supplier == party,
                t.agreements.c.arbiter == party,
                # The terms are JSON text, and accounts are written in one way only.
                t.agreements.c.terms.cast(Text).contains(f'"{party}"'),
                exists().where(mine, t.milestones.c.assignee == party),
            )
        )
    newest = query.order_by(t.agreements.c.opened_block.desc(), t.agreements.c.agreement_id)
    return list(connection.execute(newest).scalars())


def documents(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, SignedAgreement]:
    """The documents of these agreements that are known here, verified against their ids.

    One that cannot be read is set aside: named in the log, counted, and as good as not here.
    """
    rows = connection.execute(
        select(t.documents.c.agreement_id, t.documents.c.document).where(
            t.documents.c.agreement_id.in_(list(ids))
        )
    )
    found = {row.agreement_id: _readable(row.agreement_id, row.document) for row in rows}
    return {agreement_id: signed for agreement_id, signed in found.items() if signed is not None}


def events(connection: Connection, view: AgreementView) -> list[Event]:
    """Everything that happened to an agreement on chain, in order: the change order that replaced
    it, too, which of its payouts failed, and the later withdrawals of those accounts, whatever
    agreements their money came from."""
    e = t.events.c
    mine = e.agreement_id == view.id
    if view.replaced_by:
        order = and_(e.agreement_id == view.replaced_by, e.name == AgreementAmended.__name__)
        mine = or_(mine, order)
    own = _events(connection, mine)
    paid = [one.place for one in own if isinstance(one, (MilestonePaid, AgreementAmended))]
    credit = and_(e.agreement_id.is_(None), e.name == PayoutCredited.__name__)
    failed = _events(connection, and_(credit, e.block.in_({place.block for place in paid})))
    transactions = {place.transaction for place in paid}
    token = view.terms.token
    credited = [
        one
        for one in failed
        if isinstance(one, PayoutCredited)
        and one.token == token
        and one.place.transaction in transactions
    ]
    if not credited:
        return own
    first = {one.account: one.place for one in reversed(credited)}
    later = and_(e.agreement_id.is_(None), e.name == CreditWithdrawn.__name__)
    withdrawn = [
        one
        for one in _events(connection, and_(later, e.block >= credited[0].place.block))
        if isinstance(one, CreditWithdrawn)
        and one.token == token
        and one.account in first
        and _where(one.place) > _where(first[one.account])
    ]
    return sorted([*own, *credited, *withdrawn], key=lambda one: _where(one.place))


def waiting_credits(connection: Connection) -> dict[tuple[Address, Address], int]:
    """What waits for each account by token and account, as far as this store follows payouts."""
    e = t.events.c
    names = (PayoutCredited.__name__, CreditWithdrawn.__name__)
    found: dict[tuple[Address, Address], int] = {}
    for one in _events(connection, and_(e.agreement_id.is_(None), e.name.in_(names))):
        if isinstance(one, PayoutCredited):
            place = one.token, one.account
            found[place] = found.get(place, 0) + one.amount
        elif isinstance(one, CreditWithdrawn):
            place = one.token, one.account
            found[place] = min(found.get(place, 0), one.remaining)
    return {place: units for place, units in found.items() if units}


def _events(connection: Connection, where: ColumnElement[bool]) -> list[Event]:
    e = t.events.c
    rows = connection.execute(select(t.events).where(where).order_by(e.block, e.log_index))
    return [row_shapes.read_event(row._mapping) for row in rows]


def _where(place: Place) -> tuple[int, int]:
    return place.block, place.log_index


def keep_words(
    connection: Connection, digest: bytes, words: Mapping[str, object], now: int
) -> None:
    """Keep what a hash stands for, so that whoever may read the agreement can read it."""
    row = {"hash": digest, "data": dict(words), "added_at": now}
    insert_new(connection, t.words, row, "hash")


def register(
    connection: Connection, signed: SignedAgreement, *, by: str, now: int, source: str = ""
) -> SignedAgreement:
    """Keep a document with the signatures that are here already; it may not be open yet."""
    known = documents(connection, [signed.id]).get(signed.id)
    merged = signed.merge(known) if known else signed
    if known and merged.signatures == known.signatures:
        return known
    text = json.dumps(merged.to_json(), ensure_ascii=False, sort_keys=True)
    row = {
        "agreement_id": signed.id,
        "document": text,
        "source": source,
        "registered_at": now,
        "registered_by": by,
    }
    upsert(connection, t.documents, row, "agreement_id")
    aside.clear(_document_name(signed.id))
    digest = "0x" + sha256(text.encode()).hexdigest()
    subject = audit_log.subject_of(signed.id)
    audit_log.record(connection, now, by, "document.registered", subject, sha256=digest)
    return merged


def _view(
    row: Row[Any], stages: Sequence[Row[Any]], signed: SignedAgreement | None
) -> AgreementView:
    milestones = row_shapes.read_milestones(row.milestones)
    planned = signed.agreement.milestones if signed else (None,) * len(milestones)
    views = tuple(
        MilestoneView(
            stage.milestone,
            milestones[stage.milestone],
            row_shapes.read_state(stage._mapping),
            stage.next_at,
            stage.changed_at,
            planned[stage.milestone],
        )
        for stage in stages
    )
    return AgreementView(
        row.agreement_id,
        row_shapes.read_terms(row.terms),
        milestones,
        row.opened_block,
        row.opened_at,
        views,
        row.replaced_by,
        row.amends,
        signed,
    )


class _Checked:
    """Contract wallets were asked when their signatures were handed in; their owners may have
    changed since, and what they signed stands."""

    def accepts(self, chain_id: int, account: Address, digest: bytes, signature: bytes) -> bool:
        return True


def _seen(
    row: Row[Any], stages: Sequence[Row[Any]], signed: SignedAgreement | None
) -> AgreementView | None:
    """The view of an agreement; None where its rows are none, which stops no other."""
    with aside.apart(f"the state of 0x{row.agreement_id.hex()}"):
        return _view(row, stages, signed)
    return None


def _readable(agreement_id: bytes, text: str) -> SignedAgreement | None:
    with aside.apart(_document_name(agreement_id)):
        return _document(agreement_id, text)
    return None


def _document_name(agreement_id: bytes) -> str:
    return f"the document of 0x{agreement_id.hex()}"


@lru_cache(maxsize=2_048)
def _document(agreement_id: bytes, text: str) -> SignedAgreement:
    signed = SignedAgreement.loads(text, wallets=_Checked())
    if signed.id != agreement_id:
        raise StoreError(f"the document kept for 0x{agreement_id.hex()[:12]}… is another's")
    for sentence in departure_words(signed):
        log.warning("%s: %s", signed.agreement.reference, sentence)
    return signed
