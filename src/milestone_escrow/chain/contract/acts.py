"""What a party signs so that anyone can send it: an act about the milestone as it stands."""

from __future__ import annotations

from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.chain.contract.structs import OpenAgreement, milestone_index
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, ZERO_HASH, Address
from milestone_escrow.protocol.lifecycle import State, held
from milestone_escrow.protocol.receivables import Assignment, Offer
from milestone_escrow.protocol.terms import DAY

WEEK = 7 * DAY


class Acts:
    """Acts as of now; each has `typed_data(escrow.domain)`, which the party signs.

    A change of status or a verdict voids what was signed before; an assignment voids what hands the
    milestone on. `valid_for` is seconds from the chain's present time.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def submission(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        evidence_hash: bytes = ZERO_HASH,
        *,
        valid_for: int = WEEK,
    ) -> Submission:
        """The payee's word that the milestone is done."""
        index, state, until = self._now(agreement, milestone, valid_for)
        return Submission(agreement.id, index, evidence_hash, state.epoch, until)

    def dispute(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_for: int = WEEK,
    ) -> Dispute:
        """A party's objection."""
        index, state, until = self._now(agreement, milestone, valid_for)
        return Dispute(agreement.id, index, reason_hash, state.epoch, until)

    def ruling(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        to_payee: int,
        to_buyer: int,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_for: int = WEEK,
    ) -> Ruling:
        """The arbiter's split."""
        index, state, until = self._now(agreement, milestone, valid_for)
        return Ruling(agreement.id, index, to_payee, to_buyer, reason_hash, state.epoch, until)

    def resolution(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        to_payee: int,
        to_buyer: int,
        *,
        valid_for: int = WEEK,
    ) -> Resolution:
        """A split by consent, signed by the buyer if the payee gets something, and vice versa."""
        index, state, until = self._now(agreement, milestone, valid_for)
        rest = held(agreement.milestones[index], state)
        return Resolution(agreement.id, index, to_payee, to_buyer, rest, state.epoch, until)

    def assignment(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        assignee: Address,
        *,
        valid_for: int = WEEK,
    ) -> Assignment:
        """The payee's word that `assignee` is the payee from now on."""
        index, state, until = self._now(agreement, milestone, valid_for)
        return Assignment(agreement.id, index, assignee, state.handover, until)

    def offer(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        price: int,
        financier: Address = ZERO_ADDRESS,
        *,
        valid_for: int = WEEK,
    ) -> Offer:
        """The payee's offer to sell what the milestone holds now; to anyone, unless named."""
        index, state, until = self._now(agreement, milestone, valid_for)
        rest = held(agreement.milestones[index], state)
        counters = (state.epoch, state.handover)
        return Offer(agreement.id, index, financier, price, rest, *counters, until)

    def _now(
        self, agreement: OpenAgreement, milestone: int | str, valid_for: int
    ) -> tuple[int, State, int]:
        index = milestone_index(agreement, milestone)
        return index, self._reader.states(agreement)[index], self._reader.now() + valid_for
