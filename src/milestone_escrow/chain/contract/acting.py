"""Deciding, handing on and amending: each verb simulates, sends and waits.

What a verb means stands with its preparation, in `deciding`, `handing` and `amending`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from milestone_escrow.chain.contract.batching import Attested
from milestone_escrow.chain.contract.payer import Payer
from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.chain.contract.token_support import Way
from milestone_escrow.chain.contract.verbs import NOBODY, Act, MilestoneName, Signatures, Verbs
from milestone_escrow.chain.send.transactions import Prepared, Receipt
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.amendment import Amendment, moved
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address
from milestone_escrow.protocol.receivables import Offer


class Acting(Payer):
    """One contract, acted on with the key of `signer`."""

    def attest(
        self, agreement: OpenAgreement, attestation: Attestation, signatures: Signatures
    ) -> Receipt:
        """Decide by a quorum of the milestone's verifiers."""
        return self.send(self.prepare.attest(agreement, attestation, signatures))

    def attest_batch(self, attested: Attested, signatures: Signatures) -> Receipt:
        """Decide many milestones by one signature of each verifier; see `batch_results`."""
        return self.send(self.prepare.attest_batch(attested, signatures))

    def submit(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        evidence_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """State, as its payee or with the payee's signature, that a milestone is done."""
        return self._do(
            Verbs.submit, agreement, milestone, evidence_hash, valid_until=valid_until,
            signature=signature,
        )  # fmt: skip

    def dispute(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """Object to what is about to go against the signer, or against who signed."""
        return self._do(
            Verbs.dispute, agreement, milestone, reason_hash, valid_until=valid_until,
            signature=signature,
        )  # fmt: skip

    def rule(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """Split, as the arbiter or with the arbiter's signature, what is disputed."""
        return self._do(
            Verbs.rule, agreement, milestone, to_payee, to_buyer, reason_hash,
            valid_until=valid_until, signature=signature,
        )  # fmt: skip

    def approve(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Receipt:
        """Pay, as the buyer, a part or all of a milestone."""
        return self._do(Verbs.approve, agreement, milestone, amount)

    def refund(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Receipt:
        """Give back, as the payee, a part or all of a milestone."""
        return self._do(Verbs.refund, agreement, milestone, amount)

    def settle(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        *,
        signatures: Mapping[Address, bytes] = NOBODY,
        valid_until: int = 0,
    ) -> Receipt:
        """Split a milestone with the consent of whoever gives something up."""
        return self._do(
            Verbs.settle, agreement, milestone, to_payee, to_buyer, signatures=signatures,
            valid_until=valid_until,
        )  # fmt: skip

    def finalize(self, agreement: OpenAgreement, milestone: MilestoneName) -> Receipt:
        """Let time decide."""
        return self._do(Verbs.finalize, agreement, milestone)

    def perform(
        self, agreement: OpenAgreement, act: Act, signatures: Mapping[Address, bytes]
    ) -> Receipt:
        """Send an act that its party has signed; signatures by account."""
        return self.send(self.prepare.perform(agreement, act, signatures))

    # Receivables and change orders

    def assign(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        assignee: Address,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """Hand on, as the payee or with the payee's signature, a milestone's payout."""
        return self._do(
            Verbs.assign, agreement, milestone, assignee, valid_until=valid_until,
            signature=signature,
        )  # fmt: skip

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
        permit = self._ready_to_pay(agreement.terms.token, offer.price, how, allow)
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

    def _do(self, verb: Callable[..., Prepared], *values: object, **named: object) -> Receipt:
        return self.send(verb(self.prepare, *values, **named))
