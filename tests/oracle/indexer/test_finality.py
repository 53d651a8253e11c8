"""What is final: by the node's tag, else by confirmations, on a local chain by these alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.oracle.indexer.finality import Finality
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.indexer.reading import ChainReader
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from tests.oracle.indexer.conftest import Told
from tests.oracle.indexer.scripted import CHAIN_ID, CONTRACT
from tests.support.nodes import Odd

PUBLIC = Network("public", "Public", CHAIN_ID, confirmations=3)


def tagged(told: Told, number: int | None) -> Callable[[Any, Callable[[], Any]], Any]:
    """A node whose tag names this block; None where it does not know the tag."""

    def answer(params: Any, truth: Callable[[], Any]) -> Any:
        if params[0] != "finalized":
            return truth()
        if number is None:
            raise RpcError("invalid block tag", code=-32602)
        return told.chain.request("eth_getBlockByNumber", [hex(number), False])

    return answer


def final(told: Told, network: Network, **answers: Any) -> int:
    node = Odd(told.chain, **answers)
    return Finality(network, ChainReader(CONTRACT)).number(node, told.chain.head)


def test_the_nodes_tag_counts_where_it_has_one(told: Told) -> None:
    told.grow(20)
    assert final(told, PUBLIC, eth_getBlockByNumber=tagged(told, 4)) == 4


@pytest.mark.parametrize("answer", [None, RpcError("x", code=METHOD_NOT_FOUND)])
def test_else_confirmations_count(told: Told, answer: Any) -> None:
    told.grow(20)

    def unknown(params: Any, truth: Callable[[], Any]) -> Any:
        if params[0] != "finalized":
            return truth()
        if answer:
            raise answer
        return None

    assert final(told, PUBLIC, eth_getBlockByNumber=unknown) == 18


def test_without_either_it_is_an_error(told: Told) -> None:
    network = replace(PUBLIC, confirmations=0)
    with pytest.raises(ChainError, match="set its confirmations"):
        final(told, network, eth_getBlockByNumber=tagged(told, None))


def test_a_local_chains_head_is_final_unless_it_counts_confirmations(told: Told) -> None:
    told.grow(20)
    local = replace(PUBLIC, local=True, confirmations=1)
    assert final(told, local, eth_getBlockByNumber=tagged(told, 4)) == 20
    assert final(told, replace(local, confirmations=0)) == 20
    assert final(told, replace(local, confirmations=6)) == 15


def test_a_node_that_does_not_answer_is_no_node_without_the_tag(told: Told) -> None:
    told.grow(5)
    busy = RpcError("internal error", code=-32603)
    with pytest.raises(RpcError, match="internal"):
        final(told, PUBLIC, eth_getBlockByNumber=busy)


def test_a_tag_that_was_known_does_not_get_lost(told: Told) -> None:
    told.grow(20)
    finality = Finality(PUBLIC, ChainReader(CONTRACT))
    assert finality.number(Odd(told.chain, eth_getBlockByNumber=tagged(told, 4)), 20) == 4
    with pytest.raises(RpcError, match="tag"):
        finality.number(Odd(told.chain, eth_getBlockByNumber=tagged(told, None)), 20)


def test_what_was_final_stays_final_and_moves_on_without_new_blocks(
    store: Store, told: Told
) -> None:
    told.grow(20)
    for number, expected in ((9, 9), (4, 9), (12, 12), (50, 20)):
        known = min(number, told.chain.head)
        node = Odd(told.chain, eth_getBlockByNumber=tagged(told, known))
        Indexer(store, node, PUBLIC, CONTRACT).catch_up(0)
        with store.reading() as connection:
            cursor = connection.execute(select(t.cursor)).one()
            blocks = connection.execute(select(t.blocks.c.number)).scalars().all()
        assert (cursor.number, cursor.final_number) == (20, expected)
        assert sorted(blocks) == list(range(expected, 21))
        block = told.chain.block(expected)
        assert block is not None
        assert "0x" + cursor.final_hash.hex() == block.hash
