"""Receivables and change orders on the twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import amendment, receivables
from milestone_escrow.protocol.lifecycle import State, Status, held, payee
from milestone_escrow.protocol.transitions import refusal
from tests.contracts.support.deal import Deal
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Ref
from tests.invariants.machine.call import Call


class Handing(Call):
    """What is handed on: the right to a payout, or the money to other terms."""

    def _buy(self, act: acts.BuyReceivable) -> None:
        deal, milestone, state = self._locate(act.ref)
        owner = payee(deal.terms, state)
        sold = replace(act.offer, agreement_id=deal.id, milestone=act.ref.index)
        # Time is checked with the signature, which is looked at last.
        fresh = replace(sold, valid_until=max(sold.valid_until, self.now))
        done = receivables.buy(
            deal.terms, milestone, state, fresh, self.by, self.now, contract=self.twin.escrow
        )
        self._require_signature(owner, sold.typed_data(deal.domain), act.signature)
        self._require_valid(sold.valid_until)
        self._apply(act.ref, done)
        price = receivables.price(sold, held(milestone, state))
        self._token(deal).move(self.by, owner, price)

    def _amend(self, act: acts.Amend) -> None:
        deal, new, order = act.deal, act.new, act.amendment
        states = self.twin.states.get(deal.id, tuple(State() for _ in deal.milestones))
        everybody = frozenset(amendment.signers(deal.terms, order.terms, states, 2**64 - 1))
        order = replace(order, replaces=deal.id)
        conflict: LifecycleError | None = None
        try:
            closed, moved = amendment.close(
                deal.terms, deal.milestones, states, order, everybody, self.now
            )
        except LifecycleError as error:
            if error.fields["error"] in ("RoleNotAllowed", "SignatureExpired"):
                raise
            conflict = error
        self._require_open(deal)
        if conflict and conflict.fields["error"] == "UnknownMilestones":
            raise conflict
        self._require_consents(deal, states, order, act.signatures, conflict)
        for index, state in closed.items():
            self._set(Ref(deal, index), state)
        if new.id not in self.twin.states:
            self._validate(new)
            self._register(new)
        deposits = self._mark(new, order.funds)[1] if order.funds else []
        if moved.pulled:
            self._token(deal).pull(self.by, moved.pulled)
        self._push(deal.terms.token, deal.terms.buyer, moved.returned)
        self._pay_deposits(new, deposits)

    def _require_consents(
        self,
        deal: Deal,
        states: Sequence[State],
        order: amendment.Amendment,
        signatures: Sequence[bytes],
        conflict: LifecycleError | None,
    ) -> None:
        """Buyer, supplier, then milestone by milestone: its status, its assignee."""
        upto = len(states)
        if conflict and conflict.fields["error"] == "WrongStatus":
            upto = next(
                i
                for i, s in enumerate(states)
                if order.closes >> i & 1 and s.status is Status.SETTLED
            )
        parties = amendment.signers(deal.terms, order.terms, states[:upto], order.closes)
        data = order.typed_data(deal.domain)
        for slot, party in enumerate(parties):
            if party == self.by:
                continue
            if slot >= len(signatures):
                raise refusal("NotAuthorized", f"{self.by} lacks the consent of {party}")
            self._require_signature(party, data, signatures[slot])
        if conflict:
            raise conflict
        if len(signatures) != len(parties):
            raise refusal("SignatureCountMismatch", f"{len(signatures)} for {len(parties)}")
