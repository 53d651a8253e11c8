"""What must always hold, in words and as checks of what the contract did.

1. Solvency: for every token, what the escrow has covers what is held and what is credited.
2. Settled never changes again; what was paid never falls.
3. Conservation: payee + fee + buyer (+ what was carried over) = amount, to the last unit.
4. Liveness: time alone settles, in at most two `finalize` calls (see `machine.py`, at the end).
5. Consent: money goes to the payee by quorum, the buyer's consent, a ruling, or a clock that both
   signed; to the buyer by the payee's consent, a ruling, or a clock.
6. No signature works twice.
7. One account that cannot receive never stops another: who is owed is paid or credited.
8. Where `finalize` is open, nobody can do anything one-sided to its own advantage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from eth_abi import decode
from eth_hash.auto import keccak

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State, Status, end, held, payee, silence_split
from tests.contracts.support.deal import Deal
from tests.contracts.support.evm import Log
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Act, Ref
from tests.invariants.machine.ledger import Step
from tests.invariants.machine.tokens import MOVES_BUT_DENIES, TokenTwin
from tests.invariants.machine.twin import Twin

States: TypeAlias = Mapping[bytes, tuple[State, ...]]
Purses: TypeAlias = Mapping[tuple[Address, Address], int]
"""Balance and credit together, by token and account."""

_PAID = keccak(b"MilestonePaid(bytes32,uint256,address,uint256,uint256,uint256)")
_ATTESTED = keccak(
    b"MilestoneAttested(bytes32,uint256,uint8,uint128,bytes32,uint64,uint256,uint256)"
)
_FUNDING = (acts.Open, acts.Fund, acts.FundWithAuthorization, acts.Amend)


@dataclass(frozen=True, slots=True)
class Paid:
    """One `MilestonePaid` of the contract's log."""

    id: bytes
    index: int
    payee: Address
    to_payee: int
    fee: int
    to_buyer: int

    @property
    def total(self) -> int:
        return self.to_payee + self.fee + self.to_buyer


@dataclass
class Laws:
    """Remembers what the contract logged, and holds it to what must hold."""

    flows: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    carried: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    issued: dict[tuple[bytes, int], int] = field(default_factory=dict)
    spent: set[tuple[Address, bytes]] = field(default_factory=set)

    def check(
        self, twin: Twin, by: Address, logs: Sequence[Log], before: States, after: States
    ) -> tuple[Paid, ...]:
        """Laws 2, 3, 5, 6 and 8 for one call that the contract allowed."""
        paid = tuple(_paid(logs))
        self._attestations_are_newer(logs)
        _final_and_rising(before, after)
        self._conserved(twin, paid, before, after)
        spent: set[tuple[Address, bytes]] = set()
        rest = list(paid)
        for step in twin.steps:
            agreed = {by, *(account for account, _ in step.used)}
            caused = [event for event in rest if _concerns(step.act, event)]
            # A later act of the same call may pay the same milestone: each takes its own.
            for event in caused[: _payouts(step.act)]:
                rest.remove(event)
                _justified(twin, step, event, agreed)
            _carried_with_consent(step, agreed)
            _nothing_one_sided(twin, step, agreed)
            if not isinstance(step.act, acts.AttestBatch):
                spent |= step.used
        assert not rest, f"paid without a cause: {rest}"
        assert not spent & self.spent, "a signature worked twice"
        self.spent |= spent
        return paid

    def _attestations_are_newer(self, logs: Sequence[Log]) -> None:
        for log in logs:
            if log.topics[0] == _ATTESTED:
                key = (log.topics[1], int.from_bytes(log.topics[2], "big"))
                issued = int.from_bytes(log.data[96:128], "big")
                assert issued > self.issued.get(key, 0), "an attestation worked twice"
                self.issued[key] = issued

    def _conserved(self, twin: Twin, paid: Sequence[Paid], before: States, after: States) -> None:
        for event in paid:
            self.flows[event.id, event.index] += event.total
        for step in twin.steps:
            if isinstance(step.act, acts.Amend):
                for ref, state in _closed(step):
                    self.carried[ref.deal.id, ref.index] += held(ref.milestone, state)
        for id_, states in after.items():
            old = before.get(id_, ())
            for index, state in enumerate(states):
                was = old[index].status if old else Status.UNFUNDED
                if state.status is not Status.SETTLED or was is Status.SETTLED:
                    continue
                amount = self.flows[id_, index] + self.carried[id_, index]
                never_funded = was is Status.UNFUNDED and amount == 0
                assert never_funded or amount == twin.deals[id_].milestones[index].amount


def solvent(
    token: TokenTwin, has: int, deals: Mapping[bytes, Deal], states: States, owed: int
) -> None:
    """Law 1, to the unit: what the token itself made away with is the token's lie."""
    holds = sum(
        held(milestone, state)
        for id_, deal in deals.items()
        if deal.terms.token == token.address
        for milestone, state in zip(deal.milestones, states[id_], strict=True)
    )
    assert has + token.lied == holds + owed + token.given, f"{token.name}: {has} {holds} {owed}"


def everyone_is_served(
    twin: Twin, act: Act, paid: Sequence[Paid], before: Purses, after: Purses
) -> None:
    """Law 7: balance and credit of each together grow by exactly what it is owed."""
    if not isinstance(act, (acts.Attest, acts.AttestBatch, acts.Rule, acts.Resolve, acts.Finalize)):
        return
    owed: Counter[tuple[Address, Address]] = Counter()
    for event in paid:
        terms = twin.deals[event.id].terms
        owed[terms.token, event.payee] += event.to_payee
        owed[terms.token, terms.fee_recipient] += event.fee
        owed[terms.token, terms.buyer] += event.to_buyer
    for (token, account), amount in owed.items():
        mode = twin.tokens[token].on_transfer
        if amount and mode not in MOVES_BUT_DENIES and mode != "Tax":
            grown = after[token, account] - before[token, account]
            assert grown == amount, f"{account} is owed {amount} and got {grown}"


def _paid(logs: Sequence[Log]) -> Iterator[Paid]:
    from tests.invariants.machine.stage import person_address

    for log in logs:
        if log.topics[0] == _PAID:
            index = int.from_bytes(log.topics[2], "big")
            account = person_address(int.from_bytes(log.topics[3], "big"))
            amounts = decode(["uint256"] * 3, log.data)
            yield Paid(log.topics[1], index, account, *amounts)


def _final_and_rising(before: States, after: States) -> None:
    for id_, old in before.items():
        for was, now in zip(old, after[id_], strict=True):
            if was.status is Status.SETTLED:
                assert now.status is Status.SETTLED, "a settled milestone changed"
            elif now.status is not Status.SETTLED:
                assert now.paid >= was.paid, "what was paid fell"
                assert now.epoch >= was.epoch, "an epoch went back"
                assert now.handover >= was.handover, "a handover went back"


def _concerns(act: Act, event: Paid) -> bool:
    if isinstance(act, acts.Amend):
        return event.id == act.new.id
    if isinstance(act, _FUNDING):
        return event.id == act.deal.id
    return any((ref.deal.id, ref.index) == (event.id, event.index) for ref in acts.refs(act))


def _payouts(act: Act) -> int:
    """How many milestones an act can pay out of."""
    if isinstance(act, acts.AttestBatch):
        return len(act.items)
    return 64 if isinstance(act, _FUNDING) else 1


def _justified(twin: Twin, step: Step, event: Paid, agreed: set[Address]) -> None:
    """Law 5."""
    deal = twin.deals[event.id]
    terms, milestone = deal.terms, deal.milestones[event.index]
    if isinstance(step.act, _FUNDING):
        assert milestone.is_deposit
        assert milestone.pays_on_silence
        assert not event.to_buyer
        return
    state = step.states[event.id][event.index]
    match step.act:
        case acts.Attest() | acts.AttestBatch():
            signed = {who for who, _ in step.used} & set(terms.verifiers_of(milestone))
            assert len(signed) >= max(milestone.quorum, 1)
            assert not event.to_buyer
        case acts.Resolve():
            assert event.to_buyer or terms.buyer in agreed
            assert terms.buyer in agreed or not event.to_payee + event.fee
            assert payee(terms, state) in agreed or not event.to_buyer
        case acts.Rule():
            assert terms.arbiter in agreed
        case acts.Finalize():
            assert twin.now >= end(milestone, state)
            split = silence_split(terms, milestone, state)
            assert (event.to_payee + event.fee, event.to_buyer) == (split.to_payee, split.to_buyer)
        case _:
            raise AssertionError(f"{acts.function(step.act)} paid")


def _closed(step: Step) -> Iterator[tuple[Ref, State]]:
    assert isinstance(step.act, acts.Amend)
    deal = step.act.deal
    for index, state in enumerate(step.states[deal.id]):
        if step.act.amendment.closes >> index & 1:
            yield Ref(deal, index), state


def _carried_with_consent(step: Step, agreed: set[Address]) -> None:
    """Law 5 for change orders: both parties, and whoever owns the money by now."""
    if isinstance(step.act, acts.Amend):
        terms = step.act.deal.terms
        assert {terms.buyer, terms.supplier} <= agreed
        assert all(payee(terms, state) in agreed for _, state in _closed(step))


def _nothing_one_sided(twin: Twin, step: Step, agreed: set[Address]) -> None:
    """Law 8: past the end there is only time, giving, and what both agree on."""
    for ref in acts.refs(step.act):
        states = step.states.get(ref.deal.id)
        if states is None or not states[ref.index].status.holds:
            continue
        state = states[ref.index]
        if twin.now < end(ref.milestone, state) or isinstance(step.act, acts.Finalize):
            continue
        if isinstance(step.act, acts.AttestBatch):
            continue  # which skips it: the states are compared
        assert isinstance(step.act, acts.Resolve), f"{acts.function(step.act)} after the end"
        terms, split = ref.deal.terms, step.act.split
        if payee(terms, state) not in agreed:
            assert not split.to_buyer
        if terms.buyer not in agreed:
            assert not split.to_payee
