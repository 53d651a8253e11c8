"""`escrow oracle run`: the service, until it is stopped."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import speaks
from milestone_escrow.cli.shell.session import Session

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
    from milestone_escrow.cli.oracle.running import Wanted, run_oracle

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
