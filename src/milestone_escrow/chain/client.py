"""The escrow contract on one network: what people and programs use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from milestone_escrow.chain.artifact import load
from milestone_escrow.chain.attempts import Attempt
from milestone_escrow.chain.connection import Endpoint, reach
from milestone_escrow.chain.deployments import (
    Deployment,
    code_hash,
    read_deployment,
    verify_contract,
    write_deployment,
)
from milestone_escrow.chain.embedded import EmbeddedChain
from milestone_escrow.chain.networks import Network
from milestone_escrow.chain.networks import network as find_network
from milestone_escrow.chain.reader import CONTRACT, Reader
from milestone_escrow.chain.rpc import Node
from milestone_escrow.chain.structs import OpenAgreement
from milestone_escrow.chain.transactions import Prepared, Receipt, Transactor
from milestone_escrow.chain.verbs import NOBODY, MilestoneName, Signatures, Verbs
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address, Domain
from milestone_escrow.protocol.signatures import Signer


class Escrow(Reader):
    """One contract, read by anybody, acted on with the key of `signer`.

    Each verb simulates, sends and waits; `prepare` has the same verbs and stops before sending.
    Milestones are named by index or, where the agreement has a document, by key. Every verb raises
    ContractError where the contract refuses and ChainError where the node does.
    """

    def __init__(
        self,
        node: Node,
        network: Network,
        contract: Address,
        signer: Signer | None = None,
        *,
        since: int = 0,
    ) -> None:
        super().__init__(node, network, contract, since=since)
        self.signer = signer
        self._transactor = Transactor(node, network.chain_id, contract)

    @classmethod
    def connect(
        cls,
        network: str | Network = "sandbox",
        signer: Signer | None = None,
        *,
        rpc: Endpoint | None = None,
        contract: Address | None = None,
        mainnet: bool = False,
        state: Path | None = None,
    ) -> Escrow:
        """The contract on a network, by name. `state` is a folder with one's own networks and
        deployments.

        Raises:
            UsageError: an unknown network, or a main network without `mainnet`.
            ChainError: no node, another chain, or no such contract there.
        """
        if network == "embedded" and rpc is None:
            return cls.embedded(signer)
        chosen = _network(network, state)
        node = reach(chosen, rpc, mainnet=mainnet)
        recorded = None if contract else read_deployment(chosen, state)
        address = contract or (recorded.address if recorded else chosen.contract)
        if not address:
            raise UsageError(
                f"no contract is known on {chosen.title}",
                hint="deploy it with `escrow deploy`, or name its address with --contract",
            )
        verify_contract(node, Domain(chosen.chain_id, address))
        return cls(node, chosen, address, signer, since=recorded.block if recorded else 0)

    @classmethod
    def embedded(
        cls,
        signer: Signer | None = None,
        *,
        start: int | None = None,
        chain: EmbeddedChain | None = None,
    ) -> Escrow:
        """The contract on a chain in this process, with test USDC; `start` is its Unix time."""
        from milestone_escrow.chain.installation import install

        chain = chain or EmbeddedChain(start)
        known = install(chain)
        return cls(chain, known, known.contract, signer)

    @classmethod
    def deploy(
        cls,
        network: str | Network,
        signer: Signer,
        *,
        rpc: Endpoint | None = None,
        mainnet: bool = False,
        state: Path | None = None,
    ) -> Escrow:
        """Put the contract on a network and, with `state`, record where it is."""
        chosen = _network(network, state)
        node = reach(chosen, rpc, mainnet=mainnet)
        transactor = Transactor(node, chosen.chain_id)
        prepared = cls.prepare_deploy(chosen, signer.address, rpc=node, mainnet=mainnet)
        receipt = transactor.send(prepared, signer)
        if receipt.contract is None:
            raise ChainError("the node does not say where the contract was deployed")
        code = verify_contract(node, Domain(chosen.chain_id, receipt.contract))
        if state:
            write_deployment(
                Deployment(
                    chosen.name,
                    chosen.chain_id,
                    receipt.contract,
                    receipt.block,
                    code_hash(code),
                ),
                state,
            )
        return cls(node, chosen, receipt.contract, signer, since=receipt.block)

    @classmethod
    def prepare_deploy(
        cls,
        network: str | Network,
        sender: Address,
        *,
        rpc: Endpoint | None = None,
        mainnet: bool = False,
        state: Path | None = None,
    ) -> Prepared:
        """The transaction that `deploy` would send."""
        chosen = _network(network, state)
        node = reach(chosen, rpc, mainnet=mainnet)
        transactor = Transactor(node, chosen.chain_id)
        return transactor.prepare(None, load(CONTRACT).bytecode, Attempt("deploy", sender))

    def acting_as(self, signer: Signer | None) -> Escrow:
        """The same contract with another key."""
        return type(self)(self.node, self.network, self.contract, signer, since=self._since)

    @property
    def chain(self) -> EmbeddedChain:
        """The chain in this process, whose time can be told; ChainError where it is elsewhere."""
        if not isinstance(self.node, EmbeddedChain):
            raise ChainError(f"{self.network.title} is not in this process", hint="use its node")
        return self.node

    @property
    def prepare(self) -> Verbs:
        """The verbs, simulated and priced for the signer, but not sent."""
        return self.prepare_for(self._signer().address)

    def prepare_for(self, sender: Address) -> Verbs:
        """The verbs as `sender` would send them; needs no key."""
        return Verbs(self, self._transactor, sender)

    def send(self, prepared: Prepared) -> Receipt:
        """Sign and broadcast what was prepared, and wait until it is in a block."""
        return self._transactor.send(prepared, self._signer())

    def open(
        self,
        agreement: OpenAgreement,
        signatures: Mapping[Address, bytes] = NOBODY,
        fund: Iterable[MilestoneName] = (),
        *,
        allow: bool = False,
    ) -> Receipt:
        """Open an agreement and fund some milestones; `allow` first lets the contract take what
        it needs for that."""
        chosen = list(fund)
        if allow:
            self._allow(agreement, chosen)
        return self.send(self.prepare.open(agreement, signatures, chosen))

    def fund(
        self, agreement: OpenAgreement, milestones: Iterable[MilestoneName], *, allow: bool = False
    ) -> Receipt:
        """Pay in the amounts of unfunded milestones."""
        chosen = list(milestones)
        if allow:
            self._allow(agreement, chosen)
        return self.send(self.prepare.fund(agreement, chosen))

    def attest(
        self, agreement: OpenAgreement, attestation: Attestation, signatures: Signatures
    ) -> Receipt:
        """Decide by a quorum of the milestone's verifiers."""
        return self.send(self.prepare.attest(agreement, attestation, signatures))

    def submit(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        evidence_hash: bytes = ZERO_HASH,
    ) -> Receipt:
        """State, as its payee, that a milestone is done."""
        return self.send(self.prepare.submit(agreement, milestone, evidence_hash))

    def dispute(
        self, agreement: OpenAgreement, milestone: MilestoneName, reason_hash: bytes = ZERO_HASH
    ) -> Receipt:
        """Object to what is about to go against the signer."""
        return self.send(self.prepare.dispute(agreement, milestone, reason_hash))

    def rule(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        reason_hash: bytes = ZERO_HASH,
    ) -> Receipt:
        """Split, as the arbiter, what is disputed."""
        return self.send(self.prepare.rule(agreement, milestone, to_payee, to_buyer, reason_hash))

    def approve(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Receipt:
        """Pay, as the buyer, a part or all of a milestone."""
        return self.send(self.prepare.approve(agreement, milestone, amount))

    def refund(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Receipt:
        """Give back, as the payee, a part or all of a milestone."""
        return self.send(self.prepare.refund(agreement, milestone, amount))

    def settle(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        *,
        signatures: Mapping[Address, bytes] = NOBODY,
        valid_until: int = 0,
    ) -> Receipt:
        """Split a milestone with the consent of whoever gives something up."""
        prepared = self.prepare.settle(
            agreement,
            milestone,
            to_payee,
            to_buyer,
            signatures=signatures,
            valid_until=valid_until,
        )
        return self.send(prepared)

    def finalize(self, agreement: OpenAgreement, milestone: MilestoneName) -> Receipt:
        """Let time decide."""
        return self.send(self.prepare.finalize(agreement, milestone))

    def withdraw(self, symbol: str, account: Address) -> Receipt:
        """Collect a payout that could not be delivered, for `account`."""
        return self.send(self.prepare.withdraw(self.token(symbol), account))

    def allow(self, symbol: str, amount: int) -> Receipt:
        """Let the contract take up to `amount` token units when told to fund."""
        return self.send(self.prepare.allow(self.token(symbol), amount))

    def mint(self, symbol: str, account: Address, amount: int) -> Receipt:
        """Create test tokens; real ones refuse."""
        return self.send(self.prepare.mint(self.token(symbol), account, amount))

    def _allow(self, agreement: OpenAgreement, milestones: Iterable[MilestoneName]) -> None:
        missing = self.prepare.allowance(agreement, milestones)
        if missing:
            self.send(missing)

    def _signer(self) -> Signer:
        if self.signer is None:
            raise UsageError("there is no key to act with", hint="connect with a signer")
        return self.signer


def _network(name: str | Network, state: Path | None) -> Network:
    return name if isinstance(name, Network) else find_network(name, state)
