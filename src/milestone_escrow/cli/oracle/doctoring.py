"""What `escrow oracle doctor` does."""

from __future__ import annotations

import time
from pathlib import Path

from milestone_escrow.cli.network.networking import report
from milestone_escrow.cli.oracle.running import SANDBOX_RELAYER
from milestone_escrow.cli.oracle.store_home import (
    connect,
    evidence_folder,
    load_settings,
    usual_store,
)
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.cli.shell.signers import account_of_key


def diagnose(
    session: Session,
    gas_key: str | None,
    contract: str | None,
    store: str | None,
    evidence: str | None,
    config: Path | None,
) -> None:
    """Everything that must be right; status 1 where something is not."""
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
