"""The schema. Ids, hashes and digests are bytes; accounts are checksummed text; times are Unix
seconds; amounts are token units. What comes from the chain can be rebuilt from it at any time.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from milestone_escrow.oracle.store.types import Json, Units

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only where the column is its own INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")
_Time = BigInteger()


def _account(name: str, *, nullable: bool = False, key: bool = False) -> Column[str]:
    return Column(name, String(42), nullable=nullable, primary_key=key)


def _hash(name: str, *, nullable: bool = False, key: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary(32), nullable=nullable, primary_key=key)


meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

# From the chain.

cursor = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    _hash("hash"),
    Column("time", _Time, nullable=False),
    Column("final_number", BigInteger, nullable=False),
    _hash("final_hash"),
)

blocks = Table(
    "blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _hash("hash"),
    _hash("parent_hash"),
    Column("time", _Time, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    _hash("block_hash"),
    Column("time", _Time, nullable=False),
    _hash("transaction"),
    _hash("agreement_id", nullable=True),
    Column("milestone", Integer),
    Column("name", String(40), nullable=False),
    Column("data", Json, nullable=False),
    Index(None, "agreement_id", "block", "log_index"),
)

agreements = Table(
    "agreements",
    metadata,
    _hash("agreement_id", key=True),
    _account("buyer"),
    _account("supplier"),
    _account("arbiter"),
    _account("token"),
    Column("terms", Json, nullable=False),
    Column("milestones", Json, nullable=False),
    Column("opened_block", BigInteger, nullable=False),
    Column("opened_at", _Time, nullable=False),
    _hash("replaced_by", nullable=True),
    _hash("amends", nullable=True),
    Index(None, "opened_at", "agreement_id"),
    Index(None, "buyer"),
    Index(None, "supplier"),
)

milestones = Table(
    "milestones",
    metadata,
    _hash("agreement_id", key=True),
    Column("milestone", Integer, primary_key=True, autoincrement=False),
    Column("amount", Units, nullable=False),
    Column("deadline", _Time, nullable=False),
    Column("status", Integer, nullable=False),
    _account("assignee"),
    Column("clock", _Time, nullable=False),
    Column("issued_at", _Time, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("handover", Integer, nullable=False),
    Column("pending", Units, nullable=False),
    Column("paid", Units, nullable=False),
    # The second from which time alone decides; null where it never does.
    Column("next_at", _Time),
    Column("changed_block", BigInteger, nullable=False),
    Column("changed_at", _Time, nullable=False),
    Index(None, "next_at"),
    Index(None, "status"),
)

# From people.

documents = Table(
    "documents",
    metadata,
    _hash("agreement_id", key=True),
    Column("document", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("registered_at", _Time, nullable=False),
    Column("registered_by", String(60), nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", _Id, primary_key=True),
    _hash("agreement_id"),
    Column("milestone", Integer, nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(80), nullable=False),
    Column("media_type", String(120), nullable=False),
    Column("size", BigInteger, nullable=False),
    _hash("sha256"),
    # False where only the hash was given and the file stayed in its house.
    Column("stored", Boolean, nullable=False),
    _account("supplied_by"),
    Column("role", String(80), nullable=False),
    Column("added_at", _Time, nullable=False),
    UniqueConstraint("agreement_id", "milestone", "name"),
    Index(None, "sha256"),
)

observations = Table(
    "observations",
    metadata,
    Column("id", _Id, primary_key=True),
    _hash("agreement_id", nullable=True),
    Column("milestone", Integer),
    Column("kind", String(40), nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Json, nullable=False),
    Column("met", Boolean, nullable=False),
    Column("seen_at", _Time, nullable=False),
    Column("delivery", String(200), unique=True),
    Index(None, "agreement_id", "milestone"),
    Index(None, "kind", "source", "name"),
)

verdicts = Table(
    "verdicts",
    metadata,
    _hash("agreement_id", key=True),
    Column("milestone", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("verdict", Integer, nullable=False),
    Column("met", Boolean, nullable=False),
    Column("reasons", Json, nullable=False),
    _hash("evidence_hash"),
    Column("decided_at", _Time, nullable=False),
    Column("changed_at", _Time, nullable=False),
)

# What is signed.

attestations = Table(
    "attestations",
    metadata,
    _hash("digest", key=True),
    _hash("agreement_id"),
    Column("milestone", Integer, nullable=False),
    Column("verdict", Integer, nullable=False),
    Column("amount", Units, nullable=False),
    _hash("evidence_hash"),
    Column("issued_at", _Time, nullable=False),
    Column("valid_until", _Time, nullable=False),
    Column("received_at", _Time, nullable=False),
    # open, complete, settled or dead
    Column("state", String(10), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Index(None, "agreement_id", "milestone"),
    Index(None, "state"),
)

signatures = Table(
    "signatures",
    metadata,
    Column("digest", LargeBinary(32), ForeignKey("attestations.digest"), primary_key=True),
    _account("signer", key=True),
    Column("signature", LargeBinary, nullable=False),
    Column("received_at", _Time, nullable=False),
)

# Attestations under one signature of each verifier; each of them has its own row above, too.
batches = Table(
    "batches",
    metadata,
    _hash("digest", key=True),
    # The smallest of its items': until then all of them can be used.
    Column("valid_until", _Time, nullable=False),
    Column("received_at", _Time, nullable=False),
    # open, complete, settled or dead
    Column("state", String(10), nullable=False),
    Index(None, "state"),
)

batch_items = Table(
    "batch_items",
    metadata,
    Column("batch", LargeBinary(32), ForeignKey("batches.digest"), primary_key=True),
    # In the order in which they are signed, from 0.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("attestation", LargeBinary(32), ForeignKey("attestations.digest"), nullable=False),
    Index(None, "attestation"),
)

batch_signatures = Table(
    "batch_signatures",
    metadata,
    Column("batch", LargeBinary(32), ForeignKey("batches.digest"), primary_key=True),
    _account("signer", key=True),
    Column("signature", LargeBinary, nullable=False),
    Column("received_at", _Time, nullable=False),
)

# What a hash that was signed or sent commits to, in people's words: files, and the reason if any.
words = Table(
    "words",
    metadata,
    _hash("hash", key=True),
    Column("data", Json, nullable=False),
    Column("added_at", _Time, nullable=False),
)

# What one side has signed or written and another has not answered: splits, offers, change orders.
proposals = Table(
    "proposals",
    metadata,
    _hash("digest", key=True),
    _hash("agreement_id"),
    Column("milestone", Integer),
    # resolution, offer or amendment
    Column("kind", String(20), nullable=False),
    Column("data", Json, nullable=False),
    # By account, as 0x hex.
    Column("signatures", Json, nullable=False),
    Column("made_at", _Time, nullable=False),
    Index(None, "agreement_id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Id, primary_key=True),
    _account("signer"),
    _hash("agreement_id"),
    Column("milestone", Integer, nullable=False),
    Column("issued_at", _Time, nullable=False),
    _hash("digest"),
    Column("verdict", Integer, nullable=False),
    Column("amount", Units, nullable=False),
    _hash("evidence_hash"),
    Column("valid_until", _Time, nullable=False),
    Column("decided_at", _Time, nullable=False),
    UniqueConstraint("signer", "agreement_id", "milestone", "issued_at"),
)

signers = Table(
    "signers",
    metadata,
    _account("signer", key=True),
    Column("started_at", _Time, nullable=False),
    Column("declared_new", Boolean, nullable=False),
)

# What is sent.

intents = Table(
    "intents",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("verb", String(40), nullable=False),
    _hash("agreement_id", nullable=True),
    Column("milestone", Integer),
    Column("digests", Json, nullable=False, default=list),
    _account("to"),
    Column("data", LargeBinary, nullable=False),
    # pending, sent, mined, final, dropped or failed
    Column("state", String(10), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("tries", Integer, nullable=False, default=0),
    Column("created_at", _Time, nullable=False),
    Column("changed_at", _Time, nullable=False),
    Column("not_before", _Time, nullable=False, default=0),
    Column("owner", String(80)),
    Column("lease_until", _Time, nullable=False, default=0),
    Index(None, "state", "not_before"),
    Index(None, "agreement_id", "milestone"),
)

attempts = Table(
    "attempts",
    metadata,
    _hash("hash", key=True),
    # Null where a transaction of ours only fills a gap in its sender's nonces.
    Column("intent_id", _Id, ForeignKey("intents.id")),
    _account("sender"),
    Column("nonce", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("max_fee", Units, nullable=False),
    Column("tip", Units, nullable=False),
    Column("signed_at", _Time, nullable=False),
    Column("broadcast_at", _Time),
    Column("block", BigInteger),
    _hash("block_hash", nullable=True),
    Index(None, "sender", "nonce"),
    Index(None, "intent_id"),
)

nonces = Table(
    "nonces",
    metadata,
    _account("sender", key=True),
    Column("next", BigInteger, nullable=False),
)

# What is told.

reminders = Table(
    "reminders",
    metadata,
    Column("key", String(200), primary_key=True),
    _hash("agreement_id", nullable=True),
    Column("milestone", Integer),
    Column("kind", String(40), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("due_at", _Time, nullable=False),
    Column("body", Json, nullable=False),
    # due, sending, sent, failed or cancelled
    Column("state", String(10), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_try", _Time, nullable=False),
    Column("sent_at", _Time),
    Column("owner", String(80)),
    Column("lease_until", _Time, nullable=False, default=0),
    Index(None, "state", "next_try"),
    Index(None, "agreement_id"),
)

# Who did what, and who may do it now.

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", _Time, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("data", Json, nullable=False),
    _hash("previous"),
    _hash("hash"),
    Index(None, "subject"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("until", _Time, nullable=False),
)

logins = Table(
    "logins",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("issued_at", _Time, nullable=False),
    Column("used_at", _Time),
)

sessions = Table(
    "sessions",
    metadata,
    _hash("token_hash", key=True),
    _account("account"),
    Column("issued_at", _Time, nullable=False),
    Column("expires_at", _Time, nullable=False),
)

links = Table(
    "links",
    metadata,
    _hash("token_hash", key=True),
    _hash("agreement_id", nullable=True),
    _account("issued_by"),
    Column("purpose", Text, nullable=False, default=""),
    Column("issued_at", _Time, nullable=False),
    Column("expires_at", _Time, nullable=False),
    Column("revoked_at", _Time),
)

# Agreements that are being written; whoever has the link may read them and write the next version.
drafts = Table(
    "drafts",
    metadata,
    _hash("token_hash", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("saved_by", String(80), nullable=False),
    Column("saved_at", _Time, nullable=False),
    Index(None, "saved_at"),
)

requests = Table(
    "requests",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("account", String(80), primary_key=True),
    _hash("fingerprint"),
    Column("status", Integer),
    Column("body", Text),
    Column("at", _Time, nullable=False),
)
