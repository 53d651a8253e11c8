"""Rules: what verifiers say, alone and in batches, rightly and wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from milestone_escrow.protocol import acts as signed
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import HOLDING, attest_until
from tests.contracts.support.deal import EVIDENCE
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Ref
from tests.invariants.machine.base import STRANGER, Machine, rule


class Certificates(Machine):
    """Verdicts of a quorum."""

    def attestation(self, ref: Ref, verdict: Verdict, amount: int) -> Attestation:
        """Issued now; a second passes where the last one was issued now, too."""
        if ref.index < len(self.twin.states[ref.deal.id]):
            self.wait_until(self.twin.state(ref).issued_at + 1)
        until = self.now + 3_600
        return Attestation(ref.deal.id, ref.index, verdict, amount, EVIDENCE, self.now, until)

    def quorum(self, data: Any, ref: Ref) -> int:
        """A bitmap of enough verifiers of the milestone, or of all."""
        members = [bit for bit in range(32) if ref.milestone.verifier_set >> bit & 1]
        few = data.draw(st.booleans())
        chosen = members[-ref.milestone.quorum :] if few and members else members
        return sum(1 << bit for bit in chosen)

    def certify(self, ref: Ref, attestation: Attestation, signers: int) -> acts.Attest:
        typed = attestation.typed_data(self.twin.domain)
        verifiers = ref.deal.terms.verifiers
        signatures = tuple(
            self.twin.book.sign(verifier, typed, short=bit == 1)
            for bit, verifier in enumerate(verifiers)
            if signers >> bit & 1
        )
        return acts.Attest(ref, attestation, signers, signatures)

    def attestable(self) -> list[Ref]:
        """Where verifiers can still decide."""
        return [
            ref
            for ref in self.live(*HOLDING)
            if ref.milestone.quorum and self.now < attest_until(ref.milestone, self.twin.state(ref))
        ]

    def accept(self, data: Any, ref: Ref, amount: int) -> None:
        attestation = self.attestation(ref, Verdict.ACCEPTED, amount)
        self.send(self.certify(ref, attestation, self.quorum(data, ref)), STRANGER)

    @rule
    def verifiers_accept(self, data: Any) -> None:
        ref = self.pick(data, self.attestable())
        self.accept(data, ref, ref.milestone.amount)

    @rule
    def a_certificate_is_signed(self, data: Any) -> None:
        ref = self.pick(data, self.attestable())
        paid, amount = self.twin.state(ref).paid, ref.milestone.amount
        part = data.draw(st.sampled_from((paid + 1, (paid + amount + 1) // 2, amount - 1)))
        self.accept(data, ref, min(max(part, 0), 2**128 - 1))

    @rule
    def verifiers_reject(self, data: Any) -> None:
        ref = self.pick(data, self.attestable())
        attestation = self.attestation(ref, Verdict.REJECTED, 0)
        self.send(self.certify(ref, attestation, self.quorum(data, ref)), STRANGER)

    @rule
    def verifiers_err(self, data: Any) -> None:
        """One thing is wrong with what is said."""
        ref = self.choose(data, self.attestable(), self.milestones())
        right = self.attestation(ref, Verdict.ACCEPTED, ref.milestone.amount)
        paid = self.twin.state(ref).paid
        changes: dict[str, Any] = data.draw(
            st.sampled_from(
                (
                    {"agreement_id": bytes(32)},
                    {"milestone": ref.index + 1},
                    {"verdict": Verdict.RETURNED},
                    {"verdict": Verdict.REJECTED},
                    {"amount": paid},
                    {"amount": 2**128 - 1},
                    {"issued_at": self.now + 1},
                    {"issued_at": self.twin.state(ref).issued_at},
                    {"valid_until": self.now - 1},
                )
            )
        )
        signers = self.quorum(data, ref)
        self.send(self.certify(ref, replace(right, **changes), signers), STRANGER)

    @rule
    def signers_are_wrong(self, data: Any) -> None:
        """Too few, too many, strangers to the milestone, in the wrong order, or for another."""
        ref = self.choose(data, self.attestable(), self.milestones())
        attestation = self.attestation(ref, Verdict.ACCEPTED, ref.milestone.amount)
        right = self.certify(ref, attestation, self.quorum(data, ref))
        typed = attestation.typed_data(self.twin.domain)
        forged = self.twin.book.sign(STRANGER, typed)
        one = right.signers & -right.signers
        spoilt = (
            replace(right, signers=right.signers | 1 << 9),
            replace(right, signers=2**256 - 1),
            replace(right, signers=0, signatures=()),
            self.certify(ref, attestation, right.signers ^ one),
            replace(right, signatures=right.signatures[1:]),
            replace(right, signatures=(*right.signatures, forged)),
            replace(right, signatures=right.signatures[::-1]),
            replace(right, signatures=(forged, *right.signatures[1:])),
            replace(right, signatures=(b"", *right.signatures[1:])),
        )
        self.send(self.choose(data, spoilt), STRANGER)

    @rule
    def verifiers_decide_a_batch(self, data: Any) -> None:
        """What can no longer be decided is skipped; the rest is decided as one by one."""
        first = self.pick(data, self.attestable())
        verifiers = first.deal.terms.verifiers
        near = [ref for ref in self.milestones() if ref.deal.terms.verifiers == verifiers]
        more = data.draw(st.lists(st.sampled_from(near), max_size=3))
        items, signers = [], first.milestone.verifier_set
        for ref in (first, *more):
            kind = data.draw(st.integers(0, 4))
            verdict = Verdict.REJECTED if kind == 0 else Verdict.ACCEPTED
            amount = 0 if kind == 0 else ref.milestone.amount // (2 if kind == 1 else 1)
            items.append((ref, self.attestation(ref, verdict, amount)))
            if data.draw(st.integers(0, 4)):
                signers &= ref.milestone.verifier_set
        self.send(self.batch(tuple(items), signers, verifiers), STRANGER)

    @rule
    def batches_err(self, data: Any) -> None:
        """They are empty, mix verifiers, or tell of another milestone or of rework."""
        ref = self.choose(data, self.attestable(), self.milestones())
        items = [(ref, self.attestation(ref, Verdict.ACCEPTED, ref.milestone.amount))]
        signers, kind = ref.milestone.verifier_set, data.draw(st.sampled_from((0, 1, 1, 1, 2, 3)))
        if kind == 0:
            items = []
        elif kind == 1:
            mine, quorum = ref.deal.terms.verifiers, ref.milestone.quorum
            others = [r for r in self.milestones() if r.deal.terms.verifiers != mine]
            enough = [r for r in others if _both(r, ref) >= max(r.milestone.quorum, quorum, 1)]
            other = self.choose(data, enough, others or [ref])
            signers &= other.milestone.verifier_set
            items.append((other, self.attestation(other, Verdict.ACCEPTED, 1)))
        else:
            bent = {"milestone": 50} if kind == 2 else {"verdict": Verdict.RETURNED}
            items[0] = (ref, replace(items[0][1], **bent))
        verifiers = ref.deal.terms.verifiers
        self.send(self.batch(tuple(items), signers, verifiers), STRANGER)

    def batch(
        self, items: tuple[tuple[Ref, Attestation], ...], signers: int, verifiers: tuple[str, ...]
    ) -> acts.AttestBatch:
        typed = signed.batch_typed_data(self.twin.domain, [said for _, said in items])
        signatures = tuple(
            self.twin.book.sign(verifier, typed)
            for bit, verifier in enumerate(verifiers)
            if signers >> bit & 1
        )
        return acts.AttestBatch(items, signers, signatures)


def _both(one: Ref, other: Ref) -> int:
    """How many verifiers two milestones have in common, by their place in the list."""
    return (one.milestone.verifier_set & other.milestone.verifier_set).bit_count()
