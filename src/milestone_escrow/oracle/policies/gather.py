"""The facts about a milestone, out of the store."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Select, select

from milestone_escrow.oracle import book
from milestone_escrow.oracle.book import AgreementView
from milestone_escrow.oracle.policies.facts import Event, Facts, File, JsonValue, Look, Statement
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import Status

# Versions of an agreement that a chain of change orders is followed back through.
MAX_VERSIONS = 60


def gather(connection: Connection, view: AgreementView, index: int) -> Facts:
    """Everything known about one milestone of an agreement whose document is known."""
    agreement = view.agreement
    return Facts(
        people=dict(agreement.people) if agreement else {},
        payees=frozenset({view.terms.supplier, view.payee(index)} - {ZERO_ADDRESS}),
        payee_hosts=_hosts(view),
        amount=view.milestones[index].amount,
        issued_at=view.views[index].state.issued_at,
        settled=_settled(connection, view),
        files=files(connection, view, index),
        statements=_statements(connection, view, index),
        events=_events(connection, view.id, index),
        looks=_looks(connection, view.id, index),
    )


def files(connection: Connection, view: AgreementView, index: int) -> tuple[File, ...]:
    """The evidence for a milestone, in the order in which it came."""
    rows = connection.execute(
        select(t.evidence)
        .where(t.evidence.c.agreement_id == view.id, t.evidence.c.milestone == index)
        .order_by(t.evidence.c.id)
    )
    return tuple(
        File(
            row.name, row.kind, row.media_type, row.size, row.sha256,
            row.supplied_by, row.role, row.added_at, row.stored,
        )
        for row in rows
    )  # fmt: skip


def _statements(connection: Connection, view: AgreementView, index: int) -> tuple[Statement, ...]:
    """Verdicts that verifiers of this very milestone signed."""
    verifiers: tuple[Address, ...] = view.terms.verifiers_of(view.milestones[index])
    a, s = t.attestations, t.signatures
    rows = connection.execute(
        select(a.c.verdict, a.c.amount, a.c.issued_at, a.c.valid_until, s.c.signer, s.c.received_at)
        .join(s, s.c.digest == a.c.digest)
        .where(a.c.agreement_id == view.id, a.c.milestone == index, s.c.signer.in_(verifiers))
        .order_by(s.c.received_at, s.c.signer, a.c.digest)
    )
    return tuple(
        Statement(
            row.signer, Verdict(row.verdict), row.amount,
            row.issued_at, row.valid_until, row.received_at,
        )
        for row in rows
    )  # fmt: skip


def _events(connection: Connection, agreement_id: bytes, index: int) -> tuple[Event, ...]:
    rows = connection.execute(_observed(agreement_id, index, "webhook"))
    return tuple(Event(row.source, row.name, row.value["data"], row.seen_at) for row in rows)


def _looks(connection: Connection, agreement_id: bytes, index: int) -> tuple[Look, ...]:
    rows = connection.execute(_observed(agreement_id, index, "http"))
    return tuple(
        Look(
            row.source, row.name, unpacked(row.value["value"]),
            row.value["error"], row.value["since"], row.seen_at,
        )
        for row in rows
    )  # fmt: skip


def _observed(agreement_id: bytes, index: int, kind: str) -> Select[Any]:
    o = t.observations
    where = (o.c.agreement_id == agreement_id, o.c.milestone == index, o.c.kind == kind)
    return select(o).where(*where).order_by(o.c.id)


def packed(value: JsonValue) -> dict[str, str]:
    """A JSON value as the store keeps it: of lists and groups only that they are such."""
    if isinstance(value, bool) or value is None:
        return {"is": "word", "text": {True: "true", False: "false", None: "null"}[value]}
    if isinstance(value, (int, Decimal)):
        return {"is": "number", "text": str(value)}
    if isinstance(value, str):
        return {"is": "text", "text": value[:2_000]}
    return {"is": "list" if isinstance(value, list) else "group", "text": ""}


def unpacked(stored: Mapping[str, str]) -> JsonValue:
    """What `packed` kept."""
    kind, text = stored["is"], stored["text"]
    if kind == "word":
        return {"true": True, "false": False, "null": None}[text]
    if kind == "number":
        return Decimal(text)
    if kind == "text":
        return text
    return [] if kind == "list" else {}


def _settled(connection: Connection, view: AgreementView) -> Mapping[str, int]:
    """Milestones that are settled, by key; those that a change order left behind included."""
    found: dict[str, int] = {}
    version: AgreementView | None = view
    wanted: set[str] | None = None
    for _ in range(MAX_VERSIONS):
        if version is None:
            break
        # What a change order took over closed the earlier milestone, which proves nothing.
        for stage in version.views:
            if stage.state.status is Status.SETTLED and (wanted is None or stage.key in wanted):
                found.setdefault(stage.key, stage.changed_at)
        behind = {m.key for m in version.agreement.left_behind} if version.agreement else set()
        wanted = behind if wanted is None else wanted & behind
        version = book.agreement(connection, version.amends) if wanted and version.amends else None
    return found


def _hosts(view: AgreementView) -> frozenset[str]:
    """The supplier's own hosts: of its web site and its mail, as far as the agreement says."""
    if view.agreement is None:
        return frozenset()
    supplier = view.agreement.parties["supplier"]
    named = (_host(supplier.website or ""), (supplier.email or "").rpartition("@")[2].lower())
    return frozenset(name.removeprefix("www.") for name in named if name)


def _host(site: str) -> str:
    try:
        return urlsplit(site if "://" in site else f"https://{site}").hostname or ""
    except ValueError:
        return ""
