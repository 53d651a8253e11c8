"""Milestones, deposits, series and retainage: amounts and dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.retainage import read_release, read_steps
from milestone_escrow.documents.when import DAY, HOUR, CalendarPeriod, end_of_day
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.eip712 import ZERO_HASH

Load = Callable[..., Agreement]
Refusal = Callable[..., DocumentError]

DEPOSIT = "  - deposit: 10 %\n"
BUILT = "    pays: 50 %\n    due: 2027-03-15\n"


def amounts(agreement: Agreement) -> dict[str, int]:
    return {m.key: m.amount // 10**6 for m in agreement.milestones}


def dues(agreement: Agreement) -> list[date | None]:
    return [m.due for m in agreement.milestones]


def test_a_deposit_pays_when_funded_and_nobody_verifies_it(agreement: Agreement) -> None:
    deposit = agreement.milestone("deposit")
    assert (deposit.amount, deposit.deadline) == (1_000 * 10**6, 0)
    assert deposit.pays_on_silence
    assert deposit.is_deposit
    assert (deposit.verifiers, deposit.quorum) == ((), 0)
    assert deposit.requirements_hash == ZERO_HASH


def test_silence_decides_thirty_days_after_the_due_date(agreement: Agreement) -> None:
    built = agreement.milestone("built")
    assert built.due_at == end_of_day(date(2027, 3, 15), agreement.timezone)
    assert built.deadline == end_of_day(date(2027, 4, 14), agreement.timezone)


def test_the_due_date_is_late_by_default_and_exact_where_silence_pays(load: Load) -> None:
    rules = "  refund_after: 30 days past due\n"
    built = load((rules, "")).milestone("built")
    assert built.deadline == end_of_day(date(2027, 4, 14), load().timezone)
    paying = load(
        (rules, ""), ("if_nothing_proven: refund buyer", "if_nothing_proven: pay supplier")
    )
    assert paying.milestone("built").deadline == paying.milestone("built").due_at


@pytest.mark.parametrize(
    ("rule", "day", "extra"),
    [
        ("refund_after: 2 weeks past due", date(2027, 3, 29), 0),
        ("refund_after: 1 month after the due date", date(2027, 4, 15), 0),
        ("refund_after: 2027-06-30", date(2027, 6, 30), 0),
        ("refund_after: 36 hours past due", date(2027, 3, 16), 12 * HOUR),
        ("if_nothing_proven: pay supplier", date(2027, 3, 15), 0),
        ("if_nothing_proven: pay supplier\n    pays_after: 5 days past due", date(2027, 3, 20), 0),
    ],
)
def test_a_milestone_may_say_when_silence_decides(
    load: Load, rule: str, day: date, extra: int
) -> None:
    built = load((BUILT, f"{BUILT}    {rule}\n")).milestone("built")
    assert built.deadline == end_of_day(day, load().timezone) + extra
    assert built.pays_on_silence == ("pay supplier" in rule)


def test_deadlines_count_calendar_days_over_a_change_of_clocks(load: Load) -> None:
    built = load((BUILT, f"{BUILT}    refund_after: 14 days past due\n")).milestone("built")
    assert built.deadline - built.due_at == 14 * DAY - HOUR


def test_a_date_alone_may_be_the_deadline(load: Load) -> None:
    built = load((BUILT, "    pays: 50 %\n    refund_after: 2027-06-30\n")).milestone("built")
    assert built.due is None
    assert built.deadline == end_of_day(date(2027, 6, 30), load().timezone)


@pytest.mark.parametrize(
    ("text", "names", "quorum"),
    [
        ("2 of 3", ("inspector", "forwarder", "bank"), 2),
        ("all", ("inspector", "forwarder", "bank"), 3),
        ("all of bank, inspector", ("inspector", "bank"), 2),
        ("all of forwarder and bank", ("forwarder", "bank"), 2),
        ("any of forwarder, bank", ("forwarder", "bank"), 1),
        ("two of forwarder, bank", ("forwarder", "bank"), 2),
        ("bank", ("bank",), 1),
        ("nobody", (), 0),
    ],
)
def test_reads_who_must_sign(load: Load, text: str, names: tuple[str, ...], quorum: int) -> None:
    built = load(("verified_by: inspector", f"verified_by: {text}")).milestone("built")
    assert (built.verifiers, built.quorum) == (names, quorum)


@pytest.mark.parametrize(
    ("text", "bps"),
    [
        ("50 % to supplier", 5_000), ("30 % to buyer", 7_000), ("refund buyer", 0),
        ("pay supplier", 10_000), ("all to buyer", 0), ("12.34 % to the supplier", 1_234),
        ("half to supplier", 5_000),
    ],
)  # fmt: skip
def test_reads_the_default_ruling(load: Load, text: str, bps: int) -> None:
    assert load(("50 % to supplier", text)).model.rules.if_no_ruling == bps


def test_refuses_a_default_ruling_finer_than_the_contract(refusal: Refusal) -> None:
    assert "finer than 0.01 %" in refusal(("50 % to supplier", "50.001 % to supplier")).message


SERIES = "  - monthly: {payments: 10, of: 900.00, first: FIRST}\n    title: Service\n"


def series(load: Load, first: str, form: str = "monthly") -> Agreement:
    entry = SERIES.replace("FIRST", first).replace("monthly", form)
    return load(
        (BUILT, BUILT.replace("50 %", "0.01")),
        ("    pays: 40 %\n", "    pays: rest\n"),
        (DEPOSIT, entry),
    )


def test_a_series_on_a_months_last_day_stays_on_the_last_day(load: Load) -> None:
    due = dues(series(load, "2027-02-28"))[:10]
    assert due[:4] == [date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30), date(2027, 5, 31)]
    assert due[9] == date(2027, 11, 30)


def test_a_series_on_another_day_keeps_it_and_ends_in_short_months(load: Load) -> None:
    due = dues(series(load, "2026-12-30"))[:4]
    assert due == [date(2026, 12, 30), date(2027, 1, 30), date(2027, 2, 28), date(2027, 3, 30)]


def test_series_may_be_weekly_or_quarterly(load: Load) -> None:
    assert dues(series(load, "2027-02-01", "weekly"))[1] == date(2027, 2, 8)
    assert dues(series(load, "2027-02-28", "quarterly"))[1] == date(2027, 5, 31)


def test_a_series_has_keys_and_titles_of_its_own(load: Load) -> None:
    agreement = series(load, "2027-02-28")
    assert agreement.index("month-1") == 0
    assert agreement.milestone("month-10").title == "Service, November 2027 (10 of 10)"


def test_a_series_may_be_a_sentence(load: Load) -> None:
    sentence = "  - monthly: ten payments of 100.00, first 2027-02-28\n"
    agreement = load((DEPOSIT, sentence))
    assert amounts(agreement)["month-10"] == 100
    assert sum(m.amount for m in agreement.milestones) == agreement.price


def test_a_series_may_share_the_rest(load: Load) -> None:
    agreement = load((DEPOSIT, "  - monthly: three payments of rest, first 2027-02-28\n"))
    assert [m.amount for m in agreement.milestones[:3]] == [333_333_333, 333_333_333, 333_333_334]


def test_a_series_that_is_no_sentence_is_refused(refusal: Refusal) -> None:
    error = refusal((DEPOSIT, "  - monthly: as agreed\n"))
    assert error.field == "milestones.0.monthly"
    assert "ten payments of 100,000.00, first 2027-02-28" in error.hint


RETAINED = "retainage:\n  withheld: 10 %\n  released: half at completion, half after 365 days\n"


def test_retainage_is_withheld_from_milestones_and_released_in_two_more(load: Load) -> None:
    agreement = load(("clauses:", f"{RETAINED}clauses:"))
    assert amounts(agreement) == {
        "deposit": 1_000, "built": 4_500, "delivered": 3_600, "retainage-1": 450,
        "retainage-2": 450,
    }  # fmt: skip
    assert dues(agreement)[3:] == [date(2027, 4, 10), date(2028, 4, 9)]
    assert agreement.milestone("built").withheld == 500 * 10**6


def test_retainage_steps_down_across_a_milestone(load: Load) -> None:
    stepped = RETAINED.replace("10 %", "10 % until 50 % complete, then 5 %")
    agreement = load(("clauses:", f"{stepped}clauses:"))
    # Half of the 9,000 under retainage is 4,500: 450 of `built` at 10 %, 25 at 5 %.
    assert agreement.milestone("built").withheld == 475 * 10**6
    assert agreement.milestone("delivered").withheld == 200 * 10**6
    assert sum(m.amount for m in agreement.milestones) == agreement.price


def test_a_milestone_may_be_free_of_retainage(load: Load) -> None:
    free = f"{BUILT}    retainage: none\n"
    agreement = load((BUILT, free), ("clauses:", f"{RETAINED}clauses:"))
    assert agreement.milestone("built").withheld == 0
    assert amounts(agreement)["retainage-1"] == 200


def test_a_release_may_be_a_milestone_with_everything(load: Load) -> None:
    text = """retainage:
  withheld: 10 %
  completion: 2027-05-01
  released:
    - {release: 30 % at completion, key: handover, title: Handed over, verified_by: bank}
    - release: the rest 12 months after completion
      key: defects
      requires: ["statement of inspector: no defects are left"]
      if_nothing_proven: pay supplier
clauses:"""
    agreement = load(("clauses:", text))
    handover, defects = agreement.milestones[3:]
    assert (handover.amount, handover.verified_by) == (270 * 10**6, "bank")
    assert (defects.due, defects.amount) == (date(2028, 5, 1), 630 * 10**6)
    assert defects.pays_on_silence
    assert defects.requirements_hash != ZERO_HASH


@given(st.lists(st.integers(1, 2**100), min_size=1, max_size=20), st.integers(1, 99))
def test_withheld_parts_are_rounded_down_and_never_more_than_the_rate(
    parts: list[int], percent: int
) -> None:
    withheld = read_steps(f"{percent} %").withhold(parts)
    assert [part * percent // 100 for part in parts] == list(withheld)
    stepped = read_steps(f"{percent} % until 50 % complete, then none").withhold(parts)
    exact = Fraction(sum(parts), 2) * percent / 100
    assert exact - len(parts) < sum(stepped) <= exact


@pytest.mark.parametrize(
    "text", ["100 %", "10 % until 50 % complete", "10 % then 5 %", "ten",
             "10 % until 50 % complete, then 5 % until 40 % complete, then 1 %"],
)  # fmt: skip
def test_refuses_retainage_that_is_not_clear(text: str) -> None:
    with pytest.raises(UsageError):
        read_steps(text)


def test_reads_releases() -> None:
    assert read_release("half after 365 days defects period").after == CalendarPeriod(days=365)
    assert read_release("half after the 12 months defects period").after == CalendarPeriod(
        months=12
    )
    with pytest.raises(UsageError, match="half at completion"):
        read_release("half when it suits us")


def test_refuses_more_milestones_than_the_contract_takes(refusal: Refusal) -> None:
    error = refusal((DEPOSIT, "  - weekly: {payments: 60, of: rest, first: 2027-02-01}\n"))
    assert "come to 62, allowed are 60" in error.message
    assert error.field == "milestones"
