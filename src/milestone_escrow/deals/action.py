"""What a verb has come to once it is prepared and explained: a door shows it, asks, and sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milestone_escrow.chain.send.transactions import Prepared


@dataclass(frozen=True, slots=True)
class Action:
    """One or more transactions of one sender, and what they do.

    Attributes:
        doing: the heading, "fund SHED-7 on Sandbox as Anna Bauer".
        will: what happens, one sentence each.
        prepare: simulates the transaction; raises in words where it would be refused.
        first: transactions that must go before, the token allowance; of several only the first is
            simulated.
        more: further transactions after it, each on its own.
        question: asked once more where it cannot be undone.
        facts: the same for machines.
    """

    doing: str
    will: Sequence[str]
    prepare: Callable[[], Prepared]
    first: Sequence[Prepared] = ()
    more: Sequence[Callable[[], Prepared]] = ()
    question: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
