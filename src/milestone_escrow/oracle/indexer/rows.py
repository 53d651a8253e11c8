"""The rows of agreements and milestones, as their events make them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, select, update

from milestone_escrow.chain.contract.events import AgreementAmended, AgreementOpened, Event
from milestone_escrow.chain.contract.replay import advance
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.errors import ChainError, StoreError
from milestone_escrow.oracle.store import aside, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_all, upsert_all
from milestone_escrow.protocol.lifecycle import State, end

# Ids in one query: fewer than any database's limit on parameters.
MANY = 500


@dataclass(slots=True)
class FollowedAgreement:
    """One agreement as far as it was followed, and where it changed in this batch."""

    opened: OpenedAgreement
    states: list[State]
    changed: dict[int, Event] = field(default_factory=dict)


class EventRows:
    """Takes events in their order and writes what they come to. Lives as long as a transaction.

    Where only some agreements are followed (not `everything`), a change order may replace one that
    is not.
    """

    def __init__(self, connection: Connection, *, everything: bool = True) -> None:
        self._connection = connection
        self._everything = everything
        self._accounts: dict[bytes, FollowedAgreement] = {}
        self._opened: list[dict[str, Any]] = []
        self._amended: list[AgreementAmended] = []
        # Here, but what is kept of them cannot be read; their events are kept, for `rebuild`.
        self._aside: set[bytes] = set()

    def load(self, ids: Iterable[bytes]) -> None:
        """Fetch what the store knows of these agreements."""
        wanted = {known for known in ids if known not in self._accounts}
        for chunk in chunks(wanted):
            self._load(chunk)

    def knows(self, agreement_id: bytes) -> bool:
        return agreement_id in self._accounts or agreement_id in self._aside

    def take(self, event: Event) -> None:
        """The next event; its agreements were loaded, or opened by one before.

        Raises:
            ChainError: it is about an agreement of which nothing is known.
        """
        if isinstance(event, AgreementOpened):
            self._open(event)
            return
        if isinstance(event, AgreementAmended):
            self._amended.append(event)
            if self._everything or self.knows(event.replaces):
                self._advance(event.replaces, event)
            return
        agreement_id = getattr(event, "agreement_id", None)
        if agreement_id is not None:
            self._advance(agreement_id, event)

    def mend(self) -> None:
        """Make the rows that cannot be read again from the agreements' events."""
        for agreement_id in sorted(self._aside):
            name = f"the events of 0x{agreement_id.hex()}"
            with aside.apart(name), self._connection.begin_nested():
                rebuild(self._connection, [agreement_id])
                aside.clear(_state_name(agreement_id))

    def changed(self) -> list[tuple[bytes, int]]:
        """Every milestone that is not as it was."""
        return [(i, index) for i, account in self._accounts.items() for index in account.changed]

    def write(self) -> None:
        """What was taken, into the rows."""
        insert_all(self._connection, t.agreements, self._opened)
        rows = [
            _row(agreement_id, account, index, event)
            for agreement_id, account in self._accounts.items()
            for index, event in account.changed.items()
        ]
        upsert_all(self._connection, t.milestones, rows, "agreement_id", "milestone")
        for event in self._amended:
            _tie(self._connection, event.replaces, replaced_by=event.agreement_id)
            _tie(self._connection, event.agreement_id, amends=event.replaces)

    def _advance(self, agreement_id: bytes, event: Event) -> None:
        account = self._accounts.get(agreement_id)
        if account is None and agreement_id in self._aside:
            return
        if account is None:
            raise ChainError(
                f"something happened to agreement 0x{agreement_id.hex()[:12]}…, which was not "
                "opened as far as this node says",
                hint="name the block in which the contract was deployed, or another node",
            )
        for index in advance(account.opened, account.states, event):
            account.changed[index] = event

    def _open(self, event: AgreementOpened) -> None:
        if event.agreement_id in self._accounts:
            raise ChainError(f"agreement 0x{event.agreement_id.hex()[:12]}… was opened twice")
        opened = OpenedAgreement(event.agreement_id, event.terms, event.milestones)
        count = len(event.milestones)
        account = FollowedAgreement(opened, [State()] * count, dict.fromkeys(range(count), event))
        self._accounts[event.agreement_id] = account
        self._opened.append(
            {
                "agreement_id": event.agreement_id,
                "buyer": event.buyer,
                "supplier": event.supplier,
                "arbiter": event.terms.arbiter,
                "token": event.terms.token,
                "terms": row_shapes.terms_data(event.terms),
                "milestones": row_shapes.milestones_data(event.milestones),
                "opened_block": event.place.block,
                "opened_at": event.place.time,
            }
        )

    def _load(self, ids: Sequence[bytes]) -> None:
        found = self._connection.execute(
            select(t.agreements.c.agreement_id, t.agreements.c.terms, t.agreements.c.milestones)
            .where(t.agreements.c.agreement_id.in_(ids))
        ).all()  # fmt: skip
        rows = self._connection.execute(
            select(t.milestones)
            .where(t.milestones.c.agreement_id.in_(ids))
            .order_by(t.milestones.c.milestone)
        )
        stages: dict[bytes, list[Any]] = {row.agreement_id: [] for row in found}
        for stage in rows.mappings():
            stages[stage["agreement_id"]].append(stage)
        for row in found:
            self._aside.add(row.agreement_id)
            with aside.apart(_state_name(row.agreement_id)):
                opened = OpenedAgreement(
                    row.agreement_id,
                    row_shapes.read_terms(row.terms),
                    row_shapes.read_milestones(row.milestones),
                )
                states = [row_shapes.read_state(stage) for stage in stages[row.agreement_id]]
                self._accounts[row.agreement_id] = FollowedAgreement(opened, states)
                self._aside.discard(row.agreement_id)


def mend(connection: Connection) -> None:
    """Make the rows of whatever agreement cannot be read again from its events."""
    event_rows = EventRows(connection)
    event_rows.load(connection.execute(select(t.agreements.c.agreement_id)).scalars())
    event_rows.mend()


def rebuild(connection: Connection, ids: Iterable[bytes]) -> set[bytes]:
    """Write the rows of these agreements, and of those that change orders tie to them, again from
    the events that are left in the store; returns the ids of all."""
    orders = _orders(connection)
    wanted = set(ids)
    while tied := {i for order in orders for i in _ends(order) if wanted & _ends(order)} - wanted:
        wanted |= tied
    found: dict[tuple[int, int], Event] = {
        (order.place.block, order.place.log_index): order
        for order in orders
        if wanted & _ends(order)
    }
    for chunk in chunks(wanted):
        for table in (t.milestones, t.agreements):
            connection.execute(delete(table).where(table.c.agreement_id.in_(chunk)))
        rows = connection.execute(select(t.events).where(t.events.c.agreement_id.in_(chunk)))
        for row in rows.mappings():
            found[row["block"], row["log_index"]] = row_shapes.read_event(row)
    event_rows = EventRows(connection, everything=False)
    for place in sorted(found):
        event_rows.take(found[place])
    event_rows.write()
    return wanted


def _orders(connection: Connection) -> list[AgreementAmended]:
    rows = connection.execute(select(t.events).where(t.events.c.name == AgreementAmended.__name__))
    found: list[AgreementAmended] = []
    for row in rows.mappings():
        with suppress(StoreError):  # it is named, and is no reason to leave the others undone
            event = row_shapes.read_event(row)
            if isinstance(event, AgreementAmended):
                found.append(event)
    return found


def _state_name(agreement_id: bytes) -> str:
    return f"the state of 0x{agreement_id.hex()}"


def _ends(order: AgreementAmended) -> set[bytes]:
    return {order.replaces, order.agreement_id}


def chunks(ids: Iterable[bytes]) -> Iterator[list[bytes]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), MANY):
        yield ordered[start : start + MANY]


def _row(
    agreement_id: bytes, account: FollowedAgreement, index: int, event: Event
) -> dict[str, Any]:
    milestone, state = account.opened.milestones[index], account.states[index]
    return {
        "agreement_id": agreement_id,
        "milestone": index,
        "amount": milestone.amount,
        "deadline": milestone.deadline,
        "status": int(state.status),
        "assignee": state.assignee,
        "clock": state.clock,
        "issued_at": state.issued_at,
        "epoch": state.epoch,
        "handover": state.handover,
        "pending": state.pending,
        "paid": state.paid,
        # The first thing that silence leads to; see `lifecycle.silence`.
        "next_at": end(milestone, state) if state.status.holds else None,
        "changed_block": event.place.block,
        "changed_at": event.place.time,
    }


def _tie(connection: Connection, agreement_id: bytes, **values: bytes) -> None:
    connection.execute(
        update(t.agreements).where(t.agreements.c.agreement_id == agreement_id).values(values)
    )
