"""Deciding, handing on and amending: each verb simulates, sends and waits.

What a verb takes and means stands with its preparation, in `deciding`, `handing` and `amending`.
"""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.chain.contract.payer import Payer, sent
from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.chain.contract.token_support import Way
from milestone_escrow.chain.contract.verbs import NOBODY, Verbs
from milestone_escrow.chain.send.transactions import Receipt
from milestone_escrow.protocol.amendment import Amendment, moved
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import held
from milestone_escrow.protocol.receivables import Offer, price


class Acting(Payer):
    """One contract, acted on with the key of `signer`."""

    attest = sent(Verbs.attest)
    attest_batch = sent(Verbs.attest_batch)
    submit = sent(Verbs.submit)
    dispute = sent(Verbs.dispute)
    rule = sent(Verbs.rule)
    approve = sent(Verbs.approve)
    refund = sent(Verbs.refund)
    settle = sent(Verbs.settle)
    finalize = sent(Verbs.finalize)
    assign = sent(Verbs.assign)
    perform = sent(Verbs.perform)

    def buy_receivable(
        self,
        agreement: OpenAgreement,
        offer: Offer,
        signature: bytes,
        *,
        how: Way | None = None,
        allow: bool = False,
    ) -> Receipt:
        """Become the payee for the offer's price; `how` and `allow` as in `fund`."""
        state = self.states(agreement)[offer.milestone]
        cost = price(offer, held(agreement.milestones[offer.milestone], state))
        permit = self._ready_to_pay(agreement.terms.token, cost, how, allow)
        return self.send(self.prepare.buy_receivable(agreement, offer, signature, permit=permit))

    def amend(
        self,
        agreement: OpenAgreement,
        order: Amendment,
        signatures: Mapping[Address, bytes] = NOBODY,
        *,
        how: Way | None = None,
        allow: bool = False,
    ) -> Receipt:
        """Carry out a change order, paying what is missing; `how` and `allow` as in `fund`."""
        money = moved(agreement.milestones, self.states(agreement), order)
        permit = self._ready_to_pay(agreement.terms.token, money.pulled, how, allow)
        return self.send(self.prepare.amend(agreement, order, signatures, permit=permit))
