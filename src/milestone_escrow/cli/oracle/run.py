"""`escrow oracle run`: the service, until it is stopped."""

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

import click

from milestone_escrow.cli.oracle.serving import Shelf, listen, origin_of, served
from milestone_escrow.cli.oracle.store_home import (
    Running,
    connect,
    evidence_folder,
    load_settings,
    open_store,
)
from milestone_escrow.cli.shell.options import speaks
from milestone_escrow.cli.shell.output import bold, command, dim, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import key_named
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.oracle.assembly import Instance
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.signatures import Signer


STORE = click.option(
    "--store",
    metavar="WHERE",
    help="A file, or postgresql://user@host/database, which several instances share.",
)


CONFIG = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Limits, webhooks, mail and more; oracle.toml in the state folder is found by itself.",
)


@click.command(short_help="Run the service until it is stopped.")
@click.argument("agreements", nargs=-1, metavar="[AGREEMENT]...")
@click.option("--as", "signer_name", metavar="NAME", help="The key that signs as a verifier.")
@click.option(
    "--gas-key", metavar="NAME", help="The key that pays for gas; by default the one of --as."
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Holds the keys' password; asked for otherwise.",
)
@click.option("--new-key", is_flag=True, help="The key of --as has never signed anywhere.")
@click.option("--network", metavar="NAME", help="Instead of the sandbox.")
@click.option(
    "--rpc", "rpcs", multiple=True, metavar="URL", help="A node; name several to be safe."
)
@click.option("--contract", metavar="ADDRESS", help="Instead of the network's known one.")
@click.option("--mainnet", is_flag=True, help="Allow a network with real money.")
@STORE
@click.option(
    "--evidence", metavar="WHERE", help="A folder or an fsspec address for files of evidence."
)
@CONFIG
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=8580, type=click.IntRange(0, 65_535), help="Instead of 8580.")
@click.option("--dry-run", is_flag=True, help="Sign and send nothing, whatever keys are given.")
@click.option("--once", is_flag=True, help="Do what is to be done now, and stop.")
@click.option("--log-json", is_flag=True, help="Log lines of JSON, as without a terminal.")
@speaks
def run(
    session: Session,
    agreements: tuple[str, ...],
    gas_key: str | None,
    new_key: bool,
    rpcs: tuple[str, ...],
    contract: str | None,
    store: str | None,
    evidence: str | None,
    config: Path | None,
    host: str,
    port: int,
    once: bool,
    log_json: bool,
) -> None:
    """Watch the chain, check evidence, collect signatures, submit, remind; serve API and page.

    It works with every agreement that this machine knows, and with those named. On the sandbox it
    pays for gas with an account there. Elsewhere --gas-key says with which key it submits, and --as
    with which it signs as a verifier; without them it only watches, publishes and reminds.

    Kill it at any time: it goes on where it was. Several instances share a PostgreSQL store.

    \b
    Examples:
      escrow oracle run
      escrow oracle run carpets.yaml --network sepolia --gas-key relayer
      escrow oracle run --network sepolia --as inspector --gas-key relayer --config oracle.toml
      escrow oracle run --network sepolia --store postgresql://escrow@db/escrow --gas-key relayer
    """
    wanted = Wanted(
        agreements=agreements,
        gas_key=gas_key,
        new_key=new_key,
        rpcs=rpcs,
        contract=contract,
        store=store,
        evidence=evidence,
        config=config,
        host=host,
        port=port,
        once=once,
        log_json=log_json,
    )
    run_oracle(session, wanted)


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
