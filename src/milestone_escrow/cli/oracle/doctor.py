"""`escrow oracle doctor`: everything that must be right before the first run."""

from __future__ import annotations

import time
from pathlib import Path

import click

from milestone_escrow.cli.network.network import report
from milestone_escrow.cli.oracle.run import CONFIG, SANDBOX_RELAYER, STORE
from milestone_escrow.cli.oracle.store_home import (
    connect,
    evidence_folder,
    load_settings,
    usual_store,
)
from milestone_escrow.cli.shell.options import examines
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.cli.shell.signers import account_of_key


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
    """Check node, chain, contract, clock, settings, secrets, limits, gas, store, log and signing
    history. Each line is ok, or says what to do. Nothing is signed, sent or changed.

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
    )
    report(session, chosen, examine(patient))
