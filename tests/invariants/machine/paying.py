"""Opening, funding and withdrawing on the twin."""

from __future__ import annotations

from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.transitions import refusal
from tests.contracts.support.deal import Deal
from tests.invariants.machine import acts
from tests.invariants.machine.call import Call


class Paying(Call):
    """How money comes in, and how what could not be received is fetched."""

    def _open(self, act: acts.Open) -> None:
        deal, chosen = act.deal, act.chosen
        if deal.id in self.twin.states:
            for index, state in enumerate(self.twin.states[deal.id]):
                if state.status is not Status.UNFUNDED:
                    chosen &= ~(1 << index)
        else:
            self._validate(deal)
            for party, signature in (
                (deal.terms.buyer, act.buyer),
                (deal.terms.supplier, act.supplier),
            ):
                if self.by != party:
                    self._require_signature(party, deal.typed_data, signature)
            self._register(deal)
        if chosen:
            self._fund(deal, chosen)

    def _require_fundable(self, deal: Deal, chosen: int) -> None:
        self._require_open(deal)
        if not chosen:
            raise refusal("UnknownMilestones", "none chosen")

    def _fund(self, deal: Deal, chosen: int) -> None:
        total, deposits = self._mark(deal, chosen)
        self._token(deal).pull(self.by, total)
        self._pay_deposits(deal, deposits)

    def _fund_with_authorization(self, act: acts.FundWithAuthorization) -> None:
        deal = act.deal
        self._require_fundable(deal, act.chosen)
        total, deposits = self._mark(deal, act.chosen)
        token = self._token(deal)
        nonce = acts.authorization_nonce(deal, act.chosen)
        window = (act.valid_after, act.valid_before)
        valid = token.takes_signatures and self.twin.book.is_valid(
            act.payer,
            token.authorization(act.payer, total, *window, nonce).digest(),
            act.signature,
        )
        token.receive(act.payer, total, *window, nonce, self.now, valid)
        self._pay_deposits(deal, deposits)

    def _permit(self, act: acts.Permit) -> None:
        """Never fails; works where the token knows the caller's signature."""
        token = self.twin.tokens[act.token]
        if not token.takes_signatures or self.now > act.deadline:
            return
        data = token.permit(self.by, act.amount, token.nonces[self.by], act.deadline)
        if self.twin.book.is_valid(self.by, data.digest(), act.signature):
            token.nonces[self.by] += 1
            token.allowances[self.by] = act.amount

    def _withdraw(self, act: acts.Withdraw) -> None:
        token, account = act.token, act.account
        credit = self.twin.credits.get((token, account), 0)
        if not credit:
            raise refusal("NothingCredited", account)
        if not act.at_most:
            raise refusal("AmountOutOfBounds", f"0 of {credit}")
        amount = min(act.at_most, credit)
        self.twin.credits[token, account] = credit - amount
        if not self.twin.tokens[token].push(account, amount):
            raise refusal("WithdrawalFailed", account)
