"""From one version to the next: what differs, what moves, what stays."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement, BoundAgreement, DeploymentLike
from milestone_escrow.documents.change_orders.change_order import ChangeOrder, change_order
from milestone_escrow.documents.change_orders.difference import difference
from milestone_escrow.documents.change_orders.extend import extend
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.documents.render import render_agreement
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.words.check_report import render_report

UNTIL = 1_900_000_000
SETTLED, FUNDED, UNFUNDED = State(Status.SETTLED), State(Status.FUNDED), State()
ACCEPTED = State(Status.RELEASE_PENDING, clock=1_800_000_000, pending=5, epoch=1)
UNITS = 1_000_000
Edit = Callable[..., str]


@pytest.fixture
def old(agreement: Agreement, deployment: DeploymentLike) -> BoundAgreement:
    return agreement.on(deployment)


@pytest.fixture
def order(
    old: BoundAgreement, edited: Edit, deployment: DeploymentLike
) -> Callable[..., ChangeOrder]:
    """The change order that these edits and states of deposit, built, delivered come to."""

    def ordered(
        states: Sequence[State], *edits: tuple[str, str], fund: Sequence[str] = ()
    ) -> ChangeOrder:
        text = mark_change(edited(*edits), old, states)
        new = Agreement.loads(text).on(deployment)
        return change_order(old, new, states, valid_until=UNTIL, fund=fund)

    return ordered


LATER = ("due: 2027-04-10", "due: 2027-04-24")


def test_a_file_says_what_it_continues(old: BoundAgreement, edited: Edit) -> None:
    text = mark_change(edited(LATER), old, [SETTLED, replace(FUNDED, paid=1_500 * UNITS), UNFUNDED])
    lines = text.splitlines()
    at = lines.index("date: 2027-01-14")
    assert lines[at + 1 : at + 3] == [
        f"replaces: 0x{old.id.hex()}",
        'decided_before: {deposit: all, built: "1,500.00"}',
    ]
    new = Agreement.loads(text)
    assert new.replaces == old.id
    assert [(m.index, m.key, m.amount, m.decided) for m in new.milestones] == [
        (0, "built", 3_500 * UNITS, 1_500 * UNITS),
        (1, "delivered", 4_000 * UNITS, 0),
    ]
    assert [(m.key, m.decided) for m in new.left_behind] == [("deposit", 1_000 * UNITS)]
    assert new.price == old.agreement.price
    with pytest.raises(UsageError, match=r"'deposit' stayed with the version .* by its id, 0x"):
        new.index("deposit")


def test_marking_again_replaces_the_marks(old: BoundAgreement, edited: Edit) -> None:
    once = mark_change(edited(LATER), old, [SETTLED, FUNDED, UNFUNDED])
    again = mark_change(once, old, [UNFUNDED, FUNDED, UNFUNDED])
    assert "decided_before" not in again
    assert again.count("replaces") == 1
    assert mark_change(again, old, [SETTLED, FUNDED, UNFUNDED]) == once


def test_an_extension_moves_what_is_open(order: Callable[..., ChangeOrder]) -> None:
    found = order([SETTLED, FUNDED, UNFUNDED], LATER)
    assert (found.closes, found.funds, found.stays) == (("built", "delivered"), ("built",), ())
    assert (found.amendment.closes, found.amendment.funds) == (0b110, 0b01)
    assert (found.money.carried, found.money.pulled, found.money.returned) == (5_000 * UNITS, 0, 0)
    assert found.difference.render() == (
        "Milestone delivered\n"
        "  due: 10 Apr 2027 -> 24 Apr 2027\n"
        "  silence: refunded after 10 May 2027, 23:59 UTC+02:00 -> refunded after "
        "24 May 2027, 23:59\n      UTC+02:00\n"
    )
    assert found.effects() == (
        "'built' goes on under the new terms, with 5,000.00 USDC",
        "'delivered' goes on under the new terms, not funded yet",
        "5,000.00 USDC moves over from the version before",
    )
    people = found.old.agreement.people
    assert found.signers == (people["buyer"], people["supplier"])


def test_what_is_under_way_stays_unless_it_changes(order: Callable[..., ChangeOrder]) -> None:
    assigned = replace(FUNDED, assignee="0x" + "8" * 40, epoch=1)
    for state in (ACCEPTED, assigned):
        found = order([SETTLED, state, FUNDED], LATER)
        assert (found.closes, found.stays) == (("delivered",), ("built",))
        assert "'built' stays with the version before, under its terms" in found.effects()
        moved = order([SETTLED, state, FUNDED], ("due: 2027-03-15", "due: 2027-03-22"))
        assert moved.closes == ("built", "delivered")
    assert moved.signers[2:] == ("0x" + "8" * 40,)


def test_a_part_that_was_paid_stays_paid(order: Callable[..., ChangeOrder]) -> None:
    found = order([SETTLED, replace(FUNDED, paid=1_500 * UNITS), UNFUNDED], LATER)
    assert found.new.milestones[0].amount == found.money.carried == 3_500 * UNITS


def test_a_removed_milestone_gives_its_money_back(order: Callable[..., ChangeOrder]) -> None:
    removed = (
        "  - key: built\n    title: Forty tables built and oiled\n    pays: 50 %\n"
        "    due: 2027-03-15\n    responsible: supplier\n    verified_by: inspector\n"
        "    requires: [inspection_report from inspector]\n",
        "",
    )
    found = order(
        [SETTLED, FUNDED, FUNDED], removed, ('"10,000.00 USDC"', '"5,000.00 USDC"'),
        ("deposit: 10 %", 'deposit: "1,000.00"'), ("pays: 40 %", "pays: rest"),
        (", after built", ""),
    )  # fmt: skip
    assert found.money.returned == 5_000 * UNITS
    assert "'built' ends: it is not in the new version" in found.effects()
    assert "5,000.00 USDC goes back to Schulamt Nord, Kiel" in found.effects()
    assert [c.texts for c in found.difference.changes if c.subject == "built"] == [
        ("removed, 5,000.00 USDC, Forty tables built and oiled, 15 Mar 2027",)
    ]


ADDED = (
    "clauses:",
    "  - key: mounted\n    title: Tables mounted in the hall\n    pays: rest\n"
    "    due: 2027-05-10\n    responsible: supplier\n\nclauses:",
)


def test_a_new_milestone_is_funded_when_told(order: Callable[..., ChangeOrder]) -> None:
    edits = (
        ADDED, ('"10,000.00 USDC"', '"12,000.00 USDC"'), ("deposit: 10 %", 'deposit: "1,000.00"'),
        ("pays: 50 %", 'pays: "5,000.00"'), ("pays: 40 %", 'pays: "4,000.00"'),
    )  # fmt: skip
    later = order([SETTLED, FUNDED, FUNDED], *edits)
    assert (later.money.pulled, later.funds) == (0, ("built", "delivered"))
    now = order([SETTLED, FUNDED, FUNDED], *edits, fund=["mounted"])
    assert (now.money.pulled, now.funds) == (2_000 * UNITS, ("built", "delivered", "mounted"))
    assert "2,000.00 USDC more is paid in by whoever sends it" in now.effects()
    added = [change.texts for change in now.difference.changes if change.subject == "mounted"]
    assert added == [("added, 2,000.00 USDC, Tables mounted in the hall, 10 May 2027",)]


def test_a_settled_amount_does_not_move_with_the_price(order: Callable[..., ChangeOrder]) -> None:
    with pytest.raises(UsageError, match=r"stays with the version before at 1,000\.00 USDC"):
        order([SETTLED, FUNDED, FUNDED], ('"10,000.00 USDC"', '"12,000.00 USDC"'))


def test_another_takes_a_sides_place_and_signs_too(order: Callable[..., ChangeOrder]) -> None:
    supplier = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
    other = "0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb"
    found = order([SETTLED, FUNDED, FUNDED], (supplier, other))
    assert found.signers == (found.old.terms.buyer, supplier, other)
    told = f"({other}) takes the place of Tischlerei Holm, Husum ({supplier}) as the supplier"
    assert any(told in line and "must sign, too" in line for line in found.effects())


def test_a_new_verifier_is_a_change_order(order: Callable[..., ChangeOrder]) -> None:
    inspector = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69"
    other = "0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb"
    found = order([SETTLED, ACCEPTED, FUNDED], (inspector, other))
    told = " ".join(found.difference.render().split())
    assert f"account: {inspector} -> {other}" in told
    assert found.closes == ("built", "delivered")


def test_what_the_file_says_must_be_what_the_chain_says(
    old: BoundAgreement, edited: Edit, deployment: DeploymentLike
) -> None:
    states = [SETTLED, replace(FUNDED, paid=500 * UNITS), FUNDED]
    text = mark_change(edited(LATER), old, states)
    new = Agreement.loads(text).on(deployment)
    with pytest.raises(UsageError, match=r"600\.00 USDC of 'built' has been paid"):
        change_order(old, new, [SETTLED, replace(FUNDED, paid=600 * UNITS), FUNDED], valid_until=1)
    with pytest.raises(UsageError, match="'built' is settled and cannot go on"):
        change_order(old, new, [SETTLED, SETTLED, FUNDED], valid_until=1)
    more = edited(
        ADDED, ('"10,000.00 USDC"', '"12,000.00 USDC"'), ("deposit: 10 %", 'deposit: "1,000.00"'),
        ("pays: 50 %", 'pays: "5,000.00"'), ("pays: 40 %", 'pays: "4,000.00"'),
    )  # fmt: skip
    late = Agreement.loads(mark_change(more, old, [SETTLED] * 3)).on(deployment)
    with pytest.raises(UsageError, match="changes nothing"):
        change_order(old, late, [SETTLED] * 3, valid_until=1)
    elsewhere = replace(new, domain=Domain(1, new.domain.verifying_contract))
    with pytest.raises(UsageError, match="different networks"):
        change_order(old, elsewhere, states, valid_until=1)
    plain = Agreement.loads(edited(LATER)).on(deployment)
    with pytest.raises(UsageError, match="replaces no other agreement, not 0x"):
        change_order(old, plain, states, valid_until=1)


def test_a_change_order_of_a_change_order(
    old: BoundAgreement, edited: Edit, deployment: DeploymentLike
) -> None:
    states = [SETTLED, replace(FUNDED, paid=500 * UNITS), UNFUNDED]
    first = Agreement.loads(mark_change(edited(LATER), old, states)).on(deployment)
    then = [replace(FUNDED, paid=700 * UNITS), UNFUNDED]
    text = mark_change(first.agreement.source.text.replace("2027-04-24", "2027-05-01"), first, then)
    assert 'decided_before: {deposit: all, built: "1,200.00"}' in text
    second = Agreement.loads(text).on(deployment)
    found = change_order(first, second, then, valid_until=UNTIL)
    assert found.money.carried == second.milestones[0].amount == 3_800 * UNITS
    assert [c.field for c in found.difference.changes] == ["due", "silence"]


def test_a_change_order_is_checked_and_shown_like_any_agreement(
    old: BoundAgreement, edited: Edit
) -> None:
    states = [SETTLED, replace(FUNDED, paid=500 * UNITS), UNFUNDED]
    new = Agreement.loads(mark_change(edited(LATER), old, states))
    report = new.check()
    assert report.ok
    assert report.exposure[-1].paid == 8_500 * UNITS
    page = render_agreement(new)
    assert f"replaces 0x{old.id.hex()}" in page
    assert "deposit: stays with the version before" in page
    assert "the rest of 5,000.00 USDC" in page
    assert "still to be decided" in page
    assert "deposit" not in render_report(report)


BAD_MARKS = [
    ("decided_before: {deposit: all}\n", "add `replaces: 0x"),
    ("replaces: 0x12\n", "is not an agreement's id"),
    ("replaces: {id}\ndecided_before: {nothing: all}\n", "is not a milestone of this file"),
    ("replaces: {id}\ndecided_before: {built: '5,000.00'}\n", "is not a part of its 5,000.00"),
    ("replaces: {id}\ndecided_before: {built: '0.00'}\n", "is not a part of its"),
    ("replaces: {id}\ndecided_before: {built: half}\n", "neither all nor an amount"),
    ("replaces: {id}\ndecided_before: {built: 5.00 DAI}\n", "the amount is in DAI"),
    (
        "replaces: {id}\ndecided_before: {deposit: all, built: all, delivered: all}\n",
        "leaves nothing to change",
    ),
]


@pytest.mark.parametrize(("marks", "says"), BAD_MARKS)
def test_bad_marks_are_answered(edited: Edit, marks: str, says: str) -> None:
    text = edited(("timezone:", marks.replace("{id}", "0x" + "ab" * 32) + "timezone:"))
    with pytest.raises(DocumentError, match=says) as caught:
        Agreement.loads(text)
    assert caught.value.line == 5 + marks.startswith("replaces: {id}")


def test_long_texts_stand_below_each_other(agreement: Agreement, edited: Edit) -> None:
    long = "German law, the courts of Kiel, and the rules of the chamber of commerce"
    new = Agreement.loads(edited(("law: German law", f"law: {long}")))
    assert difference(agreement, new).render() == (
        f"Clause law\n  text:\n    was German law\n    now {long}\n"
    )


def test_nothing_differs_from_itself(agreement: Agreement) -> None:
    assert difference(agreement, agreement).render() == "Nothing changes.\n"


def test_every_kind_of_change_is_told(agreement: Agreement, edited: Edit) -> None:
    new = Agreement.loads(
        edited(
            ("fee: none", "fee: 0.5 % to 0xd41c057fd1c78805AAC12B0A94a405c0461A6FBb"),
            ("objection_period: 2 days", "objection_period: 3 days"),
            ("if_no_ruling: 50 % to supplier", "if_no_ruling: refund buyer"),
            ("law: German law", "law: Danish law\n  place: Kiel"),
            ("name: Indus Survey", "name: Indus Survey GmbH"),
            ("verified_by: inspector\n", "verified_by: bank\n"),
            ("[inspection_report from inspector]", "[inspection_report from bank]"),
            ("title: Forty oak", "title: Forty-one oak"),
        )
    )
    text = difference(agreement, new).render()
    for line in (
        "title: Forty oak tables for a school -> Forty-one oak tables for a school",
        "fee: none -> 0.5 % to 0xd41c",
        "objection period: 2 days -> 3 days",
        "if no ruling: 50 % to supplier -> 0 % to supplier",
        "text: German law -> Danish law",
        "Clause place",
        "  added, Kiel",
        "Party inspector\n  name: Indus Survey -> Indus Survey GmbH",
        "verified by: inspector -> bank",
        "must be shown: inspection report from inspector -> inspection report from bank",
    ):
        assert line in text, f"{line}\n{text}"
    assert difference(agreement, new).milestones == ("built",)
    assert {entry["group"] for entry in difference(agreement, new).to_json()} == {
        "head", "party", "rules", "milestone", "clause",
    }  # fmt: skip


# One line


def test_an_extension_changes_one_line_and_keeps_comments(edited: Edit) -> None:
    text = edited(("due: 2027-04-10", "due: 2027-04-10   # the school opens in May"))
    new = extend(Agreement.loads(text), "delivered", datetime.date(2027, 4, 24))
    changed = [
        pair for pair in zip(text.splitlines(), new.splitlines(), strict=True) if pair[0] != pair[1]
    ]
    assert changed == [
        (
            "    due: 2027-04-10   # the school opens in May",
            "    due: 2027-04-24   # the school opens in May",
        )
    ]


def test_a_deadline_that_is_a_date_is_extended_too(edited: Edit) -> None:
    text = edited(("    due: 2027-04-10\n", "    refund_after: 2027-05-10\n"))
    new = extend(Agreement.loads(text), "delivered", datetime.date(2027, 6, 1))
    assert "    refund_after: 2027-06-01\n" in new


def test_a_document_without_a_file_is_written_anew(agreement: Agreement) -> None:
    known = Agreement.from_document(agreement.document)
    new = Agreement.loads(extend(known, "built", datetime.date(2027, 3, 20)))
    assert [change.field for change in difference(agreement, new).changes] == ["due", "silence"]


def test_every_example_survives_being_written_anew() -> None:
    for path in sorted((Path(__file__).resolve().parents[3] / "examples").glob("*/agreement.yaml")):
        agreement = Agreement.load(path)
        known = Agreement.from_document(agreement.document)
        from milestone_escrow.documents.change_orders.extend import text_of

        again = Agreement.loads(text_of(known), base=path.parent)
        assert again.document_hash == agreement.document_hash


@pytest.mark.parametrize(
    ("key", "says"),
    [("deposit", "is a deposit"), ("built", "is not before"), ("painted", "is not a milestone")],
)
def test_what_has_no_later_date_is_not_extended(agreement: Agreement, key: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        extend(agreement, key, datetime.date(2027, 3, 15))


def test_series_and_retainage_have_no_date_of_their_own() -> None:
    examples = Path(__file__).resolve().parents[3] / "examples"
    services = Agreement.load(examples / "services" / "agreement.yaml")
    with pytest.raises(UsageError, match="one of a series"):
        extend(services, services.milestones[3].key, datetime.date(2030, 1, 1))
    construction = Agreement.load(examples / "construction" / "agreement.yaml")
    with pytest.raises(UsageError, match="some time after completion"):
        extend(construction, construction.milestones[-1].key, datetime.date(2030, 1, 1))
