"""Small words of the sandbox: parts, what falls due, people."""

from __future__ import annotations

import pytest

from milestone_escrow.documents.money import read_part
from milestone_escrow.errors import UsageError
from milestone_escrow.keys.sandbox_people import account_of, everybody, role_of
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Split, State, Status
from milestone_escrow.protocol.terms import DAY, Milestone, Terms
from milestone_escrow.protocol.token import Token
from milestone_escrow.sandbox.shares import part_of, split_of
from milestone_escrow.sandbox.silence import dues

USDC = Token("USDC", "0x" + "11" * 20, 6)


@pytest.mark.parametrize(
    ("part", "units"), [("30 %", 30), ("0.00004", 40), ("rest", 100), ("all", 100)]
)
def test_a_part_is_a_share_an_amount_or_everything(part: str, units: int) -> None:
    assert part_of(read_part(part), 100, USDC) == units


def test_a_percentage_is_rounded_down() -> None:
    assert part_of(read_part("33.3 %"), 100, USDC) == 33


@pytest.mark.parametrize(
    ("supplier", "buyer", "split"),
    [
        ("96 %", "4 %", Split(96, 4)),
        ("rest", "0.000009", Split(91, 9)),
        ("60 %", "rest", Split(60, 40)),
        ("10 %", "10 %", Split(10, 10)),
    ],
)
def test_a_split_is_two_parts(supplier: str, buyer: str, split: Split) -> None:
    assert split_of(100, read_part(supplier), read_part(buyer), USDC) == split


@pytest.mark.parametrize(("supplier", "buyer"), [("rest", "rest"), ("60 %", "50 %"), ("1", "rest")])
def test_a_split_of_more_than_there_is_is_refused(supplier: str, buyer: str) -> None:
    with pytest.raises(UsageError):
        split_of(100, read_part(supplier), read_part(buyer), USDC)


def terms() -> Terms:
    return Terms(
        buyer="0x" + "01" * 20,
        supplier="0x" + "02" * 20,
        token=USDC.address,
        arbiter="0x" + "03" * 20,
        verifiers=("0x" + "04" * 20,),
        objection_period=2 * DAY,
        review_period=14 * DAY,
        arbitration_period=30 * DAY,
        default_payee_bps=5_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=bytes(32),
        salt=0,
    )


def milestone(*, pays_on_silence: bool = False) -> Milestone:
    return Milestone(100, 1_000, pays_on_silence, 1, 1, bytes(32))


class Agreement:
    """Two milestones of the terms above."""

    terms = terms()
    milestones = (milestone(), milestone(pays_on_silence=True))


def test_a_progress_payment_pays_all_on_its_date() -> None:
    (due,) = dues(Agreement, (State(), State(Status.FUNDED)))
    assert due.step.split == Split(100, 0)


def test_what_falls_due_first_comes_first() -> None:
    found = dues(Agreement, (State(Status.FUNDED), State(Status.SUBMITTED, clock=7)))
    assert [(due.milestone, due.step.at) for due in found] == [(1, 7), (0, 1_000)]


def test_nothing_is_due_where_nothing_is_held() -> None:
    assert dues(Agreement, (State(), State(Status.SETTLED))) == ()


def test_the_sandboxs_people_are_the_examples_people() -> None:
    by_role = {person.role: person.account for person in everybody()}
    assert by_role["buyer"] == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    assert by_role["arbiter"] == "0xE57bFE9F44b819898F47BF37E5AF72a0783e1141"
    assert role_of(by_role["supplier"]) == "supplier"
    assert account_of("Buyer") == account_of(by_role["buyer"].lower()) == by_role["buyer"]
    with pytest.raises(UsageError, match=r"nobody in the sandbox is called 'buyr'.*'buyer'"):
        account_of("buyr")
