"""Events of what the client does not send yet are read and replayed all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import AgreementAmended, MilestoneAssigned
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.chain.contract.structs import (
    OpenedAgreement,
    milestone_tuples,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.transactions import Receipt, Transactor
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.amendment import Amendment
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY, agreement_id
from tests.chain.conftest import AMOUNT


def send(escrow: Escrow, signer: DevSigner, verb: str, *values: object) -> Receipt:
    transactor = Transactor(escrow.node, escrow.network, escrow.contract)
    data = interface("MilestoneEscrow").call(verb, *values)
    return transactor.send(
        transactor.prepare(escrow.contract, data, Attempt(verb, signer.address)), signer
    )


def shown(states: tuple[State, ...]) -> tuple[State, ...]:
    """As the contract shows them: of a settled one only that it is."""
    return tuple(State(Status.SETTLED) if s.status is Status.SETTLED else s for s in states)


def test_an_assigned_milestone_has_another_payee(
    escrow: Escrow, funded: OpenedAgreement, supplier: DevSigner, stranger: DevSigner
) -> None:
    reference = reference_tuple(funded, 1)
    terms = terms_tuple(funded.terms)
    receipt = send(escrow, supplier, "assign", terms, reference, stranger.address, 0, b"")
    (event,) = receipt.events
    assert isinstance(event, MilestoneAssigned)
    assert (event.payee, event.assignee, event.price) == (supplier.address, stranger.address, 0)
    assert shown(replay(escrow.events(funded)).states) == escrow.states(funded)
    assert escrow.status(funded).milestones[1].payee == stranger.address


def test_a_change_order_shows_in_both_agreements(
    escrow: Escrow, funded: OpenedAgreement, buyer: DevSigner, supplier: DevSigner
) -> None:
    later = replace(funded.milestones[1], deadline=funded.milestones[1].deadline + 30 * DAY)
    terms, milestones = replace(funded.terms, salt=2), (later,)
    new = OpenedAgreement(agreement_id(escrow.domain, terms, milestones), terms, milestones)
    until = escrow.now() + DAY
    order = Amendment(funded.id, 0b10, 0b1, AMOUNT, 0, until, terms, milestones)
    consent = supplier.sign_typed_data(order.typed_data(escrow.domain))
    changed = (0b10, 0b1, AMOUNT, 0, until, terms_tuple(terms), milestone_tuples(milestones))
    old = (terms_tuple(funded.terms), milestone_tuples(funded.milestones))
    send(escrow, buyer, "amend", *old, changed, [b"", consent])
    for agreement, settled in ((funded, True), (new, False)):
        events = escrow.events(agreement)
        (amended,) = [event for event in events if isinstance(event, AgreementAmended)]
        assert (amended.replaces, amended.agreement_id) == (funded.id, new.id)
        assert (amended.closes, amended.carried) == ((1,), AMOUNT)
        told = replay(events)
        assert shown(told.states) == escrow.states(agreement)
        assert (told.states[1 if settled else 0].status is Status.SETTLED) is settled
    assert escrow.status(new).held == AMOUNT


def test_events_without_an_opening_are_refused(escrow: Escrow, funded: OpenedAgreement) -> None:
    for events in ((), escrow.events(funded)[1:]):
        with pytest.raises(ChainError, match="opened the agreement is missing"):
            replay(events)
