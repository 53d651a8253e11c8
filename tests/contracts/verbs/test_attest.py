"""attest: a quorum of the milestone's verifiers decides, in full, in part, or against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, EVIDENCE, Deal, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.statuses import OBJECTION, reach
from tests.contracts.support.world import World, account

REJECTED = Verdict.REJECTED


def test_pays_at_once_without_an_objection_period(world: World) -> None:
    deal = world.funded()
    outcome = world.attest(deal, deal.attestation(), 0b101)
    assert world.state(deal).status is Status.SETTLED
    assert world.balance("supplier") == AMOUNT
    assert outcome.names == ["MilestoneAttested", "MilestonePaid"]
    assert outcome.event("MilestoneAttested") == {
        "agreementId": deal.id,
        "milestone": 0,
        "verdict": 1,
        "amount": AMOUNT,
        "evidenceHash": EVIDENCE,
        "issuedAt": GENESIS,
        "signers": 0b101,
        "clock": GENESIS,
    }
    assert outcome.event("MilestonePaid") == {
        "agreementId": deal.id,
        "milestone": 0,
        "payee": account("supplier"),
        "toPayee": AMOUNT,
        "fee": 0,
        "toBuyer": 0,
    }


def test_takes_the_fee_out_of_the_payees_part(world: World) -> None:
    deal = world.funded(fee_bps=123, fee_recipient=account("broker"))
    outcome = world.attest(deal, deal.attestation(amount=999_999_999))
    fee = 999_999_999 * 123 // 10_000
    assert (world.balance("supplier"), world.balance("broker")) == (999_999_999 - fee, fee)
    paid = outcome.event("MilestonePaid")
    assert (paid["toPayee"], paid["fee"], paid["toBuyer"]) == (999_999_999 - fee, fee, 0)


def test_starts_the_objection_period(world: World) -> None:
    deal = world.funded(objection_period=OBJECTION)
    outcome = world.attest(deal, deal.attestation(amount=5))
    assert outcome.names == ["MilestoneAttested"]
    assert outcome.event("MilestoneAttested")["clock"] == GENESIS + OBJECTION
    state = world.state(deal)
    assert state.status is Status.RELEASE_PENDING
    assert (state.clock, state.pending, state.paid) == (GENESIS + OBJECTION, 5, 0)
    assert (state.issued_at, state.epoch) == (GENESIS, 1)


@pytest.mark.parametrize(
    ("objection", "effect"),
    [(0, 3 * DAY), (3 * DAY - 1, 3 * DAY), (3 * DAY + 1, 3 * DAY + 1), (9 * DAY, 9 * DAY)],
)
def test_a_rejection_waits_three_days_at_least(world: World, objection: int, effect: int) -> None:
    deal = world.funded(objection_period=objection)
    outcome = world.attest(deal, deal.attestation(verdict=REJECTED))
    assert outcome.event("MilestoneAttested")["clock"] == GENESIS + effect
    assert outcome.event("MilestoneAttested")["amount"] == 0
    state = world.state(deal)
    assert (state.status, state.clock, state.pending) == (
        Status.REFUND_PENDING,
        GENESIS + effect,
        0,
    )


def test_certifies_cumulatively_in_parts(world: World) -> None:
    deal = world.funded()
    for step, certified in enumerate((300, 301, AMOUNT), start=1):
        world.now = GENESIS + step
        world.attest(deal, deal.attestation(amount=certified, issued_at=world.now))
        assert world.balance("supplier") == certified
    assert world.state(deal).status is Status.SETTLED


def test_a_part_leaves_the_milestone_funded(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(amount=400))
    state = world.state(deal)
    assert (state.status, state.paid, state.pending) == (Status.FUNDED, 400, 0)
    assert (state.issued_at, state.epoch) == (GENESIS, 1)


@pytest.mark.parametrize("amount", [0, 300])
def test_certifies_more_than_was_paid(world: World, amount: int) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(amount=300, issued_at=GENESIS - 1))
    with refuses("AmountOutOfBounds", asked=amount, atLeast=301, atMost=AMOUNT):
        world.attest(deal, deal.attestation(amount=amount))


def test_certifies_at_most_the_whole_amount(world: World) -> None:
    deal = world.funded()
    with refuses("AmountOutOfBounds", asked=AMOUNT + 1, atLeast=1, atMost=AMOUNT):
        world.attest(deal, deal.attestation(amount=AMOUNT + 1))


def test_a_rejection_certifies_nothing(world: World) -> None:
    deal = world.funded()
    with refuses("AmountOutOfBounds", asked=1, atLeast=0, atMost=0):
        world.attest(deal, deal.attestation(verdict=REJECTED, amount=1))


@pytest.mark.parametrize("verdict", [0, 3, 4, 255])
def test_refuses_every_other_verdict(world: World, verdict: int) -> None:
    deal = world.funded()
    attestation = deal.attestation(verdict=verdict)
    with refuses("VerdictNotAllowed", verdict=verdict):
        world.attest(deal, attestation)


def test_a_return_for_rework_leaves_the_milestone_as_it_is(world: World) -> None:
    deal = world.funded()
    with refuses("VerdictNotAllowed", verdict=3):
        world.attest(deal, deal.attestation(verdict=Verdict.RETURNED, issued_at=GENESIS - 1))
    world.attest(deal, deal.attestation())
    assert world.state(deal).status is Status.SETTLED


def test_a_later_attestation_replaces_a_pending_release(world: World) -> None:
    deal = reach(world, Status.RELEASE_PENDING)
    world.now = GENESIS + 100
    world.attest(deal, deal.attestation(amount=7, issued_at=GENESIS))
    state = world.state(deal)
    assert (state.status, state.pending) == (Status.RELEASE_PENDING, 7)
    assert state.clock == GENESIS + 100 + OBJECTION


def test_a_later_rejection_replaces_a_pending_release(world: World) -> None:
    deal = reach(world, Status.RELEASE_PENDING)
    world.attest(deal, deal.attestation(verdict=REJECTED))
    state = world.state(deal)
    assert (state.status, state.pending) == (Status.REFUND_PENDING, 0)


def test_a_later_acceptance_replaces_a_pending_refund(world: World) -> None:
    """A failed check does not end the milestone: the goods pass after rework."""
    deal = reach(world, Status.REFUND_PENDING)
    world.attest(deal, deal.attestation())
    state = world.state(deal)
    assert (state.status, state.pending) == (Status.RELEASE_PENDING, AMOUNT)


def test_a_pending_refund_is_replaced_by_payment_without_an_objection_period(
    world: World,
) -> None:
    deal = reach(world, Status.REFUND_PENDING, objection_period=0)
    world.attest(deal, deal.attestation())
    assert world.balance("supplier") == AMOUNT
    assert world.state(deal).status is Status.SETTLED


def test_verifiers_decide_a_submission_early(world: World) -> None:
    deal = reach(world, Status.SUBMITTED, objection_period=0)
    world.attest(deal, deal.attestation())
    assert world.balance("supplier") == AMOUNT


def test_verifiers_decide_a_dispute_before_a_verdict(world: World) -> None:
    deal = reach(world, Status.DISPUTED_BEFORE_VERDICT, objection_period=0)
    world.now = DEADLINE + 1
    world.attest(deal, deal.attestation())
    assert world.balance("supplier") == AMOUNT


def test_a_part_in_a_late_dispute_leaves_the_rest_to_silence(world: World) -> None:
    deal = reach(world, Status.DISPUTED_BEFORE_VERDICT, objection_period=0)
    world.now = DEADLINE + 1
    world.attest(deal, deal.attestation(amount=400))
    state = world.state(deal)
    assert (state.status, state.clock) == (Status.FUNDED, world.now + 3 * DAY)
    before = world.balance("buyer")
    with refuses("TooEarly", nowAt=world.now, end=state.clock):
        world.finalize(deal)
    world.now = state.clock
    world.finalize(deal)
    assert world.balance("buyer") - before == AMOUNT - 400


@pytest.mark.parametrize(("issued_at", "after"), [(GENESIS - 10, 0), (1, 0), (GENESIS, 0)])
def test_takes_whatever_was_issued_before_or_now(world: World, issued_at: int, after: int) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(issued_at=issued_at))
    assert world.state(deal).status is Status.SETTLED


def test_refuses_an_attestation_from_the_future(world: World) -> None:
    deal = world.funded()
    with refuses("IssuedAtOutOfBounds", issuedAt=GENESIS + 1, after_=0, atMost=GENESIS):
        world.attest(deal, deal.attestation(issued_at=GENESIS + 1))


def test_refuses_an_attestation_from_the_far_future(world: World) -> None:
    """Its time must not wrap around in the 32 bits that are kept of it."""
    deal = world.funded()
    issued = 2**32 + 1
    with refuses("IssuedAtOutOfBounds", issuedAt=issued, after_=0, atMost=GENESIS):
        world.attest(deal, deal.attestation(issued_at=issued))


def test_refuses_an_attestation_without_a_time(world: World) -> None:
    deal = world.funded()
    with refuses("IssuedAtOutOfBounds", issuedAt=0, after_=0, atMost=GENESIS):
        world.attest(deal, deal.attestation(issued_at=0))


@pytest.mark.parametrize("issued_at", [GENESIS - 5, GENESIS - 6])
def test_refuses_what_is_not_newer_than_the_last(world: World, issued_at: int) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(amount=1, issued_at=GENESIS - 5))
    with refuses("IssuedAtOutOfBounds", issuedAt=issued_at, after_=GENESIS - 5, atMost=GENESIS):
        world.attest(deal, deal.attestation(issued_at=issued_at))


def test_works_until_the_last_second_of_its_validity(world: World) -> None:
    deal = world.funded()
    world.now = GENESIS + 60
    world.attest(deal, deal.attestation(valid_until=GENESIS + 60))
    assert world.state(deal).status is Status.SETTLED


def test_refuses_an_expired_attestation(world: World) -> None:
    deal = world.funded()
    world.now = GENESIS + 61
    with refuses("SignatureExpired", validUntil=GENESIS + 60, nowAt=GENESIS + 61):
        world.attest(deal, deal.attestation(valid_until=GENESIS + 60))


def test_refuses_an_attestation_about_another_milestone(world: World) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    attestation = deal.attestation(1)
    with refuses(
        "AttestationMismatch",
        agreementId=deal.id,
        milestone=1,
        expectedId=deal.id,
        expectedMilestone=0,
    ):
        world.attest(deal, attestation, index=0)


def test_refuses_an_attestation_about_another_agreement(world: World) -> None:
    deal, other = world.funded(salt=1), world.funded(salt=2)
    with refuses(
        "AttestationMismatch",
        agreementId=other.id,
        milestone=0,
        expectedId=deal.id,
        expectedMilestone=0,
    ):
        world.attest(deal, other.attestation())


def test_refuses_too_few_signers(world: World) -> None:
    deal = world.funded()
    with refuses("QuorumNotReached", signers=1, quorum=2):
        world.attest(deal, deal.attestation(), 0b010)


def test_takes_more_signers_than_the_quorum(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(), 0b111)
    assert world.state(deal).status is Status.SETTLED


def test_refuses_without_any_signer(world: World) -> None:
    deal = world.funded()
    with refuses("QuorumNotReached", signers=0, quorum=2):
        world.attest(deal, deal.attestation(), 0)


def test_where_there_are_no_verifiers_nobody_attests(world: World) -> None:
    deal = world.funded(make_milestone(verifier_set=0, quorum=0))
    with refuses("QuorumNotReached", signers=0, quorum=0):
        world.attest(deal, deal.attestation(), 0)
    with refuses("SignersNotAllowed", signers=0b1, verifierSet=0):
        world.attest(deal, deal.attestation(), 0b1)


@pytest.mark.parametrize("signers", [0b111, 0b110, 0b1011, 1 << 32, 1 << 255])
def test_refuses_signers_outside_the_milestones_set(world: World, signers: int) -> None:
    deal = world.funded(make_milestone(verifier_set=0b011))
    with refuses("SignersNotAllowed", signers=signers, verifierSet=0b011):
        world.attest(deal, deal.attestation(), signers)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_refuses_too_few_and_too_many_signatures(world: World, count: int) -> None:
    deal = world.funded()
    attestation = deal.attestation()
    signatures = (world.signatures(deal, attestation, 0b111))[:count]
    with refuses("SignatureCountMismatch", signatures=count, signers=2):
        world.attest(deal, attestation, 0b011, signatures=signatures)


def test_refuses_signatures_in_the_wrong_order(world: World) -> None:
    deal = world.funded()
    attestation = deal.attestation()
    first, second = world.signatures(deal, attestation, 0b011)
    with refuses("InvalidSignature", signer=deal.terms.verifiers[0], digest=_digest(world, deal)):
        world.attest(deal, attestation, 0b011, signatures=[second, first])


def test_counts_no_signer_twice(world: World) -> None:
    deal = world.funded()
    attestation = deal.attestation()
    (signature,) = world.signatures(deal, attestation, 0b001)
    with refuses("InvalidSignature", signer=deal.terms.verifiers[1], digest=_digest(world, deal)):
        world.attest(deal, attestation, 0b011, signatures=[signature, signature])


def test_refuses_a_strangers_signature(world: World) -> None:
    deal = world.funded()
    attestation = deal.attestation()
    (good,) = world.signatures(deal, attestation, 0b001)
    foreign = person("stranger").sign(attestation.typed_data(world.domain))
    with refuses("InvalidSignature", signer=deal.terms.verifiers[1], digest=_digest(world, deal)):
        world.attest(deal, attestation, 0b011, signatures=[good, foreign])


@pytest.mark.parametrize(
    "change",
    [
        {"amount": AMOUNT - 1},
        {"evidence_hash": b"\0" * 32},
        {"issued_at": GENESIS - 1},
        {"valid_until": GENESIS + 1},
    ],
)
def test_refuses_an_attestation_that_differs_from_what_was_signed(
    world: World, change: dict[str, object]
) -> None:
    deal = world.funded()
    signed = deal.attestation()
    changed = replace(signed, **change)  # type: ignore[arg-type]
    signatures = world.signatures(deal, signed, 0b011)
    digest = changed.typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=deal.terms.verifiers[0], digest=digest):
        world.attest(deal, changed, 0b011, signatures=signatures)


def test_all_thirty_two_verifiers_sign_in_order(world: World) -> None:
    crew = sorted((person(f"verifier {i}") for i in range(32)), key=lambda p: int(p.address, 16))
    deal = world.funded(
        make_milestone(verifier_set=2**32 - 1, quorum=32),
        verifiers=tuple(member.address for member in crew),
    )
    attestation = deal.attestation()
    signatures = [member.sign(attestation.typed_data(world.domain)) for member in crew]
    world.attest(deal, attestation, 2**32 - 1, signatures=signatures)
    assert world.state(deal).status is Status.SETTLED


def test_refuses_terms_that_were_not_opened(world: World) -> None:
    deal = world.funded()
    wrong = replace(deal, terms=replace(deal.terms, objection_period=1))
    with refuses("AgreementNotOpen", agreementId=wrong.id):
        world.attest(wrong, wrong.attestation())


def test_refuses_a_milestone_that_was_not_agreed(world: World) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    cheaper = replace(deal, milestones=(make_milestone(quorum=1), deal.milestones[1]))
    with refuses("AgreementNotOpen", agreementId=cheaper.id):
        world.attest(cheaper, cheaper.attestation(), 0b001)


@pytest.mark.parametrize("index", [2, 60, 2**256 - 1])
def test_refuses_an_index_beyond_the_milestones(world: World, index: int) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    hashes, _, milestone = deal.ref(0)
    with refuses("UnknownMilestones", asked=index, count=2):
        world.escrow.send("finalize", deal.abi_terms, (hashes, index, milestone))


def _digest(world: World, deal: Deal) -> bytes:
    return deal.attestation().typed_data(world.domain).digest()
