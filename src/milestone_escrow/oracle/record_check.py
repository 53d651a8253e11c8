"""Reads all that a store keeps, to find what cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from sqlalchemy import Connection, Table, select

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.intents import IntentStage
from milestone_escrow.oracle.signing.counting import dossiers
from milestone_escrow.oracle.store import aside, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.store.types import Unreadable

MANY = 200

# Read below as what they are; every row of other tables is looked through for damaged columns.
_TYPED = frozenset({t.agreements, t.milestones, t.events, t.attestations, t.intents})


def strange_records(store: Store) -> Mapping[str, str]:
    """Each record that cannot be read, by name, and why."""
    aside.forget()
    aside.log.disabled = True  # they are told here, once
    try:
        _read_all(store)
    finally:
        aside.log.disabled = False
    return aside.everything()


def _read_all(store: Store) -> None:
    with store.reading() as connection:
        _agreements(connection)
        rows = connection.execute(select(t.events))
        for row in rows:
            with suppress(StoreError):
                row_shapes.read_event(row._mapping)
        keys = select(t.attestations.c.agreement_id, t.attestations.c.milestone).distinct()
        dossiers(
            connection, [(row.agreement_id, row.milestone) for row in connection.execute(keys)]
        )
        intents.in_stages(connection, [one.value for one in IntentStage])
        # A stage that is none is in none of them.
        strange = select(t.intents.c.key).where(~t.intents.c.state.in_([*IntentStage]))
        for key in connection.execute(strange).scalars():
            aside.put(f"what was to be sent as {key}", "its state is none that there is")
        for table in t.metadata.sorted_tables:
            if table not in _TYPED:
                _columns(connection, table)


def _agreements(connection: Connection) -> None:
    for ids in _parts(viewing.ids_of(connection)):
        viewing.agreements(connection, ids)
    kept = connection.execute(select(t.documents.c.agreement_id)).scalars()
    for ids in _parts(list(kept)):
        viewing.documents(connection, ids)


def _columns(connection: Connection, table: Table) -> None:
    keys = [column.name for column in table.primary_key]
    for row in connection.execute(select(table)).mappings():
        for value in row.values():
            if isinstance(value, Unreadable):
                with aside.apart(f"the {table.name} row {_shown(row[key] for key in keys)}"):
                    len(value)


def _shown(values: Iterable[object]) -> str:
    return ", ".join(f"0x{one.hex()}" if isinstance(one, bytes) else str(one) for one in values)


def _parts(ids: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(ids), MANY):
        yield ids[start : start + MANY]
