"""What is taken in of attestations that somebody sends, and what is refused with its reason."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, insert, select

from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.manifest import EvidenceFile, Manifest
from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.examining import IntakeOutcome
from milestone_escrow.oracle.signing.intake import take, take_many
from milestone_escrow.oracle.signing.rules import AHEAD
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.signatures import compact
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
from tests.oracle.wallets import Accepting


def post(
    store: Store, deal: Deal, attestation: Attestation, *signers: LocalSigner, now: int = NOW
) -> IntakeOutcome:
    view = deal.view(store)
    with store.transaction() as connection:
        return take(connection, DOMAIN, view, attestation, sign(attestation, *signers), now)


def actions(store: Store) -> list[str]:
    with store.reading() as connection:
        audit_log.verify(connection)
        return [entry.action for entry in audit_log.entries(connection)]


def stage_of(store: Store, attestation: Attestation) -> str:
    digest = attestation.typed_data(DOMAIN).digest()
    with store.reading() as connection:
        query = select(t.attestations.c.state).where(t.attestations.c.digest == digest)
        return str(connection.execute(query).scalar_one())


def test_a_quorum_completes_it(store: Store, deal: Deal) -> None:
    attestation = deal.attestation()
    first = post(store, deal, attestation, SURVEYOR)
    assert (first.stage, first.signers, first.quorum) == (
        AttestationStage.OPEN,
        (SURVEYOR.address,),
        2,
    )
    second = post(store, deal, attestation, INSPECTOR)
    assert second.stage is AttestationStage.COMPLETE
    assert second.signers == (INSPECTOR.address, SURVEYOR.address)
    assert actions(store) == ["attestation.taken", "attestation.taken", "attestation.complete"]


def test_the_same_again_changes_nothing(store: Store, deal: Deal) -> None:
    attestation = deal.attestation()
    post(store, deal, attestation, INSPECTOR)
    before = actions(store)
    again = post(store, deal, attestation, INSPECTOR)
    assert (again.added, again.known, again.refused) == ((), (INSPECTOR.address,), ())
    assert again.is_taken
    assert actions(store) == before


def test_the_same_again_is_fine_after_it_was_settled(store: Store, deal: Deal) -> None:
    attestation = deal.attestation()
    post(store, deal, attestation, INSPECTOR, SURVEYOR)
    deal.set_state(store, status=int(Status.SETTLED), issued_at=attestation.issued_at, paid=AMOUNT)
    assert post(store, deal, attestation, INSPECTOR).known == (INSPECTOR.address,)


@pytest.mark.parametrize(
    "form", [compact, bytes, lambda s: s[:64] + bytes([s[64] - 27])], ids=["64", "65", "v 0/1"]
)
def test_takes_both_forms_of_a_signature(
    form: Callable[[bytes], bytes], store: Store, deal: Deal
) -> None:
    attestation = deal.attestation()
    signed = {who: form(one) for who, one in sign(attestation, INSPECTOR).items()}
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), attestation, signed, NOW)
    assert outcome.added == (INSPECTOR.address,)
    with store.reading() as connection:
        (stored,) = connection.execute(select(t.signatures.c.signature)).scalars()
    assert stored == sign(attestation, INSPECTOR)[INSPECTOR.address]


def test_signatures_without_names_are_recovered(store: Store, deal: Deal) -> None:
    attestation = deal.attestation()
    signed = sign(attestation, FORWARDER, INSPECTOR).values()
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), attestation, signed, NOW)
    assert set(outcome.added) == {FORWARDER.address, INSPECTOR.address}


def test_a_strangers_signature_leaves_no_trace(store: Store, deal: Deal) -> None:
    outcome = post(store, deal, deal.attestation(), STRANGER)
    assert [refusal.error for refusal in outcome.refused] == ["SignerNotAllowed"]
    assert outcome.stage is None
    assert actions(store) == []


def test_one_bad_signature_does_not_spoil_a_good_one(store: Store, deal: Deal) -> None:
    attestation = deal.attestation()
    signed = sign(attestation, INSPECTOR)
    signed[SURVEYOR.address] = signed[INSPECTOR.address]
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), attestation, signed, NOW)
    assert outcome.added == (INSPECTOR.address,)
    assert [(r.error, r.account) for r in outcome.refused] == [
        ("InvalidSignature", SURVEYOR.address)
    ]
    assert outcome.stage is AttestationStage.OPEN


@pytest.mark.parametrize(
    "other",
    [
        Domain(1, DOMAIN.verifying_contract),
        Domain(DOMAIN.chain_id, "0x" + "22" * 20),
        Domain(DOMAIN.chain_id, DOMAIN.verifying_contract, version="2"),
    ],
)
def test_a_signature_for_another_contract_is_refused(
    other: Domain, store: Store, deal: Deal
) -> None:
    attestation = deal.attestation()
    signed = sign(attestation, INSPECTOR, domain=other)
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), attestation, signed, NOW)
    assert [refusal.error for refusal in outcome.refused] == ["InvalidSignature"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": AMOUNT + 1}, "AmountOutOfBounds"),
        ({"amount": 0}, "AmountOutOfBounds"),
        ({"verdict": Verdict.REJECTED, "amount": 1}, "AmountOutOfBounds"),
        ({"verdict": Verdict.RETURNED, "amount": 1}, "AmountOutOfBounds"),
        ({"issued_at": NOW + AHEAD + 1}, "IssuedAtOutOfBounds"),
        ({"issued_at": 0}, "IssuedAtOutOfBounds"),
        ({"valid_until": NOW - 1}, "SignatureExpired"),
        ({"milestone": 7}, "NoSuchMilestone"),
        ({"agreement_id": b"\x01" * 32}, "NoSuchMilestone"),
        ({"amount": 2**128}, "Malformed"),
        ({"evidence_hash": b"\x01" * 31}, "Malformed"),
    ],
)
def test_refuses_what_the_contract_would_refuse(
    changes: dict[str, object], error: str, store: Store, deal: Deal
) -> None:
    attestation = deal.attestation(**changes)
    try:
        signed = sign(attestation, INSPECTOR)
    except ValueError:
        signed = {}
    except Exception:
        signed = {INSPECTOR.address: b"\x01" * 65}
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), attestation, signed, NOW)
    assert [refusal.error for refusal in outcome.refused] == [error]
    assert not outcome.is_taken
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(t.attestations)).scalar() == 0


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"status": int(Status.UNFUNDED)}, "WrongStatus"),
        ({"status": int(Status.SETTLED)}, "WrongStatus"),
        ({"status": int(Status.DISPUTED_OVER_VERDICT), "clock": NOW - 1}, "TooLate"),
        ({"status": int(Status.RELEASE_PENDING), "clock": NOW - 1}, "TooLate"),
        ({"issued_at": NOW - 60}, "IssuedAtOutOfBounds"),
        ({"paid": AMOUNT}, "AmountOutOfBounds"),
    ],
)
def test_refuses_what_the_milestone_is_no_longer_open_for(
    state: dict[str, object], error: str, store: Store, deal: Deal
) -> None:
    deal.set_state(store, **state)
    outcome = post(store, deal, deal.attestation(), INSPECTOR)
    assert [refusal.error for refusal in outcome.refused] == [error]
    assert actions(store) == ["attestation.refused"]


def test_a_clock_that_is_a_little_ahead_is_fine(store: Store, deal: Deal) -> None:
    ahead = deal.attestation(issued_at=NOW + AHEAD)
    assert post(store, deal, ahead, INSPECTOR).added == (INSPECTOR.address,)


def test_another_verdict_of_the_same_moment_is_refused(store: Store, deal: Deal) -> None:
    attestation = deal.attestation()
    post(store, deal, attestation, INSPECTOR)
    for other in (
        deal.attestation(verdict=Verdict.REJECTED, amount=0),
        deal.attestation(amount=AMOUNT - 1),
        deal.attestation(evidence_hash=b"\x07" * 32),
    ):
        outcome = post(store, deal, other, INSPECTOR)
        assert [r.error for r in outcome.refused] == ["ConflictingVerdict"]
        assert "same moment" in outcome.reason
    assert post(store, deal, deal.attestation(milestone=1), INSPECTOR).is_taken


def test_two_verifiers_may_differ(store: Store, deal: Deal) -> None:
    post(store, deal, deal.attestation(), INSPECTOR)
    other = deal.attestation(verdict=Verdict.REJECTED, amount=0)
    assert post(store, deal, other, SURVEYOR).is_taken


def test_a_later_verdict_takes_the_earlier_one_back(store: Store, deal: Deal) -> None:
    accepted = deal.attestation()
    assert post(store, deal, accepted, INSPECTOR, SURVEYOR).stage is AttestationStage.COMPLETE
    rejected = deal.attestation(verdict=Verdict.REJECTED, amount=0, issued_at=NOW - 30)
    post(store, deal, rejected, INSPECTOR)
    assert stage_of(store, accepted) == "open"
    assert actions(store)[-1] == "attestation.open"
    third = post(store, deal, accepted, FORWARDER)
    assert third.signers == (SURVEYOR.address, FORWARDER.address)
    assert third.stage is AttestationStage.COMPLETE


def test_what_was_taken_back_cannot_be_signed_again(store: Store, deal: Deal) -> None:
    later = deal.attestation(verdict=Verdict.REJECTED, amount=0)
    post(store, deal, later, INSPECTOR)
    earlier = deal.attestation(issued_at=NOW - 90)
    outcome = post(store, deal, earlier, INSPECTOR)
    assert [refusal.error for refusal in outcome.refused] == ["VerdictTakenBack"]
    assert post(store, deal, earlier, SURVEYOR).is_taken


def test_certifying_more_takes_nothing_back(store: Store, deal: Deal) -> None:
    part = deal.attestation(amount=AMOUNT // 2)
    post(store, deal, part, INSPECTOR, SURVEYOR)
    post(store, deal, deal.attestation(issued_at=NOW - 30), INSPECTOR)
    assert stage_of(store, part) == "complete"


def test_a_return_for_rework_is_kept_with_its_reason(store: Store, deal: Deal) -> None:
    words = {"format": "1", "files": [], "reason": "Carton 14 is open"}
    back = deal.attestation(verdict=Verdict.RETURNED, amount=0, evidence_hash=words_hash(words))
    signed = sign(back, INSPECTOR, SURVEYOR)
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), back, signed, NOW, words=words)
    assert (outcome.stage, outcome.evidence) == (AttestationStage.SETTLED, "words")
    with store.reading() as connection:
        row = connection.execute(select(t.attestations)).one()
        assert row.reason == "Carton 14 is open"
        assert connection.execute(select(t.words.c.data)).scalar_one() == words


def test_words_that_were_not_signed_are_refused(store: Store, deal: Deal) -> None:
    attestation = deal.attestation(evidence_hash=b"\x01" * 32)
    signed, words = sign(attestation, INSPECTOR), {"format": "1", "reason": "x"}
    with store.transaction() as connection:
        outcome = take(connection, DOMAIN, deal.view(store), attestation, signed, NOW, words=words)
    assert [refusal.error for refusal in outcome.refused] == ["WordsDoNotFit"]


def test_evidence_known_here_is_recognized(store: Store, deal: Deal) -> None:
    files = [
        EvidenceFile(name, "photos", "image/jpeg", 3, bytes([n] * 32).hex())
        for n, name in enumerate(("b.jpeg", "a.jpeg"))
    ]
    with store.transaction() as connection:
        for file in files:
            connection.execute(
                insert(t.evidence).values(
                    agreement_id=deal.id,
                    milestone=0,
                    name=file.name,
                    kind=file.kind,
                    media_type=file.media_type,
                    size=file.size,
                    sha256=bytes.fromhex(file.sha256),
                    stored=True,
                    supplied_by=INSPECTOR.address,
                    role="inspector",
                    added_at=NOW,
                )
            )
    manifest = Manifest(tuple(sorted(files, key=lambda file: file.name)))
    known = deal.attestation(evidence_hash=manifest.hash)
    assert post(store, deal, known, INSPECTOR).evidence == "manifest"
    unknown = deal.attestation(evidence_hash=b"\x09" * 32, issued_at=NOW - 50)
    assert post(store, deal, unknown, INSPECTOR).evidence == "unknown"
    assert post(store, deal, deal.attestation(milestone=1), INSPECTOR).evidence == "none"
    with store.reading() as connection:
        kept = connection.execute(select(t.words.c.hash)).scalars().all()
    assert kept == [manifest.hash]


def test_a_contracts_signature_is_asked_of_the_chain(store: Store, deal: Deal) -> None:
    wallets = Accepting(b"by two owners")
    attestation = deal.attestation()
    signed = {SURVEYOR.address: b"by two owners", FORWARDER.address: b"by nobody"}
    with store.transaction() as connection:
        outcome = take(
            connection, DOMAIN, deal.view(store), attestation, signed, NOW, wallets=wallets
        )
    assert outcome.added == (SURVEYOR.address,)
    assert [refusal.error for refusal in outcome.refused] == ["InvalidSignature"]
    digest = attestation.typed_data(DOMAIN).digest()
    assert wallets.asked == [
        (DOMAIN.chain_id, account, digest, one) for account, one in signed.items()
    ]


def test_many_share_one_commit_and_keep_their_order(store: Store) -> None:
    deals = [make_deal(salt, quorum=1) for salt in range(20)]
    put(store, *deals)
    set_head(store)
    posts = [Post(d.attestation(), sign(d.attestation(), INSPECTOR)) for d in deals]
    wrong = deals[3].attestation(amount=AMOUNT + 1)
    posts.insert(7, Post(wrong, sign(wrong, INSPECTOR)))
    posts.append(posts[0])
    outcomes = take_many(store, DOMAIN, posts, NOW)
    assert [outcome.reason != "" for outcome in outcomes] == [n == 7 for n in range(22)]
    assert outcomes[-1].known == (INSPECTOR.address,)
    assert [outcome.stage for outcome in outcomes[:7]] == [AttestationStage.COMPLETE] * 7


def test_conflicts_within_one_commit_are_found(store: Store, deal: Deal) -> None:
    one, other = deal.attestation(), deal.attestation(verdict=Verdict.REJECTED, amount=0)
    posts = [Post(a, sign(a, INSPECTOR)) for a in (one, other)]
    outcomes = take_many(store, DOMAIN, posts, NOW)
    assert [outcome.is_taken for outcome in outcomes] == [True, False]


def test_signatures_that_arrive_together_complete_it(any_store: Store) -> None:
    """Each of two writers sends one signature; whoever comes second completes the quorum."""
    deals = [make_deal(salt) for salt in range(4)]
    put(any_store, *deals)
    set_head(any_store)
    failures: list[BaseException] = []

    def send(signer: LocalSigner) -> None:
        try:
            for deal in deals:
                attestation = deal.attestation()
                take_many(any_store, DOMAIN, [Post(attestation, sign(attestation, signer))], NOW)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=send, args=(s,)) for s in (INSPECTOR, SURVEYOR)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {stage_of(any_store, deal.attestation()) for deal in deals} == {"complete"}
    assert actions(any_store).count("attestation.complete") == 4
