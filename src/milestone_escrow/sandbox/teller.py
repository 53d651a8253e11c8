"""Tells in people's words what has happened to an agreement, and what silence will do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from milestone_escrow.chain.contract.events import Event, MilestonePaid, MilestonesFunded
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.manifest import Manifest
from milestone_escrow.documents.when import format_time
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.sandbox.silence import dues
from milestone_escrow.sandbox.timeline import Movement
from milestone_escrow.words.listing import counted, does, listed, person, short


@dataclass(frozen=True, slots=True)
class Teller:
    """Words about one agreement."""

    bound: BoundAgreement

    @property
    def agreement(self) -> Agreement:
        return self.bound.agreement

    def name(self, role: str) -> str:
        return short(self.agreement.name(role))

    def names(self, roles: Sequence[str]) -> str:
        return listed([self.name(role) for role in roles])

    def does(self, roles: Sequence[str], verb: str) -> str:
        """The verb in the number of these people."""
        return does([self.name(role) for role in roles], verb)

    def amount(self, units: int) -> str:
        return self.agreement.amount(units)

    def files(self, files: Manifest, key: str) -> str:
        """ "13 files for manufactured: inspection report and photos"."""
        kinds = sorted({file.kind.replace("_", " ") for file in files.files})
        return f"{counted(len(files.files), 'file')} for {key}: {listed(kinds)}"

    def movements(self, event: Event) -> Iterator[Movement]:
        """The money that an event moved, payee first."""
        if isinstance(event, MilestonesFunded):
            yield Movement(event.amount, True, person(self.agreement, event.funder))
        if isinstance(event, MilestonePaid):
            key = self.agreement.milestones[event.milestone].key
            for units, account, words in (
                (event.to_payee, event.payee, "paid to"),
                (event.fee, self.bound.terms.fee_recipient, "fee to"),
                (event.to_buyer, self.bound.terms.buyer, "back to"),
            ):
                if units:
                    yield Movement(units, False, person(self.agreement, account), key, words)

    def outlook(self, key: str, states: Sequence[State]) -> str:
        """What the next silence pays, and when; empty where nothing is held."""
        index = self.agreement.index(key)
        for due in dues(self.bound, states):
            if due.milestone == index:
                sides = (
                    (due.step.split.to_payee, self.name("supplier")),
                    (due.step.split.to_buyer, self.name("buyer")),
                )
                parts = [f"{self.amount(units)} to {name}" for units, name in sides if units]
                when = format_time(due.step.at, self.agreement.timezone)
                return f"If nobody acts: {', '.join(parts)} on {when}."
        return ""
