"""The escrow contract on one network: what people and programs use."""

from __future__ import annotations

from pathlib import Path

from milestone_escrow.chain.contract.acting import Acting
from milestone_escrow.chain.deploy.deploying import (
    contract_address,
    deploy,
    first_block,
    plan_deployment,
)
from milestone_escrow.chain.deploy.deployments import read_deployment, verify_contract
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.connection import Endpoint, reach
from milestone_escrow.chain.node.landmarks import KeptLandmarks, Landmarks
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.networks import network as find_network
from milestone_escrow.chain.node.probes import has_code
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.send.fees import AS_USUAL, Bid
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.signatures import Signer


class Escrow(Acting):
    """One contract, read by anybody, acted on with the key of `signer`.

    Each verb simulates, sends and waits; `prepare` has the same verbs and stops before sending.
    Milestones are named by index or, where the agreement has a document, by key. Every verb raises
    ContractError where the contract refuses and ChainError where the node does.
    """

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
        bid: Bid = AS_USUAL,
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
        since = recorded.block if recorded else 0
        if not address and has_code(node, usual := contract_address(chosen)):
            # Somebody else deployed it: it lies where it lies everywhere.
            address, since = usual, first_block(node, usual)
        if not address:
            raise UsageError(
                f"no contract is known on {chosen.title}",
                hint="deploy it with `escrow deploy`, or name its address with --contract",
            )
        verify_contract(node, Domain(chosen.chain_id, address))
        kept = _landmarks(chosen, address, node, state)
        return cls(node, chosen, address, signer, since=since, bid=bid, landmarks=kept)

    @classmethod
    def embedded(
        cls,
        signer: Signer | None = None,
        *,
        start: int | None = None,
        chain: EmbeddedChain | None = None,
    ) -> Escrow:
        """The contract on a chain in this process, with test USDC; `start` is its Unix time."""
        from milestone_escrow.chain.embedded.installation import install

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
        bid: Bid = AS_USUAL,
    ) -> Escrow:
        """Put the contract on a network, where it is not there yet, and with `state` record it."""
        chosen = _network(network, state)
        node = reach(chosen, rpc, mainnet=mainnet)
        plan = plan_deployment(node, chosen, signer.address, bid=bid, state=state)
        made = deploy(node, plan, signer, [state] if state else [], bid=bid)
        return cls(node, chosen, made.address, signer, since=made.block)

    @classmethod
    def prepare_deploy(
        cls,
        network: str | Network,
        sender: Address,
        *,
        rpc: Endpoint | None = None,
        mainnet: bool = False,
        state: Path | None = None,
    ) -> Prepared | None:
        """The transaction that `deploy` would send; None where the contract is there already."""
        chosen = _network(network, state)
        node = reach(chosen, rpc, mainnet=mainnet)
        return plan_deployment(node, chosen, sender, state=state).prepared

    def acting_as(self, signer: Signer | None) -> Escrow:
        """The same contract with another key."""
        same = type(self)(
            self.node,
            self.network,
            self.contract,
            signer,
            since=self.since,
            bid=self._bid,
            landmarks=self.logs.landmarks,
        )
        same.logs.watch = self.logs.watch
        return same

    @property
    def chain(self) -> EmbeddedChain:
        """The chain in this process, whose time can be told; ChainError where it is elsewhere."""
        if not isinstance(self.node, EmbeddedChain):
            raise ChainError(f"{self.network.title} is not in this process", hint="use its node")
        return self.node


def _landmarks(
    network: Network, contract: Address, node: Node, state: Path | None
) -> Landmarks | None:
    """Those kept in the folder `state`; chains on this machine begin anew, so none of theirs."""
    if state is None or network.local:
        return None
    file = state / "landmarks" / f"{network.chain_id}-{contract}.json"
    return KeptLandmarks(file, str(getattr(node, "host", "")))


def _network(name: str | Network, state: Path | None) -> Network:
    return name if isinstance(name, Network) else find_network(name, state)
