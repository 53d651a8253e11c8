"""The one-line change order: a milestone's due date, moved in the text of its file."""

from __future__ import annotations

import datetime

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.edit import dump, replace_value
from milestone_escrow.documents.model import MilestoneEntry
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.source import Tree, Where
from milestone_escrow.documents.values import OnDate
from milestone_escrow.documents.when import format_date
from milestone_escrow.errors import UsageError


def extend(agreement: Agreement, key: str, to: datetime.date) -> str:
    """The agreement's text with another due date for one milestone, comments preserved.

    Where the agreement did not come from a file, the text is written anew from its document.
    `marking.mark_change` then makes it a change order.

    Raises:
        UsageError: there is no such milestone, its date is not its own, or lies no earlier.
    """
    milestone = agreement.milestone(key)
    where = _where(agreement, milestone)
    present = _date(agreement, milestone, where)
    if to <= present:
        raise UsageError(
            f"'{key}' is due on {format_date(present)}, which is not before {format_date(to)}",
            hint="give a later date",
        )
    return replace_value(text_of(agreement), where, to.isoformat())


def text_of(agreement: Agreement) -> str:
    """The file as it was written, or the document as a file."""
    if agreement.source.text:
        return agreement.source.text
    document: dict[str, Tree] = dict(agreement.document)
    if agreement.attachments:
        document["attachments"] = [file.name for file in agreement.attachments]
    return dump(document)


def _where(agreement: Agreement, milestone: PlannedMilestone) -> Where:
    """The field that says when the milestone is due, or else when silence decides."""
    hint = "change the file by hand, then use `escrow amend`"
    if milestone.is_deposit:
        raise UsageError(f"'{milestone.key}' is a deposit and has no date", hint="leave it out")
    if milestone.where[0] != "milestones":
        raise UsageError(
            f"'{milestone.key}' is due some time after completion, not on a date of its own",
            hint=hint,
        )
    entry = agreement.model.milestones[int(milestone.where[1])]
    if entry.pays is None:
        raise UsageError(f"'{milestone.key}' is one of a series of payments", hint=hint)
    if entry.due is not None:
        return (*milestone.where, "due")
    field = _silence_field(milestone)
    if getattr(entry, field) is None:
        raise UsageError(f"'{milestone.key}' has no date of its own", hint=hint)
    return (*milestone.where, field)


def _date(agreement: Agreement, milestone: PlannedMilestone, where: Where) -> datetime.date:
    if milestone.due is not None:
        return milestone.due
    entry: MilestoneEntry = agreement.model.milestones[int(where[1])]
    rule = getattr(entry, _silence_field(milestone))
    assert isinstance(rule, OnDate)  # without a due date a deadline is one
    return rule.day


def _silence_field(milestone: PlannedMilestone) -> str:
    return "pays_after" if milestone.pays_on_silence else "refund_after"
