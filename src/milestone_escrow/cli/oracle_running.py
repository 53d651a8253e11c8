"""What `escrow oracle run` does."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.oracle_home import (
    Running,
    connect,
    evidence_folder,
    load_settings,
    open_store,
)
from milestone_escrow.cli.output import bold, command, dim, table
from milestone_escrow.cli.signers import key_named
from milestone_escrow.errors import ChainError, EscrowError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from milestone_escrow.chain.client import Escrow
    from milestone_escrow.oracle.assembly import Instance
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.signatures import Signer

SANDBOX_RELAYER = "relayer"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `escrow oracle run`."""

    agreements: tuple[str, ...]
    gas_key: str | None
    new_key: bool
    rpcs: tuple[str, ...]
    contract: str | None
    store: str | None
    evidence: str | None
    config: Path | None
    host: str
    port: int
    once: bool
    log_json: bool


def run_oracle(session: Session, wanted: Wanted) -> None:
    """Run the service until somebody stops it.

    Raises:
        EscrowError: it cannot start, or cannot go on; the sentence says why.
    """
    from milestone_escrow.oracle.logs import log_to

    settings = load_settings(session, wanted.config)
    escrow = connect(session, wanted.rpcs, wanted.contract)
    signer, relayer = _keys(session, wanted, escrow)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    as_json = wanted.log_json or session.as_json or not sys.stderr.isatty()
    log_to(sys.stderr, as_json=as_json)
    store = open_store(session, escrow, wanted.store)
    listening = None if wanted.once else _listen(wanted.host, wanted.port)
    try:
        origin = _origin(wanted.host, listening)
        instance = _assemble(session, wanted, escrow, store, settings, signer, relayer, origin)
        register(session, store, escrow, wanted.agreements)
        _greet(session, instance, signer, relayer, origin)
        if listening is None:
            instance.service.tick()
        else:
            _serve(session, instance, listening, origin, stop)
    finally:
        store.close()
    if instance.service.fatal is not None:
        raise instance.service.fatal
    session.say("The oracle has stopped. Start it again at any time: it goes on from here.")


def register(session: Session, store: Store, escrow: Escrow, names: tuple[str, ...] = ()) -> None:
    """Tell the oracle what agreements of its contract are about: those named, and all that this
    machine knows."""
    from milestone_escrow.oracle import book
    from milestone_escrow.protocol.eip712 import Domain

    domain = Domain(escrow.network.chain_id, escrow.contract)
    named = [session.shelf.find(name, lambda agreement: agreement.on(escrow)) for name in names]
    for signed in named:
        if signed.domain != domain:
            raise UsageError(
                f"{signed.agreement.reference} is bound to contract "
                f"{signed.domain.verifying_contract} on chain {signed.domain.chain_id}, and this "
                f"oracle works for {escrow.contract} on {escrow.network.title}",
                hint="start another oracle for it with --network",
            )
    ours = [signed for signed in session.shelf.all() if signed.domain == domain]
    now = int(time.time())
    with store.transaction() as connection:
        for signed in (*named, *ours):
            book.register(connection, signed, by="operator", now=now)


def _assemble(
    session: Session,
    wanted: Wanted,
    escrow: Escrow,
    store: Store,
    settings: object,
    signer: Signer | None,
    relayer: Signer | None,
    origin: str,
) -> Instance:
    from milestone_escrow.oracle.assembly import Parts, assemble
    from milestone_escrow.oracle.settings import Settings

    assert isinstance(settings, Settings)
    return assemble(
        Parts(
            store,
            escrow,
            settings,
            relayer=relayer,
            verifier=signer,
            new_key=wanted.new_key,
            evidence=wanted.evidence or evidence_folder(session),
            origin=origin,
            since=escrow.since,
        )
    )


def _keys(session: Session, wanted: Wanted, escrow: Escrow) -> tuple[Signer | None, Signer | None]:
    """The key that signs and the one that pays for gas."""
    if session.dry_run:
        return None, None
    chain_id = escrow.network.chain_id
    signer = key_named(session, chain_id, session.signer_name) if session.signer_name else None
    if wanted.gas_key:
        return signer, key_named(session, chain_id, wanted.gas_key)
    if signer is None and escrow.network.name == "sandbox":
        return None, key_named(session, chain_id, SANDBOX_RELAYER)
    return signer, signer


def _listen(host: str, port: int) -> socket.socket:
    """A socket of our own, so that a port that is taken is said before anything is done.

    Raises:
        ChainError: it is taken, or not ours to take.
    """
    try:
        return socket.create_server((host, port), family=_family(host), backlog=256)
    except OSError as error:
        raise ChainError(
            f"the oracle cannot listen at {host}:{port} ({error.strerror or error})",
            hint="choose another port with --port, 0 takes any that is free",
        ) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _origin(host: str, listening: socket.socket | None) -> str:
    if listening is None:
        return ""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104
    name = f"[{shown}]" if ":" in shown else shown
    return f"http://{name}:{listening.getsockname()[1]}"


def _serve(
    session: Session,
    instance: Instance,
    listening: socket.socket,
    origin: str,
    stop: threading.Event,
) -> None:
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(application(instance), log_config=None, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, args=([listening],), name="api", daemon=True)
    service, escrow = instance.service, instance.escrow
    record = Running(origin, os.getpid(), escrow.network.chain_id, escrow.contract)
    service.start()
    thread.start()
    record.write(session)
    known = -1
    try:
        while not stop.wait(1.0) and not service.wait(0):
            known = _look_at_shelf(session, instance, known)
    finally:
        record.remove(session)
        server.should_exit = True
        service.stop()
        thread.join(10)


def application(instance: Instance) -> FastAPI:
    """The API with the page on it."""
    from milestone_escrow.oracle.api.app import create_app
    from milestone_escrow.web.deps import WebDeps
    from milestone_escrow.web.mount import mount

    app = create_app(instance.api)
    mount(app, WebDeps(instance.api, instance.escrow))
    return app


def _look_at_shelf(session: Session, instance: Instance, known: int) -> int:
    """Agreements that this machine has learned of since are the oracle's, too."""
    folder = session.home.agreements
    changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
    if changed != known:
        try:
            register(session, instance.service.store, instance.escrow)
        except EscrowError as error:
            session.say(f"The agreements on this machine cannot be read: {error}")
    return changed


def _greet(
    session: Session,
    instance: Instance,
    signer: Signer | None,
    relayer: Signer | None,
    origin: str,
) -> None:
    escrow = instance.escrow
    rows = [
        ("watches", f"{escrow.contract} on {escrow.network.title}"),
        ("signs as", signer.address if signer else dim("nobody: no key was given with --as")),
        ("pays gas", relayer.address if relayer else dim("nobody: it submits nothing")),
    ]
    if origin:
        rows.append(("page", origin))
        rows.append(("API", f"{origin}/v1/openapi.json"))
    session.say(bold("The oracle is running") if origin else bold("The oracle looks once"))
    session.say(table(rows))
    if origin:
        session.say(f"Stop it with Ctrl-C. Check it with {command('escrow oracle doctor')}.\n")
    session.emit(
        {
            "url": origin or None,
            "network": escrow.network.name,
            "contract": escrow.contract,
            "signs_as": signer.address if signer else None,
            "pays_gas": relayer.address if relayer else None,
        }
    )
