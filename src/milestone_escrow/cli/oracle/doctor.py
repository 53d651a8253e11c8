"""`escrow oracle doctor`: everything that must be right before the first run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.network.network import report
from milestone_escrow.cli.oracle.run import CONFIG, SANDBOX_RELAYER, STORE
from milestone_escrow.cli.oracle.store_home import (
    connect,
    evidence_folder,
    load_settings,
    running,
    usual_store,
)
from milestone_escrow.cli.shell.options import examines
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.cli.shell.signers import account_of_key

if TYPE_CHECKING:
    from milestone_escrow.oracle.checkup import Running
    from milestone_escrow.protocol.eip712 import Domain


@click.command(short_help="Check everything before the first run.")
@click.option("--gas-key", metavar="NAME", help="The key that pays for gas.")
@click.option("--contract", metavar="ADDRESS", help="Instead of the network's known one.")
@STORE
@click.option("--evidence", metavar="WHERE", help="Where files of evidence are kept.")
@CONFIG
@examines
def doctor(
    session: Session,
    gas_key: str | None,
    contract: str | None,
    store: str | None,
    evidence: str | None,
    config: Path | None,
) -> None:
    """Check node, chain, contract, clock, settings, secrets, limits, gas, store, log, records,
    signing history and, where one runs here, the oracle itself. Each line is ok, or says what to
    do. Nothing is signed, sent or changed.

    \b
    Examples:
      escrow oracle doctor
      escrow oracle doctor --network sepolia --as inspector --gas-key relayer
    """
    from milestone_escrow.chain.node.networks import network
    from milestone_escrow.oracle.checkup import Patient, examine

    chosen = network(session.network or SANDBOX, session.home.root)
    signs = session.signer_name
    pays = gas_key or signs or (SANDBOX_RELAYER if chosen.name == SANDBOX else None)
    patient = Patient(
        connect=lambda: connect(session, contract=contract),
        settings=lambda: load_settings(session, config),
        store=store,
        usual_store=lambda escrow: usual_store(session, escrow),
        evidence=evidence or evidence_folder(session),
        signs=account_of_key(session, chosen.chain_id, signs) if signs else None,
        pays=account_of_key(session, chosen.chain_id, pays) if pays else None,
        now=int(time.time()),
        files=lambda: [one.why for one in session.shelf.look_through()[1]],
        running=lambda domain: _running(session, domain),
    )
    report(session, chosen, examine(patient))


def _running(session: Session, domain: Domain) -> Running | None:
    """What the oracle of this contract that runs on this machine says; None where none does."""
    from milestone_escrow.errors import EscrowError
    from milestone_escrow.oracle.api_client import OracleClient
    from milestone_escrow.oracle.checkup import Running

    here = running(session)
    if here is None or (here.chain_id, here.contract) != (
        domain.chain_id,
        domain.verifying_contract,
    ):
        return None
    try:
        return Running(here.url, OracleClient(here.url).wrong())
    except EscrowError as error:
        return Running(here.url, [("answer", error.sentence)])
