"""What `escrow deploy` does: look, ask, deploy, check on chain, record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milestone_escrow.cli import boundary
from milestone_escrow.cli.context import SANDBOX, Session
from milestone_escrow.cli.home import write
from milestone_escrow.cli.output import bold, command, dim, good, waiting
from milestone_escrow.cli.signers import choose_own
from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.client import Escrow
    from milestone_escrow.chain.networks import Network

SYMBOL = "USDC"
SUPPLY = 10_000_000
USER_FILE = "networks.toml"


def deploy_contract(session: Session, *, again: bool, test_token: bool) -> None:
    """Deploy to the network of --network and record the contract's address."""
    from milestone_escrow.chain.client import Escrow
    from milestone_escrow.chain.networks import network, require_allowed

    chosen = network(session.network or SANDBOX, session.home.root)
    require_allowed(chosen, session.mainnet)
    if test_token:
        _require_no_token(session, chosen)
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
    if test_token:
        session.say(f"  and a test USDC, {SUPPLY:,} of it for {signer.address}")
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
    if test_token:
        token = _deploy_token(session, escrow)
        facts["token"] = token
        session.say(f"Test USDC is at {bold(token)}; it is worth nothing.")
    if link := chosen.link("address", escrow.contract):
        session.say(dim(link))
    session.say("\nNext\n  agreements whose payment says `network: " + chosen.name + "` use it:")
    session.say(f"    {command('escrow agreement sign agreement.yaml')}")
    session.emit({**facts, "sent": True, "contract": escrow.contract})


def _require_no_token(session: Session, chosen: Network) -> None:
    if chosen.main:
        raise UsageError("a test token has no place on a main network", hint="leave it out")
    if any(token.symbol == SYMBOL for token in chosen.tokens):
        raise UsageError(f"{chosen.title} has {SYMBOL} already", hint="leave --test-token out")
    own = session.home.root / USER_FILE
    if own.is_file() and f"[{chosen.name}" in own.read_text("utf-8"):
        raise UsageError(
            f"{own} says something about {chosen.name} already",
            hint=f"add the token there under [{chosen.name}.tokens]",
        )


def _deploy_token(session: Session, escrow: Escrow) -> str:
    """Test USDC, recorded in the state folder's own table of networks."""
    from milestone_escrow.chain.artifact import load
    from milestone_escrow.chain.attempts import Attempt
    from milestone_escrow.chain.transactions import Transactor
    from milestone_escrow.protocol.token import Token

    assert escrow.signer is not None
    transactor = Transactor(escrow.node, escrow.network.chain_id)
    sender = escrow.signer.address
    prepared = transactor.prepare(None, load("TestUSDC").bytecode, Attempt("deploy", sender))
    address = transactor.send(prepared, escrow.signer).contract
    assert address is not None
    token = Token(SYMBOL, address, 6)
    escrow.send(escrow.prepare.mint(token, sender, SUPPLY * 10**token.decimals))
    own = session.home.root / USER_FILE
    text = own.read_text("utf-8") if own.is_file() else ""
    write(own, f'{text}\n[{escrow.network.name}.tokens]\n{SYMBOL} = "{address}"\n'.lstrip())
    return address
