"""An oracle in the process of a command line: its service, its API, and a chain to share."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.documents.shelf import Shelf
from milestone_escrow.keys import DevSigner
from milestone_escrow.keys.sandbox_people import account_of
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.app import create_app
from milestone_escrow.oracle.assembly import Instance, Parts, assemble
from milestone_escrow.oracle.evidence import handing_in
from milestone_escrow.oracle.settings import Settings
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.sandbox.world import World

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


class Shared:
    """The embedded chain for several threads: one asks at a time."""

    def __init__(self, world: World) -> None:
        self._chain = world.chain
        self._lock = threading.Lock()

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        with self._lock:
            return self._chain.request(method, params)


@dataclass
class Oracle:
    """A running oracle. It works only where a test says so, or all the time after `go`."""

    url: str
    instance: Instance
    home: Path
    now: int
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.instance.service.store

    def register(self) -> None:
        """Let it know the agreements of this machine."""
        with self.store.transaction() as connection:
            for signed in Shelf(self.home / "agreements").look_through()[0]:
                viewing.register(connection, signed, by="operator", now=self.now)
        self.instance.service.tick()

    def hand_in(self, key: str, name: str, content: bytes, role: str = "supplier") -> None:
        """A file as evidence, as if somebody had uploaded it."""
        api = self.instance.api
        with self.store.reading() as connection:
            (view,) = viewing.agreements(connection, viewing.ids_of(connection))
        assert api.blobs is not None
        who = account_of(role)
        handing_in.add(self.store, api.blobs, api.rules, view, key, name, [content], who, self.now)

    def go(self) -> None:
        def work() -> None:
            while not self._stop.wait(0.05):
                self.instance.service.tick()

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


@contextmanager
def running_oracle(
    world: World, node: Shared, home: Path, *, verifier: DevSigner | None = None
) -> Iterator[Oracle]:
    """An oracle whose API answers at an address of this machine."""
    escrow = Escrow.connect("sandbox", rpc=node, contract=world.escrow.contract)
    domain = Domain(escrow.network.chain_id, escrow.contract)
    store = Store.open(home.parent / "oracle.db", domain)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        instance = assemble(
            Parts(
                store,
                escrow,
                Settings(),
                relayer=DevSigner(18),
                verifier=verifier,
                new_key=True,
                evidence=home.parent / "evidence",
                origin=url,
                clock=lambda: world.now,
            )
        )
        app = create_app(instance.api)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        found = Oracle(url, instance, home, world.now)
        try:
            yield found
        finally:
            found.stop()
            app.state.hub.close()
            server.should_exit = True
            thread.join(30)
            store.close()
