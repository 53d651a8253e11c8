"""Why time decides, in one sentence for every status that holds money."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY, Milestone, Terms
from milestone_escrow.words.names import Names
from milestone_escrow.words.silence import otherwise, silent

TERMS = Terms(
    buyer="0x" + "01" * 20,
    supplier="0x" + "02" * 20,
    token="0x" + "11" * 20,
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
PROVEN = Milestone(100, 1_000, False, 1, 1, bytes(32))
PAYS_ON_ITS_DATE = Milestone(100, 1_000, True, 1, 1, bytes(32))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FUNDED, "nothing was proven in time"),
        (Status.SUBMITTED, "nobody objected for 14 days"),
        (Status.RELEASE_PENDING, "nobody objected for 2 days"),
        (Status.REFUND_PENDING, "nobody disputed the rejection"),
        (Status.DISPUTED_BEFORE_VERDICT, "nobody ruled, so 50 % to the supplier as agreed"),
        (Status.DISPUTED_OVER_VERDICT, "nobody ruled, so the verdict stands"),
    ],
)
def test_says_who_was_silent(status: Status, words: str) -> None:
    assert silent(TERMS, PROVEN, status, spoken=False) == words


def test_a_progress_payment_needs_only_its_date_unless_verifiers_spoke() -> None:
    assert silent(TERMS, PAYS_ON_ITS_DATE, Status.FUNDED, spoken=False) == "its date has come"
    after = silent(TERMS, PAYS_ON_ITS_DATE, Status.FUNDED, spoken=True)
    assert after == "nothing more was proven in time"


def test_no_default_is_told_once_verifiers_spoke() -> None:
    told = silent(TERMS, PROVEN, Status.DISPUTED_BEFORE_VERDICT, spoken=True)
    assert told == "nobody ruled, and nothing more was proven"


def test_says_what_silence_does_and_nothing_where_nothing_is_held() -> None:
    names = Names(terms=TERMS)
    assert otherwise(names, TERMS, PROVEN, State(Status.FUNDED)) == (
        "If nobody acts, on 1 Jan 1970, 00:16 UTC time gives 100 units of 0x1111111111111111111111"
        "111111111111111111 back to 0x0101010101010101010101010101010101010101."
    )
    assert otherwise(names, TERMS, PROVEN, State(Status.SETTLED)) == ""
