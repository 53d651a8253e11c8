"""Requirements against facts: each kind, the algebra of combinations, and the reasons."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.evaluation import Evaluation, Fulfilment
from milestone_escrow.documents.requirements.facts import (
    Event,
    Facts,
    Look,
    Statement,
    SuppliedFile,
)
from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    DocumentRequired,
    HttpRequired,
    Leaf,
    OtherRequired,
    Requirement,
    SomeRequired,
    StatementRequired,
    WebhookRequired,
    requirements_hash,
)
from milestone_escrow.protocol.acts import Verdict

SUPPLIER, INSPECTOR, BANK = ("0x" + digit * 40 for digit in "123")
PEOPLE = {"supplier": SUPPLIER, "inspector": INSPECTOR, "bank": BANK}
NOW = 1_000_000
BASE = Facts(
    people=PEOPLE,
    payees=frozenset({SUPPLIER}),
    payee_hosts=frozenset({"maker.example"}),
    amount=100,
)
MET, MISSING, FAILED = Fulfilment.MET, Fulfilment.MISSING, Fulfilment.FAILED


def file(
    number: int, kind: str = "photos", by: str = "supplier", media: str = "image/jpeg"
) -> SuppliedFile:
    return SuppliedFile(
        f"{kind}-{number}.x", kind, media, 10, bytes([number]) * 32, PEOPLE[by], by, number
    )


def statement(
    by: str = "inspector",
    verdict: Verdict = Verdict.ACCEPTED,
    *,
    amount: int = 100,
    issued: int = 500,
    until: int = NOW + 1,
) -> Statement:
    return Statement(PEOPLE[by], verdict, amount, issued, until, issued + 5)


def look(value: object, *, url: str = "https://api.example/x", error: str = "") -> Look:
    return Look(url, "/state", value, error, 700, 900)  # type: ignore[arg-type]


HTTP = HttpRequired("https://api.example/x", "/state", "equals", "done")
PHOTOS = DocumentRequired("photos", "supplier", 3, "image/jpeg")
REPORT = DocumentRequired("report", "inspector")
WORD = StatementRequired("inspector", "the goods match")

CASES: list[tuple[Requirement, Facts, Fulfilment, str, int, bool]] = [
    (PHOTOS, BASE, MISSING, "0 of 3 photos from supplier", 0, False),
    (
        PHOTOS, replace(BASE, files=(file(1), file(2))),
        MISSING, "2 of 3 photos from supplier", 0, False,
    ),
    (
        PHOTOS, replace(BASE, files=(file(3), file(1), file(2), file(9))),
        MET, "4 photos from supplier", 3, False,
    ),
    (
        PHOTOS, replace(BASE, files=(file(1), file(2), file(3, media="image/png"))),
        MISSING, "2 of 3 photos from supplier (1 not as image/jpeg)", 0, False,
    ),
    (
        PHOTOS, replace(BASE, files=(file(1), file(1), file(2))),
        MISSING, "2 of 3 photos from supplier (1 the same as another)", 0, False,
    ),
    (REPORT, BASE, MISSING, "no report from inspector", 0, False),
    (
        REPORT, replace(BASE, files=(file(1, "report"),)),
        MISSING, "no report from inspector (1 from supplier instead)", 0, False,
    ),
    (
        REPORT, replace(BASE, files=(file(7, "report", "inspector"),)),
        MET, "report from inspector", 7, True,
    ),
    (
        REPORT, replace(BASE, files=(replace(file(7, "report", "inspector"), stored=False),)),
        MET, "report from inspector (by its hash only)", 7, True,
    ),
    (WORD, BASE, MISSING, "inspector has not signed: the goods match", 0, False),
    (
        WORD, replace(BASE, statements=(statement(),)),
        MET, "inspector accepted it: the goods match", 505, True,
    ),
    (
        WORD, replace(BASE, statements=(statement("bank"),)),
        MISSING, "inspector has not signed: the goods match", 0, False,
    ),
    (
        WORD, replace(BASE, statements=(statement(amount=60),)),
        MISSING, "inspector has accepted only a part: the goods match", 0, False,
    ),
    (
        WORD, replace(BASE, statements=(statement(until=NOW - 1),)),
        MISSING, "inspector has not signed: the goods match", 0, False,
    ),
    (
        WORD, replace(BASE, issued_at=500, statements=(statement(),)),
        MISSING, "inspector has not signed: the goods match", 0, False,
    ),
    (
        WORD,
        replace(BASE, statements=(statement(), statement(verdict=Verdict.REJECTED, issued=600))),
        FAILED, "inspector rejected it: the goods match", 605, False,
    ),
    (
        WORD,
        replace(BASE, statements=(statement(verdict=Verdict.RETURNED), statement(issued=600))),
        MET, "inspector accepted it: the goods match", 605, True,
    ),
    (
        WORD, replace(BASE, statements=(statement(verdict=Verdict.RETURNED),)),
        FAILED, "inspector returned it for rework: the goods match", 505, False,
    ),
    (AfterRequired("packed"), BASE, MISSING, "'packed' is not settled yet", 0, False),
    (
        AfterRequired("packed"), replace(BASE, settled={"packed": 44}),
        MET, "'packed' is settled", 44, False,
    ),
    (
        WebhookRequired("carrier", "delivered"), BASE,
        MISSING, "no event 'delivered' from carrier yet", 0, False,
    ),
    (
        WebhookRequired("carrier", "delivered"),
        replace(BASE, events=tuple(Event("carrier", "delivered", {}, at) for at in (9, 5))),
        MET, "event 'delivered' from carrier", 5, True,
    ),
    (
        WebhookRequired("supplier", "delivered"),
        replace(BASE, events=(Event("supplier", "delivered", {}, 9),)),
        MET, "event 'delivered' from supplier", 9, False,
    ),
    (HTTP, BASE, MISSING, "api.example was not asked yet", 0, False),
    (
        HTTP, replace(BASE, looks=(look("done"),)),
        MET, "/state at api.example is 'done', which is what it must be", 700, True,
    ),
    (
        HTTP, replace(BASE, looks=(look("late"),)),
        MISSING, "/state at api.example is 'late', it must be done", 0, False,
    ),
    (
        HTTP, replace(BASE, looks=(look(None, error="it answered 500"),)),
        FAILED, "api.example could not be asked: it answered 500", 700, False,
    ),
    (
        replace(HTTP, url="https://api.maker.example/x"),
        replace(BASE, looks=(look("done", url="https://api.maker.example/x"),)),
        MET, "/state at api.maker.example is 'done', which is what it must be", 700, False,
    ),
    (
        HttpRequired(HTTP.url, "/state", "at_least", "12"),
        replace(BASE, looks=(look(Decimal("11.999")),)),
        MISSING, "/state at api.example is 11.999, it must be at least 12", 0, False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("required", "facts", "standing", "text", "since", "independent"),
    CASES,
    ids=lambda v: str(v)[:40],
)
def test_says_of_each_kind_what_it_comes_to_and_why(
    required: Requirement,
    facts: Facts,
    standing: Fulfilment,
    text: str,
    since: int,
    independent: bool,
) -> None:
    finding = evaluate(required, facts, NOW)
    said = (finding.standing, finding.text, finding.since, finding.independent)
    assert said == (standing, text, since, independent)


def test_a_verifier_who_bought_the_payout_is_a_payee() -> None:
    facts = replace(BASE, payees=frozenset({SUPPLIER, INSPECTOR}), statements=(statement(),))
    finding = evaluate(WORD, facts, NOW)
    assert finding.is_met
    assert not finding.independent


def test_all_is_met_since_the_last_and_any_since_the_first() -> None:
    facts = replace(BASE, settled={"a": 10, "b": 20})
    items = (AfterRequired("a"), AfterRequired("b"))
    assert evaluate(AllRequired(items), facts, NOW).since == 20
    assert evaluate(SomeRequired(1, items), facts, NOW).since == 10
    assert evaluate(SomeRequired(2, items), facts, NOW).since == 20


def test_fails_once_there_is_no_way_left() -> None:
    facts = replace(
        BASE, settled={"a": 1}, statements=(statement(verdict=Verdict.REJECTED, issued=600),)
    )
    items = (WORD, AfterRequired("b"))
    assert evaluate(SomeRequired(1, items), facts, NOW).standing is MISSING
    assert evaluate(SomeRequired(2, items), facts, NOW).standing is FAILED
    assert evaluate(AllRequired(items), facts, NOW).since == 605


def test_nothing_required_is_met_and_proves_nothing() -> None:
    finding = evaluate(AllRequired(()), BASE, NOW)
    assert (finding.is_met, finding.independent, finding.text) == (
        True, False, "nothing is required",
    )  # fmt: skip


# The algebra.

_MILESTONES = "abcd"
_LEAVES: st.SearchStrategy[Requirement] = st.one_of(
    st.sampled_from(_MILESTONES).map(AfterRequired),
    st.sampled_from(["supplier", "inspector", "bank"]).flatmap(
        lambda who: st.integers(1, 3).map(lambda n: DocumentRequired("photos", who, n))
    ),
    st.sampled_from(["inspector", "bank"]).map(StatementRequired),
    st.sampled_from(["carrier", "supplier"]).map(lambda who: WebhookRequired(who, "done")),
)


def _some(items: list[Requirement]) -> st.SearchStrategy[Requirement]:
    return st.integers(1, len(items)).map(lambda n: SomeRequired(n, tuple(items)))


TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda items: st.one_of(_some(items), st.just(AllRequired(tuple(items))))
    ),
    max_leaves=8,
)
FACTS = st.builds(
    lambda settled, files, signed, events: replace(
        BASE, settled=settled, files=tuple(files), statements=tuple(signed), events=tuple(events)
    ),
    st.dictionaries(st.sampled_from(_MILESTONES), st.integers(1, 100)),
    st.lists(
        st.builds(file, st.integers(1, 9), by=st.sampled_from(["supplier", "inspector", "bank"])),
        max_size=5,
    ),
    st.lists(st.builds(statement, st.sampled_from(["inspector", "bank"])), max_size=2),
    st.lists(
        st.builds(
            Event,
            st.sampled_from(["carrier", "supplier"]),
            st.just("done"),
            st.just({}),
            st.just(3),
        ),
        max_size=2,
    ),
)


def _joined(one: Facts, other: Facts) -> Facts:
    return replace(
        one,
        settled={**other.settled, **one.settled},
        files=(*one.files, *other.files),
        statements=(*one.statements, *other.statements),
        events=(*one.events, *other.events),
    )


@settings(max_examples=60)
@given(TREES, FACTS, FACTS)
def test_more_facts_never_undo_what_is_met(tree: Requirement, facts: Facts, more: Facts) -> None:
    before = evaluate(tree, facts, NOW)
    after = evaluate(tree, _joined(facts, more), NOW)
    assert after.is_met or not before.is_met
    assert after.independent or not before.independent


@settings(max_examples=60)
@given(TREES, FACTS)
def test_any_is_weaker_than_at_least_two_and_that_than_all(tree: Requirement, facts: Facts) -> None:
    items = (tree, AfterRequired("a"), StatementRequired("bank"))
    met = [evaluate(SomeRequired(n, items), facts, NOW).is_met for n in (1, 2, 3)]
    met.append(evaluate(AllRequired(items), facts, NOW).is_met)
    assert met == sorted(met, reverse=True)
    assert met[2] == met[3]


@settings(max_examples=60)
@given(TREES, FACTS)
def test_the_order_of_items_changes_nothing_but_their_order(
    tree: Requirement, facts: Facts
) -> None:
    items = (tree, AfterRequired("a"), PHOTOS)
    one = evaluate(AllRequired(items), facts, NOW)
    other = evaluate(AllRequired(items[::-1]), facts, NOW)
    assert (one.standing, one.since, one.independent, one.text) == (
        other.standing, other.since, other.independent, other.text,
    )  # fmt: skip
    assert one.items == other.items[::-1]


@settings(max_examples=60)
@given(TREES, FACTS)
def test_every_reason_is_complete(tree: Requirement, facts: Facts) -> None:
    """Each part has a sentence; what is met or failed has a time; the tree of reasons is the tree
    of requirements; and what is met is met because of its parts."""

    def check(finding: Evaluation) -> None:
        assert finding.text.strip()
        assert bool(finding.since) == (finding.standing is not MISSING)
        if isinstance(finding.requirement, (AllRequired, SomeRequired)):
            assert [item.requirement for item in finding.items] == list(finding.requirement.items)
            needed = (
                len(finding.items)
                if isinstance(finding.requirement, AllRequired)
                else finding.requirement.at_least
            )
            assert finding.is_met == (sum(i.is_met for i in finding.items) >= needed)
            for item in finding.items:
                check(item)

    check(evaluate(tree, facts, NOW))


@settings(max_examples=60)
@given(TREES, FACTS)
def test_the_payee_alone_never_makes_a_finding_independent(tree: Requirement, facts: Facts) -> None:
    alone = replace(
        facts,
        files=tuple(f for f in facts.files if f.supplied_by == SUPPLIER),
        statements=(),
        events=tuple(e for e in facts.events if e.source == "supplier"),
    )
    assert not evaluate(tree, alone, NOW).independent


@settings(max_examples=60)
@given(TREES, FACTS)
def test_what_is_independent_falls_with_the_independent_facts(
    tree: Requirement, facts: Facts
) -> None:
    """Either somebody else's facts are needed, or they would have been enough with the rest."""
    if evaluate(tree, facts, NOW).independent:
        others = [f for f in facts.files if f.supplied_by != SUPPLIER]
        assert others or facts.statements or any(e.source == "carrier" for e in facts.events)


EVERY_KIND: tuple[Leaf, ...] = (
    DocumentRequired("photos", "supplier"),
    StatementRequired("inspector"),
    AfterRequired("packed"),
    WebhookRequired("carrier", "delivered"),
    HTTP,
    OtherRequired("cold_chain", (("logger", "truck-7"),), "no reading above 8 °C"),
)


@pytest.mark.parametrize("required", EVERY_KIND, ids=lambda leaf: type(leaf).__name__)
def test_every_kind_is_judged_with_a_reason(required: Leaf) -> None:
    found = evaluate(AllRequired((required,)), BASE, NOW)
    assert not found.is_met
    assert found.items[0].text
    assert required.words()
    assert len(requirements_hash(AllRequired((required,)))) == 32


def test_a_kind_that_is_new_has_to_be_tried_here() -> None:
    assert {type(leaf) for leaf in EVERY_KIND} == set(get_args(Leaf))
