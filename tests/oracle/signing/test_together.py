"""Many who post at once share commits, and each gets the answer to its own post."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle.signing import group_commit
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.examining import IntakeOutcome
from milestone_escrow.oracle.signing.group_commit import SharedIntake
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.store.store import Store
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import AMOUNT, INSPECTOR, NOW, SURVEYOR, make_deal, put, sign


def test_each_gets_its_own_answer_and_commits_are_shared(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    deals = [make_deal(salt) for salt in range(10)]
    put(store, *deals)
    sizes: list[int] = []
    first = threading.Event()

    def counted(store: Store, _: object, posts: list[Post], now: int, **__: object) -> object:
        sizes.append(len(posts))
        first.wait(10)
        return take_many(store, DOMAIN, posts, now)

    monkeypatch.setattr(group_commit, "take_many", counted)
    posts = [
        Post(what, sign(what, signer))
        for deal in deals
        for signer in (INSPECTOR, SURVEYOR)
        for what in (deal.attestation(),)
    ]
    wrong = deals[0].attestation(amount=AMOUNT + 1)
    posts.append(Post(wrong, sign(wrong, INSPECTOR)))
    intake = SharedIntake(store, DOMAIN, lambda: NOW)
    with ThreadPoolExecutor(len(posts)) as pool:
        futures = [pool.submit(intake.take, post) for post in posts]
        # While the first commit is held up, all others gather for the second.
        while not sizes or len(intake._queue) < len(posts) - sizes[0]:
            time.sleep(0.005)
        first.set()
        outcomes: list[IntakeOutcome] = [future.result(30) for future in futures]
    for post, outcome in zip(posts[:-1], outcomes[:-1], strict=True):
        assert outcome.digest == post.attestation.typed_data(DOMAIN).digest()
        assert outcome.added == tuple(post.signatures)
    assert sum(outcome.stage is AttestationStage.COMPLETE for outcome in outcomes) == 10
    assert not outcomes[-1].is_taken
    assert sum(sizes) == len(posts)
    assert len(sizes) == 2


def test_what_cannot_be_written_is_told_to_everybody_and_ends_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = make_deal()
    put(store, deal)
    what = deal.attestation()
    intake = SharedIntake(store, DOMAIN, lambda: NOW)

    def full(*_: object, **__: object) -> object:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(group_commit, "take_many", full)
        for _ in range(2):
            with pytest.raises(StoreError, match="disk is full"):
                intake.take(Post(what, sign(what, INSPECTOR)))
    assert intake.take(Post(what, sign(what, INSPECTOR))).is_taken
