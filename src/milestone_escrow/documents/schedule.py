"""From the entries of `milestones` to milestones with amounts and dates.

A deposit is one milestone paid when funded; a series is one milestone per payment; retainage is
withheld from each milestone and becomes milestones of its own at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from milestone_escrow.documents.amounts import SplitError, split_evenly, split_price
from milestone_escrow.documents.model import AgreementFile, AnyEntry, MilestoneEntry, Series
from milestone_escrow.documents.money import (
    Currency,
    Part,
    Percent,
    Rest,
    format_amount,
    format_percent,
)
from milestone_escrow.documents.retainage import RetainageRelease
from milestone_escrow.documents.source import Source, Where
from milestone_escrow.documents.when import MONTH_NAMES, add_months, format_date, is_month_end
from milestone_escrow.protocol.terms import MAX_MILESTONES


@dataclass(frozen=True, slots=True)
class WrittenMilestone:
    """A milestone with its amount, before verifiers, deadlines and requirements are resolved."""

    where: Where
    key: str
    title: str
    stage: AnyEntry
    part: Part
    due: date | None = None
    is_deposit: bool = False
    keeps_all: bool = False
    amount: int = 0
    withheld: int = 0


def plan(
    source: Source, model: AgreementFile, price: int, currency: Currency
) -> tuple[WrittenMilestone, ...]:
    """All milestones in order, with amounts that add up to the price.

    Raises:
        DocumentError: an entry makes no sense, or the parts do not add up.
    """
    entries = tuple(_expand(source, model))
    if not entries:
        raise source.error(("milestones",), "is empty", "name at least one milestone")
    drafts = _withhold(source, model, _divide(source, price, entries, currency), currency)
    _refuse_repeated_keys(source, drafts)
    if len(drafts) > MAX_MILESTONES:
        raise source.error(
            ("milestones",),
            f"come to {len(drafts)}, allowed are {MAX_MILESTONES}",
            "split the agreement in two",
        )
    return drafts


_FORMS = ("pays", "deposit", "weekly", "monthly", "quarterly")


def _expand(source: Source, model: AgreementFile) -> Iterator[WrittenMilestone]:
    for index, entry in enumerate(model.milestones):
        where: Where = ("milestones", index)
        forms = [form for form in _FORMS if getattr(entry, form) is not None]
        if not forms:
            raise source.error(
                where, "says nothing about money", "add `pays: 30 %`, or an amount, or rest"
            )
        if len(forms) > 1:
            raise source.error(
                (*where, forms[1]), f"is given together with {forms[0]}", "keep one of the two"
            )
        if entry.deposit is not None:
            yield _deposit(source, where, entry, entry.deposit)
        elif entry.pays is not None:
            yield _milestone(source, where, entry, entry.pays)
        else:
            yield from _series(source, where, entry, forms[0])


_NOT_FOR_DEPOSITS = ("due", "requires", "verified_by", "if_nothing_proven", "refund_after",
                     "pays_after", "retainage", "supplier_evidence")  # fmt: skip


def _deposit(source: Source, where: Where, entry: MilestoneEntry, part: Part) -> WrittenMilestone:
    for field in _NOT_FOR_DEPOSITS:
        if getattr(entry, field) is not None:
            raise source.error(
                (*where, field),
                "does not apply to a deposit, which is paid as soon as it is funded",
                "remove it, or write `pays` instead of `deposit`",
            )
    title = entry.title or "Deposit, paid when funded"
    return WrittenMilestone(
        where, entry.key or "deposit", title, entry, part, is_deposit=True, keeps_all=True
    )


def _milestone(source: Source, where: Where, entry: MilestoneEntry, part: Part) -> WrittenMilestone:
    for field in ("key", "title"):
        if getattr(entry, field) is None:
            raise source.error((*where, field), "is missing", f"add `{field}: …`")
    assert entry.key
    assert entry.title
    keeps_all = False
    if entry.retainage is not None:
        keeps_all = entry.retainage.lower() in {"none", "off"}
        if not keeps_all:
            raise source.error((*where, "retainage"), "can only be none here", "write none")
    return WrittenMilestone(
        where, entry.key, entry.title, entry, part, entry.due, keeps_all=keeps_all
    )


_NAMES = {"weekly": "week", "monthly": "month", "quarterly": "quarter"}


def _series(
    source: Source, where: Where, entry: MilestoneEntry, form: str
) -> Iterator[WrittenMilestone]:
    if entry.due is not None:
        raise source.error((*where, "due"), "does not apply to a series", f"write {form}.first")
    series: Series = getattr(entry, form)
    key = entry.key or _NAMES[form]
    title = entry.title or f"{form.capitalize()} payment"
    keeps_all = (entry.retainage or "").lower() in {"none", "off"}
    for number in range(series.payments):
        due = _nth(series.first, number, form)
        name = f"{MONTH_NAMES[due.month - 1]} {due.year}" if form == "monthly" else format_date(due)
        yield WrittenMilestone(
            where,
            f"{key}-{number + 1}",
            f"{title}, {name} ({number + 1} of {series.payments})",
            entry,
            series.of,
            due,
            keeps_all=keeps_all,
        )


def _nth(first: date, number: int, form: str) -> date:
    """The same weekday or day of the month; from a month's last day on, always the last day."""
    if form == "weekly":
        return first + timedelta(weeks=number)
    months = number * (1 if form == "monthly" else 3)
    return add_months(first, months, month_end=is_month_end(first))


def _divide(
    source: Source, price: int, drafts: Sequence[WrittenMilestone], currency: Currency
) -> tuple[WrittenMilestone, ...]:
    rests = {draft.where for draft in drafts if isinstance(draft.part, Rest)}
    if len(rests) > 1:
        raise source.error(
            max(rests, key=source.line), "takes the rest, like another", "one milestone can"
        )
    try:
        amounts = split_price(price, [draft.part for draft in drafts], currency)
    except SplitError as error:
        where: Where = ("milestones",)
        if error.part is not None:
            draft = drafts[error.part]
            where = _part_where(draft)
        raise source.error(where, error.message, error.hint) from error
    return tuple(
        replace(draft, amount=amount) for draft, amount in zip(drafts, amounts, strict=True)
    )


def _part_where(draft: WrittenMilestone) -> Where:
    entry = draft.stage
    assert isinstance(entry, MilestoneEntry)
    form = next(form for form in _FORMS if getattr(entry, form) is not None)
    return (*draft.where, form) if form in ("pays", "deposit") else (*draft.where, form, "of")


def _withhold(
    source: Source, model: AgreementFile, drafts: tuple[WrittenMilestone, ...], currency: Currency
) -> tuple[WrittenMilestone, ...]:
    if model.retainage is None:
        return drafts
    worked = [index for index, draft in enumerate(drafts) if not draft.keeps_all]
    withheld = model.retainage.withheld.withhold([drafts[index].amount for index in worked])
    result = list(drafts)
    for index, part in zip(worked, withheld, strict=True):
        left = drafts[index].amount - part
        result[index] = replace(drafts[index], amount=left, withheld=part)
    return (*result, *_releases(source, model, drafts, sum(withheld), currency))


def _releases(
    source: Source,
    model: AgreementFile,
    drafts: Sequence[WrittenMilestone],
    withheld: int,
    currency: Currency,
) -> Iterator[WrittenMilestone]:
    assert model.retainage
    where: Where = ("retainage", "released")
    dues = [draft.due for draft in drafts if draft.due is not None and not draft.keeps_all]
    completion = model.retainage.completion or max(dues, default=None)
    if completion is None:
        raise source.error(
            where, "needs a date of completion", "add `completion: 2027-09-30` to retainage"
        )
    releases = model.retainage.released
    shares = [_share(entry.release.part) for entry in releases]
    total = sum((share for share in shares if share is not None), Fraction(0))
    rests = shares.count(None)
    if rests > 1 or (total >= 1 if rests else total != 1):
        raise source.error(
            where,
            f"adds up to {format_percent(total)} of what is withheld",
            "release all of it: half at completion, half after 365 days",
        )
    amounts = split_evenly(withheld, shares)
    for index, (entry, amount) in enumerate(zip(releases, amounts, strict=True)):
        spot = (*where, index)
        if amount <= 0:
            raise source.error(spot, "comes to nothing", "withhold more, or release it at once")
        due = entry.release.after.after(completion)
        text = f"Release of retainage, {format_amount(amount, currency)}"
        title = entry.title or f"{text}, {_moment(entry.release)}"
        key = entry.key or f"retainage-{index + 1}"
        yield WrittenMilestone(
            spot,
            key,
            title,
            entry,
            entry.release.part,
            due,
            keeps_all=True,
            amount=amount,
        )


def _moment(release: RetainageRelease) -> str:
    return f"{release.words} after it" if release.words else "at completion"


def _share(part: Part) -> Fraction | None:
    return part.value if isinstance(part, Percent) else None


def _refuse_repeated_keys(source: Source, drafts: Sequence[WrittenMilestone]) -> None:
    seen: dict[str, Where] = {}
    for draft in drafts:
        if draft.key in seen:
            first = source.line(seen[draft.key])
            raise source.error(
                (*draft.where, "key"),
                f"'{draft.key}' is already the key of another milestone, on line {first}",
                "give each milestone its own key",
            )
        seen[draft.key] = draft.where
