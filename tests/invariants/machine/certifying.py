"""Attestations on the twin, one by one and in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol import acts as signed
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.terms import Milestone
from milestone_escrow.protocol.transitions import Transition, refusal
from tests.contracts.support.deal import Deal
from tests.invariants.machine import acts
from tests.invariants.machine.call import Call

SKIPPED = frozenset(
    {"WrongStatus", "TooLate", "SignatureExpired", "IssuedAtOutOfBounds", "AmountOutOfBounds"}
)
"""What a batch forgives: somebody or time was first."""


class Certifying(Call):
    """What a quorum decides."""

    def _attest(self, act: acts.Attest) -> None:
        deal, milestone, state = self._locate(act.ref)
        self._require_about(act.attestation, deal, act.ref.index)
        # The twin knows no signers: who may sign is checked after what is said, as in the contract.
        done = self._attested(deal, milestone, state, act.attestation)
        self._require_quorum(milestone, act.signers)
        data = act.attestation.typed_data(deal.domain)
        self._require_signers(deal.terms.verifiers, data, act.signers, act.signatures)
        self._push_all(deal, self._apply(act.ref, done))

    def _attested(
        self, deal: Deal, milestone: Milestone, state: State, attestation: Attestation
    ) -> Transition:
        """With a quorum of at least 1: a lack of verifiers shows where signers are counted."""
        certifiable = replace(milestone, quorum=max(milestone.quorum, 1))
        return transitions.attest(deal.terms, certifiable, state, attestation, self.now)

    def _attest_batch(self, act: acts.AttestBatch) -> None:
        first: tuple[Address, ...] | None = None
        for ref, _ in act.items:
            self._require_quorum(ref.milestone, act.signers)
            if first is not None and ref.deal.terms.verifiers != first:
                raise refusal("VerifiersDiffer", "not those of the item before")
            first = ref.deal.terms.verifiers
        if first is None:
            raise refusal("UnknownMilestones", "an empty batch")
        data = signed.batch_typed_data(
            self.twin.domain, [attestation for _, attestation in act.items]
        )
        self._require_signers(first, data, act.signers, act.signatures)
        queue: dict[tuple[Address, Address], int] = {}
        for ref, attestation in act.items:
            deal, milestone, state = self._locate(ref)
            self._require_about(attestation, deal, ref.index)
            try:
                done = self._attested(deal, milestone, state, attestation)
            except LifecycleError as error:
                if error.fields["error"] not in SKIPPED:
                    raise
                continue
            for to, amount in self._apply(ref, done):
                key = (deal.terms.token, to)
                queue[key] = queue.get(key, 0) + amount
        for (token, to), amount in queue.items():
            self._push(token, to, amount)

    def _require_about(self, attestation: Attestation, deal: Deal, index: int) -> None:
        if (attestation.agreement_id, attestation.milestone) != (deal.id, index):
            raise refusal("AttestationMismatch", "about something else")
        if attestation.verdict not in (Verdict.ACCEPTED, Verdict.REJECTED):
            raise refusal("VerdictNotAllowed", "returned for rework")

    def _require_quorum(self, milestone: Milestone, signers: int) -> None:
        if signers & ~milestone.verifier_set:
            raise refusal("SignersNotAllowed", f"{signers:#b} of {milestone.verifier_set:#b}")
        count = signers.bit_count()
        if count < milestone.quorum or not count:
            raise refusal("QuorumNotReached", f"{count} of {milestone.quorum}")

    def _require_signers(
        self,
        verifiers: Sequence[Address],
        data: TypedData,
        signers: int,
        signatures: Sequence[bytes],
    ) -> None:
        chosen = [verifier for bit, verifier in enumerate(verifiers) if signers >> bit & 1]
        if len(signatures) != len(chosen):
            raise refusal("SignatureCountMismatch", f"{len(signatures)} for {len(chosen)}")
        for verifier, signature in zip(chosen, signatures, strict=True):
            self._require_signature(verifier, data, signature)
