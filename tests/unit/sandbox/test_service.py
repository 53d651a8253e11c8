"""The sandbox in this process, on a clock that the test moves: its keeper and its watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.contract.tokens import denylist_call
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.errors import ChainError
from milestone_escrow.keys.sandbox_people import account_of, everybody
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.sandbox.process import TEST_MONEY, Sandbox
from tests.cli.deal import BUYER, DEAL, START, SUPPLIER

DAY = 86_400
KEYS = {person.account: person.signer for person in everybody()}


@dataclass
class Clock:
    now: int = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf() -> dict[bytes, Agreement]:
    """The documents that this machine has, by id."""
    return {}


@pytest.fixture
def sandbox(clock: Clock, shelf: dict[bytes, Agreement]) -> Iterator[Sandbox]:
    running = Sandbox(shelf.get, port=0, clock=clock)
    yield running
    running.server.close()


@pytest.fixture
def deal(sandbox: Sandbox) -> BoundAgreement:
    return Agreement.loads(DEAL).on(sandbox.escrow)


@pytest.fixture
def acting(sandbox: Sandbox) -> Callable[[str], Escrow]:
    return lambda account: sandbox.escrow.acting_as(KEYS[account])


@pytest.fixture
def opened(deal: BoundAgreement, acting: Callable[[str], Escrow]) -> BoundAgreement:
    consent = KEYS[SUPPLIER].sign_typed_data(deal.typed_data())
    milestones = [milestone.key for milestone in deal.agreement.milestones]
    acting(BUYER).open(deal, {SUPPLIER: consent}, milestones, allow=True)
    return deal


def statuses(sandbox: Sandbox, deal: BoundAgreement) -> list[Status]:
    return [state.status for state in sandbox.escrow.states(deal)]


def test_the_buyer_has_test_money_and_everybody_has_gas(sandbox: Sandbox) -> None:
    balances = {person.role: (wei, units) for person, wei, units in sandbox.people()}
    assert balances["buyer"][1] == TEST_MONEY * 10**6
    assert balances["supplier"][1] == 0
    assert all(wei > 10**18 for wei, _ in balances.values())


def test_tells_what_happens_in_the_names_of_the_agreement(
    sandbox: Sandbox, shelf: dict[bytes, Agreement], opened: BoundAgreement
) -> None:
    shelf[opened.id] = opened.agreement
    assert [line.split("  ", 1)[1] for line in sandbox.tick()] == [
        "SHED-7: both sides opened the agreement, 10,000.00 USDC in 4 milestones",
        "SHED-7: Anna Bauer paid 10,000.00 USDC in for 'deposit', 'foundation', 'walls', "
        "'handover'",
        "SHED-7: contract paid 1,000.00 USDC to Holz & Söhne for 'deposit'",
    ]
    assert sandbox.tick() == []


def test_tells_it_in_roles_where_it_has_no_document(
    sandbox: Sandbox, opened: BoundAgreement
) -> None:
    lines = sandbox.tick()
    assert f"0x{opened.id.hex()[:8]}…: the buyer (0x7E5F45…) paid 10,000.00 USDC in" in lines[1]
    assert lines[2].endswith(
        "contract paid 1,000.00 USDC to the supplier (0x2B5AD5…) for milestone 1"
    )


def test_the_keeper_finalizes_when_the_clock_has_come_there_and_not_before(
    sandbox: Sandbox, clock: Clock, opened: BoundAgreement, acting: Callable[[str], Escrow]
) -> None:
    acting(SUPPLIER).submit(opened, "handover")
    sandbox.tick()
    end = sandbox.escrow.states(opened)[3].clock
    clock.now = end - 1
    assert sandbox.tick() == []
    clock.now = end
    lines = sandbox.tick()
    assert lines[0].endswith("time decided milestone 4: nobody objected for 7 days")
    assert lines[1].endswith(
        "contract paid 2,000.00 USDC to the supplier (0x2B5AD5…) for milestone 4"
    )
    assert statuses(sandbox, opened)[3] is Status.SETTLED


def test_a_warp_lets_the_keeper_act_at_each_moment_on_the_way(
    sandbox: Sandbox, opened: BoundAgreement
) -> None:
    begun = sandbox.chain.time
    told = sandbox.chain.request("sandbox_warp", [150 * DAY])
    # The opening takes three lines; then two each: who was silent, and what that paid.
    assert [line.split("  ")[0] for line in told[3::2]] == [
        "1 May 2027, 22:00 UTC",
        "31 May 2027, 22:00 UTC",
        "1 Jul 2027, 22:00 UTC",
    ]
    assert sandbox.chain.time == begun + 150 * DAY
    assert set(statuses(sandbox, opened)) == {Status.SETTLED}
    assert sandbox.escrow.balance(opened.token, sandbox.escrow.contract) == 0
    assert sandbox.tick() == told


@pytest.mark.parametrize("params", [[0], [-1], ["3d"], [1.5], [10**12], [], [1, 2]])
def test_a_nonsensical_warp_is_refused(sandbox: Sandbox, params: list[object]) -> None:
    before = sandbox.chain.time
    with pytest.raises(ChainError, match="sandbox_warp takes"):
        sandbox.chain.request("sandbox_warp", params)
    assert sandbox.chain.time == before


def test_without_a_keeper_nothing_is_finalized(clock: Clock) -> None:
    sandbox = Sandbox({}.get, port=0, clock=clock, keeps=False)
    try:
        deal = Agreement.loads(DEAL).on(sandbox.escrow)
        buyer, supplier = KEYS[BUYER], KEYS[SUPPLIER]
        consent = supplier.sign_typed_data(deal.typed_data())
        sandbox.escrow.acting_as(buyer).open(deal, {SUPPLIER: consent}, ["handover"], allow=True)
        sandbox.chain.request("sandbox_warp", [365 * DAY])
        sandbox.tick()
        assert statuses(sandbox, deal)[3] is Status.FUNDED
    finally:
        sandbox.server.close()


def test_somebody_who_finalizes_first_does_not_disturb_the_keeper(
    sandbox: Sandbox, clock: Clock, opened: BoundAgreement, acting: Callable[[str], Escrow]
) -> None:
    sandbox.tick()
    clock.now = opened.milestones[1].deadline + 1
    acting(SUPPLIER).finalize(opened, "foundation")
    lines = sandbox.tick()
    assert lines[0].endswith("time decided milestone 2: nothing was proven in time")
    assert len(lines) == 2


def test_a_payout_that_cannot_be_delivered_is_told(
    sandbox: Sandbox, opened: BoundAgreement, acting: Callable[[str], Escrow]
) -> None:
    sandbox.tick()
    token = bytes.fromhex(opened.token.address[2:])
    sandbox.chain.send_from(20, token, denylist_call(SUPPLIER, True))
    acting(BUYER).approve(opened, "handover")
    lines = [line.split("  ", 1)[1] for line in sandbox.tick()]
    who = "the supplier (0x2B5AD5…)"
    assert f"{who} could not receive 2,000.00 USDC, which waits for `escrow withdraw`" in lines
    sandbox.chain.send_from(20, token, denylist_call(SUPPLIER, False))
    acting(account_of("keeper")).withdraw("USDC", SUPPLIER)
    assert sandbox.tick()[0].endswith(f"{who} received 2,000.00 USDC that had waited")


def test_a_chain_that_was_reverted_is_watched_on(sandbox: Sandbox, opened: BoundAgreement) -> None:
    sandbox.tick()
    snapshot = sandbox.chain.snapshot()
    sandbox.chain.request("sandbox_warp", [150 * DAY])
    sandbox.tick()
    assert sandbox.chain.revert(snapshot)
    assert sandbox.tick() == []
    told = sandbox.chain.request("sandbox_warp", [150 * DAY])
    assert len(told) == 6
    assert set(statuses(sandbox, opened)) == {Status.SETTLED}
