"""What a key has decided, and what it may still sign: no two verdicts that could be played off.

The rule, as a validator's slashing protection (EIP-3076) has one. H is all that a key has decided
about one milestone, on whatever machine. A new attestation A may be signed exactly if

1. *same again*: A is in H; or
2. *time moves on*: A is issued later than everything in H and than H's beginning, before which
   nothing is sure (0 for a key that is new); and
3. *nothing live is taken back*: no live B in H is contradicted by A. B is live while its validity,
   an hour added for clocks that differ, is not over, unless the chain has finally passed it by: a
   verdict of the same or a later time was decided in a final block. Another verdict contradicts B,
   and so does certifying less; certifying more does not. A return for rework is never live: it has
   no effect on chain; and
4. *bounded*: A is issued at most ten minutes ahead and valid for at most 90 days, so that no slip
   blocks the milestone for ever.

A decision is committed before anything is signed, so a crash loses a signature at most, which 1
allows to be made again, and never leaves one behind that H does not know of.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, exists, insert, select, true

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.signing.rules import AHEAD, Refusal, contradicts
from milestone_escrow.oracle.store import aside, audit_log, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.given_signatures import signatures_of
from milestone_escrow.oracle.store.store import insert_new, serialize
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.terms import DAY

SKEW = 3_600
MAX_VALID = 90 * DAY
ACTOR = "signer"


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of a key; `at` is when it was made."""

    digest: bytes
    attestation: Attestation
    at: int


@dataclass(frozen=True, slots=True)
class DecisionHistory:
    """What a key has decided about one milestone since `begins`.

    `passed` is the time of the last verdict on it that is final on chain; 0 where there is none.
    """

    decided: tuple[Decided, ...]
    begins: int = 0
    passed: int = 0

    def live(self, now: int) -> tuple[Decided, ...]:
        """What somebody may still bring on chain."""
        return tuple(
            one
            for one in self.decided
            if one.attestation.verdict is not Verdict.RETURNED
            and now <= one.attestation.valid_until + SKEW
            and self.passed < one.attestation.issued_at
        )


def forbidden(history: DecisionHistory, attestation: Attestation, now: int) -> Refusal | None:
    """Why a key with this history may not sign; None where it may. See the rule above."""
    if any(one.attestation == attestation for one in history.decided):
        return None
    last = max((one.attestation.issued_at for one in history.decided), default=-1)
    if attestation.issued_at <= last:
        return Refusal(
            "ConflictingVerdict",
            f"this key has decided the milestone at {last} already, and this is issued at "
            f"{attestation.issued_at}; what comes later must say so",
        )
    if attestation.issued_at <= history.begins:
        return Refusal(
            "BeforeHistory",
            f"this is issued at {attestation.issued_at}, but what this key has signed is known "
            f"here only since {history.begins}",
        )
    for one in history.live(now):
        if contradicts(one.attestation, attestation):
            said = one.attestation
            return Refusal(
                "VerdictStillLive",
                f"this key has {said.verdict.name.lower()} {said.amount} at {said.issued_at}, "
                f"which anybody may use until {said.valid_until}; taking it back must wait",
            )
    length = attestation.valid_until - attestation.issued_at
    if attestation.issued_at > now + AHEAD or not 0 <= length <= MAX_VALID:
        return Refusal(
            "ValidityOutOfBounds",
            f"this is issued {attestation.issued_at - now} seconds ahead and valid for {length}, "
            f"allowed are {AHEAD} and {MAX_VALID}",
        )
    return None


def begin(connection: Connection, signer: Address, now: int, *, declared_new: bool = False) -> None:
    """Let a key sign here: its history is known, or somebody says that it has none.

    A key that never signed has contradicted nothing, however old, so its history begins at 0 and
    not `now`, which is only when that was said: it may join what was proposed before. What
    verifiers have sent here in its name becomes its history then, whatever was said.

    Raises:
        EscrowError: nothing is known of it, and nobody says that it is new.
    """
    serialize(connection, f"signer {signer}")
    if is_known(connection, signer):
        return
    seen = _seen(connection, signer)
    if not declared_new:
        what = (
            f"has signed {len(seen)} attestations that are known here, but its own history is not"
            if seen
            else "has no signing history here"
        )
        raise EscrowError(
            f"the key {signer} {what}, so it may not sign: it could contradict itself",
            hint="if it signed on another machine, stop that one and bring its history with "
            "`escrow oracle signatures import FILE`; if it never signed, say --new-key once",
        )
    # Of a key that was used elsewhere nothing is sure before the last that is known of it.
    begins = max((one.attestation.issued_at for one in seen), default=0)
    row = {"signer": signer, "started_at": begins, "declared_new": True}
    insert_new(connection, t.signers, row, "signer")
    for one in seen:
        keep(connection, signer, one)
    audit_log.record(connection, now, ACTOR, "signer.declared_new", signer, adopted=len(seen))


def is_known(connection: Connection, signer: Address) -> bool:
    """Whether the key may sign here."""
    query = select(t.signers.c.signer).where(t.signers.c.signer == signer)
    return connection.execute(query).first() is not None


def history(
    connection: Connection, signer: Address, agreement_id: bytes, milestone: int
) -> DecisionHistory:
    """What a key has decided about one milestone.

    Raises:
        EscrowError: the key may not sign here.
    """
    begins = connection.execute(
        select(t.signers.c.started_at).where(t.signers.c.signer == signer)
    ).scalar()
    if begins is None:
        raise EscrowError(
            f"the key {signer} has no signing history here", hint="start it with --new-key"
        )
    rows = connection.execute(
        select(t.decisions)
        .where(
            t.decisions.c.signer == signer,
            t.decisions.c.agreement_id == agreement_id,
            t.decisions.c.milestone == milestone,
        )
        .order_by(t.decisions.c.issued_at)
    ).all()
    passed = _passed(connection, agreement_id, milestone)
    return DecisionHistory(tuple(map(read_decided, rows)), begins, passed)


def decide(
    connection: Connection, signer: Address, attestation: Attestation, digest: bytes, now: int
) -> Refusal | None:
    """Write down that a key signs this; None once that may be committed and then signed.

    Lets one transaction at a time decide about a milestone, whatever machine it is on.
    """
    place = (attestation.agreement_id, attestation.milestone)
    serialize(connection, f"decide {signer} {audit_log.subject_of(*place)}")
    known = history(connection, signer, *place)
    why = forbidden(known, attestation, now)
    if why is None and all(one.digest != digest for one in known.decided):
        _insert(connection, signer, Decided(digest, attestation, now))
    return why


def keep(connection: Connection, signer: Address, one: Decided) -> bool:
    """Remember a decision made elsewhere; False where another of the same moment is known."""
    what = one.attestation
    same = select(t.decisions.c.digest).where(
        t.decisions.c.signer == signer,
        t.decisions.c.agreement_id == what.agreement_id,
        t.decisions.c.milestone == what.milestone,
        t.decisions.c.issued_at == what.issued_at,
    )
    known = connection.execute(same).scalar()
    if known is None:
        _insert(connection, signer, one)
    return known in (None, one.digest)


def unsigned(connection: Connection, signer: Address) -> tuple[Decided, ...]:
    """Decisions whose signature is not in the store, alone or in a batch: a crash came between."""
    alone = exists().where(
        t.signatures.c.digest == t.decisions.c.digest, t.signatures.c.signer == signer
    )
    together = exists().where(
        t.batch_items.c.attestation == t.decisions.c.digest,
        t.batch_signatures.c.batch == t.batch_items.c.batch,
        t.batch_signatures.c.signer == signer,
    )
    rows = connection.execute(
        select(t.decisions)
        .where(t.decisions.c.signer == signer, ~alone, ~together)
        .order_by(t.decisions.c.id)
    ).all()
    found: list[Decided] = []
    for row in rows:
        with aside.apart(f"the decision 0x{row.digest.hex()}"):
            found.append(read_decided(row))
    return tuple(found)


def read_decided(row: Row[tuple[object, ...]]) -> Decided:
    """A decision out of its row."""
    return Decided(row.digest, row_shapes.read_attestation(row._mapping), row.decided_at)


def _insert(connection: Connection, signer: Address, one: Decided) -> None:
    what = one.attestation
    connection.execute(
        insert(t.decisions).values(
            signer=signer,
            agreement_id=what.agreement_id,
            milestone=what.milestone,
            issued_at=what.issued_at,
            digest=one.digest,
            verdict=int(what.verdict),
            amount=what.amount,
            evidence_hash=what.evidence_hash,
            valid_until=what.valid_until,
            decided_at=one.at,
        )
    )


def _passed(connection: Connection, agreement_id: bytes, milestone: int) -> int:
    head = viewing.head(connection)
    row = connection.execute(
        select(t.milestones.c.issued_at, t.milestones.c.changed_block).where(
            t.milestones.c.agreement_id == agreement_id, t.milestones.c.milestone == milestone
        )
    ).first()
    # Changed since: then it may be that very verdict that is not final yet.
    if row is None or head is None or row.changed_block > head.final_number:
        return 0
    return int(row.issued_at)


def _seen(connection: Connection, signer: Address) -> tuple[Decided, ...]:
    """What verifiers have sent here in the key's name; verified when it was taken in."""
    rows = connection.execute(
        signatures_of(true(), t.attestations, signer=signer).order_by("issued_at", "said_at")
    ).mappings()
    return tuple(
        Decided(row["digest"], row_shapes.read_attestation(row), row["said_at"]) for row in rows
    )
