"""What the twin remembers of contract and tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.lifecycle import State
from tests.contracts.support.deal import Deal
from tests.invariants.machine.acts import Act, Ref
from tests.invariants.machine.book import Book
from tests.invariants.machine.tokens import TokenTwin


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a call: where milestones stood before it, and whose signatures it needed."""

    act: Act
    states: Mapping[bytes, tuple[State, ...]]
    used: frozenset[tuple[Address, bytes]]


@dataclass
class Ledger:
    """What the contract stores, what its tokens say, and the time.

    Attributes:
        steps: what the last call did, one by one.
    """

    domain: Domain
    book: Book
    tokens: dict[Address, TokenTwin]
    now: int
    deals: dict[bytes, Deal] = field(default_factory=dict)
    states: dict[bytes, tuple[State, ...]] = field(default_factory=dict)
    credits: defaultdict[tuple[Address, Address], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    steps: tuple[Step, ...] = ()

    @property
    def escrow(self) -> Address:
        return self.domain.verifying_contract

    def state(self, ref: Ref) -> State:
        return self.states[ref.deal.id][ref.index]

    def owed(self, token: Address) -> int:
        """What is held and credited of a token."""
        held = sum(
            milestone.amount - state.paid
            for id_, deal in self.deals.items()
            if deal.terms.token == token
            for milestone, state in zip(deal.milestones, self.states[id_], strict=True)
            if state.status.holds
        )
        return held + sum(amount for (of, _), amount in self.credits.items() if of == token)
