"""Real contracts on real chains: the embedded one, the same behind HTTP, and Anvil; and a store
that is PostgreSQL's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from milestone_escrow import Agreement, Escrow
from milestone_escrow.chain.embedded.server import RpcServer
from milestone_escrow.chain.node.endpoints import Endpoints
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.proofs.headers import read_header
from milestone_escrow.errors import StoreError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.indexer.bounds import ReadingLimits
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import State, Status
from tests.oracle.indexer.conftest import Told
from tests.oracle.indexer.scripted import CONTRACT
from tests.oracle.indexer.truth import assert_true
from tests.oracle.relaying.anvil import on_anvil

Open = Callable[..., Store]
BUYER, SUPPLIER, INSPECTOR = DevSigner(1), DevSigner(2), DevSigner(3)


def lived(escrow: Escrow) -> bytes:
    """An agreement with a verdict, a dispute over it, a partial approval and a payout."""
    agreement = Agreement.load("examples/carpets/agreement.yaml")
    deal = agreement.on(escrow)
    escrow = escrow.acting_as(BUYER)
    escrow.mint("USDC", BUYER.address, 240_000_000_000)
    signatures = {who.address: deal.sign(who) for who in (BUYER, SUPPLIER)}
    escrow.open(deal, signatures, fund=["deposit", "manufactured", "packed", "arrived"], allow=True)
    verdict = escrow.attestation(deal, "manufactured")
    signed = INSPECTOR.sign_typed_data(verdict.typed_data(escrow.domain))
    escrow.attest(deal, verdict, [signed])
    escrow.dispute(deal, "manufactured", b"\1" * 32)
    escrow.approve(deal, "packed", 5)
    escrow.acting_as(SUPPLIER).assign(deal, "arrived", DevSigner(8).address)
    return deal.id


def shown(states: tuple[State, ...]) -> tuple[State, ...]:
    """As the contract shows them: of a settled one only that it is."""
    return tuple(State(Status.SETTLED) if s.status is Status.SETTLED else s for s in states)


def assert_as_on_chain(store: Store, escrow: Escrow, agreement_id: bytes) -> None:
    with store.reading() as connection:
        view = viewing.agreement(connection, agreement_id)
        head = viewing.head(connection)
    assert view is not None
    assert head is not None
    found = escrow.find(agreement_id)
    assert (view.terms, view.milestones) == (found.terms, found.milestones)
    assert shown(view.states) == escrow.states(found)
    assert {state.status for state in view.states} >= {
        Status.SETTLED, Status.FUNDED, Status.DISPUTED_OVER_VERDICT
    }  # fmt: skip
    assert head.number == int(escrow.node.request("eth_blockNumber"), 16)


@pytest.fixture(scope="module")
def embedded() -> Iterator[tuple[Escrow, bytes]]:
    agreement = Agreement.load("examples/carpets/agreement.yaml")
    escrow = Escrow.embedded(BUYER, start=agreement.starts_at)
    return escrow, lived(escrow)


def test_the_embedded_chain_is_followed(embedded: tuple[Escrow, bytes], open_store: Open) -> None:
    escrow, agreement_id = embedded
    store = open_store(domain=escrow.domain)
    Indexer(store, escrow.node, escrow.network, escrow.contract).catch_up(0)
    assert_as_on_chain(store, escrow, agreement_id)


def test_the_same_is_followed_behind_http_with_another_node_away(
    embedded: tuple[Escrow, bytes], open_store: Open
) -> None:
    escrow, agreement_id = embedded
    with RpcServer(escrow.chain, 0) as server:
        nodes = Endpoints.reach(escrow.network, ["http://127.0.0.1:1", server.url])
        store = open_store(domain=escrow.domain)
        Indexer(store, nodes, escrow.network, escrow.contract).catch_up(0)
        assert_as_on_chain(store, escrow, agreement_id)


def test_a_snapshot_that_is_reverted_is_a_fork(open_store: Open) -> None:
    agreement = Agreement.load("examples/carpets/agreement.yaml")
    escrow = Escrow.embedded(BUYER, start=agreement.starts_at)
    here = Network("ours", "Ours", escrow.network.chain_id, local=True, confirmations=64)
    store = open_store(domain=escrow.domain)
    indexer = Indexer(store, escrow.node, here, escrow.contract)
    snapshot = escrow.chain.snapshot()
    lived(escrow)
    indexer.catch_up(0)
    escrow.chain.revert(snapshot)
    escrow.chain.warp(60)  # so that the same acts come to other blocks
    agreement_id = lived(escrow)
    assert indexer.catch_up(0).undone > 0
    assert_as_on_chain(store, escrow, agreement_id)


@pytest.mark.slow
def test_anvil_is_followed_and_its_headers_are_checked(open_store: Open) -> None:
    with on_anvil() as escrow:
        agreement_id = lived(escrow)
        store = open_store(domain=escrow.domain)
        Indexer(store, escrow.node, escrow.network, escrow.contract).catch_up(0)
        assert_as_on_chain(store, escrow, agreement_id)
        assert all(_checked(escrow.node))


def _checked(node: Node) -> Iterator[bool]:
    for number in range(int(node.request("eth_blockNumber"), 16) + 1):
        yield read_header(node.request("eth_getBlockByNumber", [hex(number), False])).checked


def test_each_kind_of_store_follows_forks_alike(
    any_store: Store, told: Told, network: Network
) -> None:
    indexer = Indexer(any_store, told.chain, network, CONTRACT, limits=ReadingLimits(blocks=8))
    told.grow(30)
    indexer.catch_up(0)
    assert_true(any_store, told.chain)
    told.fork(9)
    told.grow(11)
    indexer.catch_up(0)
    assert_true(any_store, told.chain)


def test_a_store_of_another_contract_is_refused(open_store: Open, network: Network) -> None:
    store = open_store(domain=Domain(network.chain_id, "0x" + "1" * 40))
    with pytest.raises(StoreError, match="belongs to contract"):
        Indexer(store, Told().chain, network, CONTRACT)
