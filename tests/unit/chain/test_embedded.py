"""The chain in this process: its time, its memory, its answers."""

from __future__ import annotations

import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID

START = 1_799_884_800
STRANGER = "0x" + "77" * 20
STRANGER_TOPIC = "0x" + "77" * 32
# Deploys a contract that answers every call with the block's time, and one that always reverts.
TIMER = bytes.fromhex("6009600c60003960096000f3" + "4260005260206000f3")
REFUSER = bytes.fromhex("600d600c600039600d6000f3" + "63deadbeef6000526004601cfd")


@pytest.fixture
def chain() -> EmbeddedChain:
    return EmbeddedChain(START)


def deploy(chain: EmbeddedChain, code: bytes) -> str:
    created = chain.send_from(20, b"", code, gas=200_000).created
    assert created
    return "0x" + created.hex()


def call(chain: EmbeddedChain, to: str, data: str = "0x", block: str = "latest") -> str:
    answer = chain.handle("eth_call", [{"to": to, "data": data}, block])
    assert isinstance(answer, str)
    return answer


def raw_transfer(nonce: int = 0, value: int = 5) -> str:
    fields = {"type": 2, "chainId": SANDBOX_CHAIN_ID, "nonce": nonce, "to": STRANGER, "data": b""}
    fields |= {"value": value, "gas": 21_000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}
    return "0x" + DevSigner(1).sign_transaction(fields).hex()


def test_it_starts_at_the_given_time(chain: EmbeddedChain) -> None:
    assert chain.now == START
    assert chain.head.number == 0


def test_time_rises_by_one_second_per_block_and_not_otherwise(chain: EmbeddedChain) -> None:
    chain.mine()
    chain.send_from(1, bytes.fromhex(STRANGER[2:]), value=1)
    assert chain.now == START + 2
    chain.handle("eth_blockNumber")
    assert chain.now == START + 2


def test_a_warp_lets_exactly_that_time_pass(chain: EmbeddedChain) -> None:
    assert chain.warp(86_400) == START + 86_400
    assert chain.now == START + 86_400


def test_time_can_be_set_but_not_turned_back(chain: EmbeddedChain) -> None:
    assert chain.set_time(START + 10) == START + 10
    for wrong in (START + 10, START):
        with pytest.raises(ChainError, match="cannot go to"):
            chain.set_time(wrong)
    with pytest.raises(ChainError, match="cannot go back"):
        chain.warp(-1)
    assert chain.now == START + 10


def test_with_a_clock_calls_see_the_time_without_a_transaction() -> None:
    now = START
    chain = EmbeddedChain(clock=lambda: now)
    timer = deploy(chain, TIMER)
    now += 500
    assert int(call(chain, timer), 16) == now
    assert int(chain.handle("eth_getBlockByNumber", ["latest"])["timestamp"], 16) == now


def test_a_warp_moves_a_clock_for_good() -> None:
    now = START
    chain = EmbeddedChain(clock=lambda: now)
    chain.warp(3_600)
    now += 10
    chain.sync()
    assert chain.now == START + 3_610


def test_a_clock_can_start_elsewhere() -> None:
    now = 5_000_000
    chain = EmbeddedChain(START, clock=lambda: now)
    now += 7
    chain.sync()
    assert chain.now == START + 7


def test_a_clock_that_stands_still_mines_nothing() -> None:
    chain = EmbeddedChain(clock=lambda: START)
    for _ in range(3):
        chain.handle("eth_blockNumber")
    assert chain.head.number == 0


def test_twenty_accounts_have_money(chain: EmbeddedChain) -> None:
    accounts = chain.handle("eth_accounts")
    assert accounts == [DevSigner(n).address.lower() for n in range(1, 21)]
    assert int(chain.handle("eth_getBalance", [accounts[19]]), 16) == 10**24


def test_the_same_calls_give_the_same_chain() -> None:
    first, second = EmbeddedChain(START), EmbeddedChain(START)
    for chain in (first, second):
        chain.handle("eth_sendRawTransaction", [raw_transfer()])
        chain.warp(5)
    assert first.head.header.hash == second.head.header.hash


def test_a_signed_transaction_is_mined_at_once(chain: EmbeddedChain) -> None:
    sent = chain.handle("eth_sendRawTransaction", [raw_transfer()])
    receipt = chain.handle("eth_getTransactionReceipt", [sent])
    assert (receipt["status"], receipt["blockNumber"]) == ("0x1", "0x1")
    assert chain.handle("eth_getBalance", [STRANGER]) == "0x5"
    assert chain.handle("eth_getTransactionByHash", [sent])["from"] == DevSigner(1).address.lower()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (raw_transfer(nonce=1), "nonce too high"),
        (raw_transfer(value=10**25), "insufficient funds"),
        ("0x02c0", "cannot be decoded"),
        ("0x", "cannot be decoded"),
        ("0xff", "cannot be decoded"),
    ],
)
def test_a_bad_transaction_is_refused_and_changes_nothing(
    chain: EmbeddedChain, raw: str, says: str
) -> None:
    with pytest.raises(RpcError, match=says):
        chain.handle("eth_sendRawTransaction", [raw])
    assert chain.head.number == 0


def test_a_transaction_of_another_chain_is_refused() -> None:
    with pytest.raises(RpcError, match="invalid chain id"):
        EmbeddedChain(START, chain_id=5).handle("eth_sendRawTransaction", [raw_transfer()])


def test_a_transaction_is_not_taken_twice(chain: EmbeddedChain) -> None:
    chain.handle("eth_sendRawTransaction", [raw_transfer()])
    with pytest.raises(RpcError, match="nonce too low"):
        chain.handle("eth_sendRawTransaction", [raw_transfer()])


def test_a_call_that_reverts_gives_its_data_with_code_3(chain: EmbeddedChain) -> None:
    with pytest.raises(RpcError) as refusal:
        call(chain, deploy(chain, REFUSER))
    assert refusal.value.code == 3
    assert refusal.value.data == bytes.fromhex("deadbeef")
    with pytest.raises(RpcError) as refusal:
        chain.handle("eth_estimateGas", [{"to": deploy(chain, REFUSER)}])
    assert (refusal.value.code, refusal.value.data) == (3, bytes.fromhex("deadbeef"))


def test_a_call_sees_the_state_and_time_of_its_block(chain: EmbeddedChain) -> None:
    timer = deploy(chain, TIMER)
    chain.warp(1_000)
    assert int(call(chain, timer, block="0x1"), 16) == START + 1
    assert int(call(chain, timer), 16) == START + 1_001
    with pytest.raises(RpcError, match="no block 99"):
        call(chain, timer, block="0x63")


def test_a_plain_transfer_is_estimated_exactly_and_a_call_generously(chain: EmbeddedChain) -> None:
    assert chain.handle("eth_estimateGas", [{"to": STRANGER}]) == hex(21_000)
    assert int(chain.handle("eth_estimateGas", [{"to": deploy(chain, TIMER)}]), 16) > 21_000


def test_a_snapshot_brings_everything_back(chain: EmbeddedChain) -> None:
    snapshot = chain.snapshot()
    sent = chain.handle("eth_sendRawTransaction", [raw_transfer()])
    chain.warp(500)
    assert chain.revert(snapshot)
    assert (chain.now, chain.head.number) == (START, 0)
    assert chain.handle("eth_getTransactionReceipt", [sent]) is None
    assert chain.handle("eth_getBalance", [STRANGER]) == "0x0"
    chain.handle("eth_sendRawTransaction", [raw_transfer()])
    assert chain.handle("eth_getBalance", [STRANGER]) == "0x5"


def test_a_snapshot_is_used_up_with_those_after_it(chain: EmbeddedChain) -> None:
    first, second = chain.snapshot(), chain.snapshot()
    assert chain.revert(first)
    assert not chain.revert(second)
    assert not chain.revert(first)
    assert not chain.revert(0)


def test_logs_are_found_by_address_topic_and_block(chain: EmbeddedChain) -> None:
    # Logs one topic, 0x05, whenever it is called.
    logger = deploy(chain, bytes.fromhex("6006600c60003960066000f3" + "60055f5fa100"))
    topic = "0x" + (5).to_bytes(32, "big").hex()
    for _ in range(2):
        chain.send_from(1, bytes.fromhex(logger[2:]), gas=50_000)
    everything = {"fromBlock": "earliest", "address": logger, "topics": [topic]}
    found = chain.handle("eth_getLogs", [everything])
    assert [log["blockNumber"] for log in found] == ["0x2", "0x3"]
    assert len(chain.handle("eth_getLogs", [everything | {"toBlock": "0x2"}])) == 1
    assert (
        len(chain.handle("eth_getLogs", [everything | {"topics": [[topic, STRANGER_TOPIC]]}])) == 2
    )
    assert chain.handle("eth_getLogs", [everything | {"topics": [STRANGER_TOPIC]}]) == []
    assert chain.handle("eth_getLogs", [everything | {"topics": [None, topic]}]) == []
    assert chain.handle("eth_getLogs", [everything | {"address": STRANGER}]) == []
    by_hash = {"blockHash": found[0]["blockHash"]}
    assert chain.handle("eth_getLogs", [by_hash]) == found[:1]


def test_an_unknown_method_has_its_code(chain: EmbeddedChain) -> None:
    with pytest.raises(RpcError, match="eth_mystery") as refusal:
        chain.handle("eth_mystery")
    assert refusal.value.code == METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", []),
        ("eth_getBalance", ["0x12"]),
        ("eth_getBalance", [STRANGER, "0xzz"]),
        ("eth_getBalance", [STRANGER, "latest", "more"]),
        ("eth_call", ["text"]),
        ("eth_call", [{"to": "nowhere"}]),
        ("eth_sendRawTransaction", ["no hex"]),
        ("eth_getLogs", [{"topics": "0x12"}]),
        ("eth_feeHistory", ["many", "latest"]),
        ("evm_increaseTime", ["later"]),
        ("evm_increaseTime", [-5]),
    ],
)
def test_bad_parameters_have_their_code(
    chain: EmbeddedChain, method: str, params: list[object]
) -> None:
    with pytest.raises(RpcError) as refusal:
        chain.handle(method, params)
    assert refusal.value.code == -32602


def test_time_travels_over_json_rpc(chain: EmbeddedChain) -> None:
    chain.handle("evm_increaseTime", ["0x64"])
    chain.handle("evm_mine")
    assert chain.now == START + 100
    chain.handle("evm_setNextBlockTimestamp", [START + 500])
    chain.handle("evm_mine")
    assert chain.now == START + 500
    snapshot = chain.handle("evm_snapshot")
    chain.handle("evm_mine", [START + 900])
    assert chain.now == START + 900
    assert chain.handle("evm_revert", [snapshot]) is True
    assert chain.now == START + 500


def test_fees_of_past_blocks_are_told(chain: EmbeddedChain) -> None:
    chain.mine()
    chain.mine()
    history = chain.handle("eth_feeHistory", ["0x2", "latest", [25, 75]])
    assert history["oldestBlock"] == "0x1"
    assert len(history["baseFeePerGas"]) == 3
    assert [len(rewards) for rewards in history["reward"]] == [2, 2]


def test_only_its_own_accounts_are_signed_for(chain: EmbeddedChain) -> None:
    own = {"from": DevSigner(3).address, "to": STRANGER, "value": "0x9"}
    chain.handle("eth_sendTransaction", [own])
    assert chain.handle("eth_getBalance", [STRANGER]) == "0x9"
    with pytest.raises(RpcError, match="not an account of this node"):
        chain.handle("eth_sendTransaction", [own | {"from": STRANGER}])
