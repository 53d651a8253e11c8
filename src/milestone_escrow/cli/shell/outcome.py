"""What a transaction came to: the milestones as they are now, and what can be done next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.output import bold, table
from milestone_escrow.cli.shell.sending import body, carry_out, suggest_next
from milestone_escrow.cli.shell.signers import names_at_hand
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.outcome import payouts
from milestone_escrow.words.standing import Standing, amount, person, silence_words, status
from milestone_escrow.words.tasks import Task, tasks

if TYPE_CHECKING:
    from milestone_escrow.chain.send.transactions import Receipt
    from milestone_escrow.cli.shell.desk import Desk


def run(
    desk: Desk, action: Action, keys: Sequence[str], keep: Callable[[], object] = lambda: None
) -> tuple[Receipt, ...]:
    """Send it, unless it is refused, declined or only looked at, `keep` what that needs, and show
    what became of the milestones."""
    receipts = carry_out(desk, action)
    if receipts:
        keep()
        show_outcome(desk, action, receipts, keys)
    return receipts


def show_outcome(
    desk: Desk, action: Action, receipts: Sequence[Receipt], keys: Sequence[str]
) -> None:
    """After sending: events that moved money, where the milestones stand, the next commands."""
    session = desk.session
    after = desk.standings()
    touched = [standing for standing in after if standing.key in keys]
    for line in payouts(desk, receipts):
        session.say(line)
    rows = [
        (f"'{standing.key}'", bold(status(standing)), silence_words(standing))
        for standing in touched
    ]
    if rows:
        session.say(table(rows))
    shown = touched if any(s.state.status.holds for s in touched) else after
    suggest_next(session, next_steps(desk, shown))
    session.emit(body(desk, action, receipts, milestones=[as_json(s) for s in touched]))


def next_steps(desk: Desk, standings: Sequence[Standing], limit: int = 3) -> list[tuple[str, str]]:
    """What the deal waits for now, by whoever's turn it is, with the commands."""
    names = names_at_hand(desk.session, desk.bound, desk.network)
    found: list[tuple[str, str]] = []
    for standing in standings:
        waiting = [task for task in tasks(desk.name, standing) if task.is_needed]
        found += [_suggestion(desk, standing, task, names) for task in waiting]
        if found:
            break
    return found[:limit]


def _suggestion(
    desk: Desk, standing: Standing, task: Task, names: dict[str, str]
) -> tuple[str, str]:
    who = person(desk.bound, task.account) if task.account else "anyone"
    return f"{who} can {task.text}", with_key(task, names)


def with_key(task: Task, names: dict[str, str]) -> str:
    """The task's command with the key to use, where it is at hand under a name."""
    name = names.get(task.account or "")
    return f"{task.command} --as {name}" if name else task.command


def as_json(standing: Standing) -> dict[str, object]:
    """A milestone for machines: amounts in token units and as text, times in Unix seconds."""
    return {
        "key": standing.key,
        "title": standing.planned.title,
        "status": standing.state.status.name.lower(),
        "status_text": status(standing),
        "amount": _money(standing, standing.milestone.amount),
        "held": _money(standing, standing.held),
        "to_payee": _money(standing, standing.paid_out.to_payee),
        "to_buyer": _money(standing, standing.paid_out.to_buyer),
        "undelivered": [
            {"account": one.account, **_money(standing, one.units)} for one in standing.undelivered
        ],
        "payee": standing.payee,
        "end": standing.end if standing.state.status.holds else None,
        "silence": silence_words(standing),
        "options": [
            {
                "verb": option.verb.value,
                "role": option.role.value,
                "since": option.since,
                "until": option.until,
                "open": option.is_open(standing.now),
            }
            for option in standing.options
        ],
    }


def _money(standing: Standing, units: int) -> dict[str, str]:
    return {"units": str(units), "text": amount(standing, units)}
