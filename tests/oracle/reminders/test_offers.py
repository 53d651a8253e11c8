"""Offers of receivables are reminded of before they end, as long as nothing has voided them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_keys.datatypes import PrivateKey

from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.errors import LifecycleError
from milestone_escrow.oracle import proposals, viewing
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.receivables import Offer
from tests.oracle.reminders.chronicle import DAY
from tests.oracle.reminders.conftest import Desk, Notebook

SUPPLIER, STRANGER = (PrivateKey(number.to_bytes(32, "big")) for number in (2, 9))
FINANCIER: Address = "0x" + "1" * 40
DEPARTED = 3


@pytest.fixture
def offer(desk: Desk) -> Offer:
    """Of what 'departed' pays, good for three days."""
    chronicle = desk.chronicle
    chronicle.opened()
    chronicle.funded(*range(5))
    desk.round()
    amount = chronicle.bound.milestones[DEPARTED].amount
    until = chronicle.time + 3 * DAY
    return Offer(chronicle.bound.id, DEPARTED, ZERO_ADDRESS, amount - 10**9, amount, 0, 0, until)


def hand_in(desk: Desk, offer: Offer, key: PrivateKey = SUPPLIER) -> bool:
    signed = SignedAct(desk.chronicle.bound, offer, {}, {})
    signature = key.sign_msg_hash(signed.typed_data.digest()).to_bytes()
    by = key.public_key.to_checksum_address()
    signed = signed.add(by, bytes([*signature[:64], signature[64] + 27]))
    with desk.store.transaction() as connection:
        view = viewing.agreement(connection, offer.agreement_id)
        assert view is not None
        now = desk.chronicle.time
        return proposals.take_offer(connection, view, signed, by, now)


def until_the_last_day(desk: Desk) -> None:
    desk.chronicle.wait(2 * DAY + 60)
    desk.round()


def test_reminds_the_payee_once_a_day_before_an_offer_ends(
    desk: Desk, notebook: Notebook, offer: Offer
) -> None:
    assert hand_in(desk, offer)
    desk.round()
    assert "offer" not in notebook.kinds
    until_the_last_day(desk)
    desk.restart()
    desk.round()
    (text,) = notebook.texts("offer")
    assert text.startswith("Rajwada Exports offers what 'departed' pays for 59,000.00 USDC")


def test_a_running_planner_notices_an_offer_that_nothing_on_chain_tells_of(
    desk: Desk, notebook: Notebook, offer: Offer
) -> None:
    hand_in(desk, replace(offer, valid_until=desk.chronicle.time + 2 * 3_600))
    desk.chronicle.wait(3_600 + 60)
    desk.round()
    assert notebook.kinds.count("offer") == 1


def test_the_same_offer_again_changes_nothing(desk: Desk, offer: Offer) -> None:
    assert [hand_in(desk, offer), hand_in(desk, offer)] == [True, False]


def test_an_offer_that_was_taken_is_not_reminded_of(
    desk: Desk, notebook: Notebook, offer: Offer
) -> None:
    hand_in(desk, offer)
    desk.chronicle.assigned(DEPARTED, FINANCIER, offer.price)
    until_the_last_day(desk)
    assert "offer" not in notebook.kinds


def test_an_offer_is_void_once_anything_else_happens(
    desk: Desk, notebook: Notebook, offer: Offer
) -> None:
    hand_in(desk, offer)
    desk.chronicle.accepted(DEPARTED, offer.held // 2)
    desk.round()
    with pytest.raises(LifecycleError, match="something has happened to the milestone since"):
        hand_in(desk, replace(offer, price=1))
    until_the_last_day(desk)
    assert "offer" not in notebook.kinds


def test_refuses_an_offer_that_the_payee_did_not_sign(desk: Desk, offer: Offer) -> None:
    with pytest.raises(LifecycleError, match="whom the milestone pays, did not sign it"):
        hand_in(desk, offer, STRANGER)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"epoch": 1}, "something has happened"),
        ({"held": 1}, "something has happened"),
        ({"valid_until": 1}, "it has expired"),
    ],
)
def test_refuses_an_offer_that_is_void(
    desk: Desk, offer: Offer, change: dict[str, int], why: str
) -> None:
    with pytest.raises(LifecycleError, match=f"the offer of 'departed' is void: {why}"):
        hand_in(desk, replace(offer, **change))  # type: ignore[arg-type]
