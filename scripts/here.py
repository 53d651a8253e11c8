"""What every script starts from: the network Brownie is connected to, an account of its, a yes.

ESCROW_HOME is the state folder, the same that the command line has. For runs without a person there
are ESCROW_YES=1, which answers every question, and ESCROW_PASSWORD_FILE, a file that only its owner
reads, with the password of the accounts on its first line. ESCROW_MAINNET=1 allows real money.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from brownie import accounts, network, web3
from brownie._config import CONFIG

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.deploy.deployments import read_deployment
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import networks
from milestone_escrow.chain.node.rpc import Web3Node
from milestone_escrow.cli.shell.home import Home
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.shelf import Shelf
from milestone_escrow.errors import ChainError, EscrowError, KeyFileError, UsageError
from milestone_escrow.keys.passwords import read_password_file
from scripts.signer import BrownieSigner

P = ParamSpec("P")
R = TypeVar("R")


def told(main: Callable[P, R]) -> Callable[P, R]:
    """A script's function that ends with one sentence where it cannot go on."""

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            inspect.signature(main).bind(*args, **kwargs)
        except TypeError:
            raise SystemExit(
                f"Error: the arguments do not fit; run it as `{_usage(main)}`"
            ) from None
        try:
            return main(*args, **kwargs)
        except EscrowError as error:
            raise SystemExit(f"Error: {error}") from None
        except KeyboardInterrupt:
            raise SystemExit("Stopped. Look at the status before you start again.") from None

    return run


def ask(question: str = "Go ahead?") -> None:
    """Go on only after a yes.

    Raises:
        EscrowError: the answer was no, or nobody is there to give one.
    """
    if os.environ.get("ESCROW_YES") == "1":
        return
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        raise UsageError(
            "this asks before it acts, and nobody is there to answer", hint="set ESCROW_YES=1"
        ) from None
    if answer.strip().lower() not in ("y", "yes"):
        raise EscrowError("not confirmed, nothing was sent")


def state() -> Path:
    """Where deployments and agreements are kept."""
    return Home.find().root


def mainnet() -> bool:
    return os.environ.get("ESCROW_MAINNET") == "1"


def connected() -> Network:
    """The network of the table that Brownie is connected to, found by its chain.

    Raises:
        ChainError: no node answers, or it is on another chain than Brownie's network says.
        UsageError: the chain is not in the table, or it holds real money.
    """
    name = network.show_active()
    try:
        chain_id = int(Web3Node(web3).request("eth_chainId"), 16)
    except (ChainError, TypeError, ValueError):
        raise ChainError(
            f"no node answers for Brownie's network '{name}'",
            hint=f"correct its host with `brownie networks modify {name} host=…`, or try again",
        ) from None
    expected = CONFIG.active_network.get("chainid")
    if expected and int(expected) != chain_id:
        raise ChainError(
            f"the node of Brownie's network '{name}' is on chain {chain_id}, not on {expected}",
            hint=f"correct its host with `brownie networks modify {name} host=…`",
        )
    known = networks(state())
    same = [n for n in known.values() if n.chain_id == chain_id and n.name != "embedded"]
    if not same:
        raise UsageError(
            f"Brownie's network '{name}' is chain {chain_id}, which is not known here",
            hint=f"add it to {state() / 'networks.toml'}, or choose another with --network",
        )
    chosen = next((n for n in same if n.name == name), same[0])
    if chosen.main and not mainnet():
        raise UsageError(
            f"{chosen.title} is a main network with real money, and the contract is unaudited",
            hint="if you mean it, set ESCROW_MAINNET=1; to try things out, use --network sepolia",
        )
    return chosen


def contract(signer: BrownieSigner | None = None) -> Escrow:
    """The contract on that network, where it was recorded, checked to be the real one.

    Raises:
        UsageError: none is recorded.
    """
    chosen = connected()
    if not read_deployment(chosen, state()):
        raise UsageError(
            f"no contract is recorded on {chosen.title}",
            hint="run `brownie run scripts/deploy.py`; where it is already, that only records it",
        )
    return Escrow.connect(chosen, signer, rpc=web3, mainnet=mainnet(), state=state())


def account(name: str = "") -> BrownieSigner:
    """An account by its name in `brownie accounts`; without one, the only one there is.

    An address names one that Brownie has loaded already. On a development chain a number names one
    of its own accounts, by default the first.

    Raises:
        UsageError: there is no such account.
        KeyFileError: the password is wrong.
    """
    if name.startswith("0x") and name in accounts:
        return BrownieSigner(accounts.at(name))
    if CONFIG.network_type == "development" and (not name or name.isdigit()):
        if int(name or 0) >= len(accounts):
            raise UsageError(
                f"there is no account {name}", hint=f"choose from 0 to {len(accounts) - 1}"
            )
        return BrownieSigner(accounts[int(name or 0)])
    known = sorted(accounts.load())
    if not name and len(known) == 1:
        name = known[0]
    if name not in known:
        others = f"choose from {', '.join(known)}, or " if known else ""
        what = f"there is no Brownie account '{name}'" if name else "no account is named"
        raise UsageError(what, hint=f"{others}make one with `brownie accounts generate NAME`")
    file = os.environ.get("ESCROW_PASSWORD_FILE")
    password = read_password_file(Path(file)) if file else None
    try:
        return BrownieSigner(accounts.load(name, password))
    except ValueError:
        raise KeyFileError(f"the password of '{name}' is wrong", hint="try again") from None


def find(name: str, escrow: Escrow) -> SignedAgreement:
    """An agreement by file, reference or id, as it is on this contract.

    Raises:
        UsageError: there is none, or it is for another network or contract.
    """

    def bind(agreement: Agreement) -> BoundAgreement:
        if agreement.network != escrow.network.name:
            raise _elsewhere(agreement, agreement.network, escrow)
        return agreement.on(escrow)

    signed = shelf().find(name, bind)
    if signed.domain != escrow.domain:
        where = f"{signed.domain.verifying_contract} on chain {signed.domain.chain_id}"
        raise _elsewhere(signed.agreement, where, escrow)
    return signed


def shelf() -> Shelf:
    return Shelf(Home.find().agreements)


def _elsewhere(agreement: Agreement, where: str, escrow: Escrow) -> UsageError:
    return UsageError(
        f"{agreement.reference} is for {where}, and Brownie is connected to {escrow.contract} on "
        f"{escrow.network.title}",
        hint="choose the right one with --network",
    )


def _usage(main: Callable[..., object]) -> str:
    parameters = inspect.signature(main).parameters.values()
    words = [p.name.upper() if p.default is p.empty else f"[{p.name.upper()}]" for p in parameters]
    script = Path(inspect.getfile(main)).name
    return " ".join([f"brownie run scripts/{script} {main.__name__}", *words])
