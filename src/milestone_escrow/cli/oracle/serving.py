"""An oracle's loops and its page, in threads of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import ChainError, EscrowError

if TYPE_CHECKING:
    from milestone_escrow.oracle.assembly import Instance
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.eip712 import Domain


@dataclass
class Shelf:
    """What this machine knows of agreements, given to an oracle whenever it changes."""

    session: Session
    store: Store
    domain: Domain
    seen: frozenset[tuple[Path, int, int]] | None = None
    aside: set[str] = field(default_factory=set)

    def look(self, now: int) -> None:
        """Register what is new. A file that cannot be read is named, and stops nothing."""
        try:
            there = self.session.shelf.glance()
        except EscrowError:
            there = None
        if there == self.seen and there is not None:
            return
        self.seen = there
        try:
            self.register(now)
        except EscrowError as error:
            self.session.say(f"The agreements on this machine cannot be read: {error}")

    def register(self, now: int) -> None:
        from milestone_escrow.oracle import viewing
        from milestone_escrow.oracle.store import aside

        known, strange = self.session.shelf.look_through()
        named = {f"the file {one.path}": one.why.removeprefix(f"{one.path}: ") for one in strange}
        for path in self.aside - named.keys():
            aside.clear(path)
        for path, why in named.items():
            aside.put(path, why)
        self.aside = set(named)
        ours = [signed for signed in known if signed.domain == self.domain]
        for signed in ours:
            # One that cannot be taken in stops no other.
            name = f"the file of {signed.agreement.reference}"
            with aside.apart(name), self.store.transaction() as connection:
                viewing.register(connection, signed, by="operator", now=now)


@contextmanager
def served(instance: Instance, listening: socket.socket) -> Iterator[None]:
    """Run the service's loops, the API and the page until the block ends."""
    import uvicorn

    app = application(instance)
    config = uvicorn.Config(
        app,
        log_config=None,
        # Its access log has whole addresses, links and their tokens included; the API has its own,
        # and decides by itself which proxies to believe.
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="api", daemon=True)
    instance.service.start()
    thread.start()
    try:
        yield
    finally:
        app.state.hub.close()
        server.should_exit = True
        instance.service.stop()
        thread.join(10)


def application(instance: Instance) -> Any:
    """The API with the page on it, as an ASGI application."""
    from milestone_escrow.oracle.api.app import create_app
    from milestone_escrow.web.mount import mount
    from milestone_escrow.web.page_deps import WebDeps

    app = create_app(instance.api)
    mount(app, WebDeps(instance.api, instance.escrow))
    return app


def listen(host: str, port: int) -> socket.socket:
    """A socket of our own, so that a port that is taken is said before anything is done.

    Raises:
        ChainError: it is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise ChainError(
            f"the page cannot be served at {host}:{port} ({error.strerror or error})",
            hint="choose another port, 0 takes any that is free",
        ) from None


def origin_of(host: str, listening: socket.socket) -> str:
    """The address to type on this machine."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104
    name = f"[{shown}]" if ":" in shown else shown
    return f"http://{name}:{listening.getsockname()[1]}"
