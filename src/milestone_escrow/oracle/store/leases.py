"""Work shared without a coordinator: leases that expire, so that the living take over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, or_, select, update

from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new


def hold(connection: Connection, name: str, owner: str, now: int, seconds: int) -> bool:
    """Take or prolong the lease `name`; False where another living instance holds it."""
    mine = {"owner": owner, "until": now + seconds}
    taken = connection.execute(
        update(t.leases)
        .where(t.leases.c.name == name)
        .where(or_(t.leases.c.owner == owner, t.leases.c.until <= now))
        .values(mine)
    )
    return taken.rowcount > 0 or insert_new(connection, t.leases, {"name": name, **mine}, "name")


def release(connection: Connection, name: str, owner: str) -> None:
    """Give a lease back before it expires."""
    connection.execute(
        delete(t.leases).where(t.leases.c.name == name).where(t.leases.c.owner == owner)
    )


def claim(
    connection: Connection,
    table: Table,
    due: ColumnElement[bool],
    *,
    owner: str,
    now: int,
    seconds: int,
    limit: int = 100,
    first: Any = None,
) -> list[Row[Any]]:
    """Rows of a table with `owner` and `lease_until` that are `due` and that nobody else works on.

    They belong to `owner` for `seconds`; whoever dies holding them loses them then. `first` is
    what to order by. Rows that another instance is claiming right now are passed over.
    """
    (key,) = table.primary_key.columns
    free = or_(table.c.owner.is_(None), table.c.owner == owner, table.c.lease_until <= now)
    chosen = (
        select(key)
        .where(due, free)
        .order_by(key if first is None else first)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = [row[0] for row in connection.execute(chosen)]
    if not keys:
        return []
    connection.execute(
        update(table).where(key.in_(keys)).values(owner=owner, lease_until=now + seconds)
    )
    rows = connection.execute(select(table).where(key.in_(keys))).all()
    order = {value: place for place, value in enumerate(keys)}
    return sorted(rows, key=lambda row: order[row._mapping[key]])


def let_go(connection: Connection, table: Table, keys: list[Any]) -> None:
    """Give claimed rows back, so that anybody may go on with them at once."""
    (key,) = table.primary_key.columns
    connection.execute(update(table).where(key.in_(keys)).values(owner=None, lease_until=0))
