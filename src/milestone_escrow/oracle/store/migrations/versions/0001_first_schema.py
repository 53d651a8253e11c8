"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from milestone_escrow.oracle.store import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agreements",
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("buyer", sa.String(length=42), nullable=False),
        sa.Column("supplier", sa.String(length=42), nullable=False),
        sa.Column("arbiter", sa.String(length=42), nullable=False),
        sa.Column("token", sa.String(length=42), nullable=False),
        sa.Column("terms", types.Json(), nullable=False),
        sa.Column("milestones", types.Json(), nullable=False),
        sa.Column("opened_block", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("replaced_by", sa.LargeBinary(length=32), nullable=True),
        sa.Column("amends", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("agreement_id", name=op.f("pk_agreements")),
    )
    op.create_index(op.f("ix_agreements_buyer"), "agreements", ["buyer"], unique=False)
    op.create_index(
        op.f("ix_agreements_opened_at_agreement_id"),
        "agreements",
        ["opened_at", "agreement_id"],
        unique=False,
    )
    op.create_index(op.f("ix_agreements_supplier"), "agreements", ["supplier"], unique=False)
    op.create_table(
        "attestations",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("milestone", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Integer(), nullable=False),
        sa.Column("amount", types.Units(), nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_attestations")),
    )
    op.create_index(
        op.f("ix_attestations_agreement_id_milestone"),
        "attestations",
        ["agreement_id", "milestone"],
        unique=False,
    )
    op.create_index(op.f("ix_attestations_state"), "attestations", ["state"], unique=False)
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("data", types.Json(), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_blocks")),
    )
    op.create_table(
        "cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("final_number", sa.BigInteger(), nullable=False),
        sa.Column("final_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cursor")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signer", sa.String(length=42), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("milestone", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("verdict", sa.Integer(), nullable=False),
        sa.Column("amount", types.Units(), nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            "signer",
            "agreement_id",
            "milestone",
            "issued_at",
            name=op.f("uq_decisions_signer_agreement_id_milestone_issued_at"),
        ),
    )
    op.create_table(
        "documents",
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("registered_by", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", name=op.f("pk_documents")),
    )
    op.create_table(
        "drafts",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("saved_by", sa.String(length=80), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", "version", name=op.f("pk_drafts")),
    )
    op.create_index(op.f("ix_drafts_saved_at"), "drafts", ["saved_at"], unique=False)
    op.create_table(
        "events",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("milestone", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("data", types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("block", "log_index", name=op.f("pk_events")),
    )
    op.create_index(
        op.f("ix_events_agreement_id_block_log_index"),
        "events",
        ["agreement_id", "block", "log_index"],
        unique=False,
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("milestone", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("media_type", sa.String(length=120), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("stored", sa.Boolean(), nullable=False),
        sa.Column("supplied_by", sa.String(length=42), nullable=False),
        sa.Column("role", sa.String(length=80), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint(
            "agreement_id",
            "milestone",
            "name",
            name=op.f("uq_evidence_agreement_id_milestone_name"),
        ),
    )
    op.create_index(op.f("ix_evidence_sha256"), "evidence", ["sha256"], unique=False)
    op.create_table(
        "intents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("verb", sa.String(length=40), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("milestone", sa.Integer(), nullable=True),
        sa.Column("digests", types.Json(), nullable=False),
        sa.Column("to", sa.String(length=42), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intents")),
        sa.UniqueConstraint("key", name=op.f("uq_intents_key")),
    )
    op.create_index(
        op.f("ix_intents_agreement_id_milestone"),
        "intents",
        ["agreement_id", "milestone"],
        unique=False,
    )
    op.create_index(
        op.f("ix_intents_state_not_before"), "intents", ["state", "not_before"], unique=False
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "links",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("issued_by", sa.String(length=42), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_links")),
    )
    op.create_table(
        "logins",
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_logins")),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "milestones",
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("milestone", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("amount", types.Units(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("assignee", sa.String(length=42), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("handover", sa.Integer(), nullable=False),
        sa.Column("pending", types.Units(), nullable=False),
        sa.Column("paid", types.Units(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_block", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "milestone", name=op.f("pk_milestones")),
    )
    op.create_index(op.f("ix_milestones_next_at"), "milestones", ["next_at"], unique=False)
    op.create_index(op.f("ix_milestones_status"), "milestones", ["status"], unique=False)
    op.create_table(
        "nonces",
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", name=op.f("pk_nonces")),
    )
    op.create_table(
        "observations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("milestone", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", types.Json(), nullable=False),
        sa.Column("met", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("delivery", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint("delivery", name=op.f("uq_observations_delivery")),
    )
    op.create_index(
        op.f("ix_observations_agreement_id_milestone"),
        "observations",
        ["agreement_id", "milestone"],
        unique=False,
    )
    op.create_index(
        op.f("ix_observations_kind_source_name"),
        "observations",
        ["kind", "source", "name"],
        unique=False,
    )
    op.create_table(
        "proposals",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("milestone", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data", types.Json(), nullable=False),
        sa.Column("signatures", types.Json(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_proposals")),
    )
    op.create_index(op.f("ix_proposals_agreement_id"), "proposals", ["agreement_id"], unique=False)
    op.create_table(
        "reminders",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("milestone", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("body", types.Json(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.String(length=80), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_reminders")),
    )
    op.create_index(op.f("ix_reminders_agreement_id"), "reminders", ["agreement_id"], unique=False)
    op.create_index(
        op.f("ix_reminders_state_next_try"), "reminders", ["state", "next_try"], unique=False
    )
    op.create_table(
        "requests",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "account", name=op.f("pk_requests")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "signers",
        sa.Column("signer", sa.String(length=42), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("declared_new", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("signer", name=op.f("pk_signers")),
    )
    op.create_table(
        "verdicts",
        sa.Column("agreement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("milestone", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.Integer(), nullable=False),
        sa.Column("met", sa.Boolean(), nullable=False),
        sa.Column("reasons", types.Json(), nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "milestone", "epoch", name=op.f("pk_verdicts")),
    )
    op.create_table(
        "words",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("data", types.Json(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_words")),
    )
    op.create_table(
        "attempts",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("intent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("max_fee", types.Units(), nullable=False),
        sa.Column("tip", types.Units(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("broadcast_at", sa.BigInteger(), nullable=True),
        sa.Column("block", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.ForeignKeyConstraint(["intent_id"], ["intents.id"], name=op.f("fk_attempts_intent_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_intent_id"), "attempts", ["intent_id"], unique=False)
    op.create_index(op.f("ix_attempts_sender_nonce"), "attempts", ["sender", "nonce"], unique=False)
    op.create_table(
        "signatures",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signer", sa.String(length=42), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["attestations.digest"], name=op.f("fk_signatures_digest")
        ),
        sa.PrimaryKeyConstraint("digest", "signer", name=op.f("pk_signatures")),
    )
    op.create_table(
        "batches",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_batches")),
    )
    op.create_index(op.f("ix_batches_state"), "batches", ["state"], unique=False)
    op.create_table(
        "batch_items",
        sa.Column("batch", sa.LargeBinary(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attestation", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batches.digest"], name=op.f("fk_batch_items_batch")),
        sa.ForeignKeyConstraint(
            ["attestation"], ["attestations.digest"], name=op.f("fk_batch_items_attestation")
        ),
        sa.PrimaryKeyConstraint("batch", "position", name=op.f("pk_batch_items")),
    )
    op.create_index(
        op.f("ix_batch_items_attestation"), "batch_items", ["attestation"], unique=False
    )
    op.create_table(
        "batch_signatures",
        sa.Column("batch", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signer", sa.String(length=42), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch"], ["batches.digest"], name=op.f("fk_batch_signatures_batch")
        ),
        sa.PrimaryKeyConstraint("batch", "signer", name=op.f("pk_batch_signatures")),
    )
