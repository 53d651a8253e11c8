"""What is taken in of examined posts: decided and written in one transaction, with its reasons.

What comes from strangers leaves no trace in the store; a verifier's verdict does, taken or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from types import MappingProxyType

from sqlalchemy import Connection, insert, select

from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle.evidence.manifests import Listed, manifest_files, manifest_hash
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.counting import (
    AttestationStage,
    CountedAttestation,
    Dossier,
    MilestoneKey,
    cases,
    dossiers,
    move,
    words_behind,
)
from milestone_escrow.oracle.signing.examining import Examined, IntakeOutcome, unknown
from milestone_escrow.oracle.signing.rules import (
    MilestoneCase,
    Refusal,
    conflict,
    refused_by_contract,
)
from milestone_escrow.oracle.signing.waiting_batches import restage
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import serialize
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address


def record(
    connection: Connection,
    examined: Sequence[Examined],
    now: int,
    *,
    actor: str = "",
    known: Mapping[MilestoneKey, MilestoneCase] = MappingProxyType({}),
) -> list[IntakeOutcome]:
    """Take in what may be, in the caller's write transaction; one outcome for each, in order.

    `actor` is who sent them all, where each does not say. `known` are milestones that were read
    before: only their states are read again.
    """
    writer = Writer.start(
        connection, [one for one in examined if one.signatures], now, actor, known
    )
    outcomes = [writer.take(one) for one in examined]
    writer.write(connection)
    return outcomes


class Writer:
    """Decides in memory, one post after the other, and writes everything at once."""

    manifests: Mapping[MilestoneKey, Mapping[bytes, dict[str, object]]]
    words_known: set[bytes]

    def __init__(
        self,
        cases: Mapping[MilestoneKey, MilestoneCase],
        dossiers: Mapping[MilestoneKey, Dossier],
        now: int,
        actor: str,
    ) -> None:
        self.cases = cases
        self.dossiers = dossiers
        self._now = now
        self._everybody = self._actor = actor
        self._new: list[dict[str, object]] = []
        self._signatures: list[dict[str, object]] = []
        self._words: list[dict[str, object]] = []
        self._moved: dict[bytes, CountedAttestation] = {}
        self._acts: list[audit_log.Act] = []

    @classmethod
    def start(
        cls,
        connection: Connection,
        examined: Sequence[Examined],
        now: int,
        actor: str,
        known: Mapping[MilestoneKey, MilestoneCase] = MappingProxyType({}),
    ) -> Writer:
        """With all that is there about the milestones of these posts; see `record`."""
        # Quorums and conflicts are decided by what is there, so one transaction at a time looks.
        serialize(connection, "attestations")
        keys = {one.key for one in examined}
        writer = cls(cases(connection, keys, known), dossiers(connection, keys), now, actor)
        writer.manifests = _manifests(connection, keys)
        hashes = {one.post.attestation.evidence_hash for one in examined}
        writer.words_known = set(words_behind(connection, hashes))
        return writer

    def take(self, one: Examined) -> IntakeOutcome:
        case = self.cases.get(one.key)
        if case is None or not one.signatures:
            why = one.refused or (unknown(one.post.attestation),)
            return IntakeOutcome(one.digest, None, refused=why)
        self._actor = self._everybody or one.actor
        dossier = self.dossiers[one.key]
        entry = dossier.entries.get(one.digest)
        known = tuple(a for a in one.signatures if entry and a in entry.signatures)
        fresh = [account for account in one.signatures if account not in known]
        refused = list(one.refused)
        allowed = self._allowed(case, dossier, one.post, fresh, refused) if fresh else []
        evidence = self.evidence(one.post, remember=bool(allowed))
        if allowed:
            entry = entry or self.begin(dossier, one)
            self._sign(dossier, case, entry, {a: one.signatures[a] for a in allowed}, evidence)
        signers = dossier.signers(entry, case.verifiers) if entry else ()
        return IntakeOutcome(
            one.digest,
            entry.stage if entry else None,
            tuple(allowed),
            known,
            tuple(refused),
            signers,
            case.milestone.quorum,
            evidence,
        )

    def write(self, connection: Connection, more: Callable[[], None] = lambda: None) -> None:
        """Everything that was decided; `more` is written once the attestations are there."""
        for table, rows in (
            (t.words, self._words),
            (t.attestations, self._new),
            (t.signatures, self._signatures),
        ):
            if rows:
                connection.execute(insert(table), rows)
        more()
        move(connection, self._moved.values())
        if self._acts:
            audit_log.record_all(connection, self._now, self._acts)
        in_batches = {
            key
            for key, dossier in self.dossiers.items()
            if any(entry.batches or entry.together for entry in dossier.entries.values())
        }
        if in_batches:
            # Whether a batch is complete shows in all of its items, wherever they are.
            restage(connection, in_batches, self._now, self._actor)

    def _allowed(
        self,
        case: MilestoneCase,
        dossier: Dossier,
        post: Post,
        accounts: Sequence[Address],
        refused: list[Refusal],
    ) -> list[Address]:
        attestation = post.attestation
        whole = bad_words(post) or refused_by_contract(case, attestation, self._now)
        if whole is not None:
            refused.append(whole)
            for account in accounts:
                self.log_refusal(attestation, account, whole)
            return []
        allowed = []
        for account in accounts:
            why = conflict(account, attestation, dossier.signed_by(account))
            if why is None:
                allowed.append(account)
            else:
                refused.append(why)
                self.log_refusal(attestation, account, why)
        return allowed

    def begin(self, dossier: Dossier, one: Examined) -> CountedAttestation:
        """A row for an attestation that nobody has sent before."""
        attestation = one.post.attestation
        reason = ""
        if attestation.verdict is Verdict.RETURNED:
            reason = str(one.post.words.get("reason", ""))
        entry = CountedAttestation(one.digest, attestation, AttestationStage.OPEN, reason)
        dossier.entries[one.digest] = entry
        self._new.append(
            {
                "digest": one.digest,
                "agreement_id": attestation.agreement_id,
                "milestone": attestation.milestone,
                "verdict": int(attestation.verdict),
                "amount": attestation.amount,
                "evidence_hash": attestation.evidence_hash,
                "issued_at": attestation.issued_at,
                "valid_until": attestation.valid_until,
                "received_at": self._now,
                "state": AttestationStage.OPEN.value,
                "reason": reason,
            }
        )
        return entry

    def _sign(
        self,
        dossier: Dossier,
        case: MilestoneCase,
        entry: CountedAttestation,
        signatures: Mapping[Address, bytes],
        evidence: str,
    ) -> None:
        for account, signature in signatures.items():
            entry.signatures[account] = signature
            self._signatures.append(
                {
                    "digest": entry.digest,
                    "signer": account,
                    "signature": signature,
                    "received_at": self._now,
                }
            )
        self.said(dossier, case, entry, signatures.keys(), evidence)

    def said(
        self,
        dossier: Dossier,
        case: MilestoneCase,
        entry: CountedAttestation,
        accounts: Set[Address],
        evidence: str,
        **how: str,
    ) -> None:
        """Verifiers have signed this; `how` is noted in the log."""
        attestation = entry.attestation
        subject = audit_log.subject_of(attestation.agreement_id, attestation.milestone)
        for account in accounts:
            data = {
                "digest": "0x" + entry.digest.hex(),
                "signer": account,
                "verdict": attestation.verdict.name.lower(),
                "amount": str(attestation.amount),
                "evidence": evidence,
                **how,
            }
            self._acts.append(audit_log.Act(self._actor, "attestation.taken", subject, data))
        # A later verdict may take signatures of an earlier one back, but only its signers' own.
        for other in dossier.entries.values():
            if not other.is_live or accounts.isdisjoint(other.signatures):
                continue
            stage = dossier.stage(case, other)
            if stage is not other.stage:
                other.stage = stage
                self._moved[other.digest] = other
                data = {"digest": "0x" + other.digest.hex()}
                self._acts.append(
                    audit_log.Act(self._actor, f"attestation.{stage.value}", subject, data)
                )

    def evidence(self, post: Post, *, remember: bool) -> str:
        """What its evidence hash is here; see `IntakeOutcome`."""
        wanted = post.attestation.evidence_hash
        if wanted == ZERO_HASH:
            return "none"
        key = (post.attestation.agreement_id, post.attestation.milestone)
        manifest = self.manifests.get(key, {}).get(wanted)
        words = manifest or post.words
        if words and remember and wanted not in self.words_known:
            self.words_known.add(wanted)
            self._words.append({"hash": wanted, "data": dict(words), "added_at": self._now})
        if manifest:
            return "manifest"
        return "words" if words or wanted in self.words_known else "unknown"

    def log_refusal(self, attestation: Attestation, account: Address, why: Refusal) -> None:
        """What a verifier was refused stays in the audit log."""
        subject = audit_log.subject_of(attestation.agreement_id, attestation.milestone)
        data = {"signer": account, "error": why.error, "reason": why.reason}
        self._acts.append(audit_log.Act(self._actor, "attestation.refused", subject, data))


def _manifests(
    connection: Connection, keys: Iterable[MilestoneKey]
) -> dict[MilestoneKey, dict[bytes, dict[str, object]]]:
    """For each milestone with evidence the hash of its manifest, and what it commits to."""
    wanted = set(keys)
    ids = sorted({agreement_id for agreement_id, _ in wanted})
    files: dict[MilestoneKey, list[Listed]] = {}
    query = select(t.evidence).where(t.evidence.c.agreement_id.in_(ids))
    for row in connection.execute(query):
        files.setdefault((row.agreement_id, row.milestone), []).append(row)
    found: dict[MilestoneKey, dict[bytes, dict[str, object]]] = {}
    for key in files.keys() & wanted:
        manifest = manifest_files(files[key])
        found[key] = {manifest_hash(manifest): words_of(manifest)}
    return found


def bad_words(post: Post) -> Refusal | None:
    """Words that were sent along must be what was signed."""
    if not post.words:
        return None
    try:
        fits = words_hash(post.words) == post.attestation.evidence_hash
    except (EscrowError, ValueError, TypeError):
        fits = False
    if fits:
        return None
    return Refusal("WordsDoNotFit", "the words are not what the attestation's evidence hash means")
