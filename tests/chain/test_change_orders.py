"""Change orders on chain: from the changed file to the new version, and its history."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest

from milestone_escrow import Agreement, Escrow
from milestone_escrow.chain.contract.events import AgreementAmended, AgreementOpened, MilestonePaid
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.change_orders.change_order import ChangeOrder, change_order
from milestone_escrow.documents.change_orders.extend import extend
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.errors import ContractError, UsageError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY
from tests.support.npm import ROOT

EXAMPLE = ROOT / "examples" / "carpets"
UNITS = 1_000_000
BUYER, SUPPLIER = DevSigner(1), DevSigner(2)


@pytest.fixture
def deal(escrow: Escrow) -> BoundAgreement:
    """The exporter's agreement: the deposit paid, the first two milestones funded."""
    agreement = Agreement.load(EXAMPLE / "agreement.yaml")
    deal = agreement.on(escrow)
    consents = {who.address: deal.sign(who) for who in (BUYER, SUPPLIER)}
    acting = escrow.acting_as(BUYER)
    acting.open(deal, consents, fund=["deposit", "manufactured", "packed"])
    acting.allow("USDC", 0)
    return deal


@pytest.fixture
def order(escrow: Escrow) -> Callable[..., ChangeOrder]:
    """The change order from a deal to a changed text, valid for a week."""

    def ordered(deal: BoundAgreement, text: str, *fund: str) -> ChangeOrder:
        states = escrow.states(deal)
        new = Agreement.loads(mark_change(text, deal, states), base=EXAMPLE).on(escrow)
        until = escrow.now() + 7 * DAY
        return change_order(deal, new, states, valid_until=until, fund=fund)

    return ordered


def sign(escrow: Escrow, order: ChangeOrder, *signers: DevSigner) -> dict[Address, bytes]:
    data = order.amendment.typed_data(escrow.domain)
    return {signer.address: signer.sign_typed_data(data) for signer in signers}


def later(deal: BoundAgreement, key: str = "packed") -> str:
    return extend(deal.agreement, key, datetime.date(2027, 4, 15))


def shown(escrow: Escrow, deal: OpenAgreement) -> bool:
    """Whether events alone lead to what the contract says."""
    told = replay(escrow.events(deal)).states
    settled = State(Status.SETTLED)
    return tuple(settled if s.status is Status.SETTLED else s for s in told) == escrow.states(deal)


def test_a_later_date_moves_the_money_and_nothing_else(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    usdc = deal.token
    before = [escrow.balance(usdc, who.address) for who in (BUYER, SUPPLIER)]
    found = order(deal, later(deal))
    assert found.difference.milestones == ("packed",)
    anyone = escrow.acting_as(DevSigner(9))
    receipt = anyone.amend(deal, found.amendment, sign(escrow, found, BUYER, SUPPLIER))
    (amended,) = [event for event in receipt.events if isinstance(event, AgreementAmended)]
    assert (amended.replaces, amended.agreement_id) == (deal.id, found.new.id)
    assert amended.carried == found.money.carried == (72_000 + 36_000) * UNITS
    assert [escrow.balance(usdc, who.address) for who in (BUYER, SUPPLIER)] == before
    assert escrow.status(found.new).held == found.money.carried
    assert [state.status for state in escrow.states(deal)] == [Status.SETTLED] * 5
    assert shown(escrow, deal)
    assert shown(escrow, found.new)
    assert found.new.agreement.index("packed") == 1
    with pytest.raises(UsageError, match="stayed with the version"):
        escrow.acting_as(BUYER).fund(found.new, ["deposit"])


def test_the_sender_pays_what_is_missing_by_permit(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    found = order(deal, later(deal), "departed")
    assert found.money.pulled == 60_000 * UNITS
    acting, usdc = escrow.acting_as(BUYER), deal.token
    before = escrow.balance(usdc, BUYER.address)
    with pytest.raises(ContractError, match="must allow the amount first"):
        acting.amend(deal, found.amendment, sign(escrow, found, SUPPLIER), how="allowance")
    acting.amend(deal, found.amendment, sign(escrow, found, SUPPLIER))
    assert escrow.balance(usdc, BUYER.address) == before - 60_000 * UNITS
    assert escrow.states(found.new)[2].status is Status.FUNDED


def test_a_cheaper_deal_gives_money_back(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    text = (EXAMPLE / "agreement.yaml").read_text()
    cheaper = (
        text.replace('"240,000.00 USDC"', '"230,000.00 USDC"')
        .replace("deposit: 10 %", 'deposit: "24,000.00"')
        .replace("pays: 30 %", 'pays: "62,000.00"')
        .replace("pays: 15 %", 'pays: "36,000.00"')
        .replace("pays: 25 %", 'pays: "60,000.00"')
        .replace("pays: 20 %", "pays: rest")
    )
    assert cheaper != text
    found = order(deal, cheaper)
    assert found.money.returned == 10_000 * UNITS
    before = escrow.balance(deal.token, BUYER.address)
    escrow.acting_as(SUPPLIER).amend(deal, found.amendment, sign(escrow, found, BUYER))
    assert escrow.balance(deal.token, BUYER.address) == before + 10_000 * UNITS
    assert escrow.status(found.new).held == 98_000 * UNITS


def test_who_bought_a_receivable_signs_too(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    factor = DevSigner(8)
    escrow.acting_as(SUPPLIER).assign(deal, "packed", factor.address)
    kept = order(deal, later(deal, "departed"))
    assert (kept.stays, kept.signers[2:]) == (("packed",), ())
    moved = order(deal, later(deal))
    assert moved.signers == (BUYER.address, SUPPLIER.address, factor.address)
    acting = escrow.acting_as(BUYER)
    with pytest.raises(UsageError, match=f"{factor.address} has not signed the change order"):
        acting.amend(deal, moved.amendment, sign(escrow, moved, SUPPLIER))
    acting.amend(deal, moved.amendment, sign(escrow, moved, SUPPLIER, factor))
    # Money moves, assignments do not.
    assert escrow.status(moved.new).milestones[1].payee == SUPPLIER.address


def test_what_is_under_way_is_decided_by_the_old_version(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    inspector = DevSigner(3)
    what = escrow.attestation(deal, "manufactured")
    data = what.typed_data(escrow.domain)
    escrow.acting_as(inspector).attest(deal, what, [inspector.sign_typed_data(data)])
    found = order(deal, later(deal))
    assert found.stays == ("manufactured",)
    escrow.acting_as(BUYER).amend(deal, found.amendment, sign(escrow, found, SUPPLIER))
    assert escrow.states(deal)[1].status is Status.RELEASE_PENDING
    escrow.chain.warp(2 * DAY)
    escrow.acting_as(BUYER).finalize(deal, "manufactured")
    assert shown(escrow, deal)
    paid = [event for event in escrow.history(found.new) if isinstance(event, MilestonePaid)]
    assert sum(event.to_payee for event in paid) == (24_000 + 72_000) * UNITS


def test_a_part_that_was_paid_is_not_paid_again(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    escrow.acting_as(BUYER).approve(deal, "manufactured", 20_000 * UNITS)
    found = order(deal, later(deal))
    assert (found.money.pulled, found.money.returned) == (0, 0)
    escrow.acting_as(BUYER).amend(deal, found.amendment, sign(escrow, found, SUPPLIER))
    assert escrow.status(found.new).milestones[0].held == 52_000 * UNITS
    escrow.acting_as(BUYER).approve(found.new, "manufactured")
    assert escrow.balance(deal.token, SUPPLIER.address) == (24_000 + 72_000) * UNITS


def test_history_goes_back_through_all_versions(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    acting, versions = escrow.acting_as(BUYER), [deal]
    for day in (5, 6, 7):
        text = extend(versions[-1].agreement, "packed", datetime.date(2027, 4, day))
        found = order(versions[-1], text)
        acting.amend(versions[-1], found.amendment, sign(escrow, found, SUPPLIER))
        versions.append(found.new)
    ids = tuple(version.id for version in versions)
    for version in versions:
        assert escrow.versions(version) == ids
    told = escrow.history(versions[2])
    places = [(event.place.block, event.place.log_index) for event in told]
    assert places == sorted(set(places))
    opened = [event.agreement_id for event in told if isinstance(event, AgreementOpened)]
    assert opened == list(ids[:3])
    assert [e.agreement_id for e in told if isinstance(e, AgreementAmended)] == list(ids[1:])
    assert escrow.history(deal) == escrow.events(deal)
    assert escrow.versions(b"\1" * 32) == (b"\1" * 32,)
    assert all(shown(escrow, version) for version in versions)


def test_a_change_order_that_will_not_do_says_why(
    escrow: Escrow, deal: BoundAgreement, order: Callable[..., ChangeOrder]
) -> None:
    acting, found = escrow.acting_as(BUYER), order(deal, later(deal))
    with pytest.raises(UsageError, match="about another agreement"):
        acting.amend(found.new, found.amendment)
    with pytest.raises(UsageError, match=r"the supplier, Rajwada .* has not signed"):
        acting.amend(deal, found.amendment)
    forged = {SUPPLIER.address: next(iter(sign(escrow, found, DevSigner(9)).values()))}
    with pytest.raises(ContractError, match="not a signature of the supplier"):
        acting.amend(deal, found.amendment, forged)
    signatures = sign(escrow, found, SUPPLIER)
    escrow.chain.warp(8 * DAY)
    with pytest.raises(ContractError, match="was valid until"):
        acting.amend(deal, found.amendment, signatures)
    long = replace(found, amendment=replace(found.amendment, valid_until=2**40))
    escrow.chain.set_time(found.new.milestones[0].deadline + DAY)
    with pytest.raises(ContractError, match="new milestone 1: deadline is 14 Apr 2027"):
        acting.amend(deal, long.amendment, sign(escrow, long, SUPPLIER))
