"""Bring a database to this version's schema, step by step, whatever version it comes from."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from milestone_escrow.errors import StoreError

FOLDER = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Apply what is missing, in one transaction; instances that start together take turns.

    Raises:
        StoreError: a newer version of this program has changed the database.
    """
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from milestone_escrow.oracle.store.store import serialize

    scripts = ScriptDirectory(str(FOLDER))
    head = scripts.get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
    with engine.connect() as connection:
        writing = connection.execution_options(escrow_writes=True)
        with writing.begin():
            serialize(writing, "migrations")
            _upgrade(writing, scripts, str(head))


def _upgrade(connection: Connection, scripts: object, head: str) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    assert isinstance(scripts, ScriptDirectory)

    def steps(revision: object, _context: object) -> object:
        return scripts._upgrade_revs(head, revision)  # type: ignore[arg-type]

    environment = EnvironmentContext(Config(), scripts, fn=steps)
    environment.configure(connection=connection, transactional_ddl=True)
    try:
        environment.run_migrations()
    except CommandError:
        raise StoreError(
            "the store was written by a newer version of this program",
            hint="upgrade with `pip install --upgrade milestone-escrow`",
        ) from None
