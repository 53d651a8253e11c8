"""amend: everyone whose money or right is at stake signs, and signs exactly this."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from milestone_escrow.protocol.amendment import Amendment
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.signatures import compact
from tests.contracts.support.amendments import amend, amendment, revised, sign_amendment
from tests.contracts.support.contract import bytes32, refuses
from tests.contracts.support.deal import AMOUNT, FOREVER, Deal, make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS
from tests.contracts.support.people import malleable, person
from tests.contracts.support.receivables import assign
from tests.contracts.support.tokens import hostile_token
from tests.contracts.support.world import World, account

U, F, S = Status.UNFUNDED, Status.FUNDED, Status.SETTLED
CLOSABLE = 0b1111111
"""Every status but Settled, as `WrongStatus` names them."""


# Whose deal it is.


def test_keeps_the_token(world: World) -> None:
    """Even where everybody signs: other money is another deal."""
    old = world.funded()
    other = hostile_token(world).address
    with refuses("RoleNotAllowed", role=bytes32("token"), account=other):
        amend(world, old, revised(old, token=other))


@pytest.mark.parametrize(
    ("role", "old_side", "new_side"),
    [("buyer", "buyer", "rival"), ("supplier", "supplier", "financier")],
)
def test_another_takes_a_sides_place_when_both_sign(
    world: World, role: str, old_side: str, new_side: str
) -> None:
    """Novation: the side that leaves, the side that stays and the one that comes all consent."""
    old = world.funded()
    new = revised(old, make_milestone(amount=AMOUNT - 7), **{role: account(new_side)})
    order = amendment(old, new)
    data = order.typed_data(world.domain)
    signed = [person(who).sign(data) for who in ("buyer", "supplier", new_side)]
    with refuses("NotAuthorized", caller=account("stranger"), allowed=account(new_side)):
        amend(world, old, new, order=order, signatures=signed[:2])
    place = ("buyer", "supplier").index(old_side)
    forged = [*signed[:place], signed[2], *signed[place + 1 :]]
    with refuses("InvalidSignature", signer=account(old_side), digest=data.digest()):
        amend(world, old, new, order=order, signatures=forged)
    before = world.balance("buyer")
    amend(world, old, new, order=order, signatures=signed)
    assert world.balance("buyer") - before == 7, "what is left over is the old buyer's"
    world.resolve(new, 10, 0, by=new_side if role == "buyer" else "buyer")
    assert world.balance(new_side if role == "supplier" else "supplier") == 10


def test_both_sides_hand_on_at_once(world: World) -> None:
    old = world.funded()
    new = revised(old, buyer=account("rival"), supplier=account("financier"))
    signed = sign_amendment(world, old, amendment(old, new))
    assert len(signed) == 4
    with refuses("SignatureCountMismatch", signatures=5, signers=4):
        amend(world, old, new, signatures=[*signed, signed[0]])
    amend(world, old, new, signatures=signed)
    assert world.state(new).status is F


def test_who_decides_takes_no_sides_place(world: World) -> None:
    old = world.funded()
    with refuses("RoleNotAllowed", role=bytes32("arbiter"), account=account("arbiter")):
        order = amendment(old, revised(old, supplier=account("arbiter")))
        data = order.typed_data(world.domain)
        signed = [person(who).sign(data) for who in ("buyer", "supplier", "arbiter")]
        amend(world, old, revised(old, supplier=account("arbiter")), order=order, signatures=signed)


def test_an_assigned_milestone_keeps_no_assignee(world: World) -> None:
    """The new milestone pays the supplier; that is why the assignee must sign."""
    old = world.funded()
    assign(world, old)
    new = revised(old)
    amend(world, old, new)
    world.attest(new, new.attestation())
    assert (world.balance("supplier"), world.balance("financier")) == (AMOUNT, 0)


def test_refuses_without_the_assignee(world: World) -> None:
    old = world.funded()
    assign(world, old)
    order = amendment(old, revised(old))
    signed = [person(who).sign(order.typed_data(world.domain)) for who in ("buyer", "supplier")]
    for extra in ([], [b""]):
        with refuses("NotAuthorized", caller=account("stranger"), allowed=account("financier")):
            amend(world, old, revised(old), signatures=[*signed, *extra])
    digest = order.typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("financier"), digest=digest):
        amend(world, old, revised(old), signatures=[*signed, signed[1]])


def test_each_assignee_signs_in_the_order_of_the_milestones(world: World) -> None:
    old = world.funded(*[make_milestone()] * 4)
    assign(world, old, 1, to="rival")
    assign(world, old, 3, to="financier")
    new = revised(old, make_milestone(amount=3 * AMOUNT))
    signed = sign_amendment(world, old, amendment(old, new, 0b1011))
    assert len(signed) == 4
    wrong = [*signed[:2], signed[3], signed[2]]
    digest = amendment(old, new, 0b1011).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("rival"), digest=digest):
        amend(world, old, new, 0b1011, signatures=wrong)
    amend(world, old, new, 0b1011, signatures=signed)
    assert [state.status for state in world.states(old)] == [S, S, F, S]


def test_one_assignee_of_two_milestones_signs_for_each(world: World) -> None:
    old = world.funded(make_milestone(), make_milestone())
    assign(world, old, 0)
    assign(world, old, 1)
    new = revised(old, make_milestone(amount=2 * AMOUNT))
    signed = sign_amendment(world, old, amendment(old, new, 0b11))
    assert signed[2] == signed[3]
    with refuses("NotAuthorized", caller=account("stranger"), allowed=account("financier")):
        amend(world, old, new, 0b11, signatures=signed[:3])
    amend(world, old, new, 0b11, signatures=signed)


def test_the_assignee_of_what_stays_need_not_sign(world: World) -> None:
    old = world.funded(make_milestone(), make_milestone())
    assign(world, old, 1)
    amend(world, old, revised(old), closes=0b01)
    assert world.state(old, 1).assignee == account("financier")


@pytest.mark.parametrize("caller", ["buyer", "supplier", "financier"])
def test_the_sender_need_not_sign(world: World, caller: str) -> None:
    old = world.funded()
    assign(world, old)
    signed = sign_amendment(world, old, amendment(old, revised(old)))
    signed[("buyer", "supplier", "financier").index(caller)] = b""
    amend(world, old, revised(old), signatures=signed, by=caller)
    assert world.state(old) == State(S)


@pytest.mark.parametrize("caller", ["buyer", "supplier", "arbiter", "stranger"])
@pytest.mark.parametrize("given", ["nothing", "buyer", "supplier"])
def test_buyer_and_supplier_both_consent(world: World, caller: str, given: str) -> None:
    old = world.funded()
    data = amendment(old, revised(old)).typed_data(world.domain)
    signed = [person(who).sign(data) if who == given else b"" for who in ("buyer", "supplier")]
    consents = {caller, given} & {"buyer", "supplier"}
    missing = next((who for who in ("buyer", "supplier") if who not in consents), "")
    if missing:
        with refuses("NotAuthorized", caller=account(caller), allowed=account(missing)):
            amend(world, old, revised(old), signatures=signed, by=caller)
        assert world.state(old) == State(F)
    else:
        amend(world, old, revised(old), signatures=signed, by=caller)
        assert world.state(old) == State(S)


@pytest.mark.parametrize("count", [0, 1])
def test_missing_signatures_are_named(world: World, count: int) -> None:
    old = world.funded()
    signed = sign_amendment(world, old, amendment(old, revised(old)))[:count]
    missing = account(("buyer", "supplier")[count])
    with refuses("NotAuthorized", caller=account("stranger"), allowed=missing):
        amend(world, old, revised(old), signatures=signed)


@pytest.mark.parametrize("by", ["buyer", "stranger"])
def test_refuses_a_signature_too_many(world: World, by: str) -> None:
    old = world.funded()
    signed = sign_amendment(world, old, amendment(old, revised(old)))
    with refuses("SignatureCountMismatch", signatures=3, signers=2):
        amend(world, old, revised(old), signatures=[*signed, b""], by=by)


@pytest.mark.parametrize("signer", [0, 1])
@pytest.mark.parametrize("forger", ["stranger", "arbiter", "inspector"])
def test_refuses_anyone_elses_signature(world: World, signer: int, forger: str) -> None:
    old = world.funded()
    data = amendment(old, revised(old)).typed_data(world.domain)
    signed = sign_amendment(world, old, amendment(old, revised(old)))
    signed[signer] = person(forger).sign(data)
    who = ("buyer", "supplier")[signer]
    with refuses("InvalidSignature", signer=account(who), digest=data.digest()):
        amend(world, old, revised(old), signatures=signed)


def test_takes_64_bytes_and_refuses_the_malleable_twin(world: World) -> None:
    old = world.funded()
    signed = sign_amendment(world, old, amendment(old, revised(old)))
    digest = amendment(old, revised(old)).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=digest):
        amend(world, old, revised(old), signatures=[malleable(signed[0]), signed[1]])
    amend(world, old, revised(old), signatures=[compact(each) for each in signed])


def test_contract_wallets_and_delegated_accounts_consent(world: World) -> None:
    wallet = world.deploy("OwnedWallet", account("owner"), False)
    hostile = world.deploy("HostileWallet", 2)
    old = world.deal(supplier=wallet.address)
    world.open(old, 1, supplier=person("owner").sign(old.typed_data))
    world.chain.set_code(account("buyer"), bytes.fromhex("ef0100" + hostile.address[2:]))
    data = amendment(old, revised(old)).typed_data(world.domain)
    signed = [person("buyer").sign(data), person("owner").sign(data)]
    amend(world, old, revised(old), signatures=signed)
    assert world.state(old) == State(S)


# What was signed.


Change = Callable[[World, Amendment, Deal], TypedData]


def _field(**changes: Any) -> Change:
    return lambda world, order, other: replace(order, **changes).typed_data(world.domain)


ELSEWHERE: dict[str, Change] = {
    "another chain": lambda w, o, d: o.typed_data(Domain(1, w.escrow.address)),
    "another contract": lambda w, o, d: o.typed_data(Domain(CHAIN_ID, account("stranger"))),
    "another agreement": lambda w, o, d: replace(o, replaces=d.id).typed_data(w.domain),
    "other milestones to close": _field(closes=0b11),
    "other milestones to fund": _field(funds=0b11),
    "another last second": _field(valid_until=FOREVER - 1),
    "other terms": lambda w, o, d: replace(o, terms=d.terms).typed_data(w.domain),
    "other milestones": _field(milestones=(make_milestone(amount=AMOUNT - 1),)),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_consent_is_to_this_change_order_and_not_for(world: World, what: str) -> None:
    old, other = world.funded(), world.funded(salt=9)
    order = amendment(old, revised(old))
    signed = sign_amendment(world, old, order)
    signed[0] = person("buyer").sign(ELSEWHERE[what](world, order, other))
    digest = order.typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=digest):
        amend(world, old, revised(old), signatures=signed)


def test_consent_to_open_is_never_consent_to_amend(world: World) -> None:
    """Both signed the new terms, as an offer to open; not that they replace anything."""
    old = world.funded()
    new = revised(old)
    signed = [person(who).sign(new.typed_data) for who in ("buyer", "supplier")]
    digest = amendment(old, new).typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("buyer"), digest=digest):
        amend(world, old, new, signatures=signed)


def test_consent_to_amend_is_never_consent_to_open(world: World) -> None:
    old = world.funded()
    new = revised(old)
    buyer, supplier = sign_amendment(world, old, amendment(old, new))
    with refuses("InvalidSignature", signer=account("buyer"), digest=new.id):
        world.open(new, by="stranger", buyer=buyer, supplier=supplier)


def test_a_change_order_does_not_work_twice(world: World) -> None:
    old = world.funded(make_milestone(), make_milestone())
    new = revised(old, make_milestone(), make_milestone())
    order = amendment(old, new, 0b01, 0b01)
    signed = sign_amendment(world, old, order)
    amend(world, old, new, order=order, signatures=signed)
    with refuses("WrongStatus", milestone=0, current=7, allowed=CLOSABLE):
        amend(world, old, new, order=order, signatures=signed)


def test_a_change_order_of_unfunded_milestones_does_not_work_twice(world: World) -> None:
    """Else the sender's money would fund again and again."""
    old = world.opened()
    order = amendment(old, revised(old), funds=0, states=world.states(old))
    signed = sign_amendment(world, old, order)
    amend(world, old, revised(old), order=order, signatures=signed)
    with refuses("WrongStatus", milestone=0, current=7, allowed=CLOSABLE):
        amend(world, old, revised(old), order=order, signatures=signed)


def test_a_change_order_of_a_change_order(world: World) -> None:
    """Each names what it replaces; the chain can be followed through the events."""
    versions = [world.funded()]
    links = []
    for _ in range(3):
        versions.append(revised(versions[-1]))
        event = amend(world, versions[-2], versions[-1]).event("AgreementAmended")
        links.append((event["replaces"], event["agreementId"]))
    assert links == [(a.id, b.id) for a, b in pairwise(versions)]
    assert [world.state(deal).status for deal in versions] == [S, S, S, F]


@pytest.mark.parametrize("late", [0, 1])
def test_a_change_order_works_until_its_last_second(world: World, late: int) -> None:
    old = world.funded()
    until = GENESIS + 50
    world.now = until + late
    expired = refuses("SignatureExpired", validUntil=until, nowAt=until + 1)
    with expired if late else nullcontext():
        amend(world, old, revised(old), until=until)


def test_expires_for_the_parties_themselves_as_well(world: World) -> None:
    old = world.funded()
    signed = sign_amendment(world, old, amendment(old, revised(old), until=GENESIS - 1))
    with refuses("SignatureExpired", validUntil=GENESIS - 1, nowAt=GENESIS):
        amend(world, old, revised(old), until=GENESIS - 1, signatures=signed, by="buyer")


def test_refuses_an_agreement_that_is_not_open(world: World) -> None:
    old = world.deal()
    with refuses("AgreementNotOpen", agreementId=old.id):
        amend(world, old, revised(old))


def test_one_settled_milestone_stops_the_whole_change_order(world: World) -> None:
    old = world.funded(make_milestone(), make_milestone())
    world.attest(old, old.attestation(1))
    with refuses("WrongStatus", milestone=1, current=7, allowed=CLOSABLE):
        amend(world, old, revised(old), closes=0b11)
    assert world.state(old, 0) == State(F)
