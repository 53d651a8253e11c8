"""Sending a change order: milestones of one agreement close, those of the next are funded."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.chain.contract.funding import FundingVerbs
from milestone_escrow.chain.contract.preparing import NOBODY, call, shortened
from milestone_escrow.chain.contract.structs import OpenAgreement, milestone_tuples, terms_tuple
from milestone_escrow.chain.refusals.naming import account_name
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.amendment import Amendment, signers
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.paying import SignedPermit


class AmendingVerbs(FundingVerbs):
    """New terms for old money."""

    def amend(
        self,
        agreement: OpenAgreement,
        order: Amendment,
        signatures: Mapping[Address, bytes] = NOBODY,
        *,
        permit: SignedPermit | None = None,
    ) -> Prepared:
        """Carry out a change order of `agreement`, signed by buyer, supplier and each assignee
        of a closed milestone; the sender's own signature is not needed.

        What the new milestones lack comes from the sender's allowance, after its permit if given.

        Raises:
            UsageError: it changes another agreement, or somebody has not signed.
        """
        if order.replaces != agreement.id:
            raise UsageError(
                "the change order is about another agreement", hint="give the one that it changes"
            )
        data = call(
            "amend",
            terms_tuple(agreement.terms),
            milestone_tuples(agreement.milestones),
            (
                order.closes,
                order.funds,
                order.carried,
                order.epochs,
                order.valid_until,
                terms_tuple(order.terms),
                milestone_tuples(order.milestones),
            ),
            self._signed(agreement, order, signatures),
        )
        return self._permitted("amend", agreement, data, permit)

    def _signed(
        self, agreement: OpenAgreement, order: Amendment, signatures: Mapping[Address, bytes]
    ) -> list[bytes]:
        states = self._reader.states(agreement)
        needed = signers(agreement.terms, order.terms, states, order.closes)
        missing = [who for who in needed if who != self._sender and not signatures.get(who)]
        if missing:
            raise UsageError(
                f"{account_name(agreement, missing[0])} has not signed the change order",
                hint="both sides, who takes the place of one, and whoever was assigned a closed "
                "milestone must sign",
            )
        digest = order.typed_data(self._reader.domain).digest()
        return [
            b"" if who == self._sender else shortened(digest, who, signatures[who])
            for who in needed
        ]
