"""What waits, what is complete, what anybody may send, and what has expired."""

from __future__ import annotations

import pytest

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.reader import CONTRACT
from milestone_escrow.errors import EscrowError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.intake import take
from milestone_escrow.oracle.signing.waiting import (
    WaitingAttestation,
    attestation,
    attestations,
    calldata,
    expire,
    open_attestations,
)
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
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


def find(store: Store, digest: bytes) -> WaitingAttestation:
    with store.reading() as connection:
        found = attestation(connection, digest)
    assert found is not None
    return found


def expired(store: Store) -> tuple[bytes, ...]:
    with store.transaction() as connection:
        return expire(connection, NOW)


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
        assert [one.stage for one in attestations(connection, deal.id, 0)] == [
            AttestationStage.COMPLETE
        ]


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


def test_what_has_expired_is_dead(store: Store, deal: Deal) -> None:
    what = deal.attestation()
    digest = post(store, deal, what, INSPECTOR)
    other = post(store, deal, deal.attestation(milestone=1, valid_until=NOW + 10**8), SURVEYOR)
    set_head(store, time=what.valid_until)
    assert expired(store) == ()
    set_head(store, time=what.valid_until + 1)
    assert expired(store) == (digest,)
    assert find(store, digest).stage is AttestationStage.DEAD
    assert find(store, other).stage is AttestationStage.OPEN
    assert expired(store) == ()


def test_nothing_expires_by_a_clock_that_is_not_the_chains(store: Store, deal: Deal) -> None:
    what = deal.attestation()
    digest = post(store, deal, what, INSPECTOR)
    with store.transaction() as connection:
        assert expire(connection, what.valid_until + 10**6) == ()
    assert find(store, digest).stage is AttestationStage.OPEN
