"""assign: the payee hands on the right to a milestone's payout, and all that it may do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from eth_utils import keccak

from milestone_escrow.protocol import receivables
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain, TypedData
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.signatures import compact
from milestone_escrow.protocol.transitions import Transition
from tests.contracts.support.contract import bytes32, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, FOREVER, Deal, make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS, Reverted
from tests.contracts.support.people import malleable, person
from tests.contracts.support.receivables import ASSIGNABLE, assign, assignment, offer
from tests.contracts.support.statuses import ARBITRATION, ENDS, OBJECTION, REVIEW, reach
from tests.contracts.support.twin import agree
from tests.contracts.support.world import World, account, branch

F, C, RP, XP = (
    Status.FUNDED,
    Status.SUBMITTED,
    Status.RELEASE_PENDING,
    Status.REFUND_PENDING,
)
OPEN = {F, C, RP}
CALLERS = ("supplier", "buyer", "arbiter", "inspector", "financier", "stranger")


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("at_end", [False, True], ids=["a second before its end", "at its end"])
def test_cell(world: World, status: Status, at_end: bool) -> None:
    """Every status on both sides of its end, with every caller."""
    deal = reach(world, status)
    for caller in CALLERS:
        here = branch(world)
        here.now = ENDS[status] - (0 if at_end else 1)
        before = here.state(deal)
        with _expected(status, caller, at_end):
            assign(here, deal, by=caller)
            expected = replace(before, assignee=account("financier"), handover=1)
            assert here.state(deal) == expected, "nothing else changes"
            continue
        assert here.chain.root == world.chain.root


def _expected(status: Status, caller: str, at_end: bool) -> AbstractContextManager[None]:
    if status not in OPEN:
        return refuses("WrongStatus", milestone=0, current=int(status), allowed=ASSIGNABLE)
    if at_end:
        return refuses("TooLate", nowAt=ENDS[status], end=ENDS[status])
    if caller != "supplier":
        return refuses("NotAuthorized", caller=account(caller), allowed=account("supplier"))
    return nullcontext()


def test_says_who_had_it_who_has_it_and_that_it_was_free(world: World) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    outcome = assign(world, deal, 1)
    assert outcome.names == ["MilestoneAssigned"]
    assert outcome.event("MilestoneAssigned") == {
        "agreementId": deal.id,
        "milestone": 1,
        "assignee": account("financier"),
        "payee": account("supplier"),
        "price": 0,
    }
    assert world.state(deal, 0) == State(F), "the other milestone stays the supplier's"


@pytest.mark.parametrize("who", ["arbiter", "inspector", "forwarder", "bank", "zero", "the escrow"])
def test_refuses_whoever_decides_about_the_money(world: World, who: str) -> None:
    deal = world.funded()
    to = {"zero": ZERO_ADDRESS, "the escrow": world.escrow.address}.get(who, who)
    refused = refuses("RoleNotAllowed", role=bytes32("assignee"), account=account(to))
    with refused:
        assign(world, deal, to=to)
    world.payees.discard(account(to))


@pytest.mark.parametrize("who", ["buyer", "supplier", "broker", "stranger"])
def test_everyone_else_may_have_it(world: World, who: str) -> None:
    """The buyer, too: it then pays itself. The supplier, again: its offers of before are void."""
    deal = world.funded(fee_bps=100, fee_recipient=account("broker"))
    assign(world, deal, to=who)
    assert world.state(deal).assignee == account(who)
    before = world.balance(who)
    world.attest(deal, deal.attestation())
    fee = AMOUNT // 100
    assert world.balance(who) - before == AMOUNT - (0 if who == "broker" else fee)


def test_goes_on_from_hand_to_hand(world: World) -> None:
    deal = world.funded()
    assign(world, deal, to="financier")
    with refuses("NotAuthorized", caller=account("supplier"), allowed=account("financier")):
        assign(world, deal, to="rival", by="supplier")
    outcome = assign(world, deal, to="rival", by="financier")
    assert outcome.event("MilestoneAssigned")["payee"] == account("financier")
    state = world.state(deal)
    assert (state.assignee, state.epoch, state.handover) == (account("rival"), 0, 2)
    world.attest(deal, deal.attestation())
    assert (world.balance("rival"), world.balance("financier")) == (AMOUNT, 0)


def test_a_dispute_ends_it(world: World) -> None:
    """Nobody sells what is argued about; what is paid later goes to whoever had it."""
    deal = world.funded()
    assign(world, deal)
    world.dispute(deal, by="financier")
    with refuses("WrongStatus", milestone=0, current=5, allowed=ASSIGNABLE):
        assign(world, deal, to="rival", by="financier")
    world.rule(deal, AMOUNT, 0)
    assert world.balance("financier") == AMOUNT


# After an assignment only the assignee acts as payee, and receives.


@pytest.fixture
def sold(world: World) -> Deal:
    """Funded and assigned to the financier; with an objection period."""
    deal = reach(world, F)
    assign(world, deal)
    return deal


@pytest.mark.parametrize("caller", CALLERS)
def test_only_the_assignee_submits(world: World, sold: Deal, caller: str) -> None:
    with _only("financier", caller):
        outcome = world.submit(sold, by=caller)
        assert outcome.event("MilestoneSubmitted")["payee"] == account("financier")
    assert world.state(sold).status is (C if caller == "financier" else F)


@pytest.mark.parametrize("caller", CALLERS)
def test_only_the_assignee_disputes_a_looming_refund(world: World, sold: Deal, caller: str) -> None:
    with _only("financier", caller):
        outcome = world.dispute(sold, by=caller)
        assert outcome.event("MilestoneDisputed")["party"] == account("financier")


@pytest.mark.parametrize("caller", CALLERS)
def test_only_the_assignee_disputes_a_pending_refund(world: World, sold: Deal, caller: str) -> None:
    world.attest(sold, sold.attestation(verdict=Verdict.REJECTED))
    with _only("financier", caller):
        world.dispute(sold, by=caller)


@pytest.mark.parametrize("caller", CALLERS)
def test_only_the_assignee_gives_money_back(world: World, sold: Deal, caller: str) -> None:
    with _only("financier", caller):
        world.resolve(sold, 0, AMOUNT, by=caller)


def _only(who: str, caller: str) -> AbstractContextManager[None]:
    if caller == who:
        return nullcontext()
    return refuses("NotAuthorized", caller=account(caller), allowed=account(who))


def test_buyer_and_supplier_cannot_settle_behind_the_assignees_back(
    world: World, sold: Deal
) -> None:
    """The supplier's signature, good before the sale, is worth nothing after it."""
    act = world.resolution(sold, 1, AMOUNT - 1).typed_data(world.domain)
    with refuses("InvalidSignature", signer=account("financier"), digest=act.digest()):
        world.resolve(sold, 1, AMOUNT - 1, payee=person("supplier").sign(act), by="buyer")
    world.resolve(sold, 1, AMOUNT - 1, payee=person("financier").sign(act), by="buyer")
    assert world.balance("financier") == 1


def test_a_settlement_signed_before_the_sale_dies_with_it(world: World) -> None:
    deal = world.funded()
    act = world.resolution(deal, 0, AMOUNT).typed_data(world.domain)
    signed = person("supplier").sign(act)
    assign(world, deal)
    now = world.resolution(deal, 0, AMOUNT).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("financier"), digest=now):
        world.resolve(deal, 0, AMOUNT, payee=signed, by="buyer")


@pytest.mark.parametrize("status", [F, C, RP])
def test_the_buyers_approval_pays_the_assignee(world: World, status: Status) -> None:
    deal = reach(world, status)
    assign(world, deal)
    outcome = world.resolve(deal, AMOUNT, 0, by="buyer")
    assert outcome.event("MilestonePaid")["payee"] == account("financier")
    assert (world.balance("financier"), world.balance("supplier")) == (AMOUNT, 0)


def test_silence_after_a_submission_pays_the_assignee(world: World) -> None:
    deal = reach(world, C)
    assign(world, deal)
    assert world.state(deal).clock == GENESIS + REVIEW, "a sale moves no clock"
    world.now = GENESIS + REVIEW
    world.finalize(deal)
    assert world.balance("financier") == AMOUNT


def test_silence_after_a_verdict_pays_the_assignee(world: World) -> None:
    deal = reach(world, RP)
    assign(world, deal)
    assert world.state(deal).pending == AMOUNT
    world.now = GENESIS + OBJECTION
    world.finalize(deal)
    assert world.balance("financier") == AMOUNT


def test_a_progress_payment_pays_the_assignee_on_its_date(world: World) -> None:
    deal = world.funded(make_milestone(pays_on_silence=True))
    assign(world, deal)
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("financier") == AMOUNT


def test_the_agreed_default_is_split_with_the_assignee(world: World) -> None:
    deal = world.funded()
    assign(world, deal)
    world.dispute(deal, by="financier")
    world.now = DEADLINE + ARBITRATION
    world.finalize(deal)
    assert world.balance("financier") == AMOUNT * 60 // 100


def test_a_refund_goes_to_the_buyer_all_the_same(world: World) -> None:
    deal = world.funded()
    assign(world, deal)
    before = world.balance("buyer")
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("buyer") - before == AMOUNT


def test_what_was_paid_before_stays_with_the_supplier(world: World) -> None:
    deal = world.funded()
    world.attest(deal, deal.attestation(amount=400, issued_at=GENESIS - 1))
    assign(world, deal)
    world.attest(deal, deal.attestation())
    assert (world.balance("supplier"), world.balance("financier")) == (400, AMOUNT - 400)


def test_an_assignee_who_cannot_receive_is_credited(world: World) -> None:
    deal = world.funded()
    assign(world, deal)
    world.token.send("setDenylisted", account("financier"), True)
    world.attest(deal, deal.attestation())
    assert world.credit("financier") == AMOUNT


# Signed by the payee, sent by anyone.


@pytest.mark.parametrize("form", [bytes, compact], ids=["65 bytes", "64 bytes"])
def test_anyone_sends_what_the_payee_signed(world: World, form: type) -> None:
    deal = world.funded()
    signed = form(person("supplier").sign(_data(world, deal)))
    outcome = assign(world, deal, signature=signed, by="stranger")
    assert outcome.event("MilestoneAssigned")["payee"] == account("supplier")
    assert world.state(deal).assignee == account("financier")


def test_after_an_assignment_the_assignees_signature_counts(world: World, sold: Deal) -> None:
    data = assignment(world, sold, assignee=account("rival")).typed_data(world.domain)
    with refuses("InvalidSignature", signer=account("financier"), digest=data.digest()):
        assign(world, sold, to="rival", signature=person("supplier").sign(data), by="stranger")
    assign(world, sold, to="rival", signature=person("financier").sign(data), by="stranger")
    assert world.state(sold).assignee == account("rival")


@pytest.mark.parametrize("bound", [False, True])
def test_a_contract_wallet_assigns(world: World, bound: bool) -> None:
    owner = person("owner")
    wallet = world.deploy("OwnedWallet", owner.address, bound)
    deal = world.deal(supplier=wallet.address)
    signed = [deal.typed_data.digest()]
    world.open(deal, 1, supplier=owner.sign(_wrapped(wallet.address, signed[0], bound)))
    digest = _data(world, deal).digest()
    signature = owner.sign(_wrapped(wallet.address, digest, bound))
    assign(world, deal, signature=signature, by="stranger")
    assert world.state(deal).assignee == account("financier")


def test_an_account_with_delegated_code_still_assigns_by_key(world: World) -> None:
    hostile = world.deploy("HostileWallet", 2)
    deal = world.funded()
    world.chain.set_code(account("supplier"), bytes.fromhex("ef0100" + hostile.address[2:]))
    signed = person("supplier").sign(_data(world, deal))
    assign(world, deal, signature=signed, by="stranger")
    assert world.state(deal).assignee == account("financier")


def test_a_contract_wallet_is_an_assignee(world: World) -> None:
    wallet = world.deploy("OwnedWallet", account("owner"), False)
    deal = world.funded()
    assign(world, deal, to=wallet.address)
    act = world.submission(deal).typed_data(world.domain)
    world.submit(deal, signature=person("owner").sign(act), by="stranger")
    world.now = GENESIS + REVIEW
    world.finalize(deal)
    assert world.balance(wallet.address) == AMOUNT


def _wrapped(wallet: str, digest: bytes, bound: bool) -> bytes:
    return bytes(keccak(bytes(12) + bytes.fromhex(wallet[2:]) + digest)) if bound else digest


def _data(world: World, deal: Deal) -> TypedData:
    return assignment(world, deal).typed_data(world.domain)


ELSEWHERE = {
    "another chain": {"chain_id": 1},
    "another contract": {"verifying_contract": "0x" + "12" * 20},
    "another version": {"version": "2"},
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_refuses_a_signature_for(world: World, where: str) -> None:
    deal = world.funded()
    domain = replace(Domain(CHAIN_ID, world.escrow.address), **ELSEWHERE[where])
    _refuses_signature(world, deal, assignment(world, deal).typed_data(domain))


@pytest.mark.parametrize(
    "change",
    [
        {"agreement_id": b"\x99" * 32},
        {"milestone": 1},
        {"assignee": "0x" + "12" * 20},
        {"handover": 1},
        {"valid_until": FOREVER - 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_refuses_a_signature_over_another(world: World, change: dict[str, object]) -> None:
    deal = world.funded()
    signed = replace(assignment(world, deal), **change)  # type: ignore[arg-type]
    _refuses_signature(world, deal, signed.typed_data(world.domain))


@pytest.mark.parametrize("signer", ["buyer", "financier", "arbiter", "stranger"])
def test_refuses_the_signature_of_anyone_else(world: World, signer: str) -> None:
    deal = world.funded()
    with refuses(
        "InvalidSignature", signer=account("supplier"), digest=_data(world, deal).digest()
    ):
        signed = person(signer).sign(_data(world, deal))
        assign(world, deal, signature=signed, by="stranger")


def test_refuses_the_malleable_twin_of_the_signature(world: World) -> None:
    deal = world.funded()
    data = _data(world, deal)
    with refuses("InvalidSignature", signer=account("supplier"), digest=data.digest()):
        assign(world, deal, signature=malleable(person("supplier").sign(data)), by="stranger")


def _refuses_signature(world: World, deal: Deal, signed: TypedData) -> None:
    digest = _data(world, deal).digest()
    with refuses("InvalidSignature", signer=account("supplier"), digest=digest):
        assign(world, deal, signature=person("supplier").sign(signed), by="stranger")


@pytest.mark.parametrize("late", [0, 1])
def test_a_signature_works_until_its_last_second(world: World, late: int) -> None:
    deal = world.funded()
    until = GENESIS + 50
    data = assignment(world, deal, valid_until=until).typed_data(world.domain)
    world.now = until + late
    expired = refuses("SignatureExpired", validUntil=until, nowAt=until + 1)
    with expired if late else nullcontext():
        signature = person("supplier").sign(data)
        assign(world, deal, until=until, signature=signature, by="stranger")


def test_a_signature_does_not_work_twice(world: World) -> None:
    """Not even where the receivable has come back to the one who signed."""
    deal = world.funded()
    signed = person("supplier").sign(_data(world, deal))
    assign(world, deal, signature=signed, by="stranger")
    assign(world, deal, to="supplier", by="financier")
    digest = _data(world, deal).digest()
    with refuses("InvalidSignature", signer=account("supplier"), digest=digest):
        assign(world, deal, signature=signed, by="stranger")


def test_an_offer_is_no_assignment(world: World) -> None:
    deal = world.funded()
    data = offer(world, deal, financier=account("financier")).typed_data(world.domain)
    _refuses_signature(world, deal, data)


def test_refuses_an_agreement_that_is_not_open(world: World) -> None:
    deal = world.deal()
    with refuses("AgreementNotOpen", agreementId=deal.id):
        assign(world, deal)


def test_refuses_a_truncated_call(world: World) -> None:
    deal = world.funded()
    arguments = (deal.abi_terms, deal.ref(0), account("financier"), 0, b"")
    data = world.escrow.data("assign", *arguments)
    with pytest.raises(Reverted):
        world.chain.send(account("supplier"), world.escrow.address, data[:-32])


@pytest.mark.parametrize("status", Status)
def test_the_twin_agrees(world: World, status: Status) -> None:
    deal = reach(world, status)
    for late, to, by in product((-1, 0), ("financier", "arbiter", "supplier"), CALLERS[:2]):
        here = branch(world)
        here.now = ENDS[status] + late
        agree(here, deal, partial(assign, here, deal, to=to, by=by), _twin(here, deal, to, by))


def _twin(world: World, deal: Deal, to: str, by: str) -> Callable[[State], Transition]:
    who, contract = (account(to), account(by), world.now), world.escrow.address
    return lambda state: receivables.assign(
        deal.terms, deal.milestones[0], state, *who, contract=contract
    )
