"""P1 to P5 and P7 to P9 of the charter, in every state of the status table; and tables with worse
rules, which each of the questions must find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.invariants.small import table
from tests.invariants.small.charter import QUESTIONS, Board
from tests.invariants.small.table import (
    AFTER,
    ARBITRATION,
    D0,
    D1,
    EVER,
    PASSED,
    ROWS,
    RP,
    XP,
    C,
    F,
    Guard,
    Leads,
    Move,
    Next,
    Node,
    Paid,
    Row,
    Setting,
)

SETTINGS = (*table.settings(), *(replace(s, objection=5) for s in table.settings()[1::4]))


@cache
def board(setting: Setting, deadline: int = table.DEADLINE) -> Board:
    return Board(setting, ROWS, deadline)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_table_keeps_the_charter(setting: Setting) -> None:
    for name, question in QUESTIONS.items():
        assert next(question(board(setting)), None) is None, name


@pytest.mark.parametrize("deadline", [1, 8])
@pytest.mark.parametrize("setting", SETTINGS[5::13])
def test_the_table_keeps_the_charter_however_far_the_deadline(
    setting: Setting, deadline: int
) -> None:
    for name, question in QUESTIONS.items():
        assert next(question(board(setting, deadline)), None) is None, name


def changed(
    verb: str,
    *statuses: Status,
    leads: Next | None = None,
    condition: Guard | None = None,
    window: str = "",
) -> tuple[Row, ...]:
    """The table with another row for a verb in some statuses."""
    others = tuple(
        replace(row, statuses=row.statuses - set(statuses)) if row.verb == verb else row
        for row in ROWS
    )
    first = next(row for row in ROWS if row.verb == verb and set(statuses) & row.statuses)
    other = replace(
        first,
        statuses=frozenset(statuses),
        leads=leads or first.leads,
        condition=condition or first.condition,
        window=window or first.window,
    )
    return (other, *others)


def _at_once_or_never(setting: Setting, node: Node, move: Move) -> Leads:
    """A rest that nobody has time to object to."""
    after, paid = table.accept(setting, node, move)
    return (replace(after, clock=PASSED) if after.status is F else after), paid


def _reject_shortly(setting: Setting, node: Node, move: Move) -> Leads:
    after, paid = table.reject(setting, node, move)
    return replace(after, clock=setting.objection), paid


def _unspoken(setting: Setting, node: Node, move: Move) -> Leads:
    """As if verifiers had never decided."""
    return table.silence(setting, replace(node, spoken=False), move)


def _dispute_until_arbitration(setting: Setting, node: Node, move: Move) -> Leads:
    after, paid = table.dispute(setting, node, move)
    return replace(after, clock=ARBITRATION), paid


def _verdict_ends_dispute(setting: Setting, node: Node, move: Move) -> Leads:
    return table.accept(setting, node, move)


def _partial_goes_over_verdict(setting: Setting, node: Node, move: Move) -> Leads:
    """A partial verdict turns a dispute before a verdict into one over it."""
    if move.x == table.AMOUNT:
        return table.accept(setting, node, move)
    spoken = replace(node, spoken=True, fresh=True)
    return replace(spoken, status=D1, pending=move.x, clock=ARBITRATION), Paid()


def _by_units(setting: Setting, node: Node, move: Move) -> Leads:
    after, paid = table.silence(setting, node, move)
    if paid.buyer < 2:
        return after, paid
    return replace(node, paid=node.paid + 1, clock=PASSED), Paid(0, 1)


def _ever_newer(setting: Setting, node: Node, move: Move) -> bool:
    return setting.verified and not node.fresh


def _never(setting: Setting, node: Node, move: Move) -> bool:
    return False


WORSE: Sequence[tuple[str, str, tuple[Row, ...]]] = (
    ("P1", "a rest ends with the deadline", changed("accept", F, leads=_at_once_or_never)),
    ("P1", "a rejection stands soon", changed("reject", F, leads=_reject_shortly)),
    ("P2", "verdicts end the arbiter's case", changed("accept", D1, leads=_verdict_ends_dispute)),
    ("P2", "a part opens another case", changed("accept", D0, leads=_partial_goes_over_verdict)),
    ("P3", "verifiers speak for ever", changed("reject", F, RP, XP, condition=_ever_newer)),
    ("P4", "time may be faster", changed("finalize", RP, window=EVER)),
    ("P4", "an arbiter may be late", changed("rule", D0, D1, window=EVER)),
    ("P5", "a default share after verdicts", changed("finalize", D0, leads=_unspoken)),
    ("P5", "the date pays after a verdict", changed("finalize", F, leads=_unspoken)),
    ("P7", "time pays unit by unit", changed("finalize", F, leads=_by_units)),
    ("P8", "objections are never late", changed("dispute", F, C, window=EVER)),
    ("P8", "submissions are never late", changed("submit", F, window=AFTER,
                                                 condition=lambda s, n, m: s.submissions)),
    ("P9", "an arbiter silences verifiers", changed("accept", D1, condition=_never)),
    ("P9", "a dispute outruns the proof", changed("dispute", F, leads=_dispute_until_arbitration)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "rows"), [pytest.param(n, r, id=f"{n}: {t}") for n, t, r in WORSE]
)
def test_finds_what_a_worse_table_breaks(name: str, rows: tuple[Row, ...]) -> None:
    boards = (Board(setting, rows) for setting in reversed(table.settings()))
    assert any(next(QUESTIONS[name](one), None) for one in boards)
