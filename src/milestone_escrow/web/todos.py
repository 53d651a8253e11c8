"""What can be done about an agreement now, by whom and until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from milestone_escrow.chain.contract.replay import Undelivered
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.web.shapes import Todo
from milestone_escrow.words import standing as words
from milestone_escrow.words.listing import listed
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names
from milestone_escrow.words.standing import Standing
from milestone_escrow.words.tasks import Task, tasks

# The verbs that a wallet performs on the page, as its addresses name them.
ACTS = frozenset(
    {
        "fund",
        "attest",
        "submit",
        "dispute",
        "rule",
        "finalize",
        "approve",
        "refund",
        "offer",
        "settle",
    }
)


def todos(
    view: DocumentedView,
    standings: Sequence[Standing],
    waiting: Sequence[Undelivered],
    viewer: Address | None,
) -> tuple[Todo, ...]:
    """What can be done now: money that waits to be withdrawn, then the viewer's own, then what the
    deal waits for, by urgency."""
    if not view.opened_block:
        return ()
    found = [
        (task, standing)
        for standing in standings
        for task in (*tasks(view.name, standing), *_splits(view, standing))
        if task.is_needed or (viewer is not None and task.account == viewer)
    ]
    found.sort(key=lambda pair: (pair[0].account != viewer, pair[0].until == 0, pair[0].until))
    rest = _together(_todo(view, task, standing, viewer) for task, standing in found)
    return (*_withdrawals(view, waiting, viewer), *rest)


def _withdrawals(
    view: DocumentedView, waiting: Sequence[Undelivered], viewer: Address | None
) -> Iterator[Todo]:
    """Anyone may have it sent, but only to whom it waits for."""
    names = Names.of(view.bound)
    units = Counter[Address]()
    for one in waiting:
        units[one.account] += one.units
    for account in sorted(units, key=lambda account: account != viewer):
        is_yours = account == viewer
        who = say("you") if is_yours else names.person(account)
        yield Todo(
            milestone=say("could not be delivered"),
            who=who,
            text=say("withdraw the {amount} that wait", amount=names.amount(units[account])),
            until="",
            href=f"/a/0x{view.id.hex()}/withdraw" if viewer in view.people else "",
            is_yours=is_yours,
            is_needed=True,
        )


def _splits(view: DocumentedView, standing: Standing) -> Iterator[Task]:
    """Either side may propose to the other how what is held is divided."""
    if not standing.held:
        return
    text = f"propose how {words.amount(standing, standing.held)} is split between the two sides"
    line = f"escrow settle {view.name} {standing.key}"
    for account in (standing.terms.buyer, standing.payee):
        yield Task(standing.key, account, text, "settle", line, 0, is_needed=False)


def _together(todos: Iterable[Todo]) -> Iterator[Todo]:
    """What several people may do alike is said once."""
    grouped: dict[tuple[str, str, str, bool], list[Todo]] = {}
    for todo in todos:
        key = (todo.milestone, todo.text, todo.until, todo.is_yours)
        grouped.setdefault(key, []).append(todo)
    for alike in grouped.values():
        yield replace(alike[0], who=listed([todo.who for todo in alike]))


def _todo(view: DocumentedView, task: Task, standing: Standing, viewer: Address | None) -> Todo:
    is_yours = viewer is not None and task.account in (viewer, None)
    who = words.person(standing.bound, task.account) if task.account else "anyone"
    href = f"/a/0x{view.id.hex()}/{standing.planned.index}/{task.verb}"
    return Todo(
        milestone=standing.planned.title,
        who="you" if task.account == viewer and viewer else who,
        text=task.text,
        until=words.when(standing, task.until) if task.until else "",
        href=href if is_yours and task.verb in ACTS else "",
        is_yours=is_yours,
        is_needed=task.is_needed,
    )
