"""What the chain says of an agreement, as an accountant reads it: what was paid, when, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    CreditWithdrawn,
    Event,
    MilestoneAssigned,
    MilestoneAttested,
    MilestoneFinalized,
    MilestonePaid,
    MilestoneResolved,
    MilestoneRuled,
    MilestonesFunded,
    PayoutCredited,
    Place,
)
from milestone_escrow.chain.contract.replay import Undelivered, collected, replay, undelivered
from milestone_escrow.chain.node.network import Network
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.vat import Taxed
from milestone_escrow.documents.when import day_of
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names
from milestone_escrow.words.silence import silent


@dataclass(frozen=True, slots=True)
class Payout:
    """One payout of a milestone; `before` is what had gone to the payee until then. Token units,
    fee included in `gross`; `taxed` is None where the agreement says nothing of VAT. `credited` is
    what could not be delivered to the payee, `collected` where it was withdrawn since."""

    event: MilestonePaid
    before: int
    taxed: Taxed | None
    why: str
    credited: int
    collected: Place | None

    @property
    def gross(self) -> int:
        return self.event.to_payee + self.event.fee

    @property
    def waiting(self) -> int:
        """What of it the payee has not received, token units."""
        return 0 if self.collected else self.credited


@dataclass(frozen=True)
class Ledger:
    """An agreement and its events, with those of the versions before it, in order; none where it
    is not open. `now` is the chain's time."""

    bound: BoundAgreement
    network: Network
    events: tuple[Event, ...]
    now: int
    earlier: tuple[BoundAgreement, ...] = ()

    @property
    def version(self) -> int:
        return len(self.earlier) + 1

    @cached_property
    def own(self) -> tuple[Event, ...]:
        """The events of this version, its own closing by a change order included."""
        return tuple(event for event in self.events if _belongs(event, self.bound.id))

    @property
    def is_open(self) -> bool:
        return any(isinstance(event, AgreementOpened) for event in self.own)

    @cached_property
    def states(self) -> tuple[State, ...]:
        if not self.is_open:
            return (State(),) * len(self.bound.milestones)
        return replay(self.own).states

    def until(self, place: Place) -> Ledger:
        """As it was right after one of its events, and what of it could not be delivered."""
        last = (place.block, place.log_index)
        known = (
            event
            for event in self.events
            if (event.place.block, event.place.log_index) <= last
            or (isinstance(event, PayoutCredited) and _is_of(event, place))
        )
        return replace(self, events=tuple(known), now=place.time)

    def waiting(self, index: int, account: Address) -> int:
        """What a milestone paid to an account and the contract still keeps for it, token units."""
        return sum(
            one.units
            for one in undelivered(self.bound, self.events)
            if one.milestone == index and one.account == account
        )

    def credited(self, event: PayoutCredited) -> tuple[Undelivered, ...]:
        """What of this version's payouts a credit stands for."""
        then = self.events[: self.events.index(event) + 1]
        return tuple(one for one in undelivered(self.bound, then) if one.place == event.place)

    def collected(self, event: CreditWithdrawn) -> tuple[Undelivered, ...]:
        """What of this version's payouts a withdrawal has delivered."""
        return collected(self.bound, self.events, event)

    def payee(self, index: int) -> Address:
        """Whom a milestone pays now, or paid last."""
        payee = self.bound.terms.supplier
        for event in self.own:
            if isinstance(event, MilestoneAssigned) and event.milestone == index:
                payee = event.assignee
        return payee

    def funding(self, index: int) -> MilestonesFunded | None:
        """How a milestone was paid in."""
        for event in self.own:
            if isinstance(event, MilestonesFunded) and index in event.milestones:
                return event
        return None

    def payouts(self, index: int) -> tuple[MilestonePaid, ...]:
        """Everything that left a milestone, to either side."""
        return tuple(
            event
            for event in self.own
            if isinstance(event, MilestonePaid) and event.milestone == index
        )

    def payments(self, planned: PlannedMilestone) -> tuple[Payout, ...]:
        """What went to a milestone's payee, in order."""
        return tuple(self._payments(planned))

    def returned(self, index: int) -> int:
        """Token units of a milestone that went back to the buyer."""
        return sum(event.to_buyer for event in self.payouts(index))

    def paid_in_all(self) -> int:
        """Token units that all versions have paid to payees, fees included."""
        paid = [event for event in self.events if isinstance(event, MilestonePaid)]
        return sum(event.to_payee + event.fee for event in paid)

    def returned_in_all(self) -> int:
        """Token units that all versions have given back."""
        return sum(event.to_buyer for event in self.events if isinstance(event, MilestonePaid))

    def withheld(self) -> int:
        """Retainage that is still to be released, token units."""
        return sum(
            max(planned.amount - state.paid, 0)
            for planned, state in zip(self.bound.agreement.milestones, self.states, strict=True)
            if is_retainage(planned) and state.status is not Status.SETTLED
        )

    def day(self, moment: int) -> date:
        return day_of(moment, self.bound.agreement.timezone)

    def evidence(self, index: int) -> bytes:
        """The hash of what a milestone was last certified or submitted on; empty without one."""
        found = [
            event.evidence_hash
            for event in self.own
            if isinstance(event, MilestoneAttested) and event.milestone == index
        ]
        return found[-1] if found and any(found[-1]) else b""

    def _payments(self, planned: PlannedMilestone) -> Iterator[Payout]:
        before = 0
        for event in self.payouts(planned.index):
            gross = event.to_payee + event.fee
            if not gross:
                continue
            taxed = None
            if planned.vat:
                # What an earlier version has paid of this milestone was taxed with it.
                done = planned.decided + before
                taxed = planned.vat.of_part(done, gross, self.bound.agreement.currency)
            why, credited = self._why(event), self._credited(event)
            collected = self._collected(event) if credited else None
            yield Payout(event, before, taxed, why, credited, collected)
            before += gross

    def _why(self, paid: MilestonePaid) -> str:
        reason = certified = ""
        for event in self.own:
            if event.place == paid.place:
                break
            if getattr(event, "milestone", None) != paid.milestone:
                continue
            if isinstance(event, MilestoneAttested):
                certified = _certified(self.bound, event)
            if event.place.transaction == paid.place.transaction:
                attested = isinstance(event, MilestoneAttested)
                reason = certified if attested else self._reason(event, certified)
        return reason or say("deposit, paid when funded")

    def _reason(self, event: Event, certified: str) -> str:
        if isinstance(event, MilestoneResolved):
            both = event.to_buyer
            return say("settled by both sides") if both else say("approved by the buyer")
        if isinstance(event, MilestoneRuled):
            return say("ruled by the arbiter")
        if not isinstance(event, MilestoneFinalized):
            return ""
        if event.status is Status.RELEASE_PENDING:
            return say("{certified}, not disputed", certified=certified)
        milestone, spoken = self.bound.milestones[event.milestone], bool(certified)
        return silent(self.bound.terms, milestone, event.status, spoken=spoken)

    def _credited(self, paid: MilestonePaid) -> int:
        found = sum(
            one.units
            for event in self.events
            if isinstance(event, PayoutCredited) and _is_of(event, paid.place)
            for one in self.credited(event)
            if one.milestone == paid.milestone and one.account == paid.payee
        )
        return min(found, paid.to_payee)

    def _collected(self, paid: MilestonePaid) -> Place | None:
        for event in self.events[self.events.index(paid) :]:
            takes = isinstance(event, CreditWithdrawn) and event.account == paid.payee
            if takes and not self.until(event.place).waiting(paid.milestone, paid.payee):
                return event.place
        return None


def is_retainage(planned: PlannedMilestone) -> bool:
    """Whether a milestone pays out what others withheld."""
    return bool(planned.where) and planned.where[0] == "retainage"


def _is_of(event: Event, place: Place) -> bool:
    """Whether it was in the same transaction."""
    return event.place.transaction == place.transaction


def _belongs(event: Event, agreement_id: bytes) -> bool:
    if isinstance(event, AgreementAmended):
        return event.replaces == agreement_id
    return getattr(event, "agreement_id", None) == agreement_id


def _certified(bound: BoundAgreement, event: MilestoneAttested) -> str:
    names = replace(Names.of(bound), whole=True)
    accounts = [bound.terms.verifiers[place] for place in event.signers]
    return say("certified by {names}", names=names.people(accounts))
