"""Reads the vectors into the values that the package and the contract take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milestone_escrow.protocol.acts import (
    ATTESTATION,
    BATCH,
    DISPUTE,
    RESOLUTION,
    RULING,
    SUBMISSION,
    Attestation,
    Dispute,
    Resolution,
    Ruling,
    Submission,
)
from milestone_escrow.protocol.amendment import AMENDMENT, Amendment
from milestone_escrow.protocol.eip712 import Domain, Struct
from milestone_escrow.protocol.receivables import ASSIGNMENT, OFFER, Assignment, Offer
from milestone_escrow.protocol.terms import AGREEMENT, MILESTONE, Milestone, Terms

FOLDER = Path(__file__).resolve().parent
STRUCTS: Mapping[str, Struct] = {
    struct.name: struct
    for struct in (
        AGREEMENT,
        MILESTONE,
        ATTESTATION,
        SUBMISSION,
        DISPUTE,
        RULING,
        RESOLUTION,
        ASSIGNMENT,
        OFFER,
        BATCH,
        AMENDMENT,
    )
}
RECORDS = {
    "Milestone": Milestone,
    "Attestation": Attestation,
    "Submission": Submission,
    "Dispute": Dispute,
    "Ruling": Ruling,
    "Resolution": Resolution,
    "Assignment": Assignment,
    "Offer": Offer,
}


def load(name: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    return list(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def label(case: Mapping[str, Any]) -> str:
    """How a test names a case."""
    return f"{case['struct']}, {case['name']}, chain {case['chainId']}"


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def domain(case: Mapping[str, Any], contract: str) -> Domain:
    return Domain(int(case["chainId"]), contract)


def message(case: Mapping[str, Any]) -> dict[str, Any]:
    """The message with numbers as integers and fixed bytes as bytes."""
    return _values(STRUCTS[case["struct"]], case["message"])


def record(case: Mapping[str, Any]) -> Any:
    """The dataclass that stands for the message; its fields are in the same order."""
    return RECORDS[case["struct"]](*message(case).values())


def agreement(case: Mapping[str, Any]) -> tuple[Terms, tuple[Milestone, ...]]:
    """The same for an agreement: terms, and milestones apart."""
    values = message(case)
    milestones = tuple(Milestone(*item.values()) for item in values.pop("milestones"))
    return Terms(*[tuple(v) if isinstance(v, list) else v for v in values.values()]), milestones


def attestations(case: Mapping[str, Any]) -> list[Attestation]:
    """The attestations of a batch."""
    return [Attestation(*item.values()) for item in message(case)["attestations"]]


def amendment(case: Mapping[str, Any]) -> Amendment:
    """A change order, its new agreement included."""
    *order, _ = message(case).values()
    terms, milestones = agreement({"struct": "Agreement", "message": case["message"]["terms"]})
    return Amendment(*order, terms, milestones)


def _values(struct: Struct, given: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: _value(field.type, given[field.name]) for field in struct.fields}


def _value(kind: str, given: Any) -> Any:
    if kind.endswith("[]"):
        return [_value(kind[:-2], item) for item in given]
    if kind in STRUCTS:
        return _values(STRUCTS[kind], given)
    if kind.startswith("uint"):
        return int(given)
    return raw(given) if kind == "bytes32" else given
