"""What is worth telling about an agreement, and when: pure, so that a calendar sees it too."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from milestone_escrow.oracle.reminders.dates import dates
from milestone_escrow.oracle.reminders.happenings import AT_ONCE, happenings
from milestone_escrow.oracle.reminders.notices import DEFAULT_LEADS, OPERATOR, Notice
from milestone_escrow.oracle.reminders.situation import Situation

__all__ = ["AT_ONCE", "DEFAULT_LEADS", "alarm", "due", "plan"]


def plan(seen: Situation, now: int, leads: tuple[int, ...] = DEFAULT_LEADS) -> tuple[Notice, ...]:
    """Everything that was, is and will be worth telling as things stand, the earliest first.

    `leads` are the seconds ahead of a date at which people are reminded of it.
    """
    found = [*happenings(seen), *dates(seen, now, leads)]
    return tuple(sorted(found, key=lambda notice: notice.at))


def due(notices: Iterable[Notice], now: int, *, since: int = 0) -> tuple[Notice, ...]:
    """What of it to tell now.

    Of several reminders of one date only the latest, so that nobody who was away is told
    "in 7 days" and "tomorrow" at once. Of what happened, nothing from before `since`: a service
    that starts to watch an old agreement does not retell its life.
    """
    latest: dict[tuple[str, int | None, int, str], Notice] = {}
    told: list[Notice] = []
    for notice in notices:
        if notice.at > now or (notice.until is not None and now >= notice.until):
            continue
        if not notice.is_date:
            if notice.at >= since:
                told.append(notice)
            continue
        group = (notice.kind, notice.milestone, notice.target, notice.about.rpartition("-")[0])
        if group not in latest or latest[group].at < notice.at:
            latest[group] = notice
    return (*told, *latest.values())


def alarm(kind: str, subject: str, text: str, now: int) -> Notice:
    """Something about the service itself that a person should look at, told once a day.

    `kind` and `subject` are those of an alert, such as "low_gas" and the relayer's account.
    """
    day = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date().isoformat()
    return Notice(
        kind,
        None,
        None,
        f"{subject}-{day}",
        at=now,
        subject=f"the oracle needs you: {kind.replace('_', ' ')}",
        text=text,
        audience=(OPERATOR,),
        facts={"subject": subject},
    )
