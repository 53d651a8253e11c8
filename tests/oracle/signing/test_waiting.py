"""What waits, what is complete, what anybody may send, and where the chain has overtaken it."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert

from milestone_escrow.chain.codec import interface
from milestone_escrow.chain.events import MilestoneAttested, Place
from milestone_escrow.chain.reader import CONTRACT
from milestone_escrow.errors import EscrowError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.signing.counting import Stage
from milestone_escrow.oracle.signing.intake import take
from milestone_escrow.oracle.signing.waiting import (
    Waiting,
    attestation,
    attestations,
    calldata,
    open_attestations,
    refresh,
)
from milestone_escrow.oracle.store import shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import (
    AMOUNT,
    FORWARDER,
    INSPECTOR,
    NOW,
    SURVEYOR,
    Deal,
    set_head,
    sign,
)


def post(store: Store, deal: Deal, what: Attestation, *signers: LocalSigner) -> bytes:
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), what, sign(what, *signers), NOW)
    assert outcome.is_taken, outcome.reason
    return outcome.digest


def find(store: Store, digest: bytes) -> Waiting:
    with store.reading() as connection:
        found = attestation(connection, digest)
    assert found is not None
    return found


def refreshed(store: Store, now: int = NOW, *, thorough: bool = False) -> int:
    with store.transaction() as connection:
        return len(refresh(connection, now, thorough=thorough))


def chain_takes(store: Store, deal: Deal, what: Attestation, *, block: int = 10) -> None:
    place = Place(block, NOW, "0x" + "07" * 32, 0)
    event = MilestoneAttested(
        place, deal.id, what.milestone, what.verdict, what.amount, what.evidence_hash,
        what.issued_at, (0, 1), 0,
    )  # fmt: skip
    with store.transaction() as connection:
        connection.execute(insert(t.events), shapes.event_row(event, b"\x03" * 32))
    deal.set_state(
        store, block=block, issued_at=what.issued_at, status=int(Status.SETTLED), paid=what.amount
    )


def test_shows_others_what_they_could_sign_too(store: Store, deal: Deal) -> None:
    part, whole = deal.attestation(amount=5), deal.attestation(issued_at=NOW - 30)
    post(store, deal, part, SURVEYOR)
    post(store, deal, whole, INSPECTOR)
    with store.reading() as connection:
        found = open_attestations(connection, deal.id, 0)
        assert open_attestations(connection, deal.id, 1) == ()
        assert open_attestations(connection, b"\x01" * 32, 0) == ()
    assert [one.attestation for one in found] == [whole, part]
    assert found[0].missing == (SURVEYOR.address, FORWARDER.address)
    assert list(found[0].signatures) == [INSPECTOR.address]


def test_what_is_complete_waits_for_nobody(store: Store, deal: Deal) -> None:
    post(store, deal, deal.attestation(), SURVEYOR, INSPECTOR)
    with store.reading() as connection:
        assert open_attestations(connection, deal.id, 0) == ()
        assert [one.stage for one in attestations(connection, deal.id, 0)] == [Stage.COMPLETE]


def test_anybody_may_send_what_is_complete(store: Store, deal: Deal) -> None:
    what = deal.attestation()
    digest = post(store, deal, what, FORWARDER, SURVEYOR, INSPECTOR)
    with store.reading() as connection:
        data = calldata(connection, digest)
    function = interface(CONTRACT).functions["attest"]
    assert data[:4] == function.key
    # Two signatures are enough, and each further one would cost gas.
    signed = [one[:32] for one in sign(what, INSPECTOR, SURVEYOR, FORWARDER).values()]
    assert sum(part in data for part in signed) == 2


@pytest.mark.parametrize(
    ("verdict", "signers", "reason"),
    [
        (Verdict.ACCEPTED, (INSPECTOR,), r"1 of 2 needed verifiers .* waits for"),
        (Verdict.RETURNED, (INSPECTOR, SURVEYOR), "changes nothing on chain"),
    ],
)
def test_nothing_else_can_be_sent(
    verdict: Verdict, signers: tuple[LocalSigner, ...], reason: str, store: Store, deal: Deal
) -> None:
    amount = AMOUNT if verdict is Verdict.ACCEPTED else 0
    digest = post(store, deal, deal.attestation(verdict=verdict, amount=amount), *signers)
    with store.reading() as connection, pytest.raises(EscrowError, match=reason):
        calldata(connection, digest)


def test_an_unknown_attestation_has_no_calldata(store: Store, deal: Deal) -> None:
    with store.reading() as connection, pytest.raises(EscrowError, match="no attestation"):
        calldata(connection, b"\x01" * 32)


def test_nothing_moves_while_nothing_happens(store: Store, deal: Deal) -> None:
    post(store, deal, deal.attestation(), INSPECTOR)
    post(store, deal, deal.attestation(milestone=1), INSPECTOR, SURVEYOR)
    assert refreshed(store) == 0
    assert refreshed(store, thorough=True) == 0


def test_what_the_chain_took_is_settled(store: Store, deal: Deal) -> None:
    what = deal.attestation()
    digest = post(store, deal, what, INSPECTOR, SURVEYOR)
    chain_takes(store, deal, what)
    assert refreshed(store) == 1
    assert find(store, digest).stage is Stage.SETTLED


def test_what_another_verdict_overtook_is_dead(store: Store, deal: Deal) -> None:
    digest = post(store, deal, deal.attestation(), INSPECTOR)
    chain_takes(store, deal, deal.attestation(amount=AMOUNT - 1, issued_at=NOW - 20))
    refreshed(store)
    assert find(store, digest).stage is Stage.DEAD
    assert "later verdict" in find(store, digest).reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"status": int(Status.SETTLED), "paid": AMOUNT}, "settled"),
        ({"paid": AMOUNT}, "allowed are"),
    ],
)
def test_what_cannot_happen_any_more_is_dead(
    state: dict[str, object], reason: str, store: Store, deal: Deal
) -> None:
    digest = post(store, deal, deal.attestation(), INSPECTOR, SURVEYOR)
    deal.set_state(store, **state)
    refreshed(store)
    assert find(store, digest).stage is Stage.DEAD
    assert reason in find(store, digest).reason


def test_what_has_expired_is_dead(store: Store, deal: Deal) -> None:
    what = deal.attestation()
    digest = post(store, deal, what, INSPECTOR)
    refreshed(store, what.valid_until)
    assert find(store, digest).stage is Stage.OPEN
    refreshed(store, what.valid_until + 1)
    assert find(store, digest).stage is Stage.DEAD


def test_a_dispute_over_a_verdict_may_pass(store: Store, deal: Deal) -> None:
    digest = post(store, deal, deal.attestation(), INSPECTOR, SURVEYOR)
    deal.set_state(store, status=int(Status.DISPUTED_OVER_VERDICT), clock=NOW + 5)
    assert refreshed(store) == 0
    assert find(store, digest).stage is Stage.COMPLETE


def test_a_reorganization_brings_it_back(store: Store, deal: Deal) -> None:
    what = deal.attestation()
    digest = post(store, deal, what, INSPECTOR, SURVEYOR)
    chain_takes(store, deal, what)
    refreshed(store)
    with store.transaction() as connection:
        connection.execute(delete(t.events))
    deal.set_state(store, block=5, issued_at=0, status=int(Status.FUNDED), paid=0)
    assert refreshed(store) == 0
    assert refreshed(store, thorough=True) == 1
    assert find(store, digest).stage is Stage.COMPLETE


def test_an_agreement_that_a_reorganization_removed_keeps_nothing_alive(
    store: Store, deal: Deal
) -> None:
    digest = post(store, deal, deal.attestation(), INSPECTOR, SURVEYOR)
    with store.transaction() as connection:
        connection.execute(delete(t.milestones))
        connection.execute(delete(t.agreements))
    set_head(store)
    refreshed(store)
    with store.reading() as connection:
        row = connection.execute(t.attestations.select()).one()
    assert (row.digest, row.state) == (digest, "dead")
