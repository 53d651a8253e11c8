"""`escrow oracle doctor`: everything that must be right before the first run."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.shell.options import examines
from milestone_escrow.cli.shell.session import Session


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
    from milestone_escrow.cli.oracle.doctoring import diagnose

    diagnose(session, gas_key, contract, store, evidence, config)
