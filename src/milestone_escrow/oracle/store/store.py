"""The database: opened once, migrated to this version, bound to one contract on one chain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    TypeDecorator,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from milestone_escrow.errors import EscrowError, StoreError
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.eip712 import Address, Domain

BUSY_SECONDS = 30


class Store:
    """Transactions on one database; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, where: str | Path, domain: Domain | None = None) -> Store:
        """The database at a file's path or a `postgresql://` address, created where it is missing.

        `domain` is the contract that it belongs to from then on; None leaves that unsaid, for
        tools that only look.

        Raises:
            StoreError: it cannot be reached, or belongs to another contract.
        """
        from milestone_escrow.oracle.store.migrating import migrate

        store = cls(_engine(where))
        try:
            migrate(store.engine)
            if domain is not None:
                store._bind(domain)
        except SQLAlchemyError as error:
            store.close()
            raise StoreError(
                f"the store {describe(where)} cannot be used ({_reason(error)})",
                hint="check that it exists and may be written",
            ) from None
        except EscrowError:
            store.close()
            raise
        return store

    @property
    def shared(self) -> bool:
        """Whether several instances can work on it."""
        return self.engine.dialect.name != "sqlite"

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: everything or nothing. On SQLite one writer at a time, from the start."""
        with self.engine.connect() as connection:
            writing = connection.execution_options(escrow_writes=True)
            with writing.begin():
                yield writing

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read from one snapshot (SQLite) or statement by statement (PostgreSQL)."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @property
    def domain(self) -> Domain:
        """The contract that the store belongs to.

        Raises:
            StoreError: none yet.
        """
        with self.reading() as connection:
            known = {row.key: row.value for row in connection.execute(select(t.meta))}
        if "contract" not in known:
            raise StoreError(
                "the store belongs to no contract yet", hint="start it with `escrow oracle run`"
            )
        return Domain(int(known["chain_id"]), known["contract"])

    def close(self) -> None:
        self.engine.dispose()

    def _bind(self, domain: Domain) -> None:
        wanted = {"chain_id": str(domain.chain_id), "contract": _contract(domain)}
        with self.transaction() as connection:
            serialize(connection, "meta")
            rows = connection.execute(select(t.meta.c.key, t.meta.c.value)).all()
            known = {key: value for key, value in rows if key in wanted}
            if not known:
                values = [{"key": key, "value": value} for key, value in wanted.items()]
                connection.execute(insert(t.meta), values)
            elif known != wanted:
                raise StoreError(
                    f"the store belongs to contract {known.get('contract')} on chain "
                    f"{known.get('chain_id')}, not to {wanted['contract']} on chain "
                    f"{wanted['chain_id']}",
                    hint="give each contract a store of its own with --store",
                )


def serialize(connection: Connection, name: str) -> None:
    """Let one transaction at a time come past here, until its end; for what forms one sequence."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy import func

        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))


def upsert(connection: Connection, table: Any, values: dict[str, Any], *keys: str) -> None:
    """Insert a row, or replace what it holds where one with the same `keys` is there."""
    statement = _insert(connection, table).values(values)
    rest = {name: statement.excluded[name] for name in values if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=rest))


def insert_all(connection: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows, which all name the same columns."""
    if rows:
        _write_all(connection, table, _insert(connection, table), rows)


def upsert_all(
    connection: Connection, table: Any, rows: Sequence[dict[str, Any]], *keys: str
) -> None:
    """Upsert many rows, which all name the same columns."""
    if rows:
        statement = _insert(connection, table)
        rest = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        conflict = statement.on_conflict_do_update(index_elements=list(keys), set_=rest)
        _write_all(connection, table, conflict, rows)


def _write_all(
    connection: Connection, table: Any, statement: Any, rows: Sequence[dict[str, Any]]
) -> None:
    """Hand whole columns to the driver: going through each row takes longer than writing it."""
    dialect, names = connection.dialect, list(rows[0])
    compiled = statement.compile(dialect=dialect, column_keys=names)
    if compiled.positional:
        names = list(compiled.positiontup)
    columns = []
    for name in names:
        kind = table.c[name].type
        values = [row[name] for row in rows]
        # Our own types make text, which no driver wants otherwise; nor does one bytes.
        if isinstance(kind, TypeDecorator):
            values = [kind.process_bind_param(value, dialect) for value in values]
        elif not isinstance(kind, LargeBinary):
            process = kind.dialect_impl(dialect).bind_processor(dialect)
            values = [process(value) for value in values] if process else values
        columns.append(values)
    parameters: list[Any] = list(zip(*columns, strict=True))
    if not compiled.positional:
        parameters = [dict(zip(names, values, strict=True)) for values in parameters]
    connection.exec_driver_sql(compiled.string, parameters)


def insert_new(connection: Connection, table: Any, values: dict[str, Any], *keys: str) -> bool:
    """Insert a row unless one with the same `keys` is there; whether it was new."""
    statement = _insert(connection, table).values(values)
    kept = statement.on_conflict_do_nothing(index_elements=list(keys)).returning(table.c[keys[0]])
    return connection.execute(kept).first() is not None


def _insert(connection: Connection, table: Any) -> Any:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        return postgres_insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table)


def describe(where: str | Path) -> str:
    """Where the database is, for people and logs: without a password."""
    if isinstance(where, Path) or "://" not in where:
        return str(where)
    try:
        return make_url(where).render_as_string(hide_password=True)
    except ArgumentError:
        return "at an address that makes no sense"


def _engine(where: str | Path) -> Engine:
    url = _url(where)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=10)
    except ModuleNotFoundError:
        raise StoreError(
            "PostgreSQL's driver is not installed",
            hint="install it with `pip install 'milestone-escrow[postgres]'`",
        ) from None


def _url(where: str | Path) -> URL:
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except ArgumentError:
        raise StoreError(
            "the store's address makes no sense",
            hint="give a file, or postgresql://user@host/database",
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "postgresql+psycopg"):
        return url
    raise StoreError(
        f"a store cannot be kept in {url.get_backend_name()}",
        hint="give a file, or postgresql://user@host/database",
    )


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise StoreError("the store needs a file", hint="name one with --store")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be written ({error.strerror})",
            hint="name another file with --store",
        ) from None
    path.chmod(0o600)
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS}, pool_size=10
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver's own transactions begin late, which would let two writers meet.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _began(connection: Connection) -> None:
        writes = connection.get_execution_options().get("escrow_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _contract(domain: Domain) -> Address:
    return domain.verifying_contract


def _reason(error: SQLAlchemyError) -> str:
    """The database's own words, first line only: never a statement with its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]
