"""Headers are hashed as the chain hashes them, and receipts prove logs by the header's root."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rlp
from eth.db.trie import make_trie_root_and_nodes

from milestone_escrow import Escrow
from milestone_escrow.chain.proofs.blooms import bloom_of, chance, may_hold
from milestone_escrow.chain.proofs.headers import decode_header, encode_header, read_header
from milestone_escrow.chain.proofs.receipts import encode_receipt, proven_logs
from milestone_escrow.chain.proofs.tries import Trie
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import DevSigner

View = dict[str, Any]


@pytest.fixture(scope="module")
def chain() -> Iterator[Escrow]:
    """A chain with some real blocks."""
    escrow = Escrow.embedded(DevSigner(1), start=1_799_884_800)
    escrow.mint("USDC", DevSigner(1).address, 10**15)
    escrow.allow("USDC", 10**15)
    return escrow


def block(chain: Escrow, number: int) -> View:
    view: View = chain.node.request("eth_getBlockByNumber", [hex(number), False])
    return view


def last(chain: Escrow) -> int:
    return int(chain.node.request("eth_blockNumber"), 16)


def test_every_block_of_a_real_chain_has_the_hash_that_it_says(chain: Escrow) -> None:
    parent = None
    for number in range(last(chain) + 1):
        header = read_header(block(chain, number))
        assert header.checked
        assert parent in (None, header.parent)
        parent = header.hash


@pytest.mark.parametrize("field", ["parentHash", "stateRoot", "receiptsRoot", "extraData"])
def test_a_header_that_was_changed_is_refused(chain: Escrow, field: str) -> None:
    view = {**block(chain, 1), field: "0x" + "12" * 32}
    with pytest.raises(ChainError, match="not its own"):
        read_header(view)


def test_a_header_with_unknown_fields_is_not_checked(chain: Escrow) -> None:
    view = {**block(chain, 1), "stateRoot": "0x" + "12" * 32, "blockAccessListHash": "0x12"}
    assert not read_header(view).checked


@pytest.mark.parametrize(
    "wrong", [None, [], "0x", {}, {"hash": "0x12"}, {"hash": "0x" + "12" * 32}]
)
def test_what_is_no_block_is_refused(wrong: object) -> None:
    with pytest.raises(ChainError, match="block"):
        read_header(wrong)


def test_a_bloom_holds_what_set_it() -> None:
    bloom = bloom_of([b"\1" * 20, b"\2" * 32])
    assert may_hold(bloom, bloom_of([b"\2" * 32]))
    assert not may_hold(bloom, bloom_of([b"\3" * 32]))
    assert chance(bloom) < 0.001 < chance(2**1_800 - 1)


class Encoded:
    """What py-evm wants of a receipt."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def encode(self) -> bytes:
        return self.raw


@pytest.mark.parametrize("count", [0, 1, 2, 3, 15, 16, 17, 127, 128, 129, 200, 300])
def test_the_root_of_a_list_is_py_evms(count: int) -> None:
    chances = random.Random(count)
    values = [chances.randbytes(chances.choice([1, 5, 31, 32, 33, 200])) for _ in range(count)]
    expected, _ = make_trie_root_and_nodes(tuple(Encoded(value) for value in values))  # type: ignore[arg-type]
    assert Trie(values).root == expected


def receipts(chain: Escrow, number: int) -> list[View]:
    found: list[View] = chain.node.request("eth_getBlockReceipts", [hex(number)])
    return copy.deepcopy(found)


def with_logs(chain: Escrow) -> int:
    return next(n for n in range(last(chain), 0, -1) if any(r["logs"] for r in receipts(chain, n)))


def test_receipts_prove_the_logs_of_their_block(chain: Escrow) -> None:
    number = with_logs(chain)
    header = read_header(block(chain, number))
    told = chain.node.request("eth_getLogs", [{"fromBlock": hex(number), "toBlock": hex(number)}])
    proven = proven_logs(header, receipts(chain, number))
    assert proven is not None
    assert [{**log, "blockTimestamp": 0, "removed": False} for log in proven] == [
        {**log, "blockTimestamp": 0} for log in told
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r[0]["logs"].clear(),
        lambda r: r[0]["logs"][0].update(data="0x" + "12" * 32),
        lambda r: r[0].update(status="0x0"),
        lambda r: r.clear(),
        lambda r: r[0].update(blockHash="0x" + "12" * 32),
        lambda r: r[0].pop("logsBloom"),
        lambda r: r[0]["logs"][0].update(topics=5),
    ],
)
def test_receipts_that_were_changed_prove_nothing(
    chain: Escrow, change: Callable[[list[View]], None]
) -> None:
    number = with_logs(chain)
    changed = receipts(chain, number)
    change(changed)
    with pytest.raises(ChainError, match="receipt"):
        proven_logs(read_header(block(chain, number)), changed)


def test_receipts_of_an_unknown_kind_decide_nothing(chain: Escrow) -> None:
    number = with_logs(chain)
    unknown = receipts(chain, number)
    unknown[0]["type"] = "0x6a"
    assert proven_logs(read_header(block(chain, number)), unknown) is None


@pytest.mark.parametrize("wrong", [None, 5, {}])
def test_what_is_no_list_of_receipts_is_refused(chain: Escrow, wrong: object) -> None:
    with pytest.raises(ChainError):
        proven_logs(read_header(block(chain, 1)), wrong)


def test_a_rollups_deposit_is_encoded_with_its_nonce() -> None:
    receipt = {
        "type": "0x7e", "status": "0x1", "cumulativeGasUsed": "0x5", "logsBloom": "0x" + "00" * 256,
        "logs": [], "depositNonce": "0x9", "depositReceiptVersion": "0x1",
    }  # fmt: skip
    encoded = encode_receipt(receipt)
    assert encoded[0] == 0x7E
    assert rlp.decode(encoded[1:])[-2:] == [b"\x09", b"\x01"]


PLAIN = {
    "type": "0x0", "status": "0x1", "cumulativeGasUsed": "0x5", "logsBloom": "0x" + "00" * 256,
    "logs": [],
}  # fmt: skip


def test_an_older_deposits_nonce_is_told_but_not_committed_to() -> None:
    older = {**PLAIN, "type": "0x7e", "depositNonce": "0x9"}
    assert encode_receipt(older)[1:] == encode_receipt(PLAIN)


def test_a_receipt_before_byzantium_has_a_root_for_a_status() -> None:
    by_root = {**PLAIN, "status": None, "root": "0x" + "12" * 32}
    assert rlp.decode(encode_receipt(by_root))[0] == b"\x12" * 32


@pytest.mark.parametrize(
    "wrong", [{}, {**PLAIN, "status": None}, {**PLAIN, "status": 1}, {**PLAIN, "logsBloom": "0x00"}]
)
def test_what_is_no_receipt_is_not_encoded(wrong: View) -> None:
    with pytest.raises(ChainError, match="receipt that is none"):
        encode_receipt(wrong)


@pytest.mark.parametrize("wrong", [{"stateRoot": "0x" + "12" * 32}, {"number": 1}])
def test_only_a_header_with_its_own_hash_is_encoded(chain: Escrow, wrong: View) -> None:
    view = block(chain, 1)
    assert decode_header(encode_header(view)) == read_header(view)
    with pytest.raises(ChainError, match="block"):
        encode_header(view | wrong)
