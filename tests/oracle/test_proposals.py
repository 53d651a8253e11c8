"""Splits and offers stand until anything overtakes them; change orders gather signatures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.change_orders.change_order import change_order
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.documents.files.signed_act import Act, SignedAct
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle import proposals, viewing
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.receivables import Offer
from tests.oracle.api.world import (
    DEAL,
    DOMAIN,
    FOUNDATION,
    NOW,
    STATES,
    WALLS,
    Here,
    agreement,
    seed,
    set_state,
    signer,
)

HELD, UNTIL = 3_000_000_000, NOW + 86_400
BUYER, SUPPLIER, STRANGER = signer("buyer"), signer("supplier"), signer("stranger")


@pytest.fixture(scope="module")
def deal() -> SignedAgreement:
    return agreement()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded store, made once and copied for each test."""
    path = tmp_path_factory.mktemp("proposals") / "oracle.db"
    store = Store.open(path, DOMAIN)
    seed(store)
    store.close()
    return path


@pytest.fixture
def store(open_store: Callable[..., Store], template: Path, tmp_path: Path) -> Store:
    """The deal, open: 'foundation' is funded, 'walls' submitted."""
    path = tmp_path / "oracle.db"
    shutil.copy(template, path)
    return open_store(path, DOMAIN)


def split(deal: SignedAgreement, **changed: int) -> Resolution:
    return replace(Resolution(deal.id, FOUNDATION, HELD - 1, 1, HELD, 1, UNTIL), **changed)


def offer(deal: SignedAgreement, **changed: int) -> Offer:
    return replace(Offer(deal.id, FOUNDATION, ZERO_ADDRESS, HELD - 5, HELD, 1, 0, UNTIL), **changed)


def keep(store: Store, deal: SignedAgreement, act: Act, signs: DevSigner, at: int = NOW) -> None:
    signed = SignedAct(deal.bound, act, {}, {}).sign(signs)
    with store.transaction() as connection:
        assert proposals.keep(connection, signed, signs.address, at) == signed.typed_data.digest()


def view_of(store: Store, deal: SignedAgreement) -> AgreementView:
    with store.reading() as connection:
        found = viewing.agreement(connection, deal.id)
    assert found is not None
    return found


def standing(
    store: Store, deal: SignedAgreement, now: int = NOW, index: int = FOUNDATION
) -> list[Act]:
    """Splits first, then offers."""
    view = view_of(store, deal)
    with store.reading() as connection:
        found = proposals.splits(connection, view, index, now)
        found += proposals.offers(connection, view, index, now)
    return [one.act for one in found]


def test_what_is_kept_comes_back_as_it_was_signed(store: Store, deal: SignedAgreement) -> None:
    keep(store, deal, split(deal), BUYER)
    keep(store, deal, offer(deal), SUPPLIER)
    assert standing(store, deal) == [split(deal), offer(deal)]
    assert standing(store, deal, index=WALLS) == []
    view = view_of(store, deal)
    with store.reading() as connection:
        (found,) = proposals.offers(connection, view, FOUNDATION, NOW)
    signed = SignedAct(deal.bound, offer(deal), {}, {}).sign(SUPPLIER)
    assert found.signatures == signed.signatures
    assert found.typed_data == signed.typed_data


def test_the_newest_comes_first_and_the_same_again_is_one(
    store: Store, deal: SignedAgreement
) -> None:
    for at, to_buyer in enumerate((3, 1, 2, 1)):
        act = split(deal, to_payee=HELD - to_buyer, to_buyer=to_buyer)
        keep(store, deal, act, BUYER, NOW + at)
    found = standing(store, deal)
    assert [act.to_buyer for act in found if isinstance(act, Resolution)] == [1, 2, 3]


def test_nothing_stands_after_its_last_second(store: Store, deal: SignedAgreement) -> None:
    keep(store, deal, split(deal), BUYER)
    keep(store, deal, offer(deal), SUPPLIER)
    assert len(standing(store, deal, UNTIL)) == 2
    assert standing(store, deal, UNTIL + 1) == []


FUNDED = STATES[FOUNDATION]


@pytest.mark.parametrize(
    ("state", "splits", "offers"),
    [
        pytest.param(replace(FUNDED, epoch=2), 0, 0, id="an act has been sent"),
        pytest.param(replace(FUNDED, paid=1), 0, 1, id="a part was paid"),
        pytest.param(replace(FUNDED, handover=1), 1, 0, id="taken back"),
        pytest.param(State(Status.RELEASE_PENDING, clock=UNTIL, epoch=1), 1, 1, id="accepted"),
        pytest.param(State(Status.REFUND_PENDING, clock=UNTIL, epoch=1), 1, 0, id="rejected"),
        pytest.param(State(Status.SETTLED, epoch=1), 0, 0, id="settled"),
        pytest.param(replace(FUNDED, assignee=STRANGER.address), 1, 0, id="sold to somebody"),
    ],
)
def test_what_happens_voids_what_no_longer_fits(
    store: Store, deal: SignedAgreement, state: State, splits: int, offers: int
) -> None:
    keep(store, deal, split(deal), BUYER)
    keep(store, deal, offer(deal), SUPPLIER)
    set_state(store, deal, FOUNDATION, state)
    found = standing(store, deal)
    kinds = [type(act) for act in found]
    assert (kinds.count(Resolution), kinds.count(Offer)) == (splits, offers)


def test_a_split_of_less_than_is_held_never_stands(store: Store, deal: SignedAgreement) -> None:
    keep(store, deal, split(deal, to_payee=1), BUYER)
    assert standing(store, deal) == []


def test_an_offer_of_somebody_else_than_the_payee_never_stands(
    store: Store, deal: SignedAgreement
) -> None:
    keep(store, deal, offer(deal), STRANGER)
    assert standing(store, deal) == []


def test_only_the_payees_signature_of_an_offer_is_kept(store: Store, deal: SignedAgreement) -> None:
    signed = SignedAct(deal.bound, offer(deal), {}, {}).sign(SUPPLIER).sign(STRANGER)
    view = view_of(store, deal)
    with store.transaction() as connection:
        assert proposals.take_offer(connection, view, signed, "somebody", NOW)
        (found,) = proposals.offers(connection, view, FOUNDATION, NOW)
    assert set(found.signatures) == {SUPPLIER.address}


def test_the_log_names_the_milestone_and_who_signed(store: Store, deal: SignedAgreement) -> None:
    keep(store, deal, offer(deal), SUPPLIER)
    with store.reading() as connection:
        (entry,) = audit_log.latest(connection, 1)
    assert entry.action == "offer.proposed"
    assert entry.subject == audit_log.subject_of(deal.id, FOUNDATION)
    assert entry.data["signed_by"] == [SUPPLIER.address]


def test_a_name_that_does_not_stand_any_more_is_told(store: Store, deal: SignedAgreement) -> None:
    with pytest.raises(EscrowError, match="does not stand any more"):
        proposals.named([], "0x" + "1" * 64)


@pytest.fixture
def change(deal: SignedAgreement) -> SignedChange:
    """'handover' is due later."""
    text = mark_change(DEAL.replace("2027-06-01", "2027-06-02"), deal.bound, STATES)
    new = SignedAgreement.start(Agreement.loads(text).on(Here()))
    order = change_order(deal.bound, new.bound, STATES, valid_until=UNTIL)
    return SignedChange.of(deal, new, order)


def test_a_change_orders_signatures_gather(
    store: Store, deal: SignedAgreement, change: SignedChange
) -> None:
    # Each signs the order as it was when nobody had.
    for signs, found in ((None, ()), (SUPPLIER, (SUPPLIER,)), (BUYER, (BUYER, SUPPLIER))):
        with store.transaction() as connection:
            one = change.sign(signs) if signs else change
            digest = proposals.keep_change(connection, one, "somebody", NOW)
            known = proposals.changes(connection, deal.id)[digest]
        assert set(known) == {one.address for one in found}
    with store.reading() as connection:
        kept = proposals.change(connection, deal.id, "0x" + digest.hex())
    assert kept.dumps() == change.sign(BUYER).sign(SUPPLIER).dumps()


def test_only_change_orders_that_nobody_signed_are_forgotten(
    store: Store, deal: SignedAgreement, change: SignedChange
) -> None:
    later = replace(change, valid_until=UNTIL + 1)
    with store.transaction() as connection:
        digest = proposals.keep_change(connection, change.sign(BUYER), "somebody", NOW)
        proposals.keep_change(connection, later, "somebody", NOW)
        proposals.drop_unsigned_changes(connection, deal.id)
        assert list(proposals.changes(connection, deal.id)) == [digest]


@pytest.mark.parametrize("digest", ["0x" + "1" * 64, "", "0x1", "nonsense"])
def test_a_change_order_that_is_not_here_is_told(
    store: Store, deal: SignedAgreement, digest: str
) -> None:
    with store.reading() as connection, pytest.raises(UsageError, match="no such change order"):
        proposals.change(connection, deal.id, digest)
