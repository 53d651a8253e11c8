"""The contract's verbs as transactions that are simulated and priced, but not sent.

Milestones are named by index or, where the agreement has a document, by key. Amounts are token
units. An act that `signature` signs may be sent by anyone; without one the sender must be who acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from milestone_escrow.chain.contract.amending import AmendingVerbs
from milestone_escrow.chain.contract.batching import BatchVerbs
from milestone_escrow.chain.contract.deciding import DecidingVerbs
from milestone_escrow.chain.contract.handing import ReceivableVerbs
from milestone_escrow.chain.contract.preparing import NOBODY, MilestoneName, Signatures
from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.receivables import Assignment, Offer

__all__ = ["NOBODY", "Act", "MilestoneName", "Signatures", "Verbs"]

Act: TypeAlias = Submission | Dispute | Ruling | Resolution | Assignment | Offer


class Verbs(DecidingVerbs, BatchVerbs, ReceivableVerbs, AmendingVerbs):
    """Prepares transactions of one sender."""

    def perform(
        self, agreement: OpenAgreement, act: Act, signatures: Mapping[Address, bytes]
    ) -> Prepared:
        """Send what somebody signed, whichever act it is; signatures by account.

        Raises:
            UsageError: the act is about another agreement, or nobody has signed it.
        """
        if act.agreement_id != agreement.id:
            raise UsageError("the act is about another agreement", hint="give its own agreement")
        if not signatures:
            raise UsageError("nobody has signed the act", hint="let its party sign it first")
        at, until = act.milestone, act.valid_until
        if isinstance(act, Resolution):
            split = (act.to_payee, act.to_buyer)
            return self.settle(agreement, at, *split, signatures=signatures, valid_until=until)
        (signature,) = list(signatures.values())[:1]
        if isinstance(act, Offer):
            return self.buy_receivable(agreement, act, signature)
        if isinstance(act, Submission):
            proof = act.evidence_hash
            return self.submit(agreement, at, proof, valid_until=until, signature=signature)
        if isinstance(act, Dispute):
            why = act.reason_hash
            return self.dispute(agreement, at, why, valid_until=until, signature=signature)
        if isinstance(act, Ruling):
            ruled = (act.to_payee, act.to_buyer, act.reason_hash)
            return self.rule(agreement, at, *ruled, valid_until=until, signature=signature)
        return self.assign(agreement, at, act.assignee, valid_until=until, signature=signature)
