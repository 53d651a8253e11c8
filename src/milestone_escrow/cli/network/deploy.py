"""`escrow deploy`: the contract on a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.shell import boundary
from milestone_escrow.cli.shell.home import explorer_key, write
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.output import bad, bold, command, dim, good, waiting
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.cli.shell.signers import choose_own
from milestone_escrow.cli.shell.unsigned import hand_over
from milestone_escrow.deals.absent import Absent
from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.deploy.deploying import Plan
    from milestone_escrow.chain.deploy.deployments import Deployment
    from milestone_escrow.chain.node.network import Network
    from milestone_escrow.chain.node.rpc import Node
    from milestone_escrow.protocol.signatures import Signer


@click.command(short_help="Put the escrow contract on a network.")
@click.option("--verify", is_flag=True, help="And give its sources to the network's explorers.")
@click.option("--deployer", is_flag=True, help="First put the deterministic deployer there.")
@click.option("--test-token", is_flag=True, help="And a test USDC that anybody can mint.")
@sends
def deploy(session: Session, verify: bool, deployer: bool, test_token: bool) -> None:
    """Put the escrow contract on a network, once for everybody who will use it there.

    It has one address on every network, whoever deploys it, and nobody administers it afterwards.
    Where it is there already, that is checked and recorded, and nothing is sent; where an earlier
    run was interrupted, this one goes on from there. It is recorded in the state folder, and in
    `deployments/` of the working folder if there is one.

    Etherscan wants an access key, in ETHERSCAN_API_KEY; the others do not.

    A chain of your own, Anvil for example, has no USDC either: --test-token brings one, with
    10,000,000 for the key that deploys it.

    \b
    Examples:
      escrow deploy --network sepolia --as treasury --dry-run
      escrow deploy --network sepolia --as treasury --verify
      escrow deploy --network anvil --test-token --as treasury
    """
    from milestone_escrow.chain.deploy.deploying import contract_address, plan_deployment
    from milestone_escrow.chain.node.connection import reach
    from milestone_escrow.chain.node.networks import network
    from milestone_escrow.chain.node.probes import has_code, head, require_recent
    from milestone_escrow.protocol.eip712 import ZERO_ADDRESS

    chosen = network(session.network or SANDBOX, session.home.root)
    if verify and not chosen.verify:
        raise UsageError(
            f"no explorer of {chosen.title} is known that takes sources",
            hint=f"add `verify.sourcify` or another to its table in {USER_FILE}",
        )
    node = reach(chosen, session.endpoint(chosen), mainnet=session.mainnet)
    require_recent(head(node), chosen, int(time.time()))
    if test_token:
        _require_no_token(session, chosen)
    is_there = has_code(node, contract_address(chosen))
    signer = None if is_there and not test_token else choose_own(session, chosen.chain_id)
    if deployer and signer and not is_there:
        _place_deployer(session, node, chosen, signer)
    # A sandbox forgets everything when it stops, and its next one has a contract of its own.
    state = None if chosen.name == SANDBOX else session.home.root
    sender = signer.address if signer else ZERO_ADDRESS
    plan = plan_deployment(node, chosen, sender, bid=session.bid, state=state)
    facts = _announce(session, plan, signer, test_token=test_token)
    sends = not plan.is_there or test_token
    if session.unsigned:
        _hand_over(session, plan, facts, several=test_token)
        return
    if session.dry_run:
        session.say(f"\n{waiting('Nothing was sent')}: this was a dry run.")
        session.emit({**facts, "sent": False})
        return
    if plan.lacks:
        from milestone_escrow.chain.send.fees import coins

        raise EscrowError(
            f"{sender} has {coins(plan.lacks, chosen.coin)} too little for gas",
            hint="send it some" + (f", from {chosen.faucet}" if chosen.faucet else ""),
        )
    if isinstance(signer, Absent):
        raise UsageError(
            f"nothing can be sent as {signer.address}, whose key --from does not use",
            hint="add --unsigned to print it for a wallet, or name a key with --as or --signer",
        )
    if sends and not (plan.pending and not test_token):
        session.say()
        session.confirm("Go ahead?")
        boundary.sending()
    made = _carry_out(session, node, plan, signer, state)
    if test_token and signer:
        facts["token"] = _deploy_token(session, node, chosen, signer)
    if verify:
        facts["verified"] = _verify(session, chosen, made)
    session.emit(
        {
            **facts,
            "sent": bool(made.transaction) and not plan.is_there,
            "contract": made.address,
            "block": made.block,
            "transaction": made.transaction,
        }
    )


SYMBOL = "USDC"


SUPPLY = 10_000_000


USER_FILE = "networks.toml"


def _hand_over(session: Session, plan: Plan, facts: dict[str, object], *, several: bool) -> None:
    """Print what deploys the contract, for a wallet; it lands at the same address, whoever sends.

    Raises:
        EscrowError: there is nothing to send, or more than can be known before it is sent.
    """
    if several:
        raise UsageError(
            "where a test token will be is known only once it is there",
            hint="leave --test-token or --unsigned out",
        )
    if plan.prepared is None:
        raise EscrowError(f"there is nothing to send to {plan.network.title}")
    name = f"deploy the escrow contract to {plan.network.title}"
    hand_over(session, plan.network, [plan.prepared], facts, name=name, nonce=session.nonce)
    if not session.as_json:
        line = f"escrow deploy --network {plan.network.name}"
        session.say(f"\nOnce it is in a block, record it here with\n  {command(line)}")


def _announce(
    session: Session, plan: Plan, signer: Signer | None, *, test_token: bool
) -> dict[str, object]:
    """What will happen, in words; returns the same for machines."""
    from milestone_escrow.chain.deploy.deploying import affordable

    net = plan.network
    facts: dict[str, object] = {
        "network": net.name,
        "chain_id": net.chain_id,
        "contract": plan.address,
        "account": signer.address if signer else None,
        "is_there": plan.is_there,
    }
    if plan.is_there:
        session.say(f"{net.title} has the contract already, at {bold(plan.address)}.")
    elif plan.pending:
        session.say(f"An earlier run has sent {plan.pending.hash}; this one goes on from there.")
    elif plan.prepared:
        facts |= {
            "gas": plan.prepared.gas,
            "expected_cost": str(plan.prepared.expected_cost),
            "max_cost": str(plan.prepared.max_cost),
            "data_fee": str(plan.prepared.data_fee),
            "balance": str(plan.balance),
        }
        who = plan.prepared.sender
        session.say(bold(f"deploy the escrow contract to {net.title} as {who}"))
        session.say(f"  at {plan.address}, as on every network")
        session.say(f"  costs up to {plan.prepared.gas:,} gas: {affordable(plan)}")
        session.say("  nobody administers it afterwards; it is unaudited")
    if test_token and signer:
        session.say(f"  and a test USDC, {SUPPLY:,} of it for {signer.address}")
    return facts


def _carry_out(
    session: Session, node: Node, plan: Plan, signer: Signer | None, state: Path | None
) -> Deployment:
    from milestone_escrow.chain.deploy.deploying import deploy

    places = [state] if state else []
    here = Path.cwd()
    if state and (here / "deployments").is_dir():
        places.append(here)

    def tell(transaction: str) -> None:
        session.say(f"{good('sent')}  {transaction}")

    made = deploy(node, plan, signer, places, bid=session.bid, tell=tell)
    if not plan.is_there:
        session.say(f"{good('Deployed')} at {bold(made.address)}, and checked there.")
    for place in places:
        session.say(f"Recorded in {place / 'deployments' / plan.network.name}.json.")
    if link := plan.network.link("address", made.address):
        session.say(dim(link))
    if not plan.is_there:
        session.say(
            f"\nNext\n  agreements whose payment says `network: {plan.network.name}` use it:"
        )
        session.say(f"    {command('escrow agreement sign agreement.yaml')}")
    return made


def _place_deployer(session: Session, node: Node, net: Network, signer: Signer) -> None:
    from milestone_escrow.chain.deploy.deployer import COST, place_deployer
    from milestone_escrow.chain.node.probes import has_code
    from milestone_escrow.chain.send.fees import coins

    if has_code(node, net.deployer):
        return
    session.say(bold(f"put the deterministic deployer on {net.title} as {signer.address}"))
    session.say(f"  pays {coins(COST, net.coin)} to the account that creates it, and gas")
    if session.dry_run or session.unsigned:
        raise UsageError(
            "what comes after the deployer cannot be simulated before it is there",
            hint=f"leave {'--unsigned' if session.unsigned else '--dry-run'} or --deployer out",
        )
    session.confirm("Go ahead?")
    boundary.sending()
    place_deployer(node, net, signer, bid=session.bid)
    session.say(f"{good('Put')} at {net.deployer}.\n")


def _verify(session: Session, net: Network, made: Deployment) -> dict[str, object]:
    """One line for each explorer; status 1 where none of them has the sources."""
    from milestone_escrow.chain.deploy.explorers import verify_at

    results: dict[str, object] = {}
    for api in net.verify:
        try:
            done = verify_at(api, net, made, explorer_key())
        except EscrowError as error:
            session.say(f"{bad('not verified')}  {api.kind}: {error}")
            results[api.kind] = {"ok": False, "message": str(error)}
        else:
            had = ", which had them" if done.was_known else ""
            session.say(f"{good('verified')}  {api.kind}: the sources are at {done.host}{had}")
            results[api.kind] = {"ok": True, "was_known": done.was_known}
    if not any(isinstance(result, dict) and result["ok"] for result in results.values()):
        session.exit_status = 1
    return results


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


def _deploy_token(session: Session, node: Node, net: Network, signer: Signer) -> str:
    """Test USDC, recorded in the state folder's own table of networks."""
    from milestone_escrow.chain.contract.artifact import load
    from milestone_escrow.chain.contract.tokens import mint_call
    from milestone_escrow.chain.refusals.attempts import Attempt
    from milestone_escrow.chain.send.transactions import Transactor

    transactor = Transactor(node, net)
    attempt = Attempt("deploy", signer.address)
    prepared = transactor.prepare(None, load("TestUSDC").bytecode, attempt)
    address = transactor.send(prepared, signer).contract
    assert address is not None
    mint = mint_call(signer.address, SUPPLY * 10**6)
    transactor.send(transactor.prepare(address, mint, attempt), signer)
    own = session.home.root / USER_FILE
    text = own.read_text("utf-8") if own.is_file() else ""
    write(own, f'{text}\n[{net.name}.tokens]\n{SYMBOL} = "{address}"\n'.lstrip())
    session.say(f"Test USDC is at {bold(address)}; it is worth nothing.")
    return address
