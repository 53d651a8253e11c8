"""What a command works with: state folder, network, agreement, time, and how it speaks."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.shell import output
from milestone_escrow.cli.shell.home import Home
from milestone_escrow.cli.shell.saving import STDOUT
from milestone_escrow.errors import ChainError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.chain.node.connection import Endpoint
    from milestone_escrow.chain.node.network import Network
    from milestone_escrow.chain.node.rpc import Node
    from milestone_escrow.chain.send.fees import Bid
    from milestone_escrow.documents.agreement import Agreement, BoundAgreement
    from milestone_escrow.documents.files.signed_agreement import SignedAgreement
    from milestone_escrow.documents.shelf import Shelf
    from milestone_escrow.protocol.eip712 import Domain
    from milestone_escrow.protocol.signatures import Signer, Wallets
    from milestone_escrow.protocol.token import Token

SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True)
class Place:
    """One contract on one network, as far as signing needs to know it."""

    network: Network

    @property
    def domain(self) -> Domain:
        from milestone_escrow.protocol.eip712 import Domain

        if not self.network.contract:
            raise UsageError(
                f"no escrow contract is known on {self.network.title}",
                hint=f"deploy one with `escrow deploy --network {self.network.name}`",
            )
        return Domain(self.network.chain_id, self.network.contract)

    def token(self, symbol: str) -> Token:
        return self.network.token(symbol)


@dataclass
class Session:
    """One run of a command: its options, and what they lead to."""

    as_json: bool = False
    network: str | None = None
    rpc: str | None = None
    mainnet: bool = False
    signer_name: str | None = None
    password_file: Path | None = None
    yes: bool = False
    dry_run: bool = False
    max_fee: str | None = None
    nonce: int | None = None
    signer_spec: str | None = None
    unsigned: str | None = None
    output: Path | None = None
    force: bool = False
    sender: str | None = None
    exit_status: int = 0
    home: Home = field(default_factory=Home.find)
    # What the agreement at hand calls its network, by chain.
    _named: dict[int, str] = field(default_factory=dict)
    # What --signer has found, by chain: a device is opened once.
    elsewhere: dict[int, tuple[Signer, ...]] = field(default_factory=dict)

    # Speaking

    def say(self, text: str = "") -> None:
        """For people; silent with --json."""
        if not self.as_json:
            output.say(text, aside=self.output == STDOUT)

    def emit(self, body: Mapping[str, object]) -> None:
        """The one JSON object; silent without --json."""
        if self.as_json:
            output.emit(body)

    def require_consistent(self, *, sends: bool) -> None:
        """Refuse options that contradict each other, before anything is done; a command that
        `sends` writes nothing but unsigned transactions.

        Raises:
            UsageError: with what to leave out.
        """
        if sends and self.output and not self.unsigned:
            raise UsageError(
                "-o is the file for unsigned transactions",
                hint="add --unsigned, or leave it out",
            )
        if self.sender and (self.signer_name or self.signer_spec):
            raise UsageError(
                "--from names an account whose key is not used, --as and --signer one whose is",
                hint="keep one of them",
            )
        if self.unsigned and self.dry_run:
            raise UsageError("--unsigned sends nothing either", hint="leave --dry-run out")

    @property
    def needs_no_key(self) -> bool:
        """Whether what is asked for can be had of an account whose key is not here."""
        return bool(self.sender) or bool(
            self.unsigned and not self.signer_name and not self.signer_spec
        )

    def confirm(self, question: str) -> None:
        """Ask, unless --yes; the default is no.

        Raises:
            UsageError: nobody is there to answer.
            click.Abort: the answer was no.
        """
        if self.yes:
            return
        if not has_terminal():
            context = click.get_current_context()
            looks = any(option.name == "dry_run" for option in context.command.params)
            raise UsageError(
                "this asks before it acts, and there is no terminal to answer on",
                hint="add --yes, or --dry-run to only look" if looks else "add --yes",
            )
        if not click.confirm(question, default=False, err=self.as_json):
            raise click.Abort

    # Where

    @cached_property
    def shelf(self) -> Shelf:
        from milestone_escrow.documents.shelf import Shelf

        return Shelf(self.home.agreements, self.wallets)

    @cached_property
    def wallets(self) -> Wallets:
        """Asks about contract wallets' signatures; no node is looked for before one turns up."""
        from milestone_escrow.cli.shell.elsewhere import AskedWallets

        return AskedWallets(self)

    def network_of(self, chain_id: int) -> Network:
        """The network of a chain. Where several have it, the one of --network, of the agreement
        at hand, or of one's own table, in this order.

        Raises:
            UsageError: none is known here.
        """
        found = self._networks_of(chain_id)
        wanted = (self.network, self._named.get(chain_id))
        return min(found, key=lambda known: wanted.index(known.name) if known.name in wanted else 2)

    def _networks_of(self, chain_id: int) -> list[Network]:
        """Those of one's own table first."""
        from milestone_escrow.chain.node.networks import networks

        fitting = [
            known
            for known in reversed(networks(self.home.root).values())
            if known.chain_id == chain_id and known.name != "embedded"
        ]
        if not fitting:
            raise UsageError(
                f"no network with chain id {chain_id} is known here",
                hint="add it with `escrow network add NAME --rpc URL`",
            )
        return fitting

    def node_of(self, chain_id: int) -> Node:
        """A node of that chain.

        Raises:
            UsageError: no network of that chain is known, or no sandbox is running.
            ChainError: the node does not answer, or is on another chain.
        """
        from milestone_escrow.chain.node.connection import reach

        found = self.network_of(chain_id)
        return reach(found, self.endpoint(found), mainnet=self.mainnet)

    def place(self, name: str | None) -> Place:
        """The network of that name with the contract that is known there; --network wins.

        Raises:
            UsageError: there is no such network, or it holds real money and --mainnet is missing.
        """
        from milestone_escrow.chain.deploy.deployments import read_deployment
        from milestone_escrow.chain.node.networks import network, require_allowed

        chosen = network(self.network or name or SANDBOX, self.home.root)
        require_allowed(chosen, self.mainnet)
        if found := read_deployment(chosen, self.home.root):
            chosen = replace(chosen, contract=found.address)
        return Place(chosen)

    def place_of(self, signed: SignedAgreement | BoundAgreement) -> Place:
        """The network that an agreement is bound to, by chain and contract.

        Raises:
            UsageError: --network names another one, or none is known with that chain.
        """
        domain = signed.domain
        self._named[domain.chain_id] = signed.agreement.network
        name = self.network_of(domain.chain_id).name
        if self.network and self.network != name:
            raise UsageError(
                f"{signed.agreement.reference} was made for {name}, not for {self.network}",
                hint=f"leave --network out, or sign the agreement's file again for {self.network}",
            )
        found = self.place(name).network
        return Place(replace(found, contract=domain.verifying_contract))

    def connect(self, signed: SignedAgreement) -> Escrow:
        """The contract that an agreement is bound to, checked to be the real one.

        Raises:
            UsageError: no network for it, or no sandbox is running.
            ChainError: no node, one that is behind, another chain, or no such contract there.
        """
        from milestone_escrow.chain.contract.client import Escrow
        from milestone_escrow.chain.node.probes import head, require_recent
        from milestone_escrow.cli.shell.output import progress

        network = self.place_of(signed).network
        escrow = Escrow.connect(
            network,
            rpc=self.endpoint(network),
            contract=network.contract,
            mainnet=self.mainnet,
            state=self.home.root,
            bid=self.bid,
        )
        found = head(escrow.node)
        escrow.logs.watch = progress(f"reading the events on {network.title}")
        # A clock of ours that is late shows nothing stale, so only the node's lag counts.
        require_recent(found, network, max(int(time.time()), found.time))
        return escrow

    @property
    def bid(self) -> Bid:
        """What --max-fee and --nonce ask for.

        Raises:
            UsageError: --max-fee is no price.
        """
        from milestone_escrow.chain.node.network_file import read_gwei
        from milestone_escrow.chain.send.fees import Bid

        price = None if self.max_fee is None else read_gwei(self.max_fee, "--max-fee")
        return Bid(price, self.nonce)

    def endpoint(self, network: Network) -> Endpoint | None:
        """Where the network's node is; None where its own address will do.

        Raises:
            UsageError: the sandbox is meant, and none is running.
        """
        if self.rpc or network.name != SANDBOX:
            return self.rpc
        running = running_sandbox(self.home)
        if running is None:
            raise UsageError(
                "no sandbox is running",
                hint="start one with `escrow sandbox` in another terminal",
            )
        return running

    # What

    def find(self, name: str) -> SignedAgreement:
        """The agreement that an argument means; see `Shelf.find`."""
        signed = self.shelf.find(name, self.bind)
        self.say_departures(signed)
        return signed

    def say_departures(self, signed: SignedAgreement) -> None:
        """Tell where this machine reads an agreement otherwise than it was signed."""
        from milestone_escrow.words.departures import departure_words

        for sentence in departure_words(signed):
            self.say(output.paragraph(f"note: {sentence}"))

    def bind(self, agreement: Agreement) -> BoundAgreement:
        """An agreement file on its own network, or on that of --network."""
        return agreement.on(self.place(agreement.network))

    def now(self) -> int:
        """The time that counts: a running sandbox's own, elsewhere the world's."""
        from milestone_escrow.chain.node.connection import reach
        from milestone_escrow.chain.node.networks import network

        running = running_sandbox(self.home) if self.network in (None, SANDBOX) else None
        if running is not None:
            try:
                node = reach(network(SANDBOX), running)
                return int(node.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)
            except ChainError:
                pass
        return int(time.time())


def running_sandbox(home: Home) -> Endpoint | None:
    """The node of a running sandbox; None where there is none."""
    from milestone_escrow.sandbox.record import read_record

    record = read_record(home.sandbox)
    return record.url if record else None


def has_terminal() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()
