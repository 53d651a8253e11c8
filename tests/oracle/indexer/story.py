"""Agreements that live: random but possible events, as the contract would write them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import encode

from milestone_escrow.chain.contract import events as e
from milestone_escrow.chain.contract.codec import _type, interface
from milestone_escrow.chain.contract.structs import bitmap, milestone_tuple, terms_tuple
from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Split, State, Status, held, payee, rest_until
from milestone_escrow.protocol.terms import DAY, Milestone, Terms

ENTRIES = {entry.name: entry for entry in interface("MilestoneEscrow").events.values()}
NOWHERE = e.Place(0, 0, "0x" + "00" * 32, 0)
START = 1_800_000_000
Written = tuple[list[bytes], bytes]


def address(number: int) -> str:
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(number.to_bytes(20, "big")))


def written(event: e.Event) -> Written:
    """Topics and data, as a general encoder writes them."""
    entry = ENTRIES[type(event).__name__]
    fields = [f.name for f in dataclasses.fields(event) if f.name != "place"]
    pairs = [
        (p, _plain(getattr(event, name))) for p, name in zip(entry.inputs, fields, strict=True)
    ]
    topics = [encode([p["type"]], [value]) for p, value in pairs if p["indexed"]]
    body = [(_type(p), value) for p, value in pairs if not p["indexed"]]
    return [entry.key, *topics], encode([kind for kind, _ in body], [value for _, value in body])


def _plain(value: Any) -> Any:
    if isinstance(value, Terms):
        return terms_tuple(value)
    if isinstance(value, tuple) and value and isinstance(value[0], Milestone):
        return [milestone_tuple(part) for part in value]
    return bitmap(value) if isinstance(value, tuple) else value


@dataclass
class Deal:
    """One agreement of the story."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]
    states: list[State]


class Story:
    """Tells what happens next: each call gives the events of one transaction."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.deals: dict[bytes, Deal] = {}
        self.now = START

    def snapshot(self) -> tuple[Any, ...]:
        deals = {i: replace(deal, states=list(deal.states)) for i, deal in self.deals.items()}
        return self.random.getstate(), deals, self.now

    def restore(self, kept: tuple[Any, ...], *, other: int) -> None:
        """Back to a moment, from which another story may follow."""
        _, deals, self.now = kept
        self.deals = {i: replace(deal, states=list(deal.states)) for i, deal in deals.items()}
        self.random.seed(other)

    def transaction(self) -> list[e.Event]:
        self.now += 12
        if not self.deals or self.random.random() < 0.15:
            return self._open()
        for _ in range(10):
            events = self._try()
            if events:
                return events
        return []

    def _try(self) -> list[e.Event]:
        deal = self.random.choice(list(self.deals.values()))
        index = self.random.randrange(len(deal.milestones))
        verb = self.random.choice(
            [self._fund, self._fund, self._accept, self._reject, self._submit, self._dispute,
             self._rule, self._resolve, self._finalize, self._assign, self._amend, self._skip]
        )  # fmt: skip
        try:
            return verb(deal, index)
        except LifecycleError:
            return []

    def _open(self) -> list[e.Event]:
        chance = self.random
        terms = Terms(
            buyer=address(chance.randrange(1, 5)),
            supplier=address(chance.randrange(5, 9)),
            token=address(100),
            arbiter=address(50),
            verifiers=(address(30), address(31), address(32)),
            objection_period=chance.choice([0, 2 * DAY]),
            review_period=7 * DAY,
            arbitration_period=30 * DAY,
            default_payee_bps=5_000,
            fee_recipient=ZERO_ADDRESS,
            fee_bps=0,
            document_hash=chance.randbytes(32),
            salt=chance.getrandbits(256),
        )
        milestones = tuple(
            Milestone(
                chance.randrange(10, 2**100),
                self.now + chance.randrange(100, 40 * DAY),
                chance.random() < 0.3,
                7,
                2,
                chance.randbytes(32),
            )
            for _ in range(chance.randrange(1, 5))
        )
        return self._begin(terms, milestones)

    def _begin(self, terms: Terms, milestones: tuple[Milestone, ...]) -> list[e.Event]:
        agreement_id = self.random.randbytes(32)
        self.deals[agreement_id] = Deal(
            agreement_id, terms, milestones, [State() for _ in milestones]
        )
        opened = e.AgreementOpened(
            NOWHERE, agreement_id, terms.buyer, terms.supplier, terms, milestones
        )
        return [opened]

    def _fund(self, deal: Deal, _: int) -> list[e.Event]:
        unfunded = [i for i, s in enumerate(deal.states) if s.status is Status.UNFUNDED]
        for index in unfunded:
            found = transitions.fund(deal.milestones[index], deal.states[index], self.now)
            deal.states[index] = found.state
        total = sum(deal.milestones[i].amount for i in unfunded)
        buyer = deal.terms.buyer
        told = e.MilestonesFunded(NOWHERE, deal.id, buyer, tuple(unfunded), total)
        return [told] if unfunded else []

    def _attest(self, deal: Deal, index: int, verdict: Verdict, amount: int) -> list[e.Event]:
        evidence = self.random.randbytes(32)
        attestation = Attestation(
            deal.id, index, verdict, amount, evidence, self.now - 1, self.now + DAY
        )
        milestone, state = deal.milestones[index], deal.states[index]
        found = transitions.attest(deal.terms, milestone, state, attestation, self.now)
        clock = found.state.clock if not found.split.total else self.now
        told = e.MilestoneAttested(
            NOWHERE, deal.id, index, verdict, amount, evidence, self.now - 1, (0, 2), clock
        )
        return [told, *self._paid(deal, index, found)]

    def _accept(self, deal: Deal, index: int) -> list[e.Event]:
        milestone = deal.milestones[index]
        part = self.random.choice([milestone.amount, milestone.amount // 2])
        return self._attest(deal, index, Verdict.ACCEPTED, part)

    def _reject(self, deal: Deal, index: int) -> list[e.Event]:
        return self._attest(deal, index, Verdict.REJECTED, 0)

    def _submit(self, deal: Deal, index: int) -> list[e.Event]:
        milestone, state = deal.milestones[index], deal.states[index]
        who = payee(deal.terms, state)
        found = transitions.submit(deal.terms, milestone, state, who, self.now)
        deal.states[index] = found.state
        evidence = self.random.randbytes(32)
        return [e.MilestoneSubmitted(NOWHERE, deal.id, index, who, evidence, found.state.clock)]

    def _dispute(self, deal: Deal, index: int) -> list[e.Event]:
        milestone, state = deal.milestones[index], deal.states[index]
        who = self.random.choice([deal.terms.buyer, payee(deal.terms, state)])
        found = transitions.dispute(deal.terms, milestone, state, who, self.now)
        deal.states[index] = found.state
        reason = self.random.randbytes(32)
        return [e.MilestoneDisputed(NOWHERE, deal.id, index, who, reason, found.state.clock)]

    def _rule(self, deal: Deal, index: int) -> list[e.Event]:
        milestone, state = deal.milestones[index], deal.states[index]
        rest = held(milestone, state)
        to_payee = self.random.choice([0, rest // 3, rest])
        split = Split(to_payee, rest - to_payee)
        arbiter = deal.terms.arbiter
        found = transitions.rule(deal.terms, milestone, state, split, arbiter, self.now)
        told = e.MilestoneRuled(NOWHERE, deal.id, index, split.to_payee, split.to_buyer, b"\3" * 32)
        return [told, *self._paid(deal, index, found)]

    def _resolve(self, deal: Deal, index: int) -> list[e.Event]:
        milestone, state = deal.milestones[index], deal.states[index]
        split = Split(0, held(milestone, state))
        everybody = {deal.terms.buyer, payee(deal.terms, state)}
        found = transitions.resolve(deal.terms, milestone, state, split, everybody)
        told = e.MilestoneResolved(NOWHERE, deal.id, index, 0, split.to_buyer)
        return [told, *self._paid(deal, index, found)]

    def _finalize(self, deal: Deal, index: int) -> list[e.Event]:
        milestone, state = deal.milestones[index], deal.states[index]
        found = transitions.finalize(deal.terms, milestone, state, self.now + 60 * DAY)
        if found.state.status is Status.FUNDED:
            clock = rest_until(deal.terms, milestone, self.now)
            found = replace(found, state=replace(found.state, clock=clock))
        told = e.MilestoneFinalized(NOWHERE, deal.id, index, state.status)
        return [told, *self._paid(deal, index, found)]

    def _assign(self, deal: Deal, index: int) -> list[e.Event]:
        state = deal.states[index]
        if state.status not in (Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING):
            return []
        who, now_who = payee(deal.terms, state), address(self.random.randrange(60, 70))
        deal.states[index] = replace(state, assignee=now_who, handover=state.handover + 1)
        return [e.MilestoneAssigned(NOWHERE, deal.id, index, now_who, who, 5)]

    def _amend(self, deal: Deal, _: int) -> list[e.Event]:
        closes = tuple(i for i, s in enumerate(deal.states) if s.status.holds)
        if not closes or self.random.random() < 0.5:
            return []
        carried = sum(held(deal.milestones[i], deal.states[i]) for i in closes)
        for index in closes:
            amount = deal.milestones[index].amount
            deal.states[index] = replace(
                deal.states[index], status=Status.SETTLED, paid=amount, pending=0
            )
        opened = self._begin(deal.terms, deal.milestones)
        assert isinstance(opened[0], e.AgreementOpened)
        new = opened[0].agreement_id
        return [*opened, e.AgreementAmended(NOWHERE, deal.id, new, closes, carried)]

    def _skip(self, deal: Deal, index: int) -> list[e.Event]:
        return [e.AttestationSkipped(NOWHERE, deal.id, index, b"\1\2\3\4")]

    def _paid(self, deal: Deal, index: int, found: transitions.Transition) -> Sequence[e.Event]:
        who = payee(deal.terms, deal.states[index])
        deal.states[index] = found.state
        split = found.split
        if not split.total:
            return []
        paid = e.MilestonePaid(NOWHERE, deal.id, index, who, split.to_payee, 0, split.to_buyer)
        if self.random.random() < 0.2:
            token = deal.terms.token
            return [e.PayoutCredited(NOWHERE, token, who, split.to_payee), paid]
        return [paid]
