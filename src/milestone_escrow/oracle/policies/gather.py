"""The facts about a milestone, out of the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import BindParameter, Connection, Row, bindparam, select

from milestone_escrow.documents.requirements.facts import (
    Event,
    Facts,
    JsonValue,
    Look,
    Statement,
    SuppliedFile,
)
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.given_signatures import signatures_of
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import Status

# Versions of an agreement that a chain of change orders is followed back through.
MAX_VERSIONS = 60


# Built once: with many agreements, writing the statements would take longer than running them.
_ID: BindParameter[bytes] = bindparam("id")
_FILES = select(t.evidence).where(t.evidence.c.agreement_id == _ID).order_by(t.evidence.c.id)
_STATEMENTS = signatures_of(
    t.attestations.c.agreement_id == _ID,
    t.attestations.c.digest,
    t.attestations.c.milestone,
    t.attestations.c.verdict,
    t.attestations.c.amount,
    t.attestations.c.issued_at,
    t.attestations.c.valid_until,
).order_by("said_at", "signer", "digest")
_OBSERVED = (
    select(t.observations).where(t.observations.c.agreement_id == _ID).order_by(t.observations.c.id)
)


def gather(connection: Connection, view: AgreementView, index: int) -> Facts:
    """Everything known about one milestone of an agreement whose document is known."""
    return Gathered(connection, view).facts(index)


class Gathered:
    """Everything known about an agreement's milestones, read from the store once."""

    def __init__(self, connection: Connection, view: AgreementView) -> None:
        key = {"id": view.id}
        self._view = view
        self._settled = _settled(connection, view)
        self._hosts = _hosts(view)
        self._files = _by_milestone(connection.execute(_FILES, key))
        self._statements = _by_milestone(connection.execute(_STATEMENTS, key))
        self._observed = _by_milestone(connection.execute(_OBSERVED, key))

    def facts(self, index: int) -> Facts:
        """What is known about one milestone."""
        view = self._view
        agreement = view.agreement
        # A signature counts for the milestones whose verifier its account is, and no others.
        verifiers: tuple[Address, ...] = view.terms.verifiers_of(view.milestones[index])
        signed = [row for row in self._statements[index] if row.signer in verifiers]
        observed = self._observed[index]
        return Facts(
            people=dict(agreement.people) if agreement else {},
            payees=frozenset({view.terms.supplier, view.payee(index)} - {ZERO_ADDRESS}),
            payee_hosts=self._hosts,
            amount=view.milestones[index].amount,
            issued_at=view.views[index].state.issued_at,
            settled=self._settled,
            files=tuple(map(_file, self._files[index])),
            statements=tuple(map(_statement, signed)),
            events=tuple(_event(row) for row in observed if row.kind == "webhook"),
            looks=tuple(_look(row) for row in observed if row.kind == "http"),
        )


def _by_milestone(rows: Iterable[Row[Any]]) -> Mapping[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.milestone].append(row)
    return found


def _file(row: Row[Any]) -> SuppliedFile:
    return SuppliedFile(
        row.name, row.kind, row.media_type, row.size, row.sha256,
        row.supplied_by, row.role, row.added_at, row.stored,
    )  # fmt: skip


def _statement(row: Row[Any]) -> Statement:
    return Statement(
        row.signer, Verdict(row.verdict), row.amount,
        row.issued_at, row.valid_until, row.said_at,
    )  # fmt: skip


def _event(row: Row[Any]) -> Event:
    return Event(row.source, row.name, row.value["data"], row.seen_at)


def _look(row: Row[Any]) -> Look:
    value = row.value
    return Look(
        row.source, row.name, unpacked(value["value"]), value["error"], value["since"], row.seen_at
    )


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
        before = version.amends if wanted else None
        version = viewing.agreement(connection, before) if before else None
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
