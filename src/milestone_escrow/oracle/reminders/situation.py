"""What a reminder is planned from: one agreement, as the store knows it at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.chain.contract.events import CreditWithdrawn, Event, Place
from milestone_escrow.chain.contract.replay import Undelivered, collected, undelivered
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split, State, held, payee
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.words.names import Names
from milestone_escrow.words.splits import split_does


@dataclass(frozen=True, slots=True)
class UnsentAttestation:
    """An attestation that is not on chain yet; `signers` have signed, `complete` = a quorum."""

    digest: bytes
    milestone: int
    received_at: int
    valid_until: int
    signers: tuple[Address, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """A milestone returned for rework, with the reasons that were given."""

    digest: bytes
    milestone: int
    at: int
    signers: tuple[Address, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """A receivable on offer that nothing has voided; `financier` zero = anyone may buy. `price` is
    token units."""

    digest: bytes
    milestone: int
    at: int
    price: int
    financier: Address
    valid_until: int


@dataclass(frozen=True, slots=True)
class Situation:
    """One agreement at a moment; `document` is None where nobody registered its file.

    `since` is when each milestone took its present state. Blocks up to `final_block` cannot change
    any more. Times are Unix seconds, amounts token units.
    """

    agreement_id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]
    states: tuple[State, ...]
    since: tuple[int, ...]
    opened_at: int
    final_block: int
    events: tuple[Event, ...] = ()
    document: Agreement | None = None
    waiting: tuple[UnsentAttestation, ...] = ()
    returned: tuple[Returned, ...] = ()
    offers: tuple[OpenOffer, ...] = ()

    # Names

    @property
    def reference(self) -> str:
        """What people call the agreement; the start of its id where they never said."""
        if self.document is None:
            return f"0x{self.agreement_id.hex()[:8]}…"
        return self.document.reference or self.document.title

    @property
    def names(self) -> Names:
        return Names(self.document, self.terms)

    def key(self, milestone: int) -> str:
        """Its key in the document; its number, counted from 1, where there is none."""
        return self.document.milestones[milestone].key if self.document else str(milestone + 1)

    def roles(self, account: Address) -> tuple[str, ...]:
        """The roles that an account has; by the terms alone, verifiers have no names."""
        if self.document is not None:
            return self.document.roles(account)
        known = {"buyer": self.terms.buyer, "supplier": self.terms.supplier}
        known |= {"arbiter": self.terms.arbiter}
        return tuple(role for role, other in known.items() if other == account)

    def split(self, milestone: int, split: Split) -> str:
        return split_does(self.names, split, self.payee(milestone), self.terms.buyer)

    def payee(self, milestone: int) -> Address:
        return payee(self.terms, self.states[milestone])

    def held(self, milestone: int) -> int:
        return held(self.milestones[milestone], self.states[milestone])

    def verifiers(self, milestone: int) -> tuple[Address, ...]:
        return self.terms.verifiers_of(self.milestones[milestone])

    def undelivered(self, after: Place | None = None) -> tuple[Undelivered, ...]:
        """What was paid and waits to be withdrawn: now, or as it was after a transaction."""
        events = self.events
        if after is not None:
            last = [i for i, e in enumerate(events) if e.place.transaction == after.transaction]
            events = events[: last[-1] + 1]
        return undelivered(self._opened, events)

    def collected(self, event: CreditWithdrawn) -> tuple[Undelivered, ...]:
        """What of this agreement's payouts a withdrawal has delivered."""
        return collected(self._opened, self.events, event)

    @property
    def _opened(self) -> OpenedAgreement:
        return OpenedAgreement(self.agreement_id, self.terms, self.milestones)

    def due_at(self, milestone: int) -> int:
        """When people expect it, 0 where no date but the deadline is known."""
        return self.document.milestones[milestone].due_at if self.document else 0

    # Who is told

    def audience(self, *accounts: Address) -> tuple[str, ...]:
        """The roles behind accounts, each once; an account without a role cannot be written to."""
        found = [role for account in accounts for role in self.roles(account)[:1]]
        return tuple(dict.fromkeys(found))

    def parties(self, milestone: int) -> tuple[str, ...]:
        """Buyer, supplier and, where it was sold, whoever holds the receivable now."""
        return self.audience(self.terms.buyer, self.terms.supplier, self.payee(milestone))

    def workers(self, milestone: int) -> tuple[str, ...]:
        """Whoever has to do something about it before it is due."""
        responsible: tuple[str, ...] = ()
        if self.document is not None and (role := self.document.milestones[milestone].responsible):
            responsible = (role,) if role in self.document.parties else ()
        found = (*responsible, *self.parties(milestone), *self.audience(*self.verifiers(milestone)))
        return tuple(dict.fromkeys(found))
