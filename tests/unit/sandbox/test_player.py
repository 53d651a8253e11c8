"""Playing a story: what cannot happen ends in one sentence, and the books notice everything."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from milestone_escrow.chain.contract.events import MilestoneDisputed
from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.sandbox.books import close, differences
from milestone_escrow.sandbox.player import Player
from milestone_escrow.sandbox.story import load_story, parse_story
from milestone_escrow.sandbox.timeline import Outcome
from milestone_escrow.sandbox.world import World
from tests.cli.deal import DEAL


def player(steps: str, example: str = "software") -> Player:
    agreement = Agreement.load(examples.path(example))
    story = parse_story(f"title: T\nstory:\n{steps}")
    world = World.start(agreement.starts_at)
    return Player(agreement, story, world, lambda key: examples.evidence(example, key))


def test_every_example_has_a_story_about_its_own_milestones() -> None:
    for name in examples.names():
        agreement = Agreement.load(examples.path(name))
        story = load_story(examples.path(name).parent / "story.yaml")
        told = {key for step in story.steps for key in step.milestones}
        keys = {milestone.key for milestone in agreement.milestones}
        assert told <= keys
        assert keys - told <= {"deposit"}, name


def test_what_time_alone_decides_needs_no_step() -> None:
    playing = player("  - fund: all\n")
    finalized = [beat.what for beat in playing.play() if "finalizes" in beat.what]
    assert finalized == [
        f"finalizes {key}: nothing was proven in time"
        for key in ("design", "backend", "beta", "final-delivery")
    ]
    outcome = close(playing)
    assert (outcome.to_payee, outcome.to_buyer) == (0, 64_000 * 10**6)
    assert outcome.problems == ()


def test_steps_that_name_no_time_follow_on_the_same_day() -> None:
    steps = "  - fund: design\n  - submit: design\n  - wait: 14 days later\n"
    playing = player(steps)
    beats = list(playing.play())
    finalized = beats[-1]
    assert finalized.what == "finalizes design: nobody objected for 14 days"
    assert close(playing).unsettled == ("backend", "beta", "final-delivery")


def test_a_story_that_leaves_milestones_unfunded_does_not_add_up() -> None:
    playing = player("  - fund: design\n")
    list(playing.play())
    assert close(playing).problems == ("not settled: backend, beta, final-delivery",)


@pytest.mark.parametrize(
    ("steps", "example", "complaint"),
    [
        ("  - fund: nothing\n", "software", "story.yaml:3: fund: 'nothing' is not a milestone"),
        ("  - approve: design\n", "software", "story.yaml:3: approve:"),
        ("  - {fund: all, by: bank}\n", "software", "'bank' has no role in the agreement"),
        (
            "  - fund: all\n  - {dispute: design, by: supplier, reason: x}\n",
            "software",
            "story.yaml:4: dispute:",
        ),
        ("  - finalize: design\n", "software", "nothing is held for 'design'"),
        (
            '  - fund: all\n  - {approve: design, amount: "9,999,999"}\n',
            "software",
            "more than the",
        ),
        (
            "  - fund: all\n  - {accept: manufactured, by: inspector}\n",
            "carpets",
            "'manufactured' is accepted although it is not shown: no inspection report",
        ),
        (
            "  - fund: all\n  - {reject: packed, by: bank, reason: one is not two}\n",
            "carpets",
            "story.yaml:4: reject:",
        ),
        (
            "  - fund: all\n  - {refund: arrived, amount: 1 %, when: 2 days before due}\n"
            "  - {refund: arrived, when: 5 days before due}\n",
            "carpets",
            "cannot go back to",
        ),
    ],
)
def test_what_cannot_happen_is_one_sentence_with_its_line(
    steps: str, example: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        list(player(steps, example).play())
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fee_comes_out_of_the_payees_part_and_reaches_its_recipient() -> None:
    text = DEAL.replace("fee: none", "fee: 0.5 % to 0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb")
    agreement = Agreement.loads(text)
    steps = "  - fund: all\n  - approve: foundation\n  - refund: walls\n  - approve: handover\n"
    story = parse_story(f"title: T\nstory:\n{steps}")
    playing = Player(agreement, story, World.start(agreement.starts_at), lambda key: ())
    list(playing.play())
    outcome = close(playing)
    # 1,000 deposit, 3,000 and 2,000 approved, each less 0.5 %; 4,000 given back without a fee.
    assert (outcome.to_payee, outcome.fees) == (5_970 * 10**6, 30 * 10**6)
    assert outcome.to_buyer == 4_000 * 10**6
    assert [account.after for account in outcome.accounts] == [
        4_000_000_000,
        5_970_000_000,
        30_000_000,
    ]
    assert outcome.problems == ()


def test_only_accounts_that_everybody_knows_can_play() -> None:
    world = World.start(1_800_000_000)
    with pytest.raises(UsageError, match="is not an account of the embedded chain"):
        world.signer("0x" + "ab" * 20)


def test_the_books_compare_what_is_still_comparable() -> None:
    funded, settled = State(Status.FUNDED, paid=5), State(Status.SETTLED, paid=9)
    assert differences((funded, settled), (funded, State(Status.SETTLED))) == ()
    assert differences((funded, settled), (replace(funded, paid=6), settled)) == (0,)
    assert differences((funded, settled), (funded, funded)) == (1,)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    playing = player("  - fund: all\n  - approve: design\n")
    list(playing.play())
    return close(playing)


def test_every_problem_has_a_sentence(outcome: Outcome) -> None:
    assert outcome.problems == ()
    share, account = outcome.shares[0], outcome.accounts[0]
    wrong = {
        "what came in is not what went out": [
            replace(outcome, funded=outcome.funded + 1),
            replace(outcome, shares=(replace(share, net=share.net - 1), *outcome.shares[1:])),
            replace(outcome, accounts=(replace(account, after=account.after + 1),)),
        ],
        "1 token units are left in the contract": [replace(outcome, contract_balance=1)],
        "not settled: design": [replace(outcome, unsettled=("design",))],
        "events and contract differ about design": [replace(outcome, differing=("design",))],
    }
    for sentence, outcomes in wrong.items():
        for one in outcomes:
            assert one.problems == (sentence,)


def test_a_reason_comes_to_the_hash_that_the_command_line_and_the_page_commit_to() -> None:
    steps = (
        "  - fund: design\n  - submit: design\n"
        "  - {dispute: design, by: buyer, reason: Half is missing.}\n"
    )
    playing = player(steps)
    list(playing.play())
    events = playing.world.escrow.events(playing.bound)
    (disputed,) = (event for event in events if isinstance(event, MilestoneDisputed))
    assert disputed.reason_hash == sha256(b"Half is missing.").digest()
