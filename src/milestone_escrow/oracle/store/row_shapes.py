"""Protocol records as rows hold them, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias, get_args

from sqlalchemy import RowMapping

from milestone_escrow.chain.contract import events as chain_events
from milestone_escrow.chain.contract.events import Event, Place
from milestone_escrow.errors import StoreError
from milestone_escrow.oracle.store import aside
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import Milestone, Terms

Row: TypeAlias = "Mapping[str, Any] | RowMapping"

_EVENTS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Event)}
# Columns of their own in `events`, so not in its `data`.
_COLUMNS = frozenset({"place", "agreement_id", "milestone"})


def terms_data(terms: Terms) -> dict[str, object]:
    names, values = _fields(Terms)
    return dict(zip(names, values(terms), strict=True))


def read_terms(data: Mapping[str, Any]) -> Terms:
    hashed = bytes.fromhex(data["document_hash"][2:])
    return Terms(**{**data, "verifiers": tuple(data["verifiers"]), "document_hash": hashed})


def milestones_data(milestones: Sequence[Milestone]) -> list[dict[str, object]]:
    names, values = _fields(Milestone)
    return [dict(zip(names, values(milestone), strict=True)) for milestone in milestones]


def read_milestones(data: Sequence[Mapping[str, Any]]) -> tuple[Milestone, ...]:
    return tuple(
        Milestone(**{**item, "requirements_hash": bytes.fromhex(item["requirements_hash"][2:])})
        for item in data
    )


def read_state(row: Row) -> State:
    """The state in a row of `milestones`."""
    return State(
        status=Status(row["status"]),
        assignee=row["assignee"],
        clock=row["clock"],
        issued_at=row["issued_at"],
        epoch=row["epoch"],
        handover=row["handover"],
        pending=int(row["pending"]),
        paid=int(row["paid"]),
    )


def read_attestation(row: Row) -> Attestation:
    """The attestation in a row of `attestations`, or of `decisions`."""
    return Attestation(
        agreement_id=row["agreement_id"],
        milestone=row["milestone"],
        verdict=Verdict(row["verdict"]),
        amount=int(row["amount"]),
        evidence_hash=row["evidence_hash"],
        issued_at=row["issued_at"],
        valid_until=row["valid_until"],
    )


def event_row(event: Event, block_hash: bytes) -> dict[str, Any]:
    """A row of `events`."""
    place = event.place
    agreement_id = getattr(event, "agreement_id", None)
    kind: Any = type(event)
    names, values = _fields(kind)
    data: dict[str, Any] = dict(zip(names, values(event), strict=True))
    if isinstance(event, chain_events.AgreementOpened):
        data["terms"] = terms_data(event.terms)
        data["milestones"] = milestones_data(event.milestones)
    return {
        "block": place.block,
        "log_index": place.log_index,
        "block_hash": block_hash,
        "time": place.time,
        "transaction": bytes.fromhex(place.transaction[2:]),
        "agreement_id": agreement_id,
        "milestone": getattr(event, "milestone", None),
        "name": kind.__name__,
        "data": data,
    }


def read_event(row: Row) -> Event:
    """The event in a row of `events`.

    Raises:
        StoreError: it cannot be read, and is set aside.
    """
    try:
        return _event(row)
    except aside.UNREADABLE as error:
        name = f"event {row['log_index']} of block {row['block']}"
        aside.put(name, error)
        raise StoreError(f"{name} cannot be read here ({aside.reason(error)})") from None


def _event(row: Row) -> Event:
    kind = _EVENTS[row["name"]]
    place = Place(row["block"], row["time"], "0x" + row["transaction"].hex(), row["log_index"])
    values: dict[str, Any] = {"place": place}
    for field in dataclasses.fields(kind):
        name = field.name
        if name == "place":
            continue
        value = row[name] if name in _COLUMNS else row["data"][name]
        values[name] = _typed(name, value)
    if kind is chain_events.AgreementOpened:
        values["terms"] = read_terms(row["data"]["terms"])
        values["milestones"] = read_milestones(row["data"]["milestones"])
    event: Event = kind(**values)
    return event


def _typed(name: str, value: Any) -> Any:
    if name == "verdict":
        return Verdict(value)
    if name == "status":
        return Status(value)
    if name in ("evidence_hash", "reason_hash", "reason", "replaces") and isinstance(value, str):
        return bytes.fromhex(value[2:])
    return tuple(value) if isinstance(value, list) else value


@lru_cache
def _fields(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The fields of a record that have no column of their own, and what reads them all."""
    names = tuple(f.name for f in dataclasses.fields(kind) if f.name not in _COLUMNS)
    read = attrgetter(*names)
    return names, read if len(names) > 1 else lambda record: (read(record),)
