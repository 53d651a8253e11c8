"""The service's own key as a verifier: decides, writes that down, and only then signs.

    decide (committed)  →  sign  →  keep the signature (committed)

Killed anywhere in between, `resume` goes on: what was decided is signed again, nothing else is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, select

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.signing import protection, waiting_batches
from milestone_escrow.oracle.signing.batch_intake import take_batch
from milestone_escrow.oracle.signing.batch_json import BatchItem, BatchPost
from milestone_escrow.oracle.signing.counting import AttestationStage
from milestone_escrow.oracle.signing.examining import IntakeOutcome
from milestone_escrow.oracle.signing.intake import take
from milestone_escrow.oracle.signing.protection import ACTOR
from milestone_escrow.oracle.signing.rules import MilestoneCase, Refusal, refused_by_contract
from milestone_escrow.oracle.signing.waiting import attestations
from milestone_escrow.oracle.signing.waiting_batches import Kept
from milestone_escrow.oracle.store import aside, audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Attestation, Verdict, batch_typed_data
from milestone_escrow.protocol.eip712 import Address, Domain, TypedData
from milestone_escrow.protocol.signatures import Signer, recover
from milestone_escrow.protocol.terms import DAY, agreement_id

WhyNot: TypeAlias = Callable[[Connection, AgreementView, Attestation, int], Sequence[str]]
"""Why this very attestation must not be signed, in sentences; asked in the transaction that decides
it, so that nothing that was true a moment ago is relied on. The last argument is the time."""

logger = logging.getLogger("milestone_escrow.oracle.signing")


class NotSignedError(EscrowError):
    """The key may not sign this; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"not signed: {refusal.reason}", error=refusal.error)
        self.refusal = refusal


class GuardedSigner:
    """A key that never contradicts itself, shared by any number of processes on one store."""

    def __init__(
        self,
        store: Store,
        domain: Domain,
        signer: Signer,
        *,
        why_not: WhyNot,
        verify_contract: Callable[[], object],
        valid_for: int = 30 * DAY,
    ) -> None:
        """`verify_contract` asks the chain, once before the first signature, whether the contract
        of `domain` is there with its code and its EIP-712 domain; it raises where it is not."""
        self._store = store
        self._domain = domain
        self._signer = signer
        self._why_not = why_not
        self._verify_contract = verify_contract
        self._verified = False
        self.valid_for = valid_for

    @property
    def address(self) -> Address:
        return self._signer.address

    def start(self, now: int, *, declared_new: bool = False) -> None:
        """Check that this key may sign on this store; see `protection.begin`."""
        self._verify()
        with self._store.transaction() as connection:
            protection.begin(connection, self.address, now, declared_new=declared_new)

    def attest(
        self,
        agreement: bytes,
        milestone: int,
        amount: int,
        evidence_hash: bytes,
        now: int,
        *,
        verdict: Verdict = Verdict.ACCEPTED,
    ) -> IntakeOutcome | None:
        """Sign this verdict where that brings its quorum nearer; None where nothing is to do.

        What others have proposed with the same words is joined, what this key has decided already
        is kept to, and only otherwise something new is proposed. Calling it again changes nothing.

        Raises:
            NotSignedError: the key may not.
            EscrowError: the contract cannot be verified, or the signer refuses.
        """
        with self._store.reading() as connection:
            head = viewing.head(connection)
            # The contract refuses what is from its future, so a clock that is fast must not count.
            issued = min(now, head.time) if head else now
            until = issued + self.valid_for
            wanted = Attestation(
                agreement, milestone, verdict, amount, evidence_hash, issued, until
            )
            chosen = self._choose(connection, wanted, now)
        return self.sign(chosen, now) if chosen else None

    def sign(self, attestation: Attestation, now: int) -> IntakeOutcome:
        """Decide on this very attestation, sign it and keep the signature.

        Raises:
            NotSignedError, EscrowError: as `attest`.
        """
        self._verify()
        digest = attestation.typed_data(self._domain).digest()
        with self._store.transaction() as connection:
            refusal = self._decide(connection, attestation, digest, now)
            if refusal is not None:
                self._log_refusal(connection, attestation, refusal, now)
        if refusal is not None:
            raise NotSignedError(refusal)
        failpoint("sign.decided")
        return self._finish(attestation, now)

    def resume(self, now: int) -> tuple[IntakeOutcome, ...]:
        """Sign what was decided before a crash and is still of use; see the module."""
        with self._store.reading() as connection:
            if not protection.is_known(connection, self.address):
                return ()
            left = [
                one
                for one in protection.unsigned(connection, self.address)
                if self._is_useful(connection, one.attestation, now)
            ]
        if left:
            self._verify()
        found: list[IntakeOutcome] = []
        for one in left:
            with aside.apart(f"the decision 0x{one.digest.hex()}"):
                found.append(self._finish(one.attestation, now))
        return tuple(found)

    def join_batches(self, now: int) -> tuple[IntakeOutcome, ...]:
        """Sign others' batches, too, where this key has decided every item of them already.

        That says nothing new, so nothing more is decided; killed in between, it is done later.
        """
        with self._store.reading() as connection:
            left = [
                one
                for one in waiting_batches.decided_by(connection, self.address)
                if any(self._is_useful(connection, item, now) for item in one.items.values())
            ]
        found: list[IntakeOutcome] = []
        for one in left:
            with aside.apart(f"the batch 0x{one.digest.hex()}"):
                found.append(self._join(one, now))
        return tuple(found)

    def _join(self, batch: Kept, now: int) -> IntakeOutcome:
        self._verify()
        items = tuple(BatchItem(one, {}) for one in batch.items.values())
        data = batch_typed_data(self._domain, [item.attestation for item in items])
        post = BatchPost(items, {self.address: self._signature(data)})
        outcome = take_batch(self._store, self._domain, post, now, actor=ACTOR)
        failpoint("sign.stored")
        if outcome.stage is None:
            logger.warning("a batch was signed in vain: %s", outcome.reason)
        return outcome

    def _verify(self) -> None:
        if not self._verified:
            self._verify_contract()
            self._verified = True

    def _decide(
        self, connection: Connection, attestation: Attestation, digest: bytes, now: int
    ) -> Refusal | None:
        view = viewing.agreement(connection, attestation.agreement_id)
        why = self._not_ours(view, attestation, now)
        if why is not None:
            return why
        assert view is not None
        if reasons := self._why_not(connection, view, attestation, now):
            return Refusal("NotAllowed", "; ".join(reasons))
        known = protection.history(connection, self.address, view.id, attestation.milestone)
        new = all(one.digest != digest for one in known.decided)
        why = protection.decide(connection, self.address, attestation, digest, now)
        if why is None and new:
            audit_log.record(
                connection,
                now,
                ACTOR,
                "attestation.decided",
                audit_log.subject_of(view.id, attestation.milestone),
                digest=digest,
                signer=self.address,
                verdict=attestation.verdict.name.lower(),
                amount=str(attestation.amount),
                evidence_hash=attestation.evidence_hash,
                issued_at=attestation.issued_at,
            )
        return why

    def _not_ours(
        self, view: AgreementView | None, attestation: Attestation, now: int
    ) -> Refusal | None:
        """The agreement is what its id says, the milestone is ours to verify, and open."""
        case = _case(view, attestation)
        if view is None or case is None:
            return Refusal("NoSuchMilestone", "its agreement is not open on chain")
        if agreement_id(self._domain, view.terms, view.milestones) != attestation.agreement_id:
            return Refusal(
                "WrongAgreement", "the terms in the store are not those that its id commits to"
            )
        if self.address not in case.verifiers:
            return Refusal("SignerNotAllowed", f"{self.address} does not verify this milestone")
        return refused_by_contract(case, attestation, now)

    def _signature(self, data: TypedData) -> bytes:
        signature = self._signer.sign_typed_data(data)
        if len(signature) != 65 or recover(data.digest(), signature) != self.address:
            raise EscrowError(
                f"the signer of {self.address} answered a signature that is not its own",
                hint="check which key it uses",
            )
        failpoint("sign.signed")
        return signature

    def _finish(self, attestation: Attestation, now: int) -> IntakeOutcome:
        signature = self._signature(attestation.typed_data(self._domain))
        with self._store.transaction() as connection:
            view = viewing.agreement(connection, attestation.agreement_id)
            outcome = take(
                connection,
                self._domain,
                view,
                attestation,
                {self.address: signature},
                now,
                actor=ACTOR,
            )
        failpoint("sign.stored")
        if not outcome.is_taken:
            logger.warning("what was signed is of no use any more: %s", outcome.reason)
        return outcome

    def _choose(self, connection: Connection, wanted: Attestation, now: int) -> Attestation | None:
        known = protection.history(connection, self.address, wanted.agreement_id, wanted.milestone)
        found = attestations(connection, wanted.agreement_id, wanted.milestone)
        alike = [one for one in found if _says_the_same(one.attestation, wanted)]
        if any(one.stage is AttestationStage.COMPLETE for one in alike):
            return None
        for one in alike:
            if one.stage is not AttestationStage.OPEN or self.address in one.signatures:
                continue
            may = protection.forbidden(known, one.attestation, now) is None
            if may and self._agrees(connection, one.attestation, wanted, now):
                return one.attestation
        for mine in reversed(known.live(now)):
            if _says_the_same(mine.attestation, wanted) and now <= mine.attestation.valid_until:
                signed = any(self.address in one.signatures for one in alike)
                return None if signed else mine.attestation
        return wanted

    def _agrees(
        self, connection: Connection, other: Attestation, wanted: Attestation, now: int
    ) -> bool:
        """Whether the evidence of another's proposal is enough: ours, or as good."""
        if other.evidence_hash == wanted.evidence_hash:
            return True
        view = viewing.agreement(connection, other.agreement_id)
        return view is not None and not self._why_not(connection, view, other, now)

    def _is_useful(self, connection: Connection, attestation: Attestation, now: int) -> bool:
        case = _case(viewing.agreement(connection, attestation.agreement_id), attestation)
        return case is not None and refused_by_contract(case, attestation, now) is None

    def _log_refusal(
        self, connection: Connection, attestation: Attestation, refusal: Refusal, now: int
    ) -> None:
        """Once for each reason: whoever looks again every second must not fill the log."""
        subject = audit_log.subject_of(attestation.agreement_id, attestation.milestone)
        action = "attestation.not_signed"
        last = connection.execute(
            select(t.audit.c.data)
            .where(t.audit.c.subject == subject, t.audit.c.action == action)
            .order_by(t.audit.c.seq.desc())
            .limit(1)
        ).scalar()
        if last is not None and last.get("error") == refusal.error:
            return
        audit_log.record(
            connection,
            now,
            ACTOR,
            action,
            subject,
            signer=self.address,
            error=refusal.error,
            reason=refusal.reason,
        )


def _says_the_same(one: Attestation, other: Attestation) -> bool:
    """Whether both have the same effect; another signature for other evidence adds nothing."""
    return (one.verdict, one.amount) == (other.verdict, other.amount)


def _case(view: AgreementView | None, attestation: Attestation) -> MilestoneCase | None:
    index = attestation.milestone
    if view is None or view.id != attestation.agreement_id or not 0 <= index < len(view.views):
        return None
    return MilestoneCase(
        view.id, index, view.terms, view.milestones[index], view.views[index].state
    )
