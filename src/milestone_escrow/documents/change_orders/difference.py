"""What two versions of an agreement differ in, in words, field by field."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import format_percent
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.values import BPS
from milestone_escrow.documents.when import format_date, format_duration, format_time

WIDTH = 92
# Two longer values do not fit on a line: they stand below each other.
SHORT = 60

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference: which field of what; `before` or `after` is "" where it was not there.

    `group` is head, party, rules, milestone, clause or attachment, `subject` which one of them.
    """

    group: str
    subject: str
    field: str
    before: str
    after: str

    @property
    def texts(self) -> tuple[str, ...]:
        """ "due: 10 Apr 2027 -> 24 Apr 2027", or three lines where the values are long."""
        field = f"{self.field}: " if self.field else ""
        if not self.before:
            return (f"{field}added, {self.after}",)
        if not self.after:
            return (f"{field}removed, {self.before}",)
        if max(len(self.before), len(self.after)) > SHORT:
            return (f"{field}".rstrip(), f"  was {self.before}", f"  now {self.after}")
        return (f"{field}{self.before} -> {self.after}",)


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything in which the new version differs, in the order of the file."""

    changes: tuple[FieldChange, ...]

    @property
    def milestones(self) -> tuple[str, ...]:
        """The keys of the milestones that are added, removed or changed."""
        found = (change.subject for change in self.changes if change.group == "milestone")
        return tuple(dict.fromkeys(found))

    def render(self) -> str:
        """One block for each thing that changes; "nothing changes" where nothing does."""
        if not self.changes:
            return "Nothing changes.\n"
        lines: list[str] = []
        last = ""
        for change in self.changes:
            if (heading := _heading(change)) != last:
                lines.append(heading)
                last = heading
            for text in change.texts:
                indent = "  " + " " * (len(text) - len(text.lstrip()))
                lines += textwrap.wrap(
                    text.strip(), WIDTH, initial_indent=indent, subsequent_indent=indent + "    "
                )
        return "\n".join(lines) + "\n"

    def to_json(self) -> list[dict[str, str]]:
        return [
            {
                "group": change.group,
                "subject": change.subject,
                "field": change.field,
                "before": change.before,
                "after": change.after,
            }
            for change in self.changes
        ]


def difference(old: Agreement, new: Agreement) -> Difference:
    """What `new` says differently from `old`. Milestones are the same where their keys are; what
    one version has decided already is no difference."""
    return Difference(
        (
            *_fields("head", "agreement", _head(old), _head(new)),
            *_each("party", _parties(old), _parties(new)),
            *_fields("rules", "rules", _rules(old), _rules(new)),
            *_each("milestone", _milestones(old), _milestones(new)),
            *_each("clause", _clauses(old), _clauses(new)),
            *_each("attachment", _attachments(old), _attachments(new)),
        )
    )


def _each(group: str, old: Mapping[str, Words], new: Mapping[str, Words]) -> Iterator[FieldChange]:
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield FieldChange(group, name, "", _summary(old[name]), "")
        elif name not in old:
            yield FieldChange(group, name, "", "", _summary(new[name]))
        else:
            yield from _fields(group, name, old[name], new[name])


def _fields(group: str, subject: str, old: Words, new: Words) -> Iterator[FieldChange]:
    for field in dict.fromkeys((*old, *new)):
        before, after = old.get(field, ""), new.get(field, "")
        if before != after:
            yield FieldChange(group, subject, field, before, after)


def _summary(words: Words) -> str:
    return ", ".join(value for value in list(words.values())[:3] if value)


def _heading(change: FieldChange) -> str:
    if change.group in ("head", "rules"):
        return change.subject.capitalize()
    return f"{change.group.capitalize()} {change.subject}"


def _head(agreement: Agreement) -> Words:
    return {
        "title": agreement.title,
        "reference": agreement.reference,
        "date": format_date(agreement.date),
        "time zone": agreement.timezone.key,
        "network": agreement.network,
        "price": agreement.amount(agreement.price),
        "description": agreement.model.description or "",
        "invoice prefix": agreement.model.payment.invoice_prefix or "",
    }


def _parties(agreement: Agreement) -> Mapping[str, Words]:
    return {
        role: {
            name.replace("_", " "): str(value)
            for name, value in party.model_dump().items()
            if value
        }
        for role, party in agreement.parties.items()
    }


def _rules(agreement: Agreement) -> Words:
    rules, fee = agreement.model.rules, agreement.model.payment.fee
    no_ruling = rules.if_no_ruling
    return {
        "fee": f"{_percent(fee.bps)} to {fee.recipient}" if fee.bps else "none",
        "objection period": format_duration(rules.objection_period),
        "review period": format_duration(rules.review_period),
        "ruling within": format_duration(rules.ruling_within),
        "if no ruling": "" if no_ruling is None else f"{_percent(no_ruling)} to supplier",
    }


def _milestones(agreement: Agreement) -> Mapping[str, Words]:
    planned = {m.key: m for m in (*agreement.milestones, *agreement.left_behind)}
    return {key: milestone_words(agreement, milestone) for key, milestone in planned.items()}


def milestone_words(agreement: Agreement, milestone: PlannedMilestone) -> Words:
    """A milestone's fields for people; `pays` counts over all versions of the agreement."""
    words = {
        "pays": agreement.amount(milestone.whole),
        "title": milestone.title,
        "due": format_date(milestone.due) if milestone.due else "",
        "withheld": agreement.amount(milestone.withheld) if milestone.withheld else "",
        "responsible": milestone.responsible,
        "verified by": milestone.verified_by or "nobody",
        "must be shown": "; ".join(item.words() for item in milestone.requirements.items),
        "supplier's own evidence": "is enough" if milestone.supplier_evidence else "",
        "description": milestone.description,
        "VAT": milestone.vat.words if milestone.vat else "",
        "cost centre": milestone.cost_centre,
    }
    if not milestone.is_deposit:
        silence = "paid" if milestone.pays_on_silence else "refunded"
        when = format_time(milestone.deadline, agreement.timezone)
        words["silence"] = f"{silence} after {when}"
    return words


def _clauses(agreement: Agreement) -> Mapping[str, Words]:
    return {
        name.replace("_", " "): {"text": " ".join(text.split())}
        for name, text in agreement.model.clauses.items()
    }


def _attachments(agreement: Agreement) -> Mapping[str, Words]:
    return {file.name: {"SHA-256": file.sha256} for file in agreement.attachments}


def _percent(bps: int) -> str:
    return format_percent(Fraction(bps, BPS))
