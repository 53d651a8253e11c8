"""Stuck transactions, on an Anvil that mines only when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.send.broadcast import await_receipt
from milestone_escrow.chain.send.fees import Bid
from milestone_escrow.chain.send.replacement import (
    Waiting,
    find_waiting,
    prepare_replacement,
    replace_waiting,
)
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.keys import LocalSigner
from tests.support.anvil import Anvil
from tests.support.nodes import Odd

GWEI = 10**9
OURS = replace(network("anvil"), max_fee=100 * GWEI)
PAYEE = "0x1111111111111111111111111111111111111111"
UNKNOWN = "0x" + "ab" * 32


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    with Anvil() as running:
        yield running


@pytest.fixture
def signer(anvil: Anvil, request: pytest.FixtureRequest) -> LocalSigner:
    """A funded key of this test's own."""
    key = LocalSigner(sha256(request.node.name.encode()).digest())
    anvil.node.request("anvil_setBalance", [key.address, hex(10**18)])
    return key


@pytest.fixture
def stuck(anvil: Anvil, signer: LocalSigner) -> Iterator[Waiting]:
    """A payment that offers too little, while nothing is mined."""
    anvil.node.request("evm_setAutomine", [False])
    yield find_waiting(anvil.node, OURS, send(anvil, signer))
    anvil.node.request("anvil_dropAllTransactions")
    anvil.node.request("evm_setAutomine", [True])


def send(anvil: Anvil, signer: LocalSigner, **changes: object) -> str:
    fields: dict[str, object] = {
        "type": 2,
        "chainId": OURS.chain_id,
        "nonce": 0,
        "to": PAYEE,
        "value": 7,
        "data": b"",
        "gas": 30_000,
        "maxFeePerGas": 4 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
    raw = signer.sign_transaction(fields | changes)
    return str(anvil.node.request("eth_sendRawTransaction", ["0x" + raw.hex()]))


def mine_soon(anvil: Anvil) -> Odd:
    """A node that mines as soon as it is asked for a receipt."""

    def mine(_: object, truth: object) -> object:
        anvil.node.request("evm_mine")
        return truth()  # type: ignore[operator]

    return Odd(anvil.node, eth_getTransactionReceipt=mine)


def test_a_faster_copy_is_mined_in_its_place(
    anvil: Anvil, signer: LocalSigner, stuck: Waiting
) -> None:
    prepared = prepare_replacement(anvil.node, OURS, stuck, cancel=False)
    assert prepared.max_fee_per_gas >= stuck.price.max_fee * 11 // 10
    assert prepared.max_priority_fee_per_gas >= stuck.price.tip * 11 // 10
    done = replace_waiting(mine_soon(anvil), OURS, stuck, prepared, signer)
    assert (done.is_replacement, done.succeeded) == (True, True)
    mined = anvil.node.request("eth_getTransactionByHash", [done.transaction])
    assert (mined["to"], int(mined["value"], 16), int(mined["nonce"], 16)) == (PAYEE, 7, 0)
    assert anvil.node.request("eth_getTransactionReceipt", [stuck.hash]) is None


def test_cancelling_pays_nobody(anvil: Anvil, signer: LocalSigner, stuck: Waiting) -> None:
    before = anvil.node.request("eth_getBalance", [PAYEE, "latest"])
    prepared = prepare_replacement(anvil.node, OURS, stuck, cancel=True)
    assert (prepared.to, prepared.value, prepared.data) == (signer.address, 0, b"")
    done = replace_waiting(mine_soon(anvil), OURS, stuck, prepared, signer)
    assert done.is_replacement
    assert anvil.node.request("eth_getBalance", [PAYEE, "latest"]) == before


def test_a_legacy_transaction_is_replaced_by_one(anvil: Anvil, signer: LocalSigner) -> None:
    anvil.node.request("evm_setAutomine", [False])
    fields = {"chainId": OURS.chain_id, "nonce": 0, "to": PAYEE, "value": 7, "data": b""}
    raw = signer.sign_transaction({**fields, "gas": 30_000, "gasPrice": 4 * GWEI})
    sent = anvil.node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
    found = find_waiting(anvil.node, OURS, sent)
    prepared = prepare_replacement(anvil.node, OURS, found, cancel=False)
    assert prepared.legacy
    assert prepared.max_fee_per_gas >= 4_400_000_000
    done = replace_waiting(mine_soon(anvil), OURS, found, prepared, signer)
    anvil.node.request("evm_setAutomine", [True])
    assert done.is_replacement


def test_the_first_one_may_be_faster(anvil: Anvil, signer: LocalSigner, stuck: Waiting) -> None:
    prepared = prepare_replacement(anvil.node, OURS, stuck, cancel=True)
    anvil.node.request("evm_mine")
    done = replace_waiting(anvil.node, OURS, stuck, prepared, signer)
    assert not done.is_replacement
    assert done.transaction == stuck.hash


def test_a_bid_that_replaces_nothing_is_refused(anvil: Anvil, stuck: Waiting) -> None:
    with pytest.raises(UsageError, match=r"offers 4 gwei; give at least 4\.5"):
        prepare_replacement(anvil.node, OURS, stuck, cancel=False, bid=Bid(4_300_000_000))
    prepared = prepare_replacement(anvil.node, OURS, stuck, cancel=False, bid=Bid(5 * GWEI))
    assert prepared.max_fee_per_gas == 5 * GWEI


def test_a_replacement_above_the_cap_must_be_allowed(anvil: Anvil, stuck: Waiting) -> None:
    tight = replace(OURS, max_fee=4_200_000_000)
    with pytest.raises(ChainError, match=r"allow it with --max-fee 4\.5"):
        prepare_replacement(anvil.node, tight, stuck, cancel=False)


def test_only_its_own_key_replaces_it(anvil: Anvil, stuck: Waiting) -> None:
    prepared = prepare_replacement(anvil.node, OURS, stuck, cancel=False)
    with pytest.raises(ChainError, match="only that account's key replaces it"):
        replace_waiting(anvil.node, OURS, stuck, prepared, LocalSigner(b"\x05" * 32))


def test_what_is_mined_is_not_replaced(anvil: Anvil, signer: LocalSigner) -> None:
    sent = send(anvil, signer)
    await_receipt(anvil.node, [sent], "pay", timeout=20, network=OURS)
    with pytest.raises(ChainError, match=r"is in block \d+ already; there is nothing left"):
        find_waiting(anvil.node, OURS, sent)


def test_what_nobody_knows_is_not_replaced(anvil: Anvil) -> None:
    with pytest.raises(ChainError, match="if it was dropped, run the command anew"):
        find_waiting(anvil.node, OURS, UNKNOWN)


@pytest.mark.parametrize("text", ["", "0x12", "tx", UNKNOWN[2:], UNKNOWN + "00"])
def test_what_is_no_hash_is_not_asked_for(text: str) -> None:
    with pytest.raises(UsageError, match="is not a transaction's hash"):
        find_waiting(EmbeddedChain(), OURS, text)


def test_a_transaction_of_an_unusual_kind_is_left_to_its_wallet(anvil: Anvil) -> None:
    found = {"hash": UNKNOWN, "type": "0x4", "blockNumber": None}
    with pytest.raises(ChainError, match="of type 4, which cannot be copied here"):
        find_waiting(Odd(anvil.node, eth_getTransactionByHash=found), OURS, UNKNOWN)
