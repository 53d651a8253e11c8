"""What the contract would refuse, refuses, or has already."""

from __future__ import annotations

import pytest

from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import AMOUNT, OTHER_RELAYER, World
from tests.support.nodes import Odd


def test_what_was_done_before_it_was_begun_is_not_begun(
    world: World, deal: OpenedAgreement
) -> None:
    world.attest_by_hand(deal, 0)
    world.follow()
    world.complete(deal, 0, issued_at=world.escrow.now() - 3_600)
    world.turn(world.relayer())
    assert world.intents() == []


def test_what_the_store_does_not_know_to_be_done_is_found_done_in_simulation(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0)
    world.follow()
    world.attest_by_hand(deal, 0)
    relayer = world.relayer()
    relayer.step()  # the indexer has not looked yet
    (intent,) = world.intents()
    assert (intent.stage.value, intent.reason) == ("dropped", "the milestone is settled")
    assert world.attempts() == []
    for _ in range(3):
        world.turn(relayer, 100)
    assert world.stages() == ["dropped"]


def test_what_a_reorganisation_takes_from_others_is_done_by_ourselves(
    world: World, deal: OpenedAgreement
) -> None:
    world.pool.empty(1)
    world.complete(deal, 0)
    world.follow()
    world.attest_by_hand(deal, 0)
    relayer = world.relayer()
    relayer.step()
    assert world.stages() == ["dropped"]
    world.pool.keeps_undone = False
    world.pool.reorg(2)
    world.settle(relayer, 6)
    assert world.stages() == ["final"]
    assert world.status(deal, 0) is Status.SETTLED


def test_a_refusal_is_explained_and_in_the_end_told(world: World, deal: OpenedAgreement) -> None:
    digest = world.complete(deal, 0, signatures={deal.terms.verifiers[0]: b"\1" * 65})
    relayer = world.relayer()
    told = []
    for _ in range(8):
        report = world.turn(relayer, 200)
        told += [alert for alert in report.alerts if alert.kind == "failed"]
    (intent,) = world.intents()
    assert intent.stage.value == "failed"
    assert "this is not a signature of a verifier" in intent.reason
    assert intent.key == f"attest:0x{digest.hex()}"
    assert world.attempts() == []
    assert intent.reason in told[0].text


def test_what_has_failed_is_tried_again_ever_more_rarely(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0)
    refusing = Odd(world.pool, eth_estimateGas=RpcError("execution reverted", code=3))
    relayer = world.relayer(node=refusing)
    for _ in range(8):
        world.turn(relayer, 200)
    assert world.stages() == ["failed"]
    tries = world.intents()[0].tries
    for _ in range(20):
        world.turn(relayer, 200)
    assert 0 < world.intents()[0].tries - tries <= 3
    refusing.answers.clear()
    for _ in range(30):
        world.turn(relayer, 600)
        world.pool.mine()
    assert world.status(deal, 0) is Status.SETTLED


def test_a_node_in_trouble_is_no_refusal(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    broken = Odd(world.pool, eth_estimateGas=RpcError("internal error"))
    relayer = world.relayer(node=broken)
    for _ in range(10):
        world.turn(relayer, 100)
    (intent,) = world.intents()
    assert (intent.stage.value, intent.tries, intent.reason) == ("pending", 0, "internal error")
    broken.answers["eth_estimateGas"] = ChainError("no node answers")
    world.turn(relayer, 100)
    broken.answers.clear()
    world.settle(relayer, 4)
    assert world.stages() == ["final"]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("eth_estimateGas", {"number": "0x1"}),
        ("eth_getBalance", None),
        ("eth_getTransactionCount", "0x"),
        ("eth_getBlockByNumber", "0x1"),
        ("eth_getTransactionReceipt", {"transactionHash": "0x" + "00" * 32, "blockNumber": "0x1"}),
        ("eth_getTransactionReceipt", "0x1"),
        ("eth_sendRawTransaction", {}),
    ],
)
def test_answers_to_other_questions_are_no_answers(
    world: World, deal: OpenedAgreement, method: str, answer: object
) -> None:
    world.complete(deal, 0)
    lying = Odd(world.pool, **{method: answer})
    relayer = world.relayer(node=lying)
    for _ in range(5):
        world.turn(relayer, 20)
        world.pool.mine()
    assert world.stages() in (["pending"], ["sent"], ["final"])
    lying.answers.clear()
    world.settle(relayer, 6)
    assert world.stages() == ["final"]
    assert len(world.attempts()) == 1


def test_goes_on_where_no_node_answers_at_all(world: World, deal: OpenedAgreement) -> None:
    world.complete(deal, 0)
    silent = Odd(world.pool, eth_getBlockByNumber=ChainError("no node answers"))
    relayer = world.relayer(node=silent)
    report = world.turn(relayer)
    assert (report.reached, report.live) == (False, 1)
    silent.answers.clear()
    assert world.turn(relayer, 5).moved == {"sent": 1}


def test_an_expired_attestation_is_given_up_with_the_reason(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0, valid_for=100)
    broken = Odd(world.pool, eth_estimateGas=RpcError("internal error"))
    relayer = world.relayer(node=broken)
    world.turn(relayer)
    world.escrow.chain.skip(200)
    world.pool.empty()
    assert world.turn(relayer, 200).planned.failed == 1
    (intent,) = world.intents()
    assert (intent.stage.value, intent.reason) == ("failed", "the attestation has expired")


def test_an_attestation_from_the_future_waits_for_its_time(
    world: World, deal: OpenedAgreement
) -> None:
    world.complete(deal, 0, issued_at=world.escrow.now() + 300)
    relayer = world.relayer()
    world.turn(relayer)
    assert world.intents() == []
    world.escrow.chain.skip(400)
    world.pool.empty()
    world.turn(relayer, 400)
    assert world.stages() == ["sent"]


def test_a_transaction_that_was_refused_in_its_block_is_explained_and_ended(
    world: World, deal: OpenedAgreement
) -> None:
    """Somebody else's stands before it in the same block."""
    world.complete(deal, 0)
    relayer = world.relayer()
    world.turn(relayer)
    world.attest_by_hand(deal, 0)
    world.pool.mine()
    world.turn(relayer, 5)
    assert world.stages() == ["sent"]  # refused in a block that can still be taken back
    world.pool.empty(3)
    world.turn(relayer, 5)
    (intent,) = world.intents()
    assert (intent.stage.value, intent.reason) == ("dropped", "the milestone is settled")
    assert world.nonce() == 1
    assert len(world.attempts()) == 1


def test_relayers_with_keys_of_their_own_pay_once(world: World, deal: OpenedAgreement) -> None:
    for milestone in range(4):
        world.complete(deal, milestone)
    one, other = world.relayer(), world.relayer(OTHER_RELAYER, "other")
    for _ in range(6):
        world.turn(one, 20)
        other.step()
        world.pool.mine()
    assert [world.status(deal, n) for n in range(4)] == [Status.SETTLED] * 4
    assert set(world.stages()) == {"final"}
    assert len(world.pool.seen) == len(world.attempts()) == 1


def test_two_stores_and_one_contract_pay_once(
    world: World, deal: OpenedAgreement, tmp_path_factory: object
) -> None:
    """Two operators know nothing of each other: the second is refused, and finds it done."""
    from pathlib import Path

    from milestone_escrow.oracle.store.store import Store

    folder = tmp_path_factory.mktemp("other")  # type: ignore[attr-defined]
    theirs = World(
        world.escrow,
        world.pool,
        Store.open(Path(folder) / "other.db", world.escrow.domain),
        world.network,
        world.pool,
        world.now,
    )
    for place in (world, theirs):
        place.complete(deal, 0)
    ours, others = world.relayer(), theirs.relayer(OTHER_RELAYER)
    world.turn(ours)
    theirs.turn(others)
    assert len(world.pool.waiting) == 2
    for _ in range(5):
        world.pool.mine()
        world.turn(ours, 20)
        theirs.turn(others, 20)
    assert sorted([*world.stages(), *theirs.stages()]) == ["dropped", "final"]
    supplier = deal.terms.supplier
    token = world.escrow.token("USDC")
    assert world.escrow.balance(token, supplier) % 10**9 == AMOUNT % 10**9
    theirs.store.close()
