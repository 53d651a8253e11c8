"""The status table of the design, row by row, as people read it.

Written by hand from the table's words, and from nothing else: it shares no rule with the package,
only the names of the statuses. One milestone of three units, days as the unit of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from milestone_escrow.protocol.lifecycle import Status

U, F, C = Status.UNFUNDED, Status.FUNDED, Status.SUBMITTED
RP, XP = Status.RELEASE_PENDING, Status.REFUND_PENDING
D0, D1 = Status.DISPUTED_BEFORE_VERDICT, Status.DISPUTED_OVER_VERDICT
S = Status.SETTLED
CLOCKED = frozenset({F, C, RP, XP, D0, D1})

AMOUNT = 3
DEADLINE = 4
REVIEW = 3
ARBITRATION = 3
LEAST_TO_OBJECT = 3
PASSED = -1
"""A moment that has passed: it does not matter for how long."""

BUYER, PAYEE, VERIFIERS, ARBITER, STRANGER = "buyer", "payee", "verifiers", "arbiter", "stranger"
FINANCIER, FORMER = "financier", "supplier who assigned"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the parties agreed on: who is there, and what silence means."""

    arbiter: bool
    verified: bool
    submissions: bool
    silence_pays: bool
    objection: int

    @property
    def to_object(self) -> int:
        """How long whoever a rejection or a rest goes against has to object."""
        return max(self.objection, LEAST_TO_OBJECT)


@dataclass(frozen=True, slots=True)
class Node:
    """One milestone at a moment; `clock` and `deadline` are days from now, `PASSED` before.

    Attributes:
        clock: while funded `PASSED` where it does not come after the deadline.
        spoken: whether verifiers have ever decided.
        fresh: whether the last attestation was issued this very second.
    """

    status: Status = U
    assigned: bool = False
    paid: int = 0
    pending: int = 0
    clock: int = 0
    deadline: int = DEADLINE
    spoken: bool = False
    fresh: bool = False

    @property
    def held(self) -> int:
        return 0 if self.status in (U, S) else AMOUNT - self.paid

    @property
    def end(self) -> int:
        if self.status is F:
            return max(self.deadline, self.clock)
        return self.deadline if self.status is U else self.clock

    @property
    def ended(self) -> bool:
        return self.end <= 0


@dataclass(frozen=True, slots=True)
class Move:
    """Something that somebody tries: a verb, who agrees to it, and two amounts."""

    verb: str
    by: frozenset[str]
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Paid:
    """What leaves the milestone."""

    payee: int = 0
    buyer: int = 0


Leads = tuple[Node, Paid]
Guard = Callable[[Setting, Node, Move], bool]
Next = Callable[[Setting, Node, Move], Leads]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: in these statuses this verb, by whom, when, if so, leads there."""

    statuses: frozenset[Status]
    verb: str
    who: Guard
    window: str
    condition: Guard
    leads: Next


def _pays(setting: Setting, node: Node, x: int, y: int) -> Leads:
    """S, or F until the deadline, and long enough to object to the rest."""
    paid = node.paid + x + y
    if paid == AMOUNT:
        return replace(node, status=S, paid=paid, pending=0, clock=0), Paid(x, y)
    clock = setting.to_object if setting.to_object > node.deadline else PASSED
    return replace(node, status=F, paid=paid, pending=0, clock=clock), Paid(x, y)


def _starts(node: Node, status: Status, clock: int, **changes: object) -> Leads:
    return replace(node, status=status, clock=clock, **changes), Paid()  # type: ignore[arg-type]


def accept(setting: Setting, node: Node, move: Move) -> Leads:
    node = replace(node, fresh=True, spoken=True)
    if setting.objection == 0:
        return _pays(setting, node, move.x - node.paid, 0)
    return _starts(node, RP, setting.objection, pending=move.x)


def reject(setting: Setting, node: Node, move: Move) -> Leads:
    return _starts(node, XP, setting.to_object, pending=0, fresh=True, spoken=True)


def _speak_in_dispute(setting: Setting, node: Node, move: Move) -> Leads:
    """Only what stands if the arbiter is silent changes; the arbiter has long enough left."""
    clock = max(node.clock, setting.to_object)
    return _starts(node, D1, clock, pending=move.x, fresh=True)


def _resolve(setting: Setting, node: Node, move: Move) -> Leads:
    paid = node.paid + move.x + move.y
    if paid == AMOUNT:
        return _pays(setting, node, move.x, move.y)
    return replace(node, paid=paid), Paid(move.x, move.y)


def silence(setting: Setting, node: Node, move: Move) -> Leads:
    half = node.held // 2  # the agreed default is a half, rounded down
    certified = node.pending - node.paid
    pays_by_date = setting.silence_pays and not node.spoken
    goes_on = node.clock < node.deadline and node.pending < AMOUNT
    x, y = {
        F: (node.held, 0) if pays_by_date else (0, node.held),
        C: (node.held, 0),
        XP: (0, node.held),
        RP: (certified, 0),
        D0: (0, node.held) if node.spoken else (half, node.held - half),
        D1: (certified, 0 if goes_on else AMOUNT - node.pending)
        if node.pending
        else (0, node.held),
    }[node.status]
    return _pays(setting, node, x, y)


def _one(role: str) -> Guard:
    return lambda setting, node, move: role in move.by


def _gives_up(setting: Setting, node: Node, move: Move) -> bool:
    """Whoever gives nothing up need not agree."""
    return (not move.x or BUYER in move.by) and (not move.y or PAYEE in move.by)


def _anyone(setting: Setting, node: Node, move: Move) -> bool:
    return True


def _looming(setting: Setting, node: Node, move: Move) -> bool:
    """Whom silence goes against: the payee, but of a progress payment nobody spoke about."""
    if setting.silence_pays and not node.spoken:
        return BUYER in move.by
    return PAYEE in move.by and setting.arbiter


def _over_verdict(role: str) -> Guard:
    return lambda setting, node, move: role in move.by and setting.arbiter


def _always(setting: Setting, node: Node, move: Move) -> bool:
    return True


def _may_speak(setting: Setting, node: Node) -> bool:
    """Until the deadline; later only first, on a submission or in a dispute."""
    first = node.status in (C, D0) and not node.spoken
    return setting.verified and not node.fresh and (node.deadline > 0 or first)


def _certifies(setting: Setting, node: Node, move: Move) -> bool:
    return _may_speak(setting, node) and node.paid < move.x <= AMOUNT


def _rejects(setting: Setting, node: Node, move: Move) -> bool:
    return _may_speak(setting, node)


def dispute(setting: Setting, node: Node, move: Move) -> Leads:
    waits = node.status is F or setting.verified
    return _starts(node, D0, (max(0, node.deadline) if waits else 0) + ARBITRATION)


BEFORE, AFTER, EVER = "before the end", "from the end on", "ever"

ROWS: tuple[Row, ...] = (
    Row(frozenset({U}), "fund", _anyone, BEFORE, _always,
        lambda s, n, m: _starts(n, F, PASSED)),
    Row(frozenset({F, C, D0, RP, XP}), "accept", _one(VERIFIERS), BEFORE, _certifies, accept),
    Row(frozenset({F, C, D0, RP, XP}), "reject", _one(VERIFIERS), BEFORE, _rejects, reject),
    Row(frozenset({D1}), "accept", _one(VERIFIERS), BEFORE, _certifies, _speak_in_dispute),
    Row(frozenset({D1}), "reject", _one(VERIFIERS), BEFORE, _rejects, _speak_in_dispute),
    Row(frozenset({F}), "submit", _one(PAYEE), BEFORE,
        lambda s, n, m: s.submissions and n.deadline > 0,
        lambda s, n, m: _starts(n, C, REVIEW)),
    Row(frozenset({F}), "dispute", _looming, BEFORE, _always, dispute),
    Row(frozenset({C}), "dispute", _one(BUYER), BEFORE, _always, dispute),
    Row(frozenset({RP}), "dispute", _over_verdict(BUYER), BEFORE, _always,
        lambda s, n, m: _starts(n, D1, ARBITRATION)),
    Row(frozenset({XP}), "dispute", _over_verdict(PAYEE), BEFORE, _always,
        lambda s, n, m: _starts(n, D1, ARBITRATION)),
    Row(frozenset({D0, D1}), "rule", _over_verdict(ARBITER), BEFORE,
        lambda s, n, m: m.x + m.y == n.held,
        lambda s, n, m: _pays(s, n, m.x, m.y)),
    Row(frozenset({F}), "resolve", _gives_up, EVER,
        lambda s, n, m: 1 <= m.x + m.y <= n.held, _resolve),
    Row(frozenset({C, RP, XP, D0, D1}), "resolve", _gives_up, EVER,
        lambda s, n, m: m.x + m.y == n.held, _resolve),
    Row(frozenset({F, C, XP, RP, D0, D1}), "finalize", _anyone, AFTER, _always, silence),
    Row(frozenset({F, C, RP}), "assign", _one(PAYEE), BEFORE, _always,
        lambda s, n, m: (replace(n, assigned=True), Paid())),
    Row(frozenset({F, C, RP}), "buy", lambda s, n, m: {FINANCIER, PAYEE} <= m.by, BEFORE, _always,
        lambda s, n, m: (replace(n, assigned=True), Paid())),
    Row(frozenset({U, F, C, RP, XP, D0, D1}), "amend",
        lambda s, n, m: {BUYER, PAYEE} <= m.by and (not n.assigned or FORMER in m.by), EVER,
        _always,
        lambda s, n, m: (replace(n, status=S, paid=AMOUNT, pending=0, clock=0), Paid())),
)  # fmt: skip


def outcome(setting: Setting, node: Node, move: Move, rows: Sequence[Row] = ROWS) -> Leads | None:
    """Where the table says that the move leads, or nothing where it is refused."""
    for row in rows:
        if row.verb != move.verb or node.status not in row.statuses:
            continue
        in_time = row.window == EVER or (row.window == AFTER) == node.ended
        if in_time and row.condition(setting, node, move) and row.who(setting, node, move):
            return row.leads(setting, node, move)
    return None


def settings() -> tuple[Setting, ...]:
    """Every combination of who is there and what silence means."""
    flags = (False, True)
    return tuple(
        Setting(arbiter, verified, submissions, silence_pays, objection)
        for arbiter in flags
        for verified in flags
        for submissions in flags
        for silence_pays in flags
        for objection in (0, 1)
    )


def moves(setting: Setting, node: Node) -> tuple[Move, ...]:
    """Every verb by every role, and every amount from nothing to one too many."""
    alone = [frozenset({role}) for role in (BUYER, PAYEE, VERIFIERS, ARBITER, STRANGER, FINANCIER)]
    if node.assigned:
        alone.append(frozenset({FORMER}))
    certifiers = [frozenset({VERIFIERS}), frozenset({STRANGER})]
    most = AMOUNT - node.paid + 1
    splits = [(x, y) for x in range(most + 1) for y in range(most + 1 - x)]
    consents = [*alone, frozenset({BUYER, PAYEE})]
    agreed = [*consents, frozenset({BUYER, PAYEE, FORMER})]
    return (
        *(Move("fund", by) for by in alone),
        *(Move("accept", by, x) for by in certifiers for x in range(AMOUNT + 2)),
        *(Move("reject", by) for by in certifiers),
        *(Move(verb, by) for verb in ("submit", "dispute", "finalize", "assign") for by in alone),
        *(
            Move("rule", by, x, y)
            for by in alone
            for x, y in splits
            if by != frozenset({FINANCIER})
        ),
        *(Move("resolve", by, x, y) for by in consents for x, y in splits),
        *(Move("buy", by) for by in (frozenset({FINANCIER}), frozenset({FINANCIER, PAYEE}))),
        *(Move("amend", by) for by in agreed),
    )


def a_day_later(node: Node) -> Node:
    deadline = max(node.deadline - 1, PASSED)
    clock = max(node.clock - 1, PASSED) if node.status in CLOCKED else 0
    return replace(node, clock=clock, deadline=deadline, fresh=False)


def a_second_later(node: Node) -> Node:
    """Within a day only this changes: another attestation may be newer than the last."""
    return replace(node, fresh=False)
