"""Reading a story: what it says, and what a wrong one is told."""

from pathlib import Path

import pytest

from milestone_escrow.documents.money import Rest, read_percent
from milestone_escrow.errors import DocumentError
from milestone_escrow.sandbox.moments import TimeUp
from milestone_escrow.sandbox.story import Verb, load_story, parse_story

GOOD = """
title: Carpets, late and wet
story:
  - fund: all
  - evidence: manufactured
    files: [report.pdf, photos-1.jpeg]
    when: 5 days before due
  - accept: manufactured
    by: inspector, bank
    amount: 30 %
    with: report.pdf
    note: The first third.
  - wait: 3 days later
  - dispute: packed
    by: buyer
    reason: Two cartons are wet.
  - rule: packed
    supplier: 90 %
    buyer: rest
    reason: Wet cartons only.
  - finalize: packed
"""


def test_reads_every_field_of_a_step() -> None:
    story = parse_story(GOOD)
    fund, evidence, accept, wait, dispute, rule, finalize = story.steps
    assert story.title == "Carpets, late and wet"
    assert (fund.verb, fund.milestones, fund.by) == (Verb.FUND, (), ("buyer",))
    assert evidence.evidence == ("report.pdf", "photos-1.jpeg")
    assert (accept.by, accept.amount) == (("inspector", "bank"), read_percent("30 %"))
    assert (accept.evidence, accept.note, accept.line) == (("report.pdf",), "The first third.", 8)
    assert (wait.verb, wait.milestones) == (Verb.WAIT, ())
    assert dispute.reason == "Two cartons are wet."
    assert (rule.by, rule.supplier, rule.buyer) == (("arbiter",), read_percent("90 %"), Rest())
    assert (finalize.by, finalize.when) == (("anyone",), TimeUp())


def a_step(text: str) -> str:
    return f"title: T\nstory:\n  - {text}\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: T\nstory: []\n", "story: is missing; add a list of steps"),
        ("title: T\nstory: no\n", "story: is missing"),
        ("story:\n  - fund: all\n", "title: is empty"),
        ("title: T\nending: sad\nstory:\n  - fund: all\n", "ending: is not a known field"),
        (a_step("fund"), "story.0: is not a step"),
        (a_step("dance: packed"), "'dance' is not something that happens"),
        (a_step("{accept: packed, reject: packed, by: x}"), "does two things: accept, reject"),
        (a_step("accept: packed"), "accept does not say `by`"),
        (a_step("{accept: packed, by: x, reason: y}"), "reason: does not belong to accept"),
        (a_step("{submit: [a, b]}"), "submit: names 2 milestones; name one"),
        (a_step("{fund: [a, a]}"), "names somebody or something twice"),
        (a_step("{submit: Big One}"), "'Big One' cannot be a key; write 'big-one'"),
        (a_step("{submit: a, when: soon}"), "'soon' does not say when"),
        (a_step("{wait: on the due date}"), "does not say which milestone"),
        (a_step("{wait: 1 day later, when: 2 days later}"), "does not belong to wait"),
        (a_step("{approve: a, amount: lots}"), "neither a percentage nor an amount"),
        (a_step("{approve: a, amount: {x: y}}"), "must be text"),
        (a_step('{approve: a, note: "one\\ttwo\\u0007"}'), "is not one readable line"),
        (a_step("{approve: &a x, note: *a}"), "anchor"),
        (a_step(f"{{approve: a, note: {'x' * 400}}}"), "is not one readable line"),
        ("title: T\nstory:\n" + "  - fund: all\n" * 201, "has 201 steps; write at most 200"),
    ],
)
def test_answers_a_wrong_story_with_file_line_field_and_fix(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_story(text, file="story.yaml")
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("story.yaml:")
    assert "\n" not in str(caught.value)


def test_a_missing_story_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        load_story(tmp_path / "story.yaml")
