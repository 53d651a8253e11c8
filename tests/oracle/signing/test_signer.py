"""The own key of the service decides, writes down, signs; killed anywhere, it keeps its word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select, update

from milestone_escrow.errors import ChainError, EscrowError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.intake import take
from milestone_escrow.oracle.signing.protection import SKEW
from milestone_escrow.oracle.signing.signer import GuardedSigner, NotSignedError, WhyNot
from milestone_escrow.oracle.store import audit_log, failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH, TypedData
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import (
    AMOUNT,
    FORWARDER,
    INSPECTOR,
    NOW,
    STRANGER,
    SURVEYOR,
    Deal,
    make_deal,
    put,
    set_head,
    sign,
)

STEPS = ("sign.decided", "sign.signed", "sign.stored")


class Killed(BaseException):
    """The process ends here."""


def nothing_against_it(*_: object) -> Sequence[str]:
    return ()


def guarded(
    store: Store, key: LocalSigner = INSPECTOR, *, why_not: WhyNot = nothing_against_it
) -> GuardedSigner:
    return GuardedSigner(store, DOMAIN, key, why_not=why_not, verify_contract=lambda: None)


@pytest.fixture
def signer(store: Store, deal: Deal) -> GuardedSigner:
    """The inspector's key, new, in the service."""
    found = guarded(store)
    found.start(NOW - 10 * DAY, declared_new=True)
    return found


def decisions(store: Store) -> list[Attestation]:
    from milestone_escrow.oracle.store.row_shapes import read_attestation

    with store.reading() as connection:
        rows = connection.execute(select(t.decisions).order_by(t.decisions.c.id)).mappings()
        return [read_attestation(row) for row in rows]


def signed_by(store: Store, key: LocalSigner) -> int:
    with store.reading() as connection:
        query = select(t.signatures.c.digest).where(t.signatures.c.signer == key.address)
        return len(connection.execute(query).all())


def accept(signer: GuardedSigner, deal: Deal, now: int = NOW) -> AttestationStage | None:
    outcome = signer.attest(deal.id, 0, AMOUNT, ZERO_HASH, now)
    return outcome.stage if outcome else None


def kill_at(moment: str) -> None:
    def hook(name: str) -> None:
        if name == moment:
            raise Killed

    failpoints.set_hook(hook)


def test_signs_what_it_decided(signer: GuardedSigner, store: Store, deal: Deal) -> None:
    assert accept(signer, deal) is AttestationStage.OPEN
    assert [one.amount for one in decisions(store)] == [AMOUNT]
    with store.reading() as connection:
        names = [entry.action for entry in audit_log.entries(connection)]
    assert names == ["signer.declared_new", "attestation.decided", "attestation.taken"]


def test_looking_again_changes_nothing(signer: GuardedSigner, store: Store, deal: Deal) -> None:
    accept(signer, deal)
    for later in (0, 60, DAY):
        set_head(store, time=NOW + later)
        assert signer.attest(deal.id, 0, AMOUNT, b"\x05" * 32, NOW + later) is None
    assert len(decisions(store)) == signed_by(store, INSPECTOR) == 1


def test_joins_what_another_verifier_proposed(
    signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    theirs = deal.attestation(issued_at=NOW - 500)
    with store.transaction() as connection:
        take(connection, DOMAIN, deal.view(store), theirs, sign(theirs, SURVEYOR), NOW)
    assert accept(signer, deal) is AttestationStage.COMPLETE
    assert decisions(store) == [theirs]


def test_does_not_join_what_it_would_not_sign(store: Store, deal: Deal) -> None:
    def known_evidence_only(
        _c: Connection, _v: AgreementView, what: Attestation, _n: int
    ) -> Sequence[str]:
        return () if what.evidence_hash == ZERO_HASH else ("unknown evidence",)

    signer = guarded(store, why_not=known_evidence_only)
    signer.start(NOW - DAY, declared_new=True)
    theirs = deal.attestation(evidence_hash=b"\x09" * 32)
    with store.transaction() as connection:
        take(connection, DOMAIN, deal.view(store), theirs, sign(theirs, SURVEYOR), NOW)
    assert accept(signer, deal) is AttestationStage.OPEN
    assert [one.evidence_hash for one in decisions(store)] == [ZERO_HASH]


def test_has_nothing_to_do_where_a_quorum_has_signed(
    signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    theirs = deal.attestation()
    with store.transaction() as connection:
        signed = sign(theirs, SURVEYOR, FORWARDER)
        take(connection, DOMAIN, deal.view(store), theirs, signed, NOW)
    assert signer.attest(deal.id, 0, AMOUNT, ZERO_HASH, NOW) is None
    assert decisions(store) == []


def test_a_fast_clock_does_not_sign_for_the_future(
    signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    accept(signer, deal, NOW + 3_600)
    assert [one.issued_at for one in decisions(store)] == [NOW]


@pytest.mark.parametrize("moment", STEPS)
def test_killed_anywhere_it_ends_with_one_signature(
    moment: str, signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    kill_at(moment)
    with pytest.raises(Killed):
        accept(signer, deal)
    failpoints.set_hook(None)
    again = guarded(store)
    again.start(NOW)
    resumed = again.resume(NOW + 30)
    assert len(resumed) == (moment != "sign.stored")
    set_head(store, time=NOW + 60)
    assert accept(again, deal, NOW + 60) is None
    assert len(decisions(store)) == signed_by(store, INSPECTOR) == 1
    assert again.resume(NOW + 90) == ()


@pytest.mark.parametrize("moment", ["sign.decided", "sign.signed"])
def test_without_resuming_it_still_keeps_to_its_decision(
    moment: str, signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    kill_at(moment)
    with pytest.raises(Killed):
        accept(signer, deal)
    failpoints.set_hook(None)
    set_head(store, time=NOW + 60)
    assert accept(signer, deal, NOW + 60) is AttestationStage.OPEN
    assert [one.issued_at for one in decisions(store)] == [NOW]


def test_what_is_of_no_use_any_more_is_not_signed(
    signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    kill_at("sign.decided")
    with pytest.raises(Killed):
        accept(signer, deal)
    failpoints.set_hook(None)
    deal.set_state(store, status=int(Status.SETTLED), paid=AMOUNT)
    assert signer.resume(NOW) == ()
    assert signed_by(store, INSPECTOR) == 0


def test_signs_the_same_again(signer: GuardedSigner, store: Store, deal: Deal) -> None:
    what = deal.attestation()
    first = signer.sign(what, NOW)
    again = signer.sign(what, NOW)
    assert (first.added, again.known) == ((INSPECTOR.address,), (INSPECTOR.address,))
    assert decisions(store) == [what]


REJECTED = {"verdict": Verdict.REJECTED, "amount": 0}
RETURNED = {"verdict": Verdict.RETURNED, "amount": 0}
LATER = NOW - 5


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ({}, {"evidence_hash": b"\x01" * 32}, "ConflictingVerdict"),
        ({}, {"amount": AMOUNT - 1}, "ConflictingVerdict"),
        ({}, REJECTED, "ConflictingVerdict"),
        ({}, {"issued_at": NOW - 61}, "ConflictingVerdict"),
        (RETURNED, {}, "ConflictingVerdict"),
        ({}, {**REJECTED, "issued_at": LATER}, "VerdictStillLive"),
        ({}, {**RETURNED, "issued_at": LATER}, "VerdictStillLive"),
        ({}, {"amount": AMOUNT - 1, "issued_at": LATER}, "VerdictStillLive"),
        (REJECTED, {"issued_at": LATER}, "VerdictStillLive"),
        ({"amount": AMOUNT // 2}, {"issued_at": LATER}, None),
        ({}, {"evidence_hash": b"\x01" * 32, "issued_at": LATER}, None),
        (RETURNED, {"issued_at": LATER}, None),
        (REJECTED, {**REJECTED, "issued_at": LATER}, None),
        ({}, {"milestone": 1, **REJECTED}, None),
    ],
)
def test_never_signs_what_could_be_played_off(
    first: dict[str, object],
    second: dict[str, object],
    error: str | None,
    signer: GuardedSigner,
    store: Store,
    deal: Deal,
) -> None:
    signer.sign(deal.attestation(**first), NOW)
    if error is None:
        assert signer.sign(deal.attestation(**second), NOW).is_taken
        return
    with pytest.raises(NotSignedError) as caught:
        signer.sign(deal.attestation(**second), NOW)
    assert caught.value.refusal.error == error
    assert len(decisions(store)) == signed_by(store, INSPECTOR) == 1


def test_may_take_back_what_has_expired_for_everybody(
    signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    first = deal.attestation(valid_until=NOW + 100)
    signer.sign(first, NOW)
    for now, allowed in ((NOW + 100 + SKEW, False), (NOW + 101 + SKEW, True)):
        other = deal.attestation(**REJECTED, issued_at=now, valid_until=now + DAY)
        if allowed:
            assert signer.sign(other, now).is_taken
        else:
            with pytest.raises(NotSignedError):
                signer.sign(other, now)


@pytest.mark.parametrize(("final", "allowed"), [(9, False), (10, True)])
def test_may_take_back_what_the_chain_has_finally_passed(
    final: int, allowed: bool, signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    """In block 10 the refund began; only when that is final does it free the key."""
    first = deal.attestation(**REJECTED)
    signer.sign(first, NOW)
    clock = NOW + 3 * DAY
    status = int(Status.REFUND_PENDING)
    deal.set_state(store, block=10, status=status, clock=clock, issued_at=first.issued_at)
    set_head(store, number=20, final=final)
    after = deal.attestation(issued_at=LATER)
    if allowed:
        assert signer.sign(after, NOW).is_taken
    else:
        with pytest.raises(NotSignedError, match="must wait"):
            signer.sign(after, NOW)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"milestone": 9}, "NoSuchMilestone"),
        ({"agreement_id": b"\x01" * 32}, "NoSuchMilestone"),
        ({"amount": AMOUNT + 1}, "AmountOutOfBounds"),
        ({"valid_until": NOW + 91 * DAY}, "ValidityOutOfBounds"),
    ],
)
def test_signs_nothing_out_of_bounds(
    changes: dict[str, object], error: str, signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    with pytest.raises(NotSignedError) as caught:
        signer.sign(deal.attestation(**changes), NOW)
    assert caught.value.refusal.error == error
    assert decisions(store) == []


def test_signs_only_where_it_is_a_verifier(store: Store, deal: Deal) -> None:
    signer = guarded(store, STRANGER)
    signer.start(NOW, declared_new=True)
    with pytest.raises(NotSignedError, match="does not verify"):
        accept(signer, deal)


def test_recomputes_the_agreement_from_its_terms(
    signer: GuardedSigner, store: Store, deal: Deal
) -> None:
    from milestone_escrow.oracle.store import row_shapes

    forged = row_shapes.terms_data(replace(deal.terms, supplier=STRANGER.address))
    with store.transaction() as connection:
        connection.execute(update(t.agreements).values(terms=forged))
    with pytest.raises(NotSignedError, match="not those that its id commits to"):
        accept(signer, deal)


def test_signs_nothing_before_the_contract_was_verified(store: Store, deal: Deal) -> None:
    asked: list[int] = []

    def other_code() -> None:
        asked.append(1)
        raise ChainError("what is there is not the escrow contract")

    signer = GuardedSigner(
        store, DOMAIN, INSPECTOR, why_not=nothing_against_it, verify_contract=other_code
    )
    for act in (lambda: signer.start(NOW, declared_new=True), lambda: accept(signer, deal)):
        with pytest.raises(EscrowError):
            act()
    assert decisions(store) == []
    assert asked


def test_asks_for_the_contract_once(store: Store, deal: Deal) -> None:
    asked: list[int] = []
    signer = GuardedSigner(
        store,
        DOMAIN,
        INSPECTOR,
        why_not=nothing_against_it,
        verify_contract=lambda: asked.append(1),
    )
    signer.start(NOW - DAY, declared_new=True)
    accept(signer, deal)
    assert len(asked) == 1


def test_what_a_limit_forbids_is_refused_and_logged_once(store: Store, deal: Deal) -> None:
    signer = guarded(store, why_not=lambda *_: ("more than 5 USDC in 24 hours",))
    signer.start(NOW - DAY, declared_new=True)
    for _ in range(3):
        with pytest.raises(NotSignedError, match="more than 5 USDC"):
            accept(signer, deal)
    with store.reading() as connection:
        names = [entry.action for entry in audit_log.entries(connection)]
    assert names == ["signer.declared_new", "attestation.not_signed"]


def test_a_limit_is_asked_in_the_transaction_that_decides(store: Store, deal: Deal) -> None:
    seen: list[int] = []

    def count(connection: Connection, *_: object) -> Sequence[str]:
        seen.append(len(connection.execute(select(t.decisions.c.id)).all()))
        return ("enough for today",) if seen[-1] else ()

    signer = guarded(store, why_not=count)
    signer.start(NOW - DAY, declared_new=True)
    accept(signer, deal)
    with pytest.raises(NotSignedError, match="enough for today"):
        signer.sign(deal.attestation(milestone=1), NOW)


def test_a_signature_of_another_key_never_leaves(store: Store, deal: Deal) -> None:
    class Mixed:
        """A signer that says one address and signs with another's key."""

        address = INSPECTOR.address

        def sign_typed_data(self, data: TypedData) -> bytes:
            return SURVEYOR.sign_typed_data(data)

        def sign_transaction(self, _: object) -> bytes:
            return b""

    signer = GuardedSigner(
        store, DOMAIN, Mixed(), why_not=nothing_against_it, verify_contract=lambda: None
    )
    signer.start(NOW - DAY, declared_new=True)
    with pytest.raises(EscrowError, match="not its own"):
        accept(signer, deal)
    assert signed_by(store, INSPECTOR) == 0


def test_a_key_without_a_history_signs_nothing(store: Store, deal: Deal) -> None:
    signer = guarded(store)
    with pytest.raises(EscrowError, match=r"has no signing history here.*--new-key"):
        signer.start(NOW)
    with pytest.raises(EscrowError, match="no signing history"):
        accept(signer, deal)
    assert signer.resume(NOW) == ()
    signer.start(NOW - DAY, declared_new=True)
    guarded(store).start(NOW)
    assert accept(signer, deal) is AttestationStage.OPEN


def test_a_key_that_was_used_elsewhere_is_recognized(store: Store, deal: Deal) -> None:
    """Its own machine posted a signature here; then somebody starts it here, too."""
    theirs = deal.attestation()
    with store.transaction() as connection:
        take(connection, DOMAIN, deal.view(store), theirs, sign(theirs, INSPECTOR), NOW)
    signer = guarded(store)
    with pytest.raises(EscrowError, match="has signed 1 attestations that are known here"):
        signer.start(NOW)
    signer.start(NOW - DAY, declared_new=True)
    with pytest.raises(NotSignedError) as caught:
        signer.sign(deal.attestation(**REJECTED, issued_at=LATER), NOW)
    assert caught.value.refusal.error == "VerdictStillLive"
    # What else it signed before is not known, on whatever milestone.
    with pytest.raises(NotSignedError) as caught:
        signer.sign(deal.attestation(milestone=1), NOW)
    assert caught.value.refusal.error == "BeforeHistory"
    assert signer.sign(deal.attestation(milestone=1, issued_at=LATER), NOW).is_taken


def test_a_clock_that_is_ahead_of_an_idle_chain_does_not_stop_a_new_key(
    store: Store, deal: Deal
) -> None:
    signer = guarded(store)
    signer.start(NOW + 10 * DAY, declared_new=True)
    assert accept(signer, deal, NOW + 10 * DAY) is AttestationStage.OPEN


def test_nothing_is_too_old_for_a_key_that_never_signed(store: Store, deal: Deal) -> None:
    """It joins what was proposed before it was declared new: it cannot have contradicted that."""
    theirs = deal.attestation(issued_at=NOW - 5 * DAY)
    with store.transaction() as connection:
        take(connection, DOMAIN, deal.view(store), theirs, sign(theirs, SURVEYOR), NOW)
    signer = guarded(store)
    signer.start(NOW, declared_new=True)
    assert accept(signer, deal) is AttestationStage.COMPLETE
    # From then on time moves on for it, as for every key, and to be declared again changes nothing.
    signer.start(NOW, declared_new=True)
    with pytest.raises(NotSignedError) as caught:
        signer.sign(deal.attestation(issued_at=NOW - 6 * DAY), NOW)
    assert caught.value.refusal.error == "ConflictingVerdict"


def race(*acts: Callable[[], object]) -> list[object]:
    """All at once; what each came to."""
    found: list[object] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def run(place: int) -> None:
        barrier.wait()
        try:
            found[place] = acts[place]()
        except NotSignedError as error:
            found[place] = error.refusal.error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_two_signers_on_one_key_cannot_contradict_each_other(any_store: Store) -> None:
    deals = [make_deal(salt) for salt in range(5)]
    put(any_store, *deals)
    set_head(any_store)
    one, other = guarded(any_store), guarded(any_store)
    one.start(NOW - DAY, declared_new=True)
    other.start(NOW)
    for number, deal in enumerate(deals):
        # Every other pair differs in time, which no unique constraint could catch.
        later = {"issued_at": LATER} if number % 2 else {}
        yes, no = deal.attestation(), deal.attestation(**REJECTED, **later)
        found = race(lambda y=yes: one.sign(y, NOW), lambda n=no: other.sign(n, NOW))
        assert sum(isinstance(result, str) for result in found) == 1, found
    assert len(decisions(any_store)) == signed_by(any_store, INSPECTOR) == len(deals)


def test_two_signers_on_one_key_may_say_the_same(any_store: Store) -> None:
    deal = make_deal()
    put(any_store, deal)
    set_head(any_store)
    signers = [guarded(any_store) for _ in range(3)]
    race(*(lambda s=s: s.start(NOW - DAY, declared_new=True) for s in signers))
    found = race(*(lambda s=s: s.sign(deal.attestation(), NOW) for s in signers))
    assert not any(isinstance(result, str) for result in found)
    assert len(decisions(any_store)) == signed_by(any_store, INSPECTOR) == 1
