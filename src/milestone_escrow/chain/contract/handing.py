"""Handing a milestone's payout on: by assignment, or by sale at the payee's offer."""

from __future__ import annotations

from milestone_escrow.chain.contract.funding import FundingVerbs
from milestone_escrow.chain.contract.preparing import MilestoneName, call, shortened
from milestone_escrow.chain.contract.structs import OpenAgreement, reference_tuple, terms_tuple
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import payee
from milestone_escrow.protocol.paying import SignedPermit
from milestone_escrow.protocol.receivables import Offer


class ReceivableVerbs(FundingVerbs):
    """The right to a payout, from one payee to the next."""

    def assign(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        assignee: Address,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Prepared:
        """The payee hands the payout to `assignee`, who from now on is the payee."""
        return self._act("assign", agreement, milestone, assignee, valid_until, signature)

    def buy_receivable(
        self,
        agreement: OpenAgreement,
        offer: Offer,
        signature: bytes,
        *,
        permit: SignedPermit | None = None,
    ) -> Prepared:
        """The sender becomes the payee for the offer's price, which goes to the present one.

        Raises:
            UsageError: the offer is about another agreement, or a milestone that is not there.
        """
        if offer.agreement_id != agreement.id or offer.milestone >= len(agreement.milestones):
            raise UsageError("the offer is about another agreement", hint="give its own agreement")
        seller = payee(agreement.terms, self._reader.states(agreement)[offer.milestone])
        digest = offer.typed_data(self._reader.domain).digest()
        data = call(
            "buyReceivable",
            terms_tuple(agreement.terms),
            reference_tuple(agreement, offer.milestone),
            (
                offer.financier,
                offer.price,
                offer.held,
                offer.epoch,
                offer.handover,
                offer.valid_until,
            ),
            shortened(digest, seller, signature),
        )
        return self._permitted("buy", agreement, data, permit, offer.milestone)
