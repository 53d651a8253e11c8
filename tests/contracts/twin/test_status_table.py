"""Every cell of the status table: each status, verb, caller and side of the clock.

What is expected is written out here from the table in words, not taken from the twin.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import pytest

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.statuses import ARBITRATION, ENDS, OBJECTION, REVIEW, reach
from tests.contracts.support.world import World, account, branch

U, F, C = Status.UNFUNDED, Status.FUNDED, Status.SUBMITTED
RP, XP = Status.RELEASE_PENDING, Status.REFUND_PENDING
D0, D1 = Status.DISPUTED_BEFORE_VERDICT, Status.DISPUTED_OVER_VERDICT
S = Status.SETTLED
HOLDING = {F, C, RP, XP, D0, D1}
ANYONE = "anyone"
CALLERS = ("buyer", "supplier", "arbiter", "inspector", "stranger")


def _fund(world: World, deal: Deal, by: str) -> None:
    world.fund(deal, 1, by=by)


def _accept(world: World, deal: Deal, by: str) -> None:
    world.attest(deal, deal.attestation(), by=by)


def _reject(world: World, deal: Deal, by: str) -> None:
    world.attest(deal, deal.attestation(verdict=Verdict.REJECTED), by=by)


def _submit(world: World, deal: Deal, by: str) -> None:
    world.submit(deal, by=by)


def _dispute(world: World, deal: Deal, by: str) -> None:
    world.dispute(deal, by=by)


def _rule(world: World, deal: Deal, by: str) -> None:
    world.rule(deal, AMOUNT // 4, AMOUNT - AMOUNT // 4, by=by)


def _approve(world: World, deal: Deal, by: str) -> None:
    world.resolve(deal, AMOUNT, 0, by=by)


def _refund(world: World, deal: Deal, by: str) -> None:
    world.resolve(deal, 0, AMOUNT, by=by)


def _settle(world: World, deal: Deal, by: str) -> None:
    """Half each, the supplier's signature at hand, so that the buyer alone may send it."""
    epoch = world.state(deal).epoch
    act = world.resolution(deal, AMOUNT // 2, AMOUNT // 2, epoch=epoch)
    signed = person("supplier").sign(act.typed_data(world.domain))
    world.resolve(deal, AMOUNT // 2, AMOUNT // 2, payee=signed, by=by)


def _finalize(world: World, deal: Deal, by: str) -> None:
    world.finalize(deal, by=by)


@dataclass(frozen=True)
class Verb:
    """One row of the table: who may, from where to where, and with what end."""

    act: Callable[[World, Deal, str], None]
    leads: dict[Status, Status]
    who: dict[Status, str]
    statuses: set[Status]
    window: str  # "before" the end, "after" it, or "ever"


def _row(
    act: Callable[[World, Deal, str], None],
    leads: dict[Status, Status],
    who: str | dict[Status, str],
    window: str,
) -> Verb:
    callers = who if isinstance(who, dict) else dict.fromkeys(leads, who)
    return Verb(act, leads, callers, set(leads), window)


VERBS: dict[str, Verb] = {
    "fund": _row(_fund, {U: F}, ANYONE, "before"),
    "attest acceptance": _row(
        _accept, {**dict.fromkeys((F, C, D0, RP, XP), RP), D1: D1}, ANYONE, "before"
    ),
    "attest rejection": _row(
        _reject, {**dict.fromkeys((F, C, D0, RP, XP), XP), D1: D1}, ANYONE, "before"
    ),
    "submit": _row(_submit, {F: C}, "supplier", "before"),
    "dispute": _row(
        _dispute,
        {F: D0, C: D0, RP: D1, XP: D1},
        {F: "supplier", C: "buyer", RP: "buyer", XP: "supplier"},
        "before",
    ),
    "rule on all": _row(_rule, {D0: S, D1: S}, "arbiter", "before"),
    "approve": _row(_approve, dict.fromkeys(HOLDING, S), "buyer", "ever"),
    "refund": _row(_refund, dict.fromkeys(HOLDING, S), "supplier", "ever"),
    "settle": _row(_settle, dict.fromkeys(HOLDING, S), "buyer", "ever"),
    "finalize": _row(_finalize, dict.fromkeys(HOLDING, S), ANYONE, "after"),
}

TO_OBJECT = 3 * 86_400

SILENCE: dict[Status, tuple[int, int]] = {
    F: (0, AMOUNT),
    C: (AMOUNT, 0),
    RP: (AMOUNT, 0),
    XP: (0, AMOUNT),
    D0: (AMOUNT * 60 // 100, AMOUNT - AMOUNT * 60 // 100),
    D1: (AMOUNT, 0),
}
"""What `finalize` pays to supplier and buyer; the dispute over a verdict was over an acceptance."""

CLOCKS: dict[Status, int] = {
    C: REVIEW,
    RP: OBJECTION,
    XP: TO_OBJECT,
}
"""How long after the act the next status ends."""

Reached = dict[Status, tuple[World, Deal]]


@pytest.fixture(scope="module")
def reached(fresh: World) -> Reached:
    """A world for each status, in which every caller could fund."""
    rich = branch(fresh)
    for caller in CALLERS:
        rich.token.send("mint", account(caller), AMOUNT)
        rich.token.send("approve", rich.escrow.address, 2**256 - 1, by=account(caller))
    worlds = {}
    for status in Status:
        world = branch(rich)
        worlds[status] = (world, reach(world, status))
    return worlds


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("at_end", [False, True], ids=["a second before its end", "at its end"])
def test_cell(reached: Reached, status: Status, verb: str, at_end: bool) -> None:
    start, deal = reached[status]
    row = VERBS[verb]
    for caller in CALLERS:
        world = branch(start)
        world.now = ENDS[status] - (0 if at_end else 1)
        before = {name: world.balance(name) for name in ("buyer", "supplier")}
        with _expected(row, status, caller, at_end):
            row.act(world, deal, caller)
            after = world.state(deal)
            assert after.status is row.leads[status]
            _check_clock(world, verb, after.status, after.clock)
            if verb == "finalize":
                paid = tuple(world.balance(n) - before[n] for n in ("supplier", "buyer"))
                assert paid == SILENCE[status]
            has, owes = world.books(world.token.address)
            assert has == owes
            continue
        assert world.chain.root == start.chain.root, "what is refused changes nothing"


def _expected(row: Verb, status: Status, caller: str, at_end: bool) -> AbstractContextManager[None]:
    """Nothing where the cell allows the call, else the exact refusal."""
    if status not in row.statuses:
        allowed = sum(1 << s for s in row.statuses)
        return refuses("WrongStatus", milestone=0, current=int(status), allowed=allowed)
    end = ENDS[status]
    if row.window == "before" and at_end:
        return refuses("TooLate", nowAt=end, end=end)
    if row.window == "after" and not at_end:
        return refuses("TooEarly", nowAt=end - 1, end=end)
    allowed_caller = row.who[status]
    if allowed_caller in (ANYONE, caller):
        return nullcontext()
    return refuses("NotAuthorized", caller=account(caller), allowed=account(allowed_caller))


def _check_clock(world: World, verb: str, status: Status, clock: int) -> None:
    if status in CLOCKS:
        assert clock == world.now + CLOCKS[status]
    if status is D0:
        assert clock == max(world.now, DEADLINE) + ARBITRATION
    if status is D1 and verb == "dispute":
        assert clock == world.now + ARBITRATION
    elif status is D1:
        assert clock == max(ENDS[D1], world.now + TO_OBJECT)


@pytest.mark.parametrize("caller", CALLERS)
def test_in_a_progress_payment_only_the_buyer_disputes(world: World, caller: str) -> None:
    deal = reach(world, F, make_milestone(pays_on_silence=True))
    expected = (
        nullcontext()
        if caller == "buyer"
        else refuses("NotAuthorized", caller=account(caller), allowed=account("buyer"))
    )
    with expected:
        world.dispute(deal, by=caller)
    assert world.state(deal).status is (D0 if caller == "buyer" else F)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("status", [F, RP, XP])
def test_without_an_arbiter_nobody_disputes_proof(
    world: World, status: Status, caller: str
) -> None:
    deal = reach(world, status, arbiter=ZERO_ADDRESS)
    with refuses("NoArbiter"):
        world.dispute(deal, by=caller)


@pytest.mark.parametrize("pays_on_silence", [False, True])
def test_without_an_arbiter_the_buyer_still_disputes_silence(
    world: World, pays_on_silence: bool
) -> None:
    deal = reach(
        world,
        F if pays_on_silence else C,
        make_milestone(pays_on_silence=pays_on_silence),
        arbiter=ZERO_ADDRESS,
    )
    world.dispute(deal, by="buyer")
    assert world.state(deal).status is D0


@pytest.mark.parametrize("caller", CALLERS)
def test_without_an_arbiter_nobody_rules(world: World, caller: str) -> None:
    deal = reach(world, C, arbiter=ZERO_ADDRESS)
    world.dispute(deal, by="buyer")
    with refuses("NotAuthorized", caller=account(caller), allowed=ZERO_ADDRESS):
        world.rule(deal, AMOUNT, 0, by=caller)


def test_a_dispute_over_a_rejection_ends_as_the_rejection(world: World) -> None:
    deal = reach(world, XP)
    world.dispute(deal, by="supplier")
    world.now = GENESIS + ARBITRATION
    before = world.balance("buyer")
    world.finalize(deal)
    assert world.balance("buyer") - before == AMOUNT
    assert world.state(deal).status is S


def test_a_progress_payment_is_paid_by_silence(world: World) -> None:
    deal = reach(world, F, make_milestone(pays_on_silence=True))
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("supplier") == AMOUNT


@pytest.mark.parametrize("status", [C, RP, XP, D0, D1])
@pytest.mark.parametrize("total", [0, 1, AMOUNT - 1, AMOUNT + 1])
def test_outside_funded_consent_must_settle_all(world: World, status: Status, total: int) -> None:
    deal = reach(world, status)
    with refuses("SplitOutOfBounds", asked=total, atLeast=AMOUNT, atMost=AMOUNT):
        world.resolve(deal, total, 0, by="buyer")


def test_a_milestone_leaves_the_others_of_its_agreement_alone(world: World) -> None:
    deal = reach(world, F, *[make_milestone(amount=AMOUNT)] * 60)
    world.submit(deal, 0)
    world.attest(deal, deal.attestation(59))
    world.dispute(deal, 30, by="supplier")
    states = [state.status for state in world.states(deal)]
    expected = [F] * 60
    expected[0], expected[30], expected[59] = C, D0, RP
    assert states == expected
