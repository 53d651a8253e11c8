"""Deploying: one address everywhere, nothing twice, and nothing lost between two runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.deploy import deploying
from milestone_escrow.chain.deploy.deployer import CREATOR, place_deployer
from milestone_escrow.chain.deploy.deploying import contract_address, deploy, plan_deployment
from milestone_escrow.chain.deploy.deployments import Deployment, read_deployment
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.network import DEPLOYER, Network
from milestone_escrow.chain.node.networks import network
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.chain.send.broadcast import await_confirmations
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.keys import LocalSigner
from tests.support.anvil import Anvil
from tests.support.nodes import Odd

OURS = Network("ours", "Ours", 5)
THEIRS = Network("theirs", "Theirs", 6)


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner(b"\x77" * 32)


@pytest.fixture
def chain(signer: LocalSigner) -> EmbeddedChain:
    return funded(EmbeddedChain(chain_id=5), signer)


def funded(chain: EmbeddedChain, signer: LocalSigner) -> EmbeddedChain:
    chain.send_from(1, bytes.fromhex(signer.address[2:]), value=10**20)
    return chain


def run(node: Node, signer: LocalSigner, state: Path, chosen: Network = OURS) -> Deployment:
    """What one `escrow deploy` does."""
    plan = plan_deployment(node, chosen, signer.address, state=state)
    return deploy(node, plan, signer, [state])


def without_deployer(params: Sequence[Any], truth: Any) -> object:
    return "0x" if params[0] == DEPLOYER else truth()


def test_the_address_is_the_same_on_every_network(signer: LocalSigner, tmp_path: Path) -> None:
    made = []
    for number, chosen in enumerate((OURS, THEIRS)):
        chain = funded(EmbeddedChain(chain_id=chosen.chain_id), signer)
        # Another nonce, another account: neither has a part in the address.
        for _ in range(number):
            chain.send_from(1, bytes(20), value=1)
        made.append(run(chain, signer, tmp_path / chosen.name, chosen))
    assert made[0].address == made[1].address == contract_address(network("sepolia"))
    # The immutables are those of each chain.
    assert made[0].code_hash != made[1].code_hash


def test_the_record_says_where_when_and_with_which_compiler(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    made = run(chain, signer, tmp_path)
    assert json.loads((tmp_path / "deployments" / "ours.json").read_text()) == {
        "network": "ours",
        "chain_id": 5,
        "address": contract_address(OURS),
        "block": 2,
        "code_hash": made.code_hash,
        "transaction": "0x" + chain.head.transactions[0].hash.hex(),
        "compiler": load("MilestoneEscrow").compiler,
    }
    assert read_deployment(OURS, tmp_path) == made


def test_a_second_run_sends_nothing_and_keeps_the_record(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    made = run(chain, signer, tmp_path)
    height = chain.head.number
    assert run(chain, signer, tmp_path) == made
    assert chain.head.number == height


def test_a_contract_that_somebody_else_deployed_is_recorded(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    made = run(chain, signer, tmp_path / "theirs")
    chain.mine()
    found = run(chain, LocalSigner(b"\x78" * 32), tmp_path / "ours")
    assert found == replace(made, transaction="")


def test_a_node_that_forgot_its_old_states_leaves_the_block_open(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    def pruned(params: Sequence[Any], truth: Any) -> object:
        if params[1] != "latest":
            raise RpcError("missing trie node")
        return truth()

    run(chain, signer, tmp_path / "theirs")
    assert run(Odd(chain, eth_getCode=pruned), signer, tmp_path / "ours").block == 0


@pytest.mark.parametrize("moment", ["eth_getTransactionReceipt", "eth_sendRawTransaction"])
def test_a_run_that_is_killed_is_finished_by_the_next(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path, moment: str
) -> None:
    """Right after the broadcast, and right before it."""
    with pytest.raises(KeyboardInterrupt):
        run(Odd(chain, **{moment: KeyboardInterrupt()}), signer, tmp_path)
    assert read_deployment(OURS, tmp_path) is None
    made = run(chain, signer, tmp_path)
    assert (made.block, made.transaction) == (2, "0x" + chain.head.transactions[0].hash.hex())
    assert chain.head.number == 2, "one transaction, whenever it was killed"
    assert list((tmp_path / "deployments").iterdir()) == [tmp_path / "deployments" / "ours.json"]


def test_a_transaction_that_waits_is_waited_for(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Odd(chain, eth_sendRawTransaction=KeyboardInterrupt()), signer, tmp_path)
    waiting = Odd(chain, eth_getTransactionByHash={"blockNumber": None})
    plan = plan_deployment(waiting, OURS, signer.address, state=tmp_path)
    assert plan.prepared is None
    assert plan.pending is not None
    assert plan.pending.sender == signer.address


def test_a_transaction_that_was_overtaken_is_made_anew(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Odd(chain, eth_sendRawTransaction=KeyboardInterrupt()), signer, tmp_path)
    other = signer.sign_transaction(
        {
            "type": 2,
            "chainId": 5,
            "nonce": 0,
            "to": signer.address,
            "value": 0,
            "data": b"",
            "gas": 21_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 1,
        }
    )
    chain.send_raw(other)
    assert run(chain, signer, tmp_path).block == 3


def test_a_damaged_journal_is_no_obstacle(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    folder = tmp_path / "deployments"
    folder.mkdir()
    (folder / "ours.pending").write_text("{")
    assert run(chain, signer, tmp_path).block == 2


def test_other_code_at_the_address_is_refused(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    def other(params: Sequence[Any], truth: Any) -> object:
        return "0x6000" if params[0] == contract_address(OURS) else truth()

    with pytest.raises(ChainError, match="is not the escrow contract of this version"):
        run(Odd(chain, eth_getCode=other), signer, tmp_path)
    assert chain.head.number == 1


def test_a_code_that_is_not_the_contract_after_all_is_not_recorded(
    chain: EmbeddedChain, signer: LocalSigner, tmp_path: Path
) -> None:
    plan = plan_deployment(chain, OURS, signer.address, state=tmp_path)
    lying = Odd(chain, eth_getCode="0x6001")
    with pytest.raises(ChainError, match="is not the escrow contract"):
        deploy(lying, plan, signer, [tmp_path])
    assert not (tmp_path / "deployments" / "ours.json").exists()


def test_a_table_that_names_an_empty_place_is_refused(
    chain: EmbeddedChain, signer: LocalSigner
) -> None:
    chosen = replace(OURS, contract=signer.address)
    with pytest.raises(ChainError, match="take `contract` out of its table"):
        plan_deployment(chain, chosen, signer.address)


def test_a_network_without_the_deployer_says_how_to_get_it(
    chain: EmbeddedChain, signer: LocalSigner
) -> None:
    node = Odd(chain, eth_getCode=without_deployer)
    with pytest.raises(ChainError, match="put it there first with `escrow deploy --deployer`"):
        plan_deployment(node, OURS, signer.address)


def test_a_network_that_cannot_run_the_contract_is_refused(
    chain: EmbeddedChain, signer: LocalSigner
) -> None:
    def old(params: Sequence[Any], truth: Any) -> object:
        if "5d" in params[0]["data"][:20] or params[0]["data"].endswith("5e60206020f3"):
            raise RpcError("invalid opcode")
        return truth()

    with pytest.raises(ChainError, match="its machine lacks transient storage, MCOPY"):
        plan_deployment(Odd(chain, eth_call=old), OURS, signer.address)


def test_an_account_that_cannot_pay_is_seen_before_anything_is_sent(
    chain: EmbeddedChain, tmp_path: Path
) -> None:
    poor = LocalSigner(b"\x79" * 32)
    plan = plan_deployment(chain, OURS, poor.address)
    assert plan.prepared is not None
    assert plan.lacks == plan.prepared.max_cost
    with pytest.raises(ChainError, match=r"has 0.000000 ETH for gas, up to 0\.\d+ ETH is needed"):
        deploy(chain, plan, poor, [tmp_path])
    assert not (tmp_path / "deployments").exists()


def test_a_chain_that_lets_nothing_be_created_is_one_sentence(
    chain: EmbeddedChain, signer: LocalSigner
) -> None:
    node = Odd(chain, eth_estimateGas=RpcError("execution reverted", code=3), eth_call=_chain_only)
    with pytest.raises(ChainError, match="does not let the contract be created at 0x"):
        plan_deployment(node, OURS, signer.address)


def _chain_only(params: Sequence[Any], truth: Any) -> object:
    if "to" in params[0]:
        raise RpcError("execution reverted", code=3)
    return truth()


# Confirmations


class Growing:
    """A chain that grows by a block whenever it is looked at."""

    def __init__(self, receipt: object, head: int) -> None:
        self.receipt, self.head = receipt, head

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        if method == "eth_getTransactionReceipt":
            return self.receipt
        self.head += 1
        return hex(self.head) if method == "eth_blockNumber" else {"number": hex(self.head)}


RECEIPT = {"transactionHash": "0x1", "blockNumber": "0x9", "blockHash": "0xa"}


@pytest.mark.parametrize(("confirmations", "head"), [(3, 11), (0, 9)], ids=["blocks", "finality"])
def test_a_deployment_waits_for_its_confirmations(confirmations: int, head: int) -> None:
    node = Growing(RECEIPT, 5)
    chosen = replace(OURS, confirmations=confirmations)
    await_confirmations(node, RECEIPT, chosen, timeout=20)
    assert node.head == head


def test_a_chain_that_does_not_grow_is_given_up() -> None:
    node = Odd(Growing(RECEIPT, 5), eth_blockNumber="0x9")
    with pytest.raises(ChainError, match=r"has not confirmed block 9 within 0\.1 seconds"):
        await_confirmations(node, RECEIPT, replace(OURS, confirmations=3), timeout=0.1)


@pytest.mark.parametrize("now", [None, {**RECEIPT, "blockHash": "0xb"}])
def test_a_transaction_that_a_reorganization_undid_is_noticed(now: object) -> None:
    with pytest.raises(ChainError, match="fell out of block 9 again"):
        await_confirmations(Growing(now, 5), RECEIPT, replace(OURS, confirmations=1), timeout=20)


# The deployer itself


def test_the_deployer_is_put_where_it_is_missing() -> None:
    key = LocalSigner(b"\x77" * 32)
    with Anvil(flags=["--disable-default-create2-deployer"]) as anvil:
        anvil.node.request("anvil_setBalance", [key.address, hex(10**18)])
        chosen = replace(network("anvil"), local=True)
        with pytest.raises(ChainError, match="no deterministic deployer"):
            plan_deployment(anvil.node, chosen, key.address)
        place_deployer(anvil.node, chosen, key)
        made = deploy(anvil.node, plan_deployment(anvil.node, chosen, key.address), key)
        assert made.address == contract_address(chosen)


def test_a_network_that_insists_on_chain_ids_keeps_its_own_deployer(
    chain: EmbeddedChain, signer: LocalSigner
) -> None:
    refusing = Odd(
        chain, eth_sendRawTransaction=RpcError("only replay-protected transactions"),
        eth_getBalance=hex(10**18),
    )  # fmt: skip
    with pytest.raises(ChainError, match="only replay-protected transactions; ask its operators"):
        place_deployer(refusing, OURS, signer)
    with pytest.raises(UsageError, match="take `deployer` out of its table"):
        place_deployer(chain, replace(OURS, deployer=CREATOR), signer)


def test_anvil_has_the_deployer_and_gets_the_same_address(signer: LocalSigner) -> None:
    with Anvil() as anvil:
        anvil.node.request("anvil_setBalance", [signer.address, hex(10**18)])
        chosen = network("anvil")
        plan = plan_deployment(anvil.node, chosen, signer.address)
        assert deploy(anvil.node, plan, signer).address == contract_address(OURS)
        assert deploying.first_block(anvil.node, plan.address) == 1
