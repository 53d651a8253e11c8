"""A sandbox with an oracle and its page, in this process, as two terminals would run them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.cli.oracle.serving import application
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.keys.local_signers import DevSigner
from milestone_escrow.keys.sandbox_people import ROLES
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.assembly import Instance, Parts, assemble
from milestone_escrow.oracle.settings import Settings
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.sandbox.process import Sandbox

PEOPLE = {**ROLES, "surveyor": 3, "carpenter": 4}


@dataclass
class Stage:
    """Everything that runs, and what a test does to it."""

    sandbox: Sandbox
    escrow: Escrow
    instance: Instance
    url: str
    counter: int = 0

    def signer(self, role: str) -> DevSigner:
        return DevSigner(PEOPLE[role])

    def agreement(self, text: str, *, signed_by: tuple[str, ...] = ("buyer", "supplier")):  # type: ignore[no-untyped-def]
        """A new agreement of this text (each gets a reference of its own), known to the oracle."""
        self.counter += 1
        numbered = text.replace("reference: SHED-7", f"reference: SHED-{self.counter}")
        return self.drafted(numbered, signed_by=signed_by)

    def drafted(self, text: str, *, signed_by: tuple[str, ...] = ("buyer", "supplier")):  # type: ignore[no-untyped-def]
        """An agreement of exactly this text, known to the oracle."""
        signed = SignedAgreement.start(Agreement.drafted(text).on(self.escrow))
        for role in signed_by:
            signed = signed.sign(self.signer(role))
        store = self.instance.service.store
        with store.transaction() as connection:
            viewing.register(connection, signed, by="operator", now=int(time.time()))
        return signed

    def opened(self, text: str) -> SignedAgreement:
        """An agreement that is open and wholly funded, and that the oracle has seen."""
        signed = self.agreement(text)
        self.open(signed)
        return signed

    def open(self, signed: SignedAgreement) -> None:
        """Open it and fund everything."""
        buyer = self.escrow.acting_as(self.signer("buyer"))
        signatures = {
            signed.agreement.people[role]: signed.signatures[role] for role in ("buyer", "supplier")
        }
        everything = range(len(signed.milestones))
        buyer.open(signed, signatures, everything, how="permit")
        self.seen(lambda: self.view(signed) is not None)

    def view(self, signed: SignedAgreement):  # type: ignore[no-untyped-def]
        with self.instance.service.store.reading() as connection:
            return viewing.agreement(connection, signed.id)

    def seen(self, condition, seconds: float = 20) -> None:  # type: ignore[no-untyped-def]
        """Wait until something is so."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not come to that in time"
            time.sleep(0.05)

    def page(self, signed: SignedAgreement, *rest: object) -> str:
        """The address of an agreement's page, or of one of its acts."""
        return "/".join([f"{self.url}/a/0x{signed.id.hex()}", *map(str, rest)])


@contextmanager
def stage(folder: Path, start: int) -> Iterator[Stage]:
    """Run it all until the block ends."""
    sandbox = Sandbox(lambda _: None, port=_free_port(), start=start, keeps=False)
    with sandbox.server:
        escrow = Escrow.connect("sandbox", rpc=sandbox.server.url)
        store = Store.open(folder / "oracle.db", Domain(escrow.network.chain_id, escrow.contract))
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        parts = Parts(
            store,
            escrow,
            Settings(),
            relayer=DevSigner(PEOPLE["relayer"]),
            evidence=folder / "evidence",
            origin=url,
        )
        instance = assemble(parts)
        server = uvicorn.Server(
            uvicorn.Config(application(instance), log_config=None, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        instance.service.start()
        thread.start()
        try:
            yield Stage(sandbox, escrow, instance, url)
        finally:
            server.should_exit = True
            instance.service.stop()
            thread.join(10)
            store.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
