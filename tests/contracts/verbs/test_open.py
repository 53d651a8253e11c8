"""open: both parties consent to terms within bounds; tokens come from the caller only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from milestone_escrow.errors import TermsError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import (
    DAY,
    MAX_HORIZON,
    MAX_PERIOD,
    Milestone,
    validate_terms,
)
from tests.contracts.support.contract import Refused, bytes32, refuses
from tests.contracts.support.deal import AMOUNT, Deal, make_milestone, verifier_names
from tests.contracts.support.evm import GENESIS, Reverted
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account

MAX_AMOUNT = 2**128 - 1
HORIZON = GENESIS + MAX_HORIZON


def test_opens_by_the_buyer_with_the_suppliers_signature(world: World) -> None:
    deal = world.deal()
    outcome = world.open(deal)
    assert outcome.answer == deal.id
    assert world.escrow.call("isOpen", deal.id)
    assert world.state(deal).status is Status.UNFUNDED


def test_opens_by_the_supplier_with_the_buyers_signature(world: World) -> None:
    deal = world.deal()
    world.open(deal, by="supplier", buyer=person("buyer").sign(deal.typed_data), supplier=b"")
    assert world.escrow.call("isOpen", deal.id)


def test_opens_by_a_stranger_with_both_signatures(world: World) -> None:
    deal = world.deal()
    world.open(deal, by="stranger", buyer=person("buyer").sign(deal.typed_data))
    assert world.escrow.call("isOpen", deal.id)


def test_the_event_holds_everything_that_was_signed(world: World) -> None:
    milestones = (make_milestone(), make_milestone(amount=7, deadline=0, pays_on_silence=True))
    deal = world.deal(*milestones, fee_bps=50, fee_recipient=account("broker"))
    outcome = world.open(deal)
    assert outcome.names == ["AgreementOpened"]
    assert outcome.event("AgreementOpened") == {
        "agreementId": deal.id,
        "buyer": deal.terms.buyer,
        "supplier": deal.terms.supplier,
        "terms": deal.abi_terms,
        "milestones": tuple(deal.abi_milestones),
    }


def test_funds_the_chosen_milestones_from_the_caller(world: World) -> None:
    deal = world.deal(make_milestone(), make_milestone(amount=5), make_milestone(amount=7))
    before = world.balance("buyer")
    outcome = world.open(deal, 0b101)
    assert outcome.names == ["AgreementOpened", "MilestonesFunded"]
    assert outcome.event("MilestonesFunded") == {
        "agreementId": deal.id,
        "funder": account("buyer"),
        "milestones": 0b101,
        "amount": AMOUNT + 7,
    }
    assert before - world.balance("buyer") == AMOUNT + 7
    assert [world.state(deal, i).status for i in range(3)] == [
        Status.FUNDED,
        Status.UNFUNDED,
        Status.FUNDED,
    ]


def test_consent_never_moves_money(world: World) -> None:
    """The buyer signed and approved tokens, a stranger opens and funds: the stranger pays."""
    deal = world.deal()
    signed = person("buyer").sign(deal.typed_data)
    with pytest.raises(Reverted):
        world.open(deal, deal.all, by="stranger", buyer=signed)
    before = world.balance("buyer")
    world.open(deal, by="stranger", buyer=signed)
    assert world.balance("buyer") == before


def test_on_an_open_agreement_it_goes_on_to_funding_without_signatures(world: World) -> None:
    deal = world.opened()
    outcome = world.open(deal, deal.all, supplier=b"")
    assert outcome.names == ["MilestonesFunded"]
    assert world.state(deal).status is Status.FUNDED


def test_nobody_makes_it_fail_by_opening_and_funding_first(world: World) -> None:
    deal = world.deal(make_milestone(), make_milestone())
    world.token.send("mint", account("stranger"), AMOUNT)
    world.token.send("approve", world.escrow.address, AMOUNT, by=account("stranger"))
    world.open(deal, 0b01, by="stranger", buyer=person("buyer").sign(deal.typed_data))
    outcome = world.open(deal, 0b11)
    assert outcome.event("MilestonesFunded")["milestones"] == 0b10
    assert [world.state(deal, i).status for i in (0, 1)] == [Status.FUNDED, Status.FUNDED]


def test_does_nothing_where_all_chosen_milestones_are_funded(world: World) -> None:
    deal = world.funded()
    before = world.balance("buyer")
    assert world.open(deal, deal.all).events == ()
    assert world.balance("buyer") == before


def test_never_reopens_what_is_settled(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation())
    assert world.open(deal, deal.all).events == ()
    assert world.state(deal).status is Status.SETTLED


@pytest.mark.parametrize("opened", [False, True])
def test_refuses_milestones_that_do_not_exist(world: World, opened: bool) -> None:
    deal = world.opened() if opened else world.deal()
    with refuses("UnknownMilestones", asked=0b10, count=1):
        world.open(deal, 0b10)


@pytest.mark.parametrize("opened", [False, True])
def test_refuses_the_highest_bit_as_a_milestone(world: World, opened: bool) -> None:
    deal = world.opened() if opened else world.deal()
    with refuses("UnknownMilestones", asked=2**255, count=1):
        world.open(deal, 2**255)


def test_refuses_without_the_buyers_consent(world: World) -> None:
    deal = world.deal()
    with refuses("NotAuthorized", caller=account("supplier"), allowed=deal.terms.buyer):
        world.open(deal, by="supplier")


def test_refuses_without_the_suppliers_consent(world: World) -> None:
    deal = world.deal()
    with refuses("NotAuthorized", caller=account("buyer"), allowed=deal.terms.supplier):
        world.open(deal, supplier=b"")


def test_refuses_a_consent_to_other_terms(world: World) -> None:
    cheap, dear = world.deal(), world.deal(make_milestone(amount=AMOUNT + 1))
    signed = person("supplier").sign(dear.typed_data)
    with refuses("InvalidSignature", signer=cheap.terms.supplier, digest=cheap.typed_data.digest()):
        world.open(cheap, supplier=signed)


def test_refuses_the_parties_signatures_swapped(world: World) -> None:
    deal = world.deal()
    buyer, supplier = (person(name).sign(deal.typed_data) for name in ("buyer", "supplier"))
    with refuses("InvalidSignature", signer=deal.terms.buyer, digest=deal.typed_data.digest()):
        world.open(deal, by="stranger", buyer=supplier, supplier=buyer)


Change = Callable[[World], Deal]


def _terms(**changes: Any) -> Change:
    return lambda world: world.deal(**changes)


def _milestone(**changes: Any) -> Change:
    return lambda world: world.deal(make_milestone(), make_milestone(**changes))


def _named(**names: str) -> Change:
    return lambda world: world.deal(**{role: account(name) for role, name in names.items()})


def _escrow_as(role: str) -> Change:
    return lambda world: world.deal(**{role: world.escrow.address})


def _verifiers(*names: str, **changes: Any) -> Change:
    accounts = tuple(account(name) for name in names)
    return lambda world: world.deal(
        make_milestone(verifier_set=0, quorum=0), verifiers=accounts, **changes
    )


FIRST, SECOND, THIRD = verifier_names()
ALLOWED: dict[str, Change] = {
    "no objection period": _terms(objection_period=0),
    "longest objection period": _terms(objection_period=MAX_PERIOD),
    "no review period": _terms(review_period=0),
    "shortest review period": _terms(review_period=3 * DAY),
    "longest review period": _terms(review_period=MAX_PERIOD),
    "shortest arbitration period": _terms(arbitration_period=3 * DAY),
    "longest arbitration period": _terms(arbitration_period=MAX_PERIOD),
    "default share of nothing": _terms(default_payee_bps=0),
    "default share of everything": _terms(default_payee_bps=10_000),
    "highest fee": _terms(fee_bps=1_000, fee_recipient=person("broker").address),
    "a recipient without a fee": _terms(fee_recipient=person("broker").address),
    "no arbiter": _terms(arbiter=ZERO_ADDRESS),
    "buyer as a verifier": _verifiers("buyer"),
    "no verifiers": _verifiers(),
    "32 verifiers": lambda world: world.deal(
        make_milestone(verifier_set=2**32 - 1, quorum=32), verifiers=_ascending(32)
    ),
    "1 milestone": lambda world: world.deal(make_milestone()),
    "60 milestones": lambda world: world.deal(*[make_milestone(amount=1)] * 60),
    "amount of one unit": _milestone(amount=1),
    "highest amount": _milestone(amount=MAX_AMOUNT),
    "deadline in a second": _milestone(deadline=GENESIS + 1),
    "deadline at the horizon": _milestone(deadline=HORIZON),
    "a deposit": _milestone(deadline=0, pays_on_silence=True),
    "no verifier set": _milestone(verifier_set=0, quorum=0),
    "quorum of one": _milestone(verifier_set=0b100, quorum=1),
    "quorum of all": _milestone(verifier_set=0b111, quorum=3),
}


def _ascending(count: int) -> tuple[str, ...]:
    return tuple(f"0x{i:040x}" for i in range(1, count + 1))


def _bound(term: str, asked: int, low: int, high: int) -> tuple[str, dict[str, Any]]:
    values = {"term": bytes32(term), "asked": asked, "atLeast": low, "atMost": high}
    return "TermOutOfBounds", values


def _milestone_bound(term: str, asked: int, low: int, high: int) -> tuple[str, dict[str, Any]]:
    return "MilestoneOutOfBounds", {"milestone": 1, **_bound(term, asked, low, high)[1]}


def _role(role: str, who: str) -> tuple[str, dict[str, Any]]:
    return "RoleNotAllowed", {"role": bytes32(role), "account": who}


def _size(count: int) -> tuple[str, dict[str, Any]]:
    return _bound("milestones", count, 1, 60)


REFUSED: dict[str, tuple[Change, tuple[str, dict[str, Any]]]] = {
    "objection period": (
        _terms(objection_period=MAX_PERIOD + 1),
        _bound("objectionPeriod", MAX_PERIOD + 1, 0, MAX_PERIOD),
    ),
    "review period too short": (
        _terms(review_period=3 * DAY - 1),
        _bound("reviewPeriod", 3 * DAY - 1, 3 * DAY, MAX_PERIOD),
    ),
    "review period": (
        _terms(review_period=MAX_PERIOD + 1),
        _bound("reviewPeriod", MAX_PERIOD + 1, 3 * DAY, MAX_PERIOD),
    ),
    "arbitration period too short": (
        _terms(arbitration_period=3 * DAY - 1),
        _bound("arbitrationPeriod", 3 * DAY - 1, 3 * DAY, MAX_PERIOD),
    ),
    "arbitration period too long": (
        _terms(arbitration_period=MAX_PERIOD + 1),
        _bound("arbitrationPeriod", MAX_PERIOD + 1, 3 * DAY, MAX_PERIOD),
    ),
    "default share": (
        _terms(default_payee_bps=10_001),
        _bound("defaultPayeeBps", 10_001, 0, 10_000),
    ),
    "fee": (
        _terms(fee_bps=1_001, fee_recipient=person("broker").address),
        _bound("feeBps", 1_001, 0, 1_000),
    ),
    "no milestones": (lambda world: Deal(world.domain, world.deal().terms, ()), _size(0)),
    "61 milestones": (lambda world: world.deal(*[make_milestone()] * 61), _size(61)),
    "33 verifiers": (
        lambda world: world.deal(verifiers=_ascending(33)),
        _bound("verifiers", 33, 0, 32),
    ),
    "no buyer": (_terms(buyer=ZERO_ADDRESS), _role("buyer", ZERO_ADDRESS)),
    "no supplier": (_terms(supplier=ZERO_ADDRESS), _role("supplier", ZERO_ADDRESS)),
    "buyer is supplier": (_named(supplier="buyer"), _role("supplier", account("buyer"))),
    "no token": (
        lambda world: replace(world.deal(), terms=replace(world.deal().terms, token=ZERO_ADDRESS)),
        _role("token", ZERO_ADDRESS),
    ),
    "arbiter is buyer": (_named(arbiter="buyer"), _role("arbiter", account("buyer"))),
    "arbiter is supplier": (_named(arbiter="supplier"), _role("arbiter", account("supplier"))),
    "arbiter is a verifier": (_named(arbiter=SECOND), _role("verifier", account(SECOND))),
    "fee without recipient": (_terms(fee_bps=1), _role("feeRecipient", ZERO_ADDRESS)),
    "verifiers descend": (_verifiers(SECOND, FIRST), _role("verifier", account(FIRST))),
    "verifier twice": (_verifiers(FIRST, FIRST), _role("verifier", account(FIRST))),
    "zero verifier": (_verifiers(ZERO_ADDRESS, FIRST), _role("verifier", ZERO_ADDRESS)),
    "zero amount": (_milestone(amount=0), _milestone_bound("amount", 0, 1, MAX_AMOUNT)),
    "deadline now": (
        _milestone(deadline=GENESIS),
        _milestone_bound("deadline", GENESIS, GENESIS + 1, HORIZON),
    ),
    "deadline beyond the horizon": (
        _milestone(deadline=HORIZON + 1),
        _milestone_bound("deadline", HORIZON + 1, GENESIS + 1, HORIZON),
    ),
    "no deadline and no deposit": (
        _milestone(deadline=0),
        _milestone_bound("deadline", 0, GENESIS + 1, HORIZON),
    ),
    "unknown verifier in a set": (
        _milestone(verifier_set=0b1000, quorum=1),
        _milestone_bound("verifierSet", 0b1000, 0, 0b111),
    ),
    "quorum of none": (_milestone(quorum=0), _milestone_bound("quorum", 0, 1, 3)),
    "quorum above its set": (
        _milestone(verifier_set=0b101, quorum=3),
        _milestone_bound("quorum", 3, 1, 2),
    ),
    "quorum without a set": (
        _milestone(verifier_set=0, quorum=1),
        _milestone_bound("quorum", 1, 0, 0),
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allows_what_is_just_within_bounds(world: World, case: str) -> None:
    deal = ALLOWED[case](world)
    world.open(deal)
    assert world.escrow.call("isOpen", deal.id)
    validate_terms(deal.terms, deal.milestones, contract=world.escrow.address, now=world.now)


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_is_just_out_of_bounds(world: World, case: str) -> None:
    change, (error, values) = REFUSED[case]
    deal = change(world)
    with refuses(error, **values):
        world.open(deal)
    assert not world.escrow.call("isOpen", deal.id)
    with pytest.raises(TermsError):
        validate_terms(deal.terms, deal.milestones, contract=world.escrow.address, now=world.now)


@pytest.mark.parametrize("role", ["buyer", "supplier", "token", "arbiter", "fee_recipient"])
def test_refuses_the_contract_itself_in_a_role(world: World, role: str) -> None:
    deal = world.deal()
    deal = replace(deal, terms=replace(deal.terms, **{role: world.escrow.address}))
    name = "feeRecipient" if role == "fee_recipient" else role
    with refuses("RoleNotAllowed", role=bytes32(name), account=world.escrow.address):
        world.open(deal)
    with pytest.raises(TermsError):
        validate_terms(deal.terms, deal.milestones, contract=world.escrow.address, now=world.now)


def test_refuses_the_contract_itself_as_a_verifier(world: World) -> None:
    deal = world.deal(make_milestone(verifier_set=1, quorum=1), verifiers=(world.escrow.address,))
    with refuses("RoleNotAllowed", role=bytes32("verifier"), account=world.escrow.address):
        world.open(deal)


@pytest.mark.parametrize(
    ("word", "of_milestone"),
    [(0, False), (1, False), (2, False), (3, False), *[(w, False) for w in range(5, 11)]]
    + [(word, True) for word in range(5)],
)
def test_refuses_words_with_dirty_upper_bits(world: World, word: int, of_milestone: bool) -> None:
    """They would hash to an id whose terms no later call could be read by."""
    deal = world.deal()
    clean = _opening(world, deal)
    world.chain.call(world.escrow.address, clean, account("buyer"))
    data = bytearray(clean)
    # The arguments' heads are 5 words; the terms' offset is the first, the milestones' the second.
    head = 4 + int.from_bytes(data[4 + 32 * of_milestone : 36 + 32 * of_milestone], "big")
    position = head + 32 * (of_milestone + word)
    data[position] = 0x80
    dirty = bytes(data)
    with pytest.raises(Reverted):
        world.chain.send(account("buyer"), world.escrow.address, dirty)


def _opening(world: World, deal: Deal) -> bytes:
    """Calldata by which the buyer opens, the supplier being a wallet that signs anything."""
    wallet = world.deploy("HostileWallet", 0)
    willing = replace(deal, terms=replace(deal.terms, supplier=wallet.address))
    world.open(willing, supplier=b"\x01")
    fresh = replace(willing, terms=replace(willing.terms, salt=2))
    arguments = (fresh.abi_terms, fresh.abi_milestones, 0, b"", b"\x01")
    return world.escrow.data("open", *arguments)


def test_a_bad_bound_is_named_before_a_bad_signature(world: World) -> None:
    deal = world.deal(make_milestone(amount=0))
    with pytest.raises(Refused, match="MilestoneOutOfBounds"):
        world.open(deal, supplier=b"")


def test_a_milestone_can_be_funded_until_a_second_before_its_deadline(world: World) -> None:
    deal = world.opened(make_milestone())
    world.now = deal.milestones[0].deadline - 1
    world.open(deal, deal.all)
    assert world.state(deal).status is Status.FUNDED


def test_refuses_funding_at_the_deadline(world: World) -> None:
    deal = world.opened()
    end = world.now = deal.milestones[0].deadline
    with refuses("TooLate", nowAt=end, end=end):
        world.open(deal, deal.all)


def test_two_salts_make_two_agreements(world: World) -> None:
    first, second = world.opened(salt=1), world.opened(salt=2)
    assert first.id != second.id
    world.fund(first, 1)
    assert world.state(second).status is Status.UNFUNDED


def test_a_milestone_of_each_kind_can_stand_beside_the_others(world: World) -> None:
    kinds: tuple[Milestone, ...] = (
        make_milestone(deadline=0, pays_on_silence=True),
        make_milestone(pays_on_silence=True, verifier_set=0, quorum=0),
        make_milestone(),
    )
    deal = world.funded(*kinds)
    assert [world.state(deal, i).status for i in range(3)] == [
        Status.SETTLED,
        Status.FUNDED,
        Status.FUNDED,
    ]
