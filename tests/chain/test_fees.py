"""What is offered for gas: under the network's cap, as the sender bids, with the data's price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.network_file import read_gwei
from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.broadcast import broadcast, next_nonce
from milestone_escrow.chain.send.fees import Bid, DataFee, Price, coins, data_fee, gwei, price_now
from milestone_escrow.chain.send.transactions import Transactor
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.keys import DevSigner
from tests.support.nodes import Odd

GWEI = 10**9
TESTNET = Network("ours", "Ours", 5, max_fee=100 * GWEI)


class Market:
    """A node that knows prices only, in gwei."""

    def __init__(self, base: float | None, tip: float | None = 1, price: float = 7) -> None:
        self.base, self.tip, self.price = base, tip, price

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        if method == "eth_getBlockByNumber":
            return {} if self.base is None else {"baseFeePerGas": hex(int(self.base * GWEI))}
        if method == "eth_maxPriorityFeePerGas":
            if self.tip is None:
                raise RpcError("the method does not exist", code=-32601)
            return hex(int(self.tip * GWEI))
        assert method == "eth_gasPrice"
        return hex(int(self.price * GWEI))


def test_the_base_fee_may_double() -> None:
    assert price_now(Market(10, 2), TESTNET) == Price(22 * GWEI, 2 * GWEI, 10 * GWEI)


def test_what_is_offered_stays_under_the_cap_while_that_is_enough() -> None:
    assert price_now(Market(80, 5), TESTNET).max_fee == 100 * GWEI


def test_gas_above_the_cap_is_refused_with_the_price_to_allow() -> None:
    with pytest.raises(ChainError) as refusal:
        price_now(Market(120.34, 5), TESTNET)
    assert str(refusal.value) == (
        "gas costs 125.34 gwei on Ours now, more than the 100 gwei that are paid there unasked; "
        "wait, or allow it with --max-fee 130"
    )


def test_a_node_that_asks_for_an_absurd_tip_is_not_believed() -> None:
    with pytest.raises(ChainError, match="more than the 100 gwei"):
        price_now(Market(1, 5_000), TESTNET)


def test_a_bid_above_the_cap_is_the_senders_own_choice() -> None:
    assert price_now(Market(120, 5), TESTNET, Bid(130 * GWEI)).max_fee == 130 * GWEI


def test_a_bid_caps_the_tip_too() -> None:
    assert price_now(Market(1, 50), TESTNET, Bid(20 * GWEI)) == Price(20 * GWEI, 20 * GWEI, GWEI)


def test_a_bid_that_no_block_takes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no block takes it: Ours asks for 12 gwei now"):
        price_now(Market(10, 2), TESTNET, Bid(9 * GWEI))


def test_a_bid_in_wei_is_noticed() -> None:
    with pytest.raises(UsageError, match="the unit is gwei, not wei"):
        price_now(Market(10, 2), TESTNET, Bid(30 * GWEI * GWEI))


def test_a_network_may_insist_on_a_tip() -> None:
    amoy = network("polygon-amoy")
    assert price_now(Market(1, 1), amoy).tip == 25 * GWEI
    with pytest.raises(UsageError, match="no block takes it"):
        price_now(Market(1, 1), amoy, Bid(5 * GWEI))


def test_a_node_without_tips_gets_the_usual_one() -> None:
    assert price_now(Market(10, None), TESTNET).tip == GWEI


@pytest.mark.parametrize("node", [Market(None), Market(3)], ids=["no base fee", "by its table"])
def test_a_legacy_network_is_paid_its_gas_price(node: Market) -> None:
    legacy = replace(TESTNET, fees="legacy")
    price = price_now(node, TESTNET if node.base is None else legacy)
    assert price == Price(7 * GWEI, 7 * GWEI, 0, legacy=True)
    assert price_now(node, legacy, Bid(9 * GWEI)).max_fee == 9 * GWEI


def test_a_replacement_is_at_least_an_eighth_dearer() -> None:
    assert Price(80, 9, 1).bumped() == Price(90, 11, 1)


def test_a_legacy_transaction_is_signed_as_one_and_mined() -> None:
    chain = EmbeddedChain()
    legacy = replace(network("embedded"), fees="legacy")
    buyer = DevSigner(1)
    transactor = Transactor(chain, legacy)
    prepared = transactor.prepare(DevSigner(2).address, b"", Attempt("pay", buyer.address), value=7)
    assert prepared.to_json()["type"] == "0x0"
    assert prepared.fields(0)["gasPrice"] == prepared.max_fee_per_gas
    assert transactor.send(prepared, buyer).gas_used == 21_000


# Rollups


def oracle(answer: object) -> Odd:
    return Odd(EmbeddedChain(), eth_call=answer)


def test_the_op_stack_charges_for_the_signed_transactions_length() -> None:
    lengths = []

    def charge(params: Sequence[Any], _: object) -> str:
        assert params[0]["to"] == "0x420000000000000000000000000000000000000F"
        lengths.append(int(params[0]["data"][2 + 8 + 64 : 2 + 8 + 128], 16))
        return "0x" + (1_000).to_bytes(32, "big").hex()

    assert data_fee(oracle(charge), network("base-sepolia"), None, bytes(500)) == DataFee(wei=1_250)
    assert lengths[0] > 600


def test_arbitrum_has_the_data_within_the_gas() -> None:
    words = b"".join(number.to_bytes(32, "big") for number in (4_321, 1, 1))
    found = data_fee(oracle("0x" + words.hex()), network("arbitrum-sepolia"), None, b"\1")
    assert found == DataFee(gas=4_321)


@pytest.mark.parametrize("answer", ["0x", RpcError("execution reverted")])
def test_a_node_without_the_oracle_is_refused(answer: object) -> None:
    with pytest.raises(ChainError, match="what OP Sepolia charges for data"):
        data_fee(oracle(answer), network("op-sepolia"), None, b"")


def test_other_networks_charge_nothing_for_data() -> None:
    assert data_fee(oracle(AssertionError()), network("sepolia"), None, b"") == DataFee()


def test_the_estimate_includes_the_data_fee() -> None:
    chain = oracle("0x" + (10**14).to_bytes(32, "big").hex())
    rollup = replace(network("embedded"), data_fee="op-stack")
    attempt = Attempt("pay", DevSigner(1).address)
    prepared = Transactor(chain, rollup).prepare(DevSigner(2).address, b"", attempt)
    assert prepared.data_fee == 125 * 10**12
    assert prepared.max_cost == prepared.gas * prepared.max_fee_per_gas + prepared.data_fee
    assert prepared.expected_cost > prepared.data_fee


# Nonces


@pytest.fixture
def used() -> EmbeddedChain:
    """A chain on which the account of key 1 has sent two transactions."""
    chain = EmbeddedChain()
    for _ in range(2):
        chain.send_from(1, bytes(20), value=1)
    return chain


def test_a_nonce_that_leaves_a_gap_is_refused(used: EmbeddedChain) -> None:
    with pytest.raises(UsageError, match=r"nonce 4 leaves a gap: the next of 0x\w+ is 2"):
        next_nonce(used, DevSigner(1).address, 4)


def test_a_nonce_that_was_used_is_refused(used: EmbeddedChain) -> None:
    with pytest.raises(UsageError, match="has used nonce 1 already, its next is 2"):
        next_nonce(used, DevSigner(1).address, 1)


def test_a_nonce_of_one_that_waits_may_be_named(used: EmbeddedChain) -> None:
    def count(params: Sequence[object], _: object) -> str:
        return "0x5" if params[1] == "pending" else "0x2"

    node = Odd(used, eth_getTransactionCount=count)
    assert next_nonce(node, DevSigner(1).address) == 5
    assert next_nonce(node, DevSigner(1).address, 3) == 3


def test_of_several_transactions_the_first_has_the_bids_nonce(used: EmbeddedChain) -> None:
    buyer = DevSigner(1)
    transactor = Transactor(used, network("embedded"), bid=Bid(nonce=2))
    for expected in (2, 3):
        attempt = Attempt("pay", buyer.address)
        sent = transactor.send(transactor.prepare(DevSigner(2).address, b"", attempt), buyer)
        found = used.request("eth_getTransactionByHash", [sent.transaction])
        assert int(found["nonce"], 16) == expected


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("replacement transaction underpriced", "waits already; wait for it, or replace it with"),
        ("nonce too low", "has sent another transaction with nonce 2 meanwhile"),
        ("nonce too high", "earlier ones are missing"),
        ("insufficient funds for gas * price + value", "too little ETH for gas"),
        ("invalid chain id for signer", "but refuses a transaction for it"),
        ("exceeds block gas limit", "did not take the transaction to pay: exceeds block gas limit"),
    ],
)
def test_a_transaction_that_the_node_refuses_is_one_sentence(
    used: EmbeddedChain, said: str, says: str
) -> None:
    buyer = DevSigner(1)
    node = Odd(used, eth_sendRawTransaction=RpcError(said))
    transactor = Transactor(node, network("embedded"))
    prepared = transactor.prepare(DevSigner(2).address, b"", Attempt("pay", buyer.address))
    with pytest.raises(ChainError) as refusal:
        transactor.send(prepared, buyer)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_transaction_that_the_node_has_already_is_sent(used: EmbeddedChain) -> None:
    buyer = DevSigner(1)
    transactor = Transactor(used, network("embedded"))
    prepared = transactor.prepare(DevSigner(2).address, b"", Attempt("pay", buyer.address))
    signed = transactor.sign(prepared, buyer)
    node = Odd(used, eth_sendRawTransaction=RpcError("already known"))
    assert broadcast(node, signed, "pay", network("embedded")) == signed.hash
    used.send_raw(signed.raw)
    node = Odd(used, eth_sendRawTransaction=RpcError("nonce too low"))
    assert broadcast(node, signed, "pay", network("embedded")) == signed.hash


def test_a_node_that_falls_silent_while_sending_leaves_the_hash(used: EmbeddedChain) -> None:
    buyer = DevSigner(1)
    node = Odd(used, eth_sendRawTransaction=ChainError("the node did not answer", hint="wait"))
    transactor = Transactor(node, network("embedded"))
    prepared = transactor.prepare(DevSigner(2).address, b"", Attempt("pay", buyer.address))
    with pytest.raises(ChainError, match=r"0x\w{64} to pay may be on its way or not") as refusal:
        transactor.send(prepared, buyer)
    assert str(refusal.value.fields["transaction"]) in str(refusal.value)


def test_a_node_that_falls_silent_while_waiting_is_asked_again(used: EmbeddedChain) -> None:
    silences = [ChainError("no node answers"), ChainError("no node answers")]

    def answer(params: Sequence[object], truth: Any) -> object:
        if silences:
            raise silences.pop()
        return truth()

    buyer = DevSigner(1)
    transactor = Transactor(Odd(used, eth_getTransactionReceipt=answer), network("embedded"))
    prepared = transactor.prepare(DevSigner(2).address, b"", Attempt("pay", buyer.address))
    assert transactor.send(prepared, buyer).gas_used == 21_000


def test_a_transaction_that_is_in_no_block_can_be_replaced(used: EmbeddedChain) -> None:
    buyer = DevSigner(1)
    node = Odd(used, eth_getTransactionReceipt=None)
    transactor = Transactor(node, network("embedded"), timeout=0.01)
    prepared = transactor.prepare(DevSigner(2).address, b"", Attempt("pay", buyer.address))
    with pytest.raises(ChainError, match=r"`escrow tx speed-up 0x\w{64} --network embedded`"):
        transactor.send(prepared, buyer)


# Words


@pytest.mark.parametrize(
    ("wei", "text"),
    [(12_500_000_000, "12.5 gwei"), (GWEI, "1 gwei"), (50_000_000, "0.05 gwei"), (0, "0 gwei")],
)
def test_prices_are_said_in_gwei(wei: int, text: str) -> None:
    assert gwei(wei) == text


def test_small_costs_do_not_round_to_nothing() -> None:
    assert coins(5, "ETH") == "less than 0.000001 ETH"
    assert coins(12_345 * 10**12, "POL") == "0.012345 POL"


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1e30", "1,5"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be a number of gwei above 0"):
        read_gwei(text, "--max-fee")


def test_prices_are_read_in_gwei() -> None:
    assert read_gwei("0.05", "--max-fee") == 50_000_000
    assert read_gwei("30 gwei", "--max-fee") == 30 * GWEI
