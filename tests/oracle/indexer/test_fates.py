"""What follows from a fork beyond the rows of the chain: attempts, attestations, the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select

from milestone_escrow.chain.contract import events as e
from milestone_escrow.chain.node.network import Network
from milestone_escrow.oracle.indexer import fates
from milestone_escrow.oracle.indexer.bounds import AgreementFilter
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.indexer.reading import DoubtError
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY, Milestone, Terms
from tests.oracle.indexer.conftest import Told
from tests.oracle.indexer.scripted import CONTRACT, ScriptedChain
from tests.oracle.indexer.story import NOWHERE, START, address, written
from tests.oracle.indexer.truth import held

DEAL = b"\1" * 32
VERIFIERS = (address(30), address(31))
TERMS = Terms(
    address(1), address(2), address(100), address(50), VERIFIERS, 0, 0, 30 * DAY, 0,
    ZERO_ADDRESS, 0, b"\5" * 32, 7,
)  # fmt: skip
STAGE = Milestone(1_000, START + 90 * DAY, False, 3, 2, b"\6" * 32)
OPENED = e.AgreementOpened(NOWHERE, DEAL, address(1), address(2), TERMS, (STAGE,))
FUNDED = e.MilestonesFunded(NOWHERE, DEAL, address(1), (0,), 1_000)


def accepted(amount: int, issued_at: int) -> list[e.Event]:
    evidence = b"\7" * 32
    told = e.MilestoneAttested(
        NOWHERE, DEAL, 0, Verdict.ACCEPTED, amount, evidence, issued_at, (0, 1), 5
    )
    return [told, e.MilestonePaid(NOWHERE, DEAL, 0, address(2), amount, 0, 0)]


def resolved() -> list[e.Event]:
    told = e.MilestoneResolved(NOWHERE, DEAL, 0, 0, 1_000)
    return [told, e.MilestonePaid(NOWHERE, DEAL, 0, address(2), 0, 0, 1_000)]


def mine(chain: ScriptedChain, events: Sequence[e.Event]) -> None:
    chain.mine([written(event) for event in events])


@pytest.fixture
def chain() -> ScriptedChain:
    chain = ScriptedChain()
    mine(chain, [OPENED, FUNDED])
    return chain


@pytest.fixture
def indexer(store: Store, chain: ScriptedChain, network: Network) -> Indexer:
    found = Indexer(store, chain, network, CONTRACT)
    found.catch_up(0)
    return found


Take = Callable[..., bytes]


@pytest.fixture
def taken(store: Store) -> Take:
    """Takes an attestation in, as the signing room would; returns its digest."""

    def take(
        number: int, amount: int = 1_000, *, issued_at: int = 50, signers: int = 2, **values: Any
    ) -> bytes:
        digest = bytes([number]) * 32
        row = {
            "digest": digest,
            "agreement_id": DEAL,
            "milestone": 0,
            "verdict": int(Verdict.ACCEPTED),
            "amount": amount,
            "evidence_hash": b"\7" * 32,
            "issued_at": issued_at,
            "valid_until": START * 2,
            "received_at": 0,
            "state": "complete" if signers == 2 else "open",
            "reason": "",
        }
        with store.transaction() as connection:
            connection.execute(insert(t.attestations).values(row | values))
            for account in VERIFIERS[:signers]:
                connection.execute(
                    insert(t.signatures).values(
                        digest=digest, signer=account, signature=b"", received_at=0
                    )
                )
        return digest

    return take


def state_of(store: Store, digest: bytes) -> tuple[str, str]:
    with store.reading() as connection:
        row = connection.execute(
            select(t.attestations).where(t.attestations.c.digest == digest)
        ).one()
    return row.state, row.reason


def test_the_attestation_that_was_used_is_settled_and_the_others_are_dead(
    indexer: Indexer, store: Store, chain: ScriptedChain, taken: Take
) -> None:
    used, other = taken(1), taken(2, issued_at=60, signers=1)
    mine(chain, accepted(1_000, 50))
    indexer.catch_up(0)
    assert state_of(store, used) == ("settled", "")
    assert state_of(store, other) == ("dead", fates.SETTLED_OTHERWISE)


def test_a_part_that_was_paid_leaves_a_larger_part_to_be_attested(
    indexer: Indexer, store: Store, chain: ScriptedChain, taken: Take
) -> None:
    older, smaller, larger = (
        taken(1, 900, issued_at=40),
        taken(2, 300, issued_at=60),
        taken(3, issued_at=60),
    )
    mine(chain, accepted(400, 50))
    indexer.catch_up(0)
    assert state_of(store, older) == ("dead", fates.OVERTAKEN)
    assert state_of(store, smaller) == ("dead", fates.PAID_ALREADY)
    assert state_of(store, larger) == ("complete", "")


def test_what_a_fork_takes_back_is_free_again(
    indexer: Indexer, store: Store, chain: ScriptedChain, taken: Take
) -> None:
    used, half = taken(1), taken(2, issued_at=60, signers=1)
    expired = taken(3, issued_at=20, state="dead", reason="it has expired")
    mine(chain, accepted(1_000, 50))
    indexer.catch_up(0)
    chain.fork(1)
    chain.mine([])
    indexer.catch_up(0)
    assert state_of(store, used) == ("complete", "")
    assert state_of(store, half) == ("open", "")
    assert state_of(store, expired) == ("dead", "it has expired")
    mine(chain, resolved())
    indexer.catch_up(0)
    assert state_of(store, used) == ("dead", fates.SETTLED_OTHERWISE)


def test_an_opening_that_a_fork_takes_back_leaves_no_row(
    indexer: Indexer, store: Store, chain: ScriptedChain, taken: Take
) -> None:
    digest = taken(1)
    chain.fork(1)
    chain.mine([])
    indexer.catch_up(0)
    found = held(store)
    assert not found["agreements"]
    assert not found["milestones"]
    assert not found["events"]
    assert state_of(store, digest) == ("open", "")


def test_transactions_in_blocks_that_are_gone_are_in_no_block(
    indexer: Indexer, store: Store, chain: ScriptedChain
) -> None:
    chain.mine([])
    chain.mine([])
    indexer.catch_up(0)
    with store.transaction() as connection:
        for number in (1, 2, 3):
            connection.execute(
                insert(t.attempts).values(
                    hash=bytes([number]) * 32,
                    sender=address(9),
                    nonce=number,
                    raw=b"",
                    gas=1,
                    max_fee=1,
                    tip=1,
                    signed_at=0,
                    broadcast_at=0,
                    block=number,
                    block_hash=bytes.fromhex(chain.blocks[number].hash[2:]),
                )
            )
    chain.fork(2)
    for _ in range(3):
        chain.mine([])
    indexer.catch_up(0)
    with store.reading() as connection:
        rows = connection.execute(select(t.attempts).order_by(t.attempts.c.nonce)).all()
    assert [row.block for row in rows] == [1, None, None]
    assert [row.block_hash is None for row in rows] == [False, True, True]


def test_the_log_says_what_was_undone(indexer: Indexer, store: Store, chain: ScriptedChain) -> None:
    chain.fork(1)
    chain.mine([])
    indexer.step(77)
    with store.reading() as connection:
        (entry,) = audit_log.entries(connection)
        audit_log.verify(connection)
    assert (entry.at, entry.action, entry.subject) == (77, "chain.undone", "block 1")
    assert entry.data["back_to"] == 0


@pytest.mark.parametrize(
    ("events", "next_at"),
    [
        ([], STAGE.deadline),
        ([e.MilestoneDisputed(NOWHERE, DEAL, 0, address(2), b"\1" * 32, 777)], 777),
        (accepted(1_000, 50), None),
    ],
)
def test_the_next_decision_of_time_alone_is_kept(
    indexer: Indexer,
    store: Store,
    chain: ScriptedChain,
    events: list[e.Event],
    next_at: int | None,
) -> None:
    mine(chain, events)
    indexer.catch_up(0)
    with store.reading() as connection:
        assert connection.execute(select(t.milestones.c.next_at)).scalar() == next_at


def test_a_milestone_that_nobody_funded_waits_for_nothing(store: Store, network: Network) -> None:
    chain = ScriptedChain()
    mine(chain, [OPENED])
    Indexer(store, chain, network, CONTRACT).catch_up(0)
    with store.reading() as connection:
        row = connection.execute(select(t.milestones)).one()
    assert (row.next_at, row.status) == (None, int(Status.UNFUNDED))


def test_only_what_is_watched_is_kept(store: Store, told: Told, network: Network) -> None:
    told.grow(80)
    everything = list(told.story.deals)
    chosen = AgreementFilter(parties=frozenset({address(1)}))
    Indexer(store, told.chain, network, CONTRACT, watched=chosen).catch_up(0)
    found = held(store)
    mine_only = {i for i, deal in told.story.deals.items() if deal.terms.buyer == address(1)}
    assert set(found["agreements"]) == mine_only
    assert 0 < len(mine_only) < len(everything)
    states = {key: row[2] for key, row in found["milestones"].items()}
    assert states == {
        (i, index): state
        for i in mine_only
        for index, state in enumerate(told.story.deals[i].states)
    }


def test_a_watched_agreement_is_followed_into_its_change_orders(
    store: Store, told: Told, network: Network
) -> None:
    told.grow(120)
    amended = next((event for block in told.chain.blocks for event in _orders(block)), None)
    assert amended is not None
    chosen = AgreementFilter(agreements=frozenset({amended.replaces}))
    Indexer(store, told.chain, network, CONTRACT, watched=chosen).catch_up(0)
    found = held(store)["agreements"]
    assert amended.replaces in found
    assert found[amended.agreement_id][-1] == amended.replaces


def _orders(block: Any) -> list[e.AgreementAmended]:
    events = [e.read_event(log, 0) for log in block.logs]
    return [event for event in events if isinstance(event, e.AgreementAmended)]


def test_an_event_of_an_agreement_that_was_never_opened_is_refused(
    store: Store, network: Network
) -> None:
    chain = ScriptedChain()
    mine(chain, [FUNDED])
    with pytest.raises(DoubtError, match="not opened as far as this node says"):
        Indexer(store, chain, network, CONTRACT).step(0)


def test_an_event_of_a_milestone_that_does_not_exist_is_refused(
    store: Store, network: Network
) -> None:
    chain = ScriptedChain()
    mine(chain, [OPENED, e.MilestoneDisputed(NOWHERE, DEAL, 1, address(2), b"\1" * 32, 777)])
    with pytest.raises(DoubtError, match="beyond the 1 of its agreement"):
        Indexer(store, chain, network, CONTRACT).step(0)
