"""The charter's questions, asked of a status table: what must hold in every state it reaches.

P1 to P5 and P7 to P9 of the security model; P6 is about signatures, which no table has. Each
question yields what it finds wrong, in words. A table is all that is asked: which one, the caller
says, so that a worse one can be shown to fail.

Plays are without consent: whoever agrees to less has it. `assign` and `buy` change who the payee
is, and nothing else, so they are left out, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product

from milestone_escrow.protocol.lifecycle import Status
from tests.invariants.small import table
from tests.invariants.small.table import (
    AMOUNT,
    ARBITER,
    ARBITRATION,
    BUYER,
    D0,
    D1,
    PAYEE,
    REVIEW,
    RP,
    STRANGER,
    VERIFIERS,
    XP,
    C,
    F,
    Move,
    Node,
    Paid,
    Row,
    Setting,
)

VERDICTS = ("accept", "reject")
ONE_SIDED = (*VERDICTS, "fund", "submit", "dispute", "rule", "finalize")
FINALIZE = Move("finalize", frozenset({STRANGER}))
PARTIES: Mapping[Status, str] = {C: BUYER, RP: BUYER, XP: PAYEE}


@dataclass(frozen=True, slots=True)
class Step:
    """A move that the table allows, and what it leads to."""

    move: Move
    after: Node
    paid: Paid

    @property
    def by(self) -> str:
        return next(iter(self.move.by))

    @property
    def certified(self) -> int:
        return self.move.x if self.move.verb == "accept" else 0


@dataclass(frozen=True)
class Board:
    """All that can be reached under a table's rows, each node with its steps."""

    setting: Setting
    rows: Sequence[Row]
    deadline: int = table.DEADLINE
    _silent: dict[Node, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def steps(self) -> Mapping[Node, tuple[Step, ...]]:
        start = Node(deadline=self.deadline)
        found: dict[Node, tuple[Step, ...]] = {}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node in found:
                continue
            found[node] = tuple(self._allowed(node))
            later = (table.a_day_later(node), table.a_second_later(node))
            waiting += [*later, *(step.after for step in found[node]), *self._approved(node)]
        return found

    def by_silence(self, node: Node) -> tuple[int, int]:
        """What payee and buyer get from here if nobody acts but for `finalize`."""
        if not node.held:
            return 0, 0
        if node not in self._silent:
            step = self.finalizing(node)
            after, paid = (step.after, step.paid) if step else (table.a_day_later(node), Paid())
            payee, buyer = self.by_silence(after)
            self._silent[node] = (paid.payee + payee, paid.buyer + buyer)
        return self._silent[node]

    def finalizing(self, node: Node) -> Step | None:
        return next((one for one in self.steps[node] if one.move == FINALIZE), None)

    def moves(self) -> Iterator[tuple[Node, Step]]:
        for node, steps in self.steps.items():
            for step in steps:
                yield node, step

    def _allowed(self, node: Node) -> Iterator[Step]:
        for move in table.moves(self.setting, node):
            if move.verb not in ONE_SIDED or (move.verb == "finalize" and move != FINALIZE):
                continue
            found = table.outcome(self.setting, node, move, self.rows)
            if found:
                yield Step(move, *found)

    def _approved(self, node: Node) -> Iterator[Node]:
        """States with a part paid that only consent leads to."""
        move = Move("resolve", frozenset({BUYER, PAYEE}), 1, 0)
        found = table.outcome(self.setting, node, move, self.rows)
        if found:
            yield found[0]


Question = Callable[[Board], Iterator[str]]


def time_to_object(board: Board) -> Iterator[str]:
    """P1: after each act, whoever silence goes against has long enough to object; a case before
    an arbiter is one, and has long enough itself."""
    setting = board.setting
    for node, step in board.moves():
        after, verb = step.after, step.move.verb
        if not after.held or verb == "fund":
            continue
        against = PARTIES.get(after.status)
        if after.status is F:
            pays = setting.silence_pays and not after.spoken
            against = BUYER if pays else PAYEE
        needed = {
            F: setting.to_object,
            C: REVIEW,
            RP: setting.objection,
            XP: setting.to_object,
            D0: ARBITRATION,
            D1: setting.to_object if verb in VERDICTS else ARBITRATION,
        }[after.status]
        if after.status is D1 and node.status is D1:
            needed = max(needed, node.end)
        if after.end < needed:
            yield f"{verb} in {node}: {against or 'the arbiter'} has {after.end} of {needed} days"
        objects = any(
            one.move.verb == "dispute" and one.by == against for one in board.steps[after]
        )
        if against and needed and (setting.arbiter or after.status is C) and not objects:
            yield f"{verb} in {node}: {against} cannot object"


MODES = ("silent", "for", "against")


def monotone(board: Board) -> Iterator[str]:
    """P2: who gets more by a verdict or a ruling never ends with less, whoever is for the payee,
    against, or silent from then on, and whoever of friends and foes is faster."""
    profiles = [
        dict(zip((BUYER, PAYEE, VERIFIERS, ARBITER), modes, strict=True))
        for modes in product(("silent", "against"), ("silent", "for"), MODES, MODES)
    ]
    for profile, foes_first in product(profiles, (True, False)):
        values: dict[Node, int] = {}
        for node, steps in board.steps.items():
            ends = [
                (
                    one.certified,
                    one.paid.payee + _worth(board, profile, foes_first, values, one.after),
                )
                for one in steps
                if one.move.verb in VERDICTS
            ]
            for (less, few), (more, many) in combinations(sorted(ends), 2):
                if less < more and few > many:
                    yield (
                        f"{node}: certifying {more} of {AMOUNT} leaves the payee {many}, "
                        f"certifying {less} leaves {few}, where {profile}"
                    )


def _worth(
    board: Board, profile: Mapping[str, str], foes_first: bool, values: dict[Node, int], node: Node
) -> int:
    if not node.held:
        return 0
    if node in values:
        return values[node]

    def after(step: Step) -> int:
        return step.paid.payee + _worth(board, profile, foes_first, values, step.after)

    final = board.finalizing(node)
    rest = (
        after(final)
        if final
        else _worth(board, profile, foes_first, values, table.a_day_later(node))
    )
    acts = [step for step in board.steps[node] if step.move.verb not in ("finalize", "fund")]
    best = [after(step) for step in acts if profile[step.by] == "for"]
    worst = [after(step) for step in acts if profile[step.by] == "against"]
    slower = max([rest, *best]) if foes_first else min([rest, *worst])
    values[node] = min([*worst, slower]) if foes_first else max([*best, slower])
    return values[node]


def bounded(board: Board) -> Iterator[str]:
    """P3: whatever anybody does short of consent, all has left in time."""
    setting = board.setting
    longest: dict[Node, int] = {}

    def days(node: Node) -> int:
        if not node.held:
            return 0
        if node not in longest:
            final = board.finalizing(node)
            ways = [days(final.after)] if final else [1 + days(table.a_day_later(node))]
            ways += [days(step.after) for step in board.steps[node] if step.move != FINALIZE]
            longest[node] = max(ways)
        return longest[node]

    bound = board.deadline + REVIEW + 2 * setting.to_object + 2 * ARBITRATION
    funded = next(
        step.after for step in board.steps[Node(deadline=board.deadline)] if step.after.held
    )
    try:
        if days(funded) > bound:
            yield f"the money can stay for {days(funded)} days, {bound} are allowed"
    except RecursionError:
        yield "the money can stay for ever"


def one_winner(board: Board) -> Iterator[str]:
    """P4: people act before the end, time from it on."""
    for node, step in board.moves():
        if (step.move.verb == "finalize") != node.ended:
            yield f"{step.move.verb} in {node}, which ends in {node.end}"


def silent_arbiter(board: Board) -> Iterator[str]:
    """P5: a silent arbiter and the deadline pay what verifiers certified; where they never spoke,
    a dispute ends in the agreed default."""
    for node, step in board.moves():
        got = step.paid.payee + board.by_silence(step.after)[0]
        if step.move.verb in VERDICTS:
            wanted = max(step.certified - node.paid, 0)
        elif step.move.verb == "dispute":
            known = board.by_silence(node)[0] if node.status is not C else 0
            wanted = known if node.spoken else node.held // 2
        else:
            continue
        if got != wanted:
            yield f"{step.move.verb} in {node}: silence then pays {got} for {wanted}"


def time_settles(board: Board) -> Iterator[str]:
    """P7: two `finalize` calls at the most."""
    for start in board.steps:
        node, calls = start, 0
        while node.held and calls <= 2:
            step = board.finalizing(node)
            node = step.after if step else table.a_day_later(node)
            calls += bool(step)
        if node.held or calls > 2:
            yield f"{start} is not settled by two calls"


def nothing_to_grab(board: Board) -> Iterator[str]:
    """P8: where time decides, no party gains by acting alone."""
    for node, step in board.moves():
        if not node.ended or step.move == FINALIZE:
            continue
        to_payee, to_buyer = board.by_silence(step.after)
        was = board.by_silence(node)
        if (step.by == PAYEE and step.paid.payee + to_payee > was[0]) or (
            step.by == BUYER and step.paid.buyer + to_buyer > was[1]
        ):
            yield f"{step.by} gains by {step.move.verb} in {node}"


def verifiers_may_accept(board: Board) -> Iterator[str]:
    """P9: verifiers can accept in full until the deadline, and speak first in a dispute; no
    default share is paid before where anybody can verify."""
    if not board.setting.verified:
        return
    for node, steps in board.steps.items():
        if not node.held:
            continue
        late = node.status is D0 and not node.spoken
        speak = not node.ended and not node.fresh and (node.deadline > 0 or late)
        if speak and not any(one.certified == AMOUNT for one in steps):
            yield f"verifiers cannot accept in {node}"
        if late and node.ended and node.deadline > 0:
            yield f"a default share is paid before the deadline in {node}"


QUESTIONS: Mapping[str, Question] = {
    "P1": time_to_object,
    "P2": monotone,
    "P3": bounded,
    "P4": one_winner,
    "P5": silent_arbiter,
    "P7": time_settles,
    "P8": nothing_to_grab,
    "P9": verifiers_may_accept,
}
