"""What `escrow oracle run` does."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.oracle.serving import Shelf, listen, origin_of, served
from milestone_escrow.cli.oracle.store_home import (
    Running,
    connect,
    evidence_folder,
    load_settings,
    open_store,
)
from milestone_escrow.cli.shell.output import bold, command, dim, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import key_named
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
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
    from milestone_escrow.oracle.log_lines import logging_to

    as_json = wanted.log_json or session.as_json or not sys.stderr.isatty()
    with _stopped_by_signals() as stop, logging_to(sys.stderr, as_json=as_json):
        _run(session, wanted, stop)
    session.say("The oracle has stopped. Start it again at any time: it goes on from here.")


def _run(session: Session, wanted: Wanted, stop: threading.Event) -> None:
    settings = load_settings(session, wanted.config)
    escrow = connect(session, wanted.rpcs, wanted.contract)
    signer, relayer = _keys(session, wanted, escrow)
    store = open_store(session, escrow, wanted.store)
    listening = None if wanted.once else listen(wanted.host, wanted.port)
    try:
        origin = origin_of(wanted.host, listening) if listening else ""
        instance = _assemble(session, wanted, escrow, store, settings, signer, relayer, origin)
        _register(session, store, escrow, wanted.agreements)
        _greet(session, instance, signer, relayer, origin)
        if listening is None:
            instance.service.tick()
        else:
            _serve(session, instance, listening, origin, stop)
    finally:
        store.close()
    if instance.service.fatal is not None:
        raise instance.service.fatal


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a polite kill sets, until the block ends."""
    stop, numbers = threading.Event(), (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _register(session: Session, store: Store, escrow: Escrow, names: tuple[str, ...]) -> None:
    """Tell the oracle what agreements of its contract are about: those named, and all that this
    machine knows."""
    from milestone_escrow.oracle import viewing

    now = int(time.time())
    for name in names:
        signed = session.shelf.find(name, lambda agreement: agreement.on(escrow))
        if signed.domain != escrow.domain:
            raise UsageError(
                f"{signed.agreement.reference} is bound to contract "
                f"{signed.domain.verifying_contract} on chain {signed.domain.chain_id}, and this "
                f"oracle works for {escrow.contract} on {escrow.network.title}",
                hint="start another oracle for it with --network",
            )
        with store.transaction() as connection:
            viewing.register(connection, signed, by="operator", now=now)
    Shelf(session, store, escrow.domain).register(now)


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


def _serve(
    session: Session,
    instance: Instance,
    listening: socket.socket,
    origin: str,
    stop: threading.Event,
) -> None:
    service, escrow = instance.service, instance.escrow
    record = Running(origin, os.getpid(), escrow.network.chain_id, escrow.contract)
    shelf = Shelf(session, service.store, escrow.domain)
    with served(instance, listening):
        record.write(session)
        try:
            while not stop.wait(1.0) and not service.wait(0):
                shelf.look(int(time.time()))
        finally:
            record.remove(session)


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
