"""Offers of receivables are watched until they expire."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_keys.datatypes import PrivateKey

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import book
from milestone_escrow.oracle.reminders.offers import watch_offer
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.receivables import Offer
from tests.oracle.reminders.chronicle import DAY, DOMAIN
from tests.oracle.reminders.conftest import Desk, Notebook

SUPPLIER = PrivateKey((2).to_bytes(32, "big"))
STRANGER = PrivateKey((9).to_bytes(32, "big"))


def signed(offer: Offer, key: PrivateKey) -> bytes:
    signature = key.sign_msg_hash(offer.typed_data(DOMAIN).digest()).to_bytes()
    return bytes([*signature[:64], signature[64] + 27])


@pytest.fixture
def offer(desk: Desk) -> Offer:
    """Of what 'departed' pays, good for three days."""
    chronicle = desk.chronicle
    chronicle.opened()
    chronicle.funded(*range(5))
    desk.round()
    amount = chronicle.bound.milestones[3].amount
    return Offer(
        chronicle.bound.id, 3, ZERO_ADDRESS, amount - 10**9, amount, 0, chronicle.time + 3 * DAY
    )


def watch(desk: Desk, offer: Offer, key: PrivateKey = SUPPLIER) -> bytes:
    bound, now = desk.chronicle.bound, desk.chronicle.time
    with desk.store.transaction() as connection:
        view = book.agreement(connection, bound.id)
        assert view is not None
        signature = signed(offer, key)
        by = bound.terms.supplier
        return watch_offer(connection, DOMAIN, view, offer, signature, by=by, now=now)


def test_reminds_the_payee_a_day_before_an_offer_ends(
    desk: Desk, notebook: Notebook, offer: Offer
) -> None:
    assert watch(desk, offer) == watch(desk, offer)
    desk.round()
    assert "offer" not in notebook.kinds
    desk.chronicle.wait(2 * DAY + 60)
    desk.round()
    (text,) = notebook.texts("offer")
    assert text.startswith("Rajwada Exports Pvt Ltd offers what 'departed' pays for 59,000.00 USDC")


def test_an_offer_that_was_taken_is_not_reminded_of(
    desk: Desk, notebook: Notebook, offer: Offer
) -> None:
    watch(desk, offer)
    desk.chronicle.assigned(3, "0x" + "1" * 40, offer.price)
    desk.chronicle.wait(2 * DAY + 60)
    desk.round()
    assert "offer" not in notebook.kinds


def test_refuses_an_offer_that_the_payee_did_not_sign(desk: Desk, offer: Offer) -> None:
    with pytest.raises(UsageError, match="no offer by"):
        watch(desk, offer, STRANGER)


@pytest.mark.parametrize("change", [{"sequence": 1}, {"held": 1}, {"valid_until": 1}])
def test_refuses_an_offer_that_is_void(desk: Desk, offer: Offer, change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="is void"):
        watch(desk, replace(offer, **change))  # type: ignore[arg-type]
