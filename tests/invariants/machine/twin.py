"""The whole contract in Python, around the lifecycle twin: what an act leads to, or how it fails.

Each verb refuses in the contract's order, with the name of its error. Nothing here reads the
chain; whatever is compared with it afterwards was predicted.
"""

from __future__ import annotations

from dataclasses import replace

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import acts as signed
from milestone_escrow.protocol import receivables, transitions
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split, State, held, payee
from milestone_escrow.protocol.terms import Milestone
from milestone_escrow.protocol.transitions import Transition, refusal
from tests.contracts.support.deal import Deal
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Act
from tests.invariants.machine.certifying import Certifying
from tests.invariants.machine.handing import Handing
from tests.invariants.machine.ledger import Ledger, Step
from tests.invariants.machine.paying import Paying


class Twin(Ledger):
    """The contract: `execute` answers a new one."""

    def execute(self, act: Act, by: Address, scarce: bool = False) -> Twin:
        """What follows from the act; `scarce` gas must not turn a payout into a credit.

        Raises:
            LifecycleError: the contract refuses, with the error of that name.
        """
        twin = replace(
            self,
            tokens={address: token.copy() for address, token in self.tokens.items()},
            deals=dict(self.deals),
            states=dict(self.states),
            credits=self.credits.copy(),
            steps=(),
        )
        for part in acts.parts(act):
            before = dict(twin.states)
            call = _Call(twin, by, scarce)
            try:
                call.run(part)
            except LifecycleError as error:
                if part is act or error.fields["error"]:
                    raise
                raise refusal("FailedCall", "a part of a multicall gave no reason") from error
            twin.steps += (Step(part, before, frozenset(call.used)),)
        return twin


class _Call(Paying, Certifying, Handing):
    """Every verb."""

    def run(self, act: Act) -> None:
        match act:
            case acts.Open():
                self._open(act)
            case acts.Fund(deal, chosen):
                self._require_fundable(deal, chosen)
                self._fund(deal, chosen)
            case acts.FundWithAuthorization():
                self._fund_with_authorization(act)
            case acts.Permit():
                self._permit(act)
            case acts.Attest():
                self._attest(act)
            case acts.AttestBatch():
                self._attest_batch(act)
            case acts.Amend():
                self._amend(act)
            case acts.Withdraw():
                self._withdraw(act)
            case acts.BuyReceivable():
                self._buy(act)
            case acts.Multicall():
                raise AssertionError("a multicall in a multicall is not played")
            case _:
                self._decide(act)

    def _decide(
        self,
        act: acts.Submit | acts.Dispute | acts.Rule | acts.Resolve | acts.Finalize | acts.Assign,
    ) -> None:
        """The verbs about one milestone that one or two people sign."""
        deal, milestone, state = self._locate(act.ref)
        target = (deal.id, act.ref.index)
        terms, now = deal.terms, self.now
        owner = payee(terms, state)
        match act:
            case acts.Submit(_, evidence, until, signature):
                done = transitions.submit(terms, milestone, state, owner, now)
                typed = signed.Submission(*target, evidence, state.epoch, until)
                self._authorize(owner, typed.typed_data(deal.domain), until, signature)
            case acts.Dispute(_, reason, until, signature):
                done, party = self._dispute(deal, milestone, state)
                complaint = signed.Dispute(*target, reason, state.epoch, until)
                self._authorize(party, complaint.typed_data(deal.domain), until, signature)
            case acts.Rule(_, split, reason, until, signature):
                done = self._rule(deal, milestone, state, split)
                parts = (split.to_payee, split.to_buyer)
                ruling = signed.Ruling(*target, *parts, reason, state.epoch, until)
                self._authorize(terms.arbiter, ruling.typed_data(deal.domain), until, signature)
            case acts.Resolve(_, split, until, buyer, other):
                done = transitions.resolve(terms, milestone, state, split, {terms.buyer, owner})
                parts = (split.to_payee, split.to_buyer)
                rest = held(milestone, state)
                typed_data = signed.Resolution(
                    *target, *parts, rest, state.epoch, until
                ).typed_data(deal.domain)
                if split.to_payee:
                    self._authorize(terms.buyer, typed_data, until, buyer)
                if split.to_buyer:
                    self._authorize(owner, typed_data, until, other)
            case acts.Finalize():
                done = transitions.finalize(terms, milestone, state, now)
            case acts.Assign(_, assignee, until, signature):
                done = receivables.assign(
                    terms, milestone, state, assignee, owner, now, contract=self.twin.escrow
                )
                order = receivables.Assignment(*target, assignee, state.handover, until)
                self._authorize(owner, order.typed_data(deal.domain), until, signature)
        self._push_all(deal, self._apply(act.ref, done))

    def _dispute(
        self, deal: Deal, milestone: Milestone, state: State
    ) -> tuple[Transition, Address]:
        """By whichever party the twin lets dispute."""
        parties = (deal.terms.buyer, payee(deal.terms, state))
        try:
            done = transitions.dispute(deal.terms, milestone, state, parties[0], self.now)
        except LifecycleError as error:
            if error.fields["error"] != "NotAuthorized":
                raise
            return transitions.dispute(deal.terms, milestone, state, parties[1], self.now), parties[
                1
            ]
        return done, parties[0]

    def _rule(self, deal: Deal, milestone: Milestone, state: State, split: Split) -> Transition:
        """Where there is no arbiter, nobody's signature can stand for one."""
        terms = deal.terms
        if not terms.has_arbiter:
            terms = replace(terms, arbiter=self.by)
        return transitions.rule(terms, milestone, state, split, terms.arbiter, self.now)
