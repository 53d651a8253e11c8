"""What may be signed at all: amounts, places, and that doubt refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.policies.limits import DAY, Limits, ReleasedMoney, allowed
from milestone_escrow.protocol.token import Token
from tests.oracle.policies.world import BUYER, NOW, STRANGER, SUPPLIER, USDC

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
RELEASE = ReleasedMoney(b"\1" * 32, 0, CONTRACT, USDC.address, SUPPLIER, 1_000 * 10**6, NOW)


def parse(real_money: bool = False, **fields: object) -> Limits:
    return Limits.parse(fields, real_money=real_money, tokens=[USDC])


def earlier(number: int, amount: int, *, ago: int = 60, payee: str = SUPPLIER) -> ReleasedMoney:
    return replace(RELEASE, milestone=number, amount=amount * 10**6, at=NOW - ago, payee=payee)


def test_without_limits_test_money_may_go_out_and_real_money_may_not() -> None:
    assert allowed(parse(), RELEASE, [], NOW) == ()
    assert allowed(parse(real_money=True), RELEASE, [], NOW) == (
        "no limits.per_release is set, and without one no real money is released",
        "no limits.per_day is set, and without one no real money is released",
    )


def test_real_money_goes_out_within_limits() -> None:
    limits = parse(real_money=True, per_release="1,000.00 USDC", per_day="5,000.00 USDC")
    assert allowed(limits, RELEASE, [], NOW) == ()


def test_one_unit_more_than_a_release_may_be_is_refused() -> None:
    limits = parse(per_release="1,000.00 USDC")
    assert allowed(limits, RELEASE, [], NOW) == ()
    more = replace(RELEASE, amount=RELEASE.amount + 1)
    assert allowed(limits, more, [], NOW) == (
        "1,000.000001 USDC is more than the 1,000.00 USDC allowed in one release "
        "(limits.per_release)",
    )


def test_a_day_is_the_last_24_hours() -> None:
    limits = parse(per_day="1,500.00 USDC")
    assert allowed(limits, RELEASE, [earlier(1, 500)], NOW) == ()
    assert allowed(limits, RELEASE, [earlier(1, 501)], NOW) == (
        "1,000.00 USDC after 501.00 USDC is more than the 1,500.00 USDC allowed in 24 hours "
        "(limits.per_day)",
    )
    assert allowed(limits, RELEASE, [earlier(1, 501, ago=DAY)], NOW) == ()
    assert allowed(limits, RELEASE, [earlier(1, 501, ago=DAY - 1)], NOW) != ()


def test_a_payees_day_counts_only_that_payee() -> None:
    limits = parse(per_payee_per_day="1,500.00 USDC")
    assert allowed(limits, RELEASE, [earlier(1, 900, payee=STRANGER)], NOW) == ()
    assert "to one payee" in allowed(limits, RELEASE, [earlier(1, 900)], NOW)[0]


def test_signing_the_same_milestone_again_counts_once() -> None:
    limits = parse(per_day="1,000.00 USDC")
    assert allowed(limits, RELEASE, [earlier(0, 1_000)], NOW) == ()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tokens": [BUYER]}, "limits.tokens"),
        ({"contracts": [BUYER]}, "limits.contracts"),
        ({"agreements": ["0x" + "22" * 32]}, "limits.agreements"),
        ({"per_release": "9,000.00 DAI"}, "says nothing about USDC"),
        ({"per_release": "0.0000001 USDC"}, "cannot be compared"),
    ],
)
def test_what_is_not_named_is_refused(fields: dict[str, object], says: str) -> None:
    (reason,) = allowed(parse(**fields), RELEASE, [], NOW)
    assert says in reason


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": [USDC.address.lower()]}, {"contracts": [CONTRACT]},
        {"agreements": ["0x" + "01" * 32]}, {"per_release": ["5.00 DAI", "1,000.00 usdc"]},
    ],
)  # fmt: skip
def test_what_is_named_is_allowed(fields: dict[str, object]) -> None:
    assert allowed(parse(**fields), RELEASE, [], NOW) == ()


def test_a_token_that_the_network_does_not_know_cannot_be_compared() -> None:
    """An agreement could call its dear token by a cheap one's name; its word is not taken."""
    foreign = replace(RELEASE, token=STRANGER)
    (reason,) = allowed(parse(per_release="9,000.00 USDC"), foreign, [], NOW)
    assert "the network does not know" in reason
    assert Token("USDC", STRANGER, 6) not in parse().known.values()


def test_releasing_nothing_is_refused() -> None:
    assert allowed(parse(), replace(RELEASE, amount=0), [], NOW)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"per_hour": "1 USDC"}, "limits.per_hour is not a limit"),
        ({"per_day": "1,000.00"}, "names no currency"),
        ({"per_day": "a lot of USDC"}, "limits.per_day"),
        ({"per_day": 1_000}, "must be text"),
        ({"per_day": True}, "must be text"),
        ({"per_day": ["1 USDC", "2 usdc"]}, "twice"),
        ({"tokens": ["USDC"]}, "not an account"),
        ({"agreements": ["PO-1"]}, "not an agreement's id"),
    ],
)
def test_a_limit_that_makes_no_sense_stops_the_start(fields: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(**fields)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2_000), st.integers(0, 2 * DAY))),
    st.integers(1, 3_000),
)
def test_what_is_allowed_never_exceeds_the_day(
    past: list[tuple[int, int, int]], amount: int
) -> None:
    limits = parse(per_day="3,000.00 USDC", per_release="2,500.00 USDC")
    before = [earlier(number, units, ago=ago) for number, units, ago in past]
    release = replace(RELEASE, amount=amount * 10**6)
    if not allowed(limits, release, before, NOW):
        recent = [one.amount for one in before if one.at > NOW - DAY]
        assert sum(recent) + release.amount <= 3_000 * 10**6
        assert release.amount <= 2_500 * 10**6
