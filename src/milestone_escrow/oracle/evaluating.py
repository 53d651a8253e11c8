"""Evaluates requirements wherever something may have changed, and signs what they justify.

What is remembered between rounds saves work and nothing else: a new process looks at everything
once, and so does every process now and then.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.policies import would_sign
from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.policies.would_sign import Decision
from milestone_escrow.oracle.signing.examining import IntakeOutcome
from milestone_escrow.oracle.signing.signer import GuardedSigner, NotSignedError
from milestone_escrow.oracle.store import aside
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store

log = logging.getLogger("milestone_escrow.oracle.deciding")

SWEEP = 300
"""Seconds after which everything is looked at again, whether anything is known to have changed."""


class Deciding:
    """One per process; any number may share a store."""

    def __init__(self, store: Store, limits: Limits, signer: GuardedSigner | None = None) -> None:
        """Without a signer it writes verdicts and signs nothing."""
        self._store = store
        self._limits = limits
        self._signer = signer
        self._swept: int | None = None
        self._entry = 0
        self._block = -1

    def round(self, now: int, wall: int) -> int:
        """Decide and sign; how many signatures were added. `now` is the contract's time."""
        signed = sum(len(outcome.added) for outcome in self._resume(now))
        with self._store.reading() as connection:
            chosen = self._candidates(connection, wall)
        for agreement_id in chosen:
            with aside.apart(aside.about(agreement_id, "verdicts")):
                for decision in self._decide(agreement_id, now):
                    signed += self._sign(decision, now)
        return signed + self._join(now)

    def _resume(self, now: int) -> Iterable[IntakeOutcome]:
        return self._signer.resume(now) if self._signer else ()

    def _decide(self, agreement_id: bytes, now: int) -> tuple[Decision, ...]:
        account = self._signer.address if self._signer else None
        with self._store.transaction() as connection:
            view = viewing.agreement(connection, agreement_id)
            if view is None or view.signed is None:
                return ()
            decided = would_sign.decide(connection, view, self._limits, now, account)
        return would_sign.accepted(decided)

    def _sign(self, decision: Decision, now: int) -> int:
        assert self._signer is not None
        one = decision
        try:
            outcome = self._signer.attest(
                one.agreement_id, one.milestone, one.amount, one.evidence_hash, now
            )
        except NotSignedError as error:
            log.info("not signed", extra={"fields": {"why": error.refusal.reason, "of": one.key}})
            return 0
        except EscrowError as error:
            # One key or milestone that cannot be signed for must not stop the others.
            log.warning("signing failed", extra={"fields": {"why": str(error), "of": one.key}})
            return 0
        return len(outcome.added) if outcome else 0

    def _join(self, now: int) -> int:
        """Batches of others, once all that they hold is decided."""
        if self._signer is None:
            return 0
        try:
            return sum(len(outcome.added) for outcome in self._signer.join_batches(now))
        except EscrowError as error:
            log.warning("signing failed", extra={"fields": {"why": str(error), "of": "a batch"}})
            return 0

    def _candidates(self, connection: Connection, wall: int) -> list[bytes]:
        entry = connection.execute(select(func.max(t.audit.c.seq))).scalar_one() or 0
        head = viewing.head(connection)
        block = head.number if head else -1
        if self._swept is None or wall - self._swept >= SWEEP:
            self._swept = wall
            found = _decidable(connection)
        else:
            changed = self._changed(connection)
            found = _decidable(connection, changed) if changed else []
        self._entry, self._block = entry, block
        return found

    def _changed(self, connection: Connection) -> set[bytes]:
        """Agreements with new events on chain, or with entries in the log that are not our own."""
        a, e = t.audit.c, t.events.c
        subjects = connection.execute(
            select(a.subject).where(a.seq > self._entry, a.actor != would_sign.ACTOR).distinct()
        ).scalars()
        found = {bytes.fromhex(text[2:66]) for text in subjects if _is_agreement(text)}
        # A reorganisation changes what was below the head, too: a few blocks are looked at again.
        recent = e.block > self._block - 64
        found |= set(connection.execute(select(e.agreement_id).where(recent).distinct()).scalars())
        return {one for one in found if one}


def _decidable(connection: Connection, among: set[bytes] | None = None) -> list[bytes]:
    """Agreements with a document and a milestone that a verdict could still decide."""
    query = (
        select(t.milestones.c.agreement_id)
        .join(t.documents, t.documents.c.agreement_id == t.milestones.c.agreement_id)
        .where(t.milestones.c.status.in_(sorted(would_sign.DECIDABLE)))
    )
    if among is not None:
        query = query.where(t.milestones.c.agreement_id.in_(among))
    return sorted(connection.execute(query.distinct()).scalars())


def _is_agreement(subject: str) -> bool:
    return subject.startswith("0x") and len(subject.split("/")[0]) == 66
