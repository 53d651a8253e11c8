"""What `escrow deploy` does: look, ask, deploy, check on chain, record."""

from __future__ import annotations

from milestone_escrow.cli import boundary
from milestone_escrow.cli.context import SANDBOX, Session
from milestone_escrow.cli.output import bold, command, dim, good, waiting
from milestone_escrow.cli.signers import choose_own
from milestone_escrow.errors import EscrowError


def deploy_contract(session: Session, again: bool) -> None:
    """Deploy to the network of --network and record the contract's address."""
    from milestone_escrow.chain.client import Escrow
    from milestone_escrow.chain.networks import network, require_allowed

    chosen = network(session.network or SANDBOX, session.home.root)
    require_allowed(chosen, session.mainnet)
    known = session.place(chosen.name).network.contract
    if known and not again:
        raise EscrowError(
            f"{chosen.title} has the contract already, at {known}",
            hint="use that one, or deploy another with --again",
        )
    endpoint = session.endpoint(chosen)
    signer = choose_own(session, chosen.chain_id)
    prepared = Escrow.prepare_deploy(chosen, signer.address, rpc=endpoint, mainnet=session.mainnet)
    coins = prepared.max_cost / 10**18
    session.say(bold(f"deploy the escrow contract to {chosen.title} as {signer.address}"))
    session.say(f"  costs up to {prepared.gas:,} gas, {coins:.6f} {chosen.coin}")
    session.say("  nobody administers it afterwards; it is unaudited")
    facts: dict[str, object] = {
        "network": chosen.name,
        "chain_id": chosen.chain_id,
        "account": signer.address,
        "gas": prepared.gas,
    }
    if session.dry_run:
        session.say(f"\n{waiting('Nothing was sent')}: this was a dry run.")
        session.emit({**facts, "sent": False})
        return
    session.say()
    session.confirm("Go ahead?")
    boundary.sending()
    # A sandbox forgets everything when it stops, and its next one has a contract of its own.
    state = None if chosen.name == SANDBOX else session.home.root
    escrow = Escrow.deploy(chosen, signer, rpc=endpoint, mainnet=session.mainnet, state=state)
    session.say(f"{good('Deployed')} at {bold(escrow.contract)}, and checked there.")
    if link := chosen.link("address", escrow.contract):
        session.say(dim(link))
    session.say("\nNext\n  agreements whose payment says `network: " + chosen.name + "` use it:")
    session.say(f"    {command('escrow agreement sign agreement.yaml')}")
    session.emit({**facts, "sent": True, "contract": escrow.contract})
