"""Every example is a complete agreement, with attachments and evidence that fits."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check.finding_kinds import Level
from milestone_escrow.documents.manifest import manifest
from milestone_escrow.documents.render import render_agreement
from milestone_escrow.documents.requirements.kinds import (
    AllRequired,
    DocumentRequired,
    Requirement,
    SomeRequired,
)
from milestone_escrow.documents.testkeys import TEST_ACCOUNTS
from milestone_escrow.documents.when import is_month_end
from milestone_escrow.errors import UsageError
from milestone_escrow.words.check_report import render_report

TODAYS = (date(2026, 11, 22), date(2028, 2, 29), date(2031, 12, 31))


@pytest.fixture(params=examples.names())
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def agreement(example: str) -> Agreement:
    return Agreement.load(examples.path(example))


def test_the_six_trades_are_there() -> None:
    assert examples.names() == (
        "electronics", "construction", "software", "carpets", "services", "remodelling",
    )  # fmt: skip


def test_checks_without_errors_at_its_own_date(agreement: Agreement) -> None:
    assert agreement.check().errors == ()


def test_has_no_warning_but_the_missing_arbiter_of_the_agency(
    example: str, agreement: Agreement
) -> None:
    codes = {f.code for f in agreement.check().findings if f.level is Level.WARNING}
    assert codes == ({"no-arbiter"} if example == "software" else set())


def test_adds_up_and_is_played_on_the_sandbox(agreement: Agreement) -> None:
    assert sum(m.amount for m in agreement.milestones) == agreement.price
    assert agreement.network == "sandbox"
    assert set(agreement.people.values()) <= TEST_ACCOUNTS


def test_has_clauses_comments_and_attachments(example: str, agreement: Agreement) -> None:
    assert len(agreement.model.clauses) >= 5
    assert agreement.attachments
    assert examples.path(example).read_text(encoding="utf-8").count("#") >= 4


def test_its_evidence_meets_what_is_required(example: str, agreement: Agreement) -> None:
    for milestone in agreement.milestones:
        if milestone.requirements.items:
            files = examples.evidence(example, milestone.key)
            kinds = Counter(file.kind for file in manifest(files).files)
            assert _met(milestone.requirements, kinds), milestone.key
        else:
            assert examples.evidence(example, milestone.key) == ()


def _met(requirement: Requirement, kinds: Counter[str]) -> bool:
    if isinstance(requirement, AllRequired):
        return all(_met(item, kinds) for item in requirement.items)
    if isinstance(requirement, SomeRequired):
        return sum(_met(item, kinds) for item in requirement.items) >= requirement.at_least
    if isinstance(requirement, DocumentRequired):
        return kinds[requirement.kind] >= requirement.at_least
    return True


def test_reads_well(agreement: Agreement) -> None:
    text = render_agreement(agreement)
    assert agreement.title in text
    assert agreement.document_hash.hex() in text
    for milestone in agreement.milestones:
        assert milestone.key in text
        assert agreement.amount(milestone.amount) in text
    assert max(map(len, [*text.splitlines(), *render_report(agreement.check()).splitlines()])) < 125


@pytest.mark.parametrize("today", TODAYS)
def test_a_starting_file_is_of_today_and_checks(example: str, today: date, tmp_path: Path) -> None:
    file = tmp_path / "deal.yaml"
    written = examples.write_starting_file(example, today, file)
    agreement = Agreement.load(file)
    assert agreement.date == today
    assert agreement.check().errors == ()
    assert {path.name for path in written} == {
        "deal.yaml",
        *(a.name for a in agreement.attachments),
    }


@pytest.mark.parametrize("today", TODAYS)
def test_a_starting_file_keeps_comments_and_distances(example: str, today: date) -> None:
    before = examples.path(example).read_text(encoding="utf-8")
    after = examples.starting_file(example, today)
    dates = re.compile(r"\d{4}-\d{2}-\d{2}")
    assert dates.sub("", before) == dates.sub("", after)
    moved = today - Agreement.loads(before, base=examples.path(example).parent).date
    distances = {
        date.fromisoformat(b) - date.fromisoformat(a) - moved
        for a, b in zip(dates.findall(before), dates.findall(after), strict=True)
    }
    if example == "services":
        assert all(timedelta(0) <= distance < timedelta(days=31) for distance in distances)
    else:
        assert distances == {timedelta(0)}


@pytest.mark.parametrize("today", TODAYS)
def test_monthly_payments_stay_on_month_ends(today: date) -> None:
    text = examples.starting_file("services", today)
    agreement = Agreement.loads(text, base=examples.path("services").parent)
    assert all(m.due and is_month_end(m.due) for m in agreement.milestones)


def test_a_starting_file_overwrites_nothing(example: str, tmp_path: Path) -> None:
    file = tmp_path / "deal.yaml"
    file.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        examples.write_starting_file(example, TODAYS[0], file)
    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["deal.yaml"]


def test_an_unknown_example_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'carpets'"):
        examples.path("carpet")


def test_the_home_is_remodelled_with_a_deposit_and_a_milestone_in_parts() -> None:
    agreement = Agreement.load(examples.path("remodelling"))
    assert agreement.milestone("deposit").is_deposit
    kinds = [file.kind for file in manifest(examples.evidence("remodelling", "installation")).files]
    assert kinds.count("progress_report") == 3


def test_the_builder_is_paid_half_the_retainage_after_the_defects_period() -> None:
    agreement = Agreement.load(examples.path("construction"))
    completion, defects = agreement.milestones[-2:]
    assert completion.amount == defects.amount == agreement.price // 20
    assert completion.due
    assert defects.due == completion.due + timedelta(days=365)
