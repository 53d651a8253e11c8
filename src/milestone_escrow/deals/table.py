"""What stands at the table of any verb: an agreement, its contract, and who acts."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.words.standing import Standing, person, standings_after

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.chain.contract.events import Event
    from milestone_escrow.chain.contract.replay import Undelivered
    from milestone_escrow.chain.contract.verbs import Verbs
    from milestone_escrow.chain.node.network import Network
    from milestone_escrow.chain.send.transactions import Prepared, Receipt
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.documents.files.signed_agreement import SignedAgreement
    from milestone_escrow.protocol.eip712 import Address
    from milestone_escrow.protocol.signatures import Signer


Self = TypeVar("Self", bound="Table")


@dataclass(frozen=True)
class Table:
    """One agreement and its contract, which acts for `account`; for nobody while only looking."""

    signed: SignedAgreement
    escrow: Escrow

    @property
    def bound(self) -> BoundAgreement:
        return self.signed.bound

    @property
    def network(self) -> Network:
        return self.escrow.network

    @property
    def signer(self) -> Signer:
        assert self.escrow.signer is not None
        return self.escrow.signer

    @property
    def account(self) -> Address:
        """Who acts."""
        return self.signer.address

    @property
    def verbs(self) -> Verbs:
        return self.escrow.prepare

    @cached_property
    def name(self) -> str:
        """How to name this agreement in a command."""
        return self.bound.agreement.reference

    def amount(self, units: int) -> str:
        return self.bound.agreement.amount(units)

    def person(self, account: Address) -> str:
        return person(self.bound, account)

    def acting(self: Self, signer: Signer) -> Self:
        return replace(self, escrow=self.escrow.acting_as(signer))

    def send(self, prepared: Prepared) -> Receipt:
        return self.escrow.send(prepared)

    def doing(self, verb: str) -> str:
        """The heading of what is done: "fund SHED-7 on Sandbox as Anna Bauer (buyer)"."""
        roles = self.bound.agreement.roles(self.account)
        name = self.person(self.account) + (f" ({', '.join(roles)})" if roles else "")
        return f"{verb} {self.bound.agreement.reference} on {self.network.title} as {name}"

    def require_open(self) -> None:
        """Refuse an agreement that is not open on the chain.

        Raises:
            EscrowError: with the command that opens it.
        """
        if not self.escrow.is_open(self.bound.id):
            raise EscrowError(
                f"{self.bound.agreement.reference} is not open on {self.network.title}",
                hint=f"the buyer opens it with `escrow open {self.name}`",
            )

    def standings(self) -> tuple[Standing, ...]:
        """Every milestone as it is now, with what has left it."""
        events = self.escrow.events(self.bound)
        states = _remembered(self.escrow.states(self.bound), events)
        return standings_after(self.bound, states, self.escrow.now(), events)

    def undelivered(self) -> tuple[Undelivered, ...]:
        """What this agreement paid and its accounts could not receive, so that it still waits."""
        from milestone_escrow.chain.contract.replay import undelivered

        return undelivered(self.bound, self.escrow.events(self.bound))

    def credits(self, only: Container[Address] | None = None) -> dict[Address, int]:
        """All that waits for each account that this agreement ever pays, whatever it came from:
        supplier, buyer, fee account, holders of receivables; of `only` some where they are given,
        and without those for whom nothing waits.
        """
        from milestone_escrow.chain.contract.events import MilestoneAssigned

        terms, token = self.bound.terms, self.bound.token
        accounts = [terms.supplier, terms.buyer, *([terms.fee_recipient] if terms.fee_bps else [])]
        events = self.escrow.events(self.bound)
        accounts += [event.assignee for event in events if isinstance(event, MilestoneAssigned)]
        accounts = [account for account in accounts if only is None or account in only]
        waiting = {
            account: self.escrow.credit(token, account) for account in dict.fromkeys(accounts)
        }
        return {account: units for account, units in waiting.items() if units}

    def standing(self, key: str) -> Standing:
        """One milestone as it is now.

        Raises:
            UsageError: there is no milestone of that key.
        """
        return self.standings()[milestone_index(self.bound, key)]


def milestone_index(bound: BoundAgreement, key: str) -> int:
    """A milestone by its key; a number is explained, because people never see indexes."""
    if key.isdigit() and all(m.key != key for m in bound.agreement.milestones):
        keys = ", ".join(m.key for m in bound.agreement.milestones)
        raise UsageError(f"milestones have names, not numbers like {key}", hint=f"one of {keys}")
    return bound.agreement.index(key)


def _remembered(states: Sequence[State], events: Sequence[Event]) -> Sequence[State]:
    """The states with the payees of what is settled, which the contract forgets."""
    from milestone_escrow.chain.contract.events import MilestoneAssigned

    assigned = {e.milestone: e.assignee for e in events if isinstance(e, MilestoneAssigned)}
    return [
        replace(state, assignee=assigned[index])
        if state.status is Status.SETTLED and index in assigned
        else state
        for index, state in enumerate(states)
    ]
