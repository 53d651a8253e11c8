"""Tells in people's words what has happened to an agreement, and what silence will do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from milestone_escrow.chain.contract.events import Event, MilestonePaid, MilestonesFunded
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.manifest import Manifest
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.sandbox.timeline import Movement
from milestone_escrow.words.listing import counted, does, listed
from milestone_escrow.words.names import Names
from milestone_escrow.words.silence import otherwise


@dataclass(frozen=True, slots=True)
class Cast:
    """The people of one agreement, and words about them and what they move."""

    bound: BoundAgreement

    @property
    def agreement(self) -> Agreement:
        return self.bound.agreement

    @property
    def names(self) -> Names:
        return Names.of(self.bound)

    def people(self, roles: Sequence[str]) -> str:
        return listed([self.names.role(role) for role in roles])

    def does(self, roles: Sequence[str], verb: str) -> str:
        """The verb in the number of these people."""
        return does([self.names.role(role) for role in roles], verb)

    def files(self, files: Manifest, key: str) -> str:
        """ "13 files for manufactured: inspection report and photos"."""
        kinds = sorted({file.kind.replace("_", " ") for file in files.files})
        return f"{counted(len(files.files), 'file')} for {key}: {listed(kinds)}"

    def movements(self, event: Event) -> Iterator[Movement]:
        """The money that an event moved, payee first."""
        if isinstance(event, MilestonesFunded):
            yield Movement(event.amount, True, self.names.person(event.funder))
        if isinstance(event, MilestonePaid):
            key = self.agreement.milestones[event.milestone].key
            for units, account, words in (
                (event.to_payee, event.payee, "paid to"),
                (event.fee, self.bound.terms.fee_recipient, "fee to"),
                (event.to_buyer, self.bound.terms.buyer, "back to"),
            ):
                if units:
                    yield Movement(units, False, self.names.person(account), key, words)

    def outlook(self, key: str, states: Sequence[State]) -> str:
        """What silence does from here; empty where nothing is held."""
        index = self.agreement.index(key)
        return otherwise(self.names, self.bound.terms, self.bound.milestones[index], states[index])
