"""What people do meanwhile: pay in, hand in evidence, sign, and try what does not count."""

from __future__ import annotations

from dataclasses import replace

from milestone_escrow.errors import EscrowError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.evidence.entries import manifest
from milestone_escrow.oracle.evidence.handing_in import IntakeRules, add
from milestone_escrow.oracle.evidence.manifests import manifest_hash
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.signing.waiting import attestations
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.oracle.simulation.deal import (
    BUYER,
    EVIDENCE,
    FORWARDER,
    INSPECTOR,
    SUPPLIER,
)
from tests.oracle.simulation.world import GWEI, PROVEN, REJECTED, SILENT, World


class People(World):
    """Buyer, supplier and verifiers; each act may be tried at any time, and repeated."""

    def fund(self) -> None:
        if self.states()[0].status is not Status.UNFUNDED:
            return
        buyer = DevSigner(BUYER)
        count = self.pool.request("eth_getTransactionCount", [buyer.address, "pending"])
        latest = self.pool.request("eth_getTransactionCount", [buyer.address, "latest"])
        if count != latest:
            return
        fields = {
            "type": 2,
            "chainId": self.ground.network.chain_id,
            "nonce": int(count, 16),
            "to": self.ground.escrow.contract,
            "value": 0,
            "data": self.deal.funding,
            "gas": 400_000,
            "maxFeePerGas": 20 * GWEI,
            "maxPriorityFeePerGas": GWEI,
        }
        raw = buyer.sign_transaction(fields)
        self.pool.request("eth_sendRawTransaction", ["0x" + raw.hex()])

    def hand_in(self, milestone: int | None = None) -> None:
        """Evidence arrives; for what stays unproven, none that would do."""
        index = self.random.randrange(3) if milestone is None else milestone
        if self.plan.fates[index] == SILENT or index in self.handed_in:
            return
        name, who = EVIDENCE[index]
        view = self.view()
        if view is None:
            return
        try:
            add(
                self.store,
                self.blobs,
                IntakeRules(),
                view,
                index,
                name,
                [f"what {name} says".encode()],
                DevSigner(who).address,
                self.now,
            )
            self.handed_in.add(index)
        except EscrowError:
            pass  # the milestone is not one that takes evidence just now

    def sign(self, milestone: int | None = None, who: int | None = None) -> None:
        """A verifier signs what the others sign, and posts it, perhaps repeatedly."""
        index = self.random.choice((1, 2)) if milestone is None else milestone
        who = who or self.random.choice((INSPECTOR, FORWARDER))
        fate = self.plan.fates[index]
        if index == 0 or fate == SILENT or (index == 1 and who == FORWARDER):
            return
        ready = fate == REJECTED or index in self.handed_in
        ready = ready and self.view() is not None
        if not ready or self.states()[index].status is not Status.FUNDED:
            return
        proposal = self._open_proposal(index, fate, DevSigner(who).address)
        if index in self.proposals and self.random.random() < 0.3:
            proposal = self.proposals[index]  # what was sent once is sent once more
        elif proposal is None and (index, who) not in self.posted:
            proposal = self._proposal(index, fate)
        if proposal is not None:
            self.proposals[index] = proposal
            self._post(proposal, who)

    def _open_proposal(self, index: int, fate: str, account: str) -> Attestation | None:
        """What others have signed and this verifier would say, too."""
        wanted = Verdict.ACCEPTED if fate == PROVEN else Verdict.REJECTED
        with self.store.reading() as connection:
            found = attestations(connection, self.bound.id, index)
        for one in found:
            is_alike = one.stage is AttestationStage.OPEN and one.attestation.verdict is wanted
            if is_alike and account not in one.signatures:
                return one.attestation
        return None

    def _proposal(self, index: int, fate: str) -> Attestation:
        """What a verifier signs who has looked at the evidence that is there."""
        accepted = fate == PROVEN
        issued = self.chain.now
        view = self.view()
        assert view is not None
        with self.store.reading() as connection:
            evidence = manifest_hash(manifest(connection, view.id, index))
        return Attestation(
            self.bound.id,
            index,
            Verdict.ACCEPTED if accepted else Verdict.REJECTED,
            self.bound.milestones[index].amount if accepted else 0,
            evidence,
            issued,
            issued + 30 * DAY,
        )

    def sign_nonsense(self) -> None:
        """Contradictions, strangers, and what has expired: none of it may count."""
        index = self.random.choice((0, 1, 2))
        base = self.proposals.get(index)
        if base is None:
            return
        whole = self.bound.milestones[index].amount
        wrong = self.random.choice(
            (
                replace(base, verdict=Verdict.REJECTED, amount=0),
                replace(base, amount=max(whole // 2, 1), verdict=Verdict.ACCEPTED),
                replace(base, milestone=59),
                replace(base, valid_until=base.issued_at - 1),
                replace(base, amount=whole + 1, verdict=Verdict.ACCEPTED),
            )
        )
        # The verifier who signed first contradicts itself, or a stranger tries.
        who = self.random.choice((INSPECTOR, SUPPLIER))
        if who == INSPECTOR and (index, INSPECTOR) not in self.posted:
            return
        self._post(wrong, who, note=False)

    def _post(self, attestation: Attestation, who: int, *, note: bool = True) -> None:
        domain = self.ground.escrow.domain
        signer = DevSigner(who)
        signature = signer.sign_typed_data(attestation.typed_data(domain))
        post = Post(attestation, {signer.address: signature})
        now = max(self.chain.now, attestation.issued_at)
        outcomes = take_many(self.store, domain, [post], now)
        if note and outcomes[0].is_taken:
            self.posted.add((attestation.milestone, who))
