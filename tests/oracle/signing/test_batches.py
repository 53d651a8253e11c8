"""Batches of attestations: all of one or nothing is taken in, and counted beside single ones."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.errors import UsageError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.indexer import fates
from milestone_escrow.oracle.signing import batch_intake, protection, waiting_batches
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.batch_intake import take_batch
from milestone_escrow.oracle.signing.batch_json import BatchItem, BatchPost, batch_data, read_batch
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.examining import IntakeOutcome
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.signing.signer import GuardedSigner
from milestone_escrow.oracle.signing.waiting import attestations, expire
from milestone_escrow.oracle.store import audit_log, failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict, batch_typed_data
from milestone_escrow.protocol.eip712 import ZERO_HASH
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
from tests.oracle.wallets import Accepting


@pytest.fixture
def deals(store: Store) -> tuple[Deal, Deal]:
    """Two agreements of the same verifiers, in the order in which batches have them."""
    first, second = sorted((make_deal(1), make_deal(2)), key=lambda deal: deal.id)
    put(store, first, second)
    set_head(store)
    return first, second


def both(deals: tuple[Deal, Deal], **changes: object) -> tuple[Attestation, ...]:
    return tuple(deal.attestation(**changes) for deal in deals)


def together(items: tuple[Attestation, ...], *signers: LocalSigner) -> BatchPost:
    data = batch_typed_data(DOMAIN, items)
    signed = {one.address: one.sign_typed_data(data) for one in signers}
    return BatchPost(tuple(BatchItem(one, {}) for one in items), signed)


def post(
    store: Store, items: tuple[Attestation, ...], *signers: LocalSigner, now: int = NOW
) -> IntakeOutcome:
    return take_batch(store, DOMAIN, together(items, *signers), now)


def alone(store: Store, attestation: Attestation, *signers: LocalSigner) -> None:
    (outcome,) = take_many(store, DOMAIN, [Post(attestation, sign(attestation, *signers))], NOW)
    assert outcome.added, outcome.reason


def stages(store: Store, deals: tuple[Deal, Deal]) -> list[str]:
    """Of the first thing that was said about each agreement's first milestone."""
    with store.reading() as connection:
        return [attestations(connection, deal.id, 0)[-1].stage.value for deal in deals]


def kept(store: Store) -> list[tuple[str, int]]:
    """Each batch's state, and how many have signed it."""
    with store.reading() as connection:
        digests = connection.execute(select(t.batches.c.digest)).scalars()
        found = waiting_batches.load(connection, digests)
        return [(one.stage.value, len(one.signatures)) for one in found.values()]


def settle(store: Store, deal: Deal, **changes: object) -> None:
    """Let the chain have decided the first milestone."""
    usual: dict[str, object] = {
        "status": int(Status.SETTLED),
        "issued_at": NOW - 60,
        "paid": AMOUNT,
    }
    deal.set_state(store, **usual | changes)
    with store.transaction() as connection:
        fates.judge(connection, {(deal.id, 0)})


def test_signatures_of_many_posts_complete_all_items_at_once(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    items = both(deals)
    first = post(store, items, INSPECTOR)
    assert (first.stage, first.signers, first.quorum) == (
        AttestationStage.OPEN,
        (INSPECTOR.address,),
        2,
    )
    assert first.waiting_for == (SURVEYOR.address, FORWARDER.address)
    assert stages(store, deals) == ["open", "open"]
    second = post(store, items, FORWARDER)
    assert (second.digest, second.stage) == (first.digest, AttestationStage.COMPLETE)
    assert second.signers == (INSPECTOR.address, FORWARDER.address)
    assert stages(store, deals) == ["complete", "complete"]
    with store.reading() as connection:
        audit_log.verify(connection)
        actions = [entry.action for entry in audit_log.entries(connection)]
        (waiting,) = attestations(connection, deals[0].id, 0)
    assert actions == ["attestation.taken"] * 4 + ["attestation.complete"] * 2
    assert waiting.said_by == second.signers
    assert (waiting.signatures, waiting.batches) == ({}, (first.digest,))


def test_the_same_again_changes_nothing(store: Store, deals: tuple[Deal, Deal]) -> None:
    post(store, both(deals), INSPECTOR)
    with store.reading() as connection:
        before = len(list(audit_log.entries(connection)))
    again = post(store, both(deals), INSPECTOR)
    assert (again.added, again.known, again.refused) == ((), (INSPECTOR.address,), ())
    with store.reading() as connection:
        assert len(list(audit_log.entries(connection))) == before


def test_what_is_signed_singly_and_together_is_not_added_up(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    """The contract takes one or the other."""
    items = both(deals)
    alone(store, items[0], INSPECTOR)
    assert post(store, items, SURVEYOR).stage is AttestationStage.OPEN
    assert stages(store, deals) == ["open", "open"]
    with store.reading() as connection:
        found = [attestations(connection, deal.id, 0)[0] for deal in deals]
    assert [one.lacking for one in found] == [1, 1]
    assert [len(one.said_by) for one in found] == [2, 1]
    alone(store, items[0], SURVEYOR)
    assert stages(store, deals) == ["complete", "open"]
    assert post(store, items, INSPECTOR).stage is AttestationStage.COMPLETE
    assert stages(store, deals) == ["complete", "complete"]


def test_batches_may_overlap(store: Store, deals: tuple[Deal, Deal]) -> None:
    items = both(deals)
    assert post(store, items[:1], INSPECTOR, SURVEYOR).stage is AttestationStage.COMPLETE
    assert post(store, items, INSPECTOR, FORWARDER).stage is AttestationStage.COMPLETE
    assert stages(store, deals) == ["complete", "complete"]
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(t.attestations)).scalar() == 2


def test_taking_one_item_back_takes_the_signature_of_all_back(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    items = both(deals)
    post(store, items, INSPECTOR, SURVEYOR)
    later = replace(items[1], verdict=Verdict.REJECTED, amount=0, issued_at=NOW - 1)
    alone(store, later, SURVEYOR)
    assert kept(store) == [("open", 2)]
    assert stages(store, deals) == ["open", "open"]
    # A third one's signature takes its place.
    assert post(store, items, FORWARDER).stage is AttestationStage.COMPLETE
    assert stages(store, deals) == ["complete", "complete"]


def test_what_was_taken_back_of_a_decided_item_does_no_harm(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    items = both(deals)
    post(store, items, INSPECTOR, SURVEYOR)
    alone(store, replace(items[1], verdict=Verdict.REJECTED, amount=0, issued_at=NOW - 1), SURVEYOR)
    settle(store, deals[1])
    assert kept(store) == [("complete", 2)]
    assert stages(store, deals) == ["complete", "dead"]


def test_signing_a_batch_takes_an_earlier_single_signature_back(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    earlier = deals[0].attestation(verdict=Verdict.REJECTED, amount=0, issued_at=NOW - 90)
    alone(store, earlier, INSPECTOR, SURVEYOR)
    assert stages(store, (deals[0], deals[0])) == ["complete", "complete"]
    post(store, both(deals), INSPECTOR)
    assert stages(store, (deals[0], deals[0])) == ["open", "open"]


def test_a_verifier_cannot_say_two_things_of_one_moment(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    items = both(deals)
    alone(store, replace(items[1], verdict=Verdict.REJECTED, amount=0), INSPECTOR)
    refused = post(store, items, INSPECTOR)
    assert [one.error for one in refused.refused] == ["ConflictingVerdict"]
    assert refused.reason.startswith(f"item 2 (milestone 1 of 0x{deals[1].id.hex()[:12]}…): ")
    assert kept(store) == []
    post(store, items, SURVEYOR)
    other = replace(items[0], amount=1)
    (single,) = take_many(store, DOMAIN, [Post(other, sign(other, SURVEYOR))], NOW)
    assert [one.error for one in single.refused] == ["ConflictingVerdict"]


def test_an_item_that_was_decided_meanwhile_does_not_stop_the_others(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    items = both(deals)
    post(store, items, INSPECTOR)
    settle(store, deals[0])
    assert post(store, items, SURVEYOR).stage is AttestationStage.COMPLETE
    assert stages(store, deals) == ["dead", "complete"]
    settle(store, deals[1])
    refused = post(store, items, FORWARDER)
    assert [one.error for one in refused.refused] == ["WrongStatus", "WrongStatus"]
    assert kept(store) == [("dead", 2)]


def test_a_reorganisation_makes_it_complete_again(store: Store, deals: tuple[Deal, Deal]) -> None:
    post(store, both(deals), INSPECTOR, SURVEYOR)
    for deal in deals:
        settle(store, deal)
    assert kept(store) == [("dead", 2)]
    settle(store, deals[0], status=int(Status.FUNDED), issued_at=0, paid=0)
    assert kept(store) == [("complete", 2)]
    assert stages(store, deals) == ["complete", "dead"]


def test_a_batch_dies_with_the_last_of_its_items(store: Store, deals: tuple[Deal, Deal]) -> None:
    items = (deals[0].attestation(valid_until=NOW + 9), deals[1].attestation())
    post(store, items, INSPECTOR, SURVEYOR)
    set_head(store, time=NOW + 10)
    with store.transaction() as connection:
        assert len(expire(connection, NOW + 10)) == 1
    assert kept(store) == [("complete", 2)]
    set_head(store, time=NOW + 31 * DAY)
    with store.transaction() as connection:
        expire(connection, NOW + 31 * DAY)
    assert kept(store) == [("dead", 2)]


def wrong(deals: tuple[Deal, Deal]) -> dict[str, tuple[tuple[Attestation, ...], str, str]]:
    one, two = both(deals)
    return {
        "too much": ((one, replace(two, amount=AMOUNT + 1)), "AmountOutOfBounds", "item 2"),
        "expired": ((replace(one, valid_until=NOW - 1), two), "SignatureExpired", "item 1"),
        "nowhere": ((one, replace(two, milestone=7)), "NoSuchMilestone", "item 2 (milestone 8"),
        "unknown": ((replace(one, agreement_id=b"\1" * 32), two), "NoSuchMilestone", "item 1"),
        "other order": ((two, one), "NotOneBatch", "another order"),
        "twice": ((one, one), "NotOneBatch", "stands in the batch twice"),
        "two things": ((one, replace(one, issued_at=NOW - 5)), "NotOneBatch", "same milestone"),
        "rework": (
            (replace(one, verdict=Verdict.RETURNED, amount=0), two),
            "NotOneBatch",
            "has no place in a batch",
        ),
    }


@pytest.mark.parametrize(
    "what",
    ["too much", "expired", "nowhere", "unknown", "other order", "twice", "two things", "rework"],
)
def test_one_wrong_item_refuses_the_whole_batch(
    store: Store, deals: tuple[Deal, Deal], what: str
) -> None:
    items, error, says = wrong(deals)[what]
    outcome = post(store, items, INSPECTOR)
    assert {one.error for one in outcome.refused} == {error}
    assert says in outcome.reason
    assert outcome.stage is None
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(t.attestations)).scalar() == 0


def test_agreements_with_other_verifiers_are_another_batch(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    other = make_deal(3)
    terms = replace(other.terms, verifiers=other.terms.verifiers[:2])
    other = replace(other, id=b"\xff" * 32, terms=terms)
    put(store, other)
    items = (deals[0].attestation(), other.attestation())
    outcome = post(store, items, INSPECTOR)
    assert "make 2 batches" in outcome.reason


def test_who_does_not_verify_all_of_it_cannot_sign_it(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    outcome = post(store, both(deals), INSPECTOR, STRANGER)
    assert [(one.error, one.account) for one in outcome.refused] == [
        ("SignerNotAllowed", STRANGER.address)
    ]
    assert kept(store) == []


def test_a_signature_of_something_else_is_refused(store: Store, deals: tuple[Deal, Deal]) -> None:
    items = both(deals)
    whole = together(items, INSPECTOR)
    for signatures in (
        sign(items[0], INSPECTOR),
        together(items[:1], INSPECTOR).signatures,
        {SURVEYOR.address: whole.signatures[INSPECTOR.address]},
    ):
        outcome = take_batch(store, DOMAIN, BatchPost(whole.items, signatures), NOW)
        assert [one.error for one in outcome.refused] == ["InvalidSignature"]


def test_a_contracts_signature_is_a_question_to_its_chain(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    wallets = Accepting(b"safe")
    items = both(deals)
    sent = BatchPost(together(items).items, {SURVEYOR.address: b"safe"})
    outcome = take_batch(store, DOMAIN, sent, NOW, wallets=wallets)
    assert outcome.added == (SURVEYOR.address,)
    digest = batch_typed_data(DOMAIN, items).digest()
    assert wallets.asked == [(DOMAIN.chain_id, SURVEYOR.address, digest, b"safe")]


def test_each_items_words_must_be_what_was_signed(store: Store, deals: tuple[Deal, Deal]) -> None:
    words: dict[str, object] = {"format": "1", "files": [], "reason": "It leans"}
    rejected = {"verdict": Verdict.REJECTED, "amount": 0, "evidence_hash": words_hash(words)}
    items = (deals[0].attestation(), deals[1].attestation(**rejected))
    sent = together(items, INSPECTOR)
    bad = replace(sent, items=(BatchItem(items[0], words), sent.items[1]))
    refused = take_batch(store, DOMAIN, bad, NOW)
    assert [one.error for one in refused.refused] == ["WordsDoNotFit"]
    assert refused.reason.startswith("item 1 ")
    good = replace(sent, items=(sent.items[0], BatchItem(items[1], words)))
    assert take_batch(store, DOMAIN, good, NOW).added == (INSPECTOR.address,)
    with store.reading() as connection:
        (found,) = attestations(connection, deals[1].id, 0)
    assert found.words == words


def test_a_batch_that_no_node_would_pass_on_is_refused(
    store: Store, deals: tuple[Deal, Deal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_intake, "MAX_CALLDATA", 1_500)
    assert "sign several smaller ones" in post(store, both(deals), INSPECTOR).reason


def test_json_holds_what_was_posted(deals: tuple[Deal, Deal]) -> None:
    sent = together(both(deals), INSPECTOR, SURVEYOR)
    assert read_batch(batch_data(sent)) == sent


def test_too_many_items_are_refused_with_the_way_out(deal: Deal) -> None:
    data = batch_data(together((deal.attestation(),), INSPECTOR))
    with pytest.raises(UsageError, match="holds 51 attestations, allowed are 50") as caught:
        read_batch({**data, "items": list(data["items"]) * 51})  # type: ignore[call-overload]
    assert caught.value.hint == "sign several smaller batches"
    with pytest.raises(UsageError, match="not a list"):
        read_batch({**data, "items": []})


def test_what_a_key_has_signed_in_a_batch_belongs_to_its_history(
    store: Store, deals: tuple[Deal, Deal]
) -> None:
    items = both(deals)
    post(store, items, INSPECTOR)
    with store.transaction() as connection:
        protection.begin(connection, INSPECTOR.address, NOW, declared_new=True)
        known = protection.history(connection, INSPECTOR.address, deals[0].id, 0)
        assert [one.attestation for one in known.decided] == [items[0]]
        assert protection.unsigned(connection, INSPECTOR.address) == ()
        later = replace(items[0], verdict=Verdict.REJECTED, amount=0, issued_at=NOW)
        refused = protection.forbidden(known, later, NOW)
    assert refused is not None
    assert refused.error == "VerdictStillLive"


def test_verifiers_who_post_at_once_complete_it_together(any_store: Store) -> None:
    pairs = [sorted((make_deal(n), make_deal(n + 1)), key=lambda deal: deal.id) for n in (1, 3)]
    put(any_store, *pairs[0], *pairs[1])
    set_head(any_store)
    failures: list[BaseException] = []

    def send(signer: LocalSigner) -> None:
        try:
            for first, second in pairs:
                post(any_store, both((first, second)), signer)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=send, args=(s,)) for s in (INSPECTOR, SURVEYOR)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert kept(any_store) == [("complete", 2)] * 2
    for first, second in pairs:
        assert stages(any_store, (first, second)) == ["complete", "complete"]


STEPS = ("sign.decided", "sign.signed", "sign.stored")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def signer(store: Store, deals: tuple[Deal, Deal]) -> GuardedSigner:
    """The surveyor's key, new, in the service."""
    found = GuardedSigner(
        store, DOMAIN, SURVEYOR, why_not=lambda *_: (), verify_contract=lambda: None
    )
    found.start(NOW - 10 * DAY, declared_new=True)
    return found


def decide(signer: GuardedSigner, deal: Deal) -> None:
    signer.attest(deal.id, 0, AMOUNT, ZERO_HASH, NOW)


def test_the_services_key_joins_a_batch_once_it_has_decided_all_of_it(
    store: Store, deals: tuple[Deal, Deal], signer: GuardedSigner
) -> None:
    post(store, both(deals), INSPECTOR)
    assert signer.join_batches(NOW) == ()
    decide(signer, deals[0])
    assert signer.join_batches(NOW) == ()
    decide(signer, deals[1])
    (joined,) = signer.join_batches(NOW)
    assert (joined.added, joined.stage) == ((SURVEYOR.address,), AttestationStage.COMPLETE)
    assert stages(store, deals) == ["complete", "complete"]
    assert signer.join_batches(NOW) == ()


def test_the_services_key_signs_no_batch_that_is_of_no_use(
    store: Store, deals: tuple[Deal, Deal], signer: GuardedSigner
) -> None:
    post(store, both(deals), INSPECTOR)
    for deal in deals:
        decide(signer, deal)
        deal.set_state(store, status=int(Status.DISPUTED_OVER_VERDICT), clock=NOW - 1)
    assert signer.join_batches(NOW) == ()
    assert kept(store) == [("open", 1)]


@pytest.mark.parametrize("moment", STEPS)
def test_a_key_that_is_killed_anywhere_joins_later_and_says_nothing_else(
    store: Store, deals: tuple[Deal, Deal], signer: GuardedSigner, moment: str
) -> None:
    def hook(name: str) -> None:
        if name == moment:
            raise Killed

    def work() -> None:
        signer.resume(NOW)
        for deal in deals:
            decide(signer, deal)
        signer.join_batches(NOW)

    post(store, both(deals), INSPECTOR)
    for _ in range(3):
        failpoints.set_hook(hook)
        with contextlib.suppress(Killed):
            work()
        failpoints.set_hook(None)
    work()
    assert kept(store) == [("complete", 2)]
    with store.reading() as connection:
        rows = connection.execute(select(t.decisions.c.digest)).scalars().all()
    assert sorted(rows) == sorted(one.typed_data(DOMAIN).digest() for one in both(deals))
