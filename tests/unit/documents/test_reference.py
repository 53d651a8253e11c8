"""The reference of the file format names everything, and what it shows is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from milestone_escrow.documents import model
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check.finding_kinds import FindingKind
from milestone_escrow.documents.requirements.language import KnownNames, read_requirements

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "agreement-file.md"
MODELS = (
    model.AgreementFile, model.Parties, model.Party, model.PaymentFields, model.RuleFields,
    model.MilestoneEntry, model.Series, model.Retainage, model.ReleaseEntry,
)  # fmt: skip


@pytest.fixture
def reference() -> str:
    return REFERENCE.read_text(encoding="utf-8")


def test_names_every_field(reference: str) -> None:
    for group in MODELS:
        for field in group.model_fields:
            assert re.search(rf"\b{field}\b", reference), f"{group.__name__}.{field}"


def test_names_every_finding(reference: str) -> None:
    codes = {kind.code for kind in get_args(FindingKind)}
    assert len(codes) > 20
    for code in codes:
        assert f"`{code}`" in reference, code


def test_shows_an_agreement_that_checks(reference: str) -> None:
    example = re.search(r"```yaml\n(format: 1.*?)```", reference, re.DOTALL)
    assert example
    report = Agreement.loads(example[1]).check()
    assert report.ok
    assert report.warnings == ()


def test_shows_sentences_that_are_understood(reference: str) -> None:
    section = reference.split("## `requires`")[1].split("\n## ")[0]
    names = KnownNames(("supplier", "inspector"), ("inspector",), ("packed",))
    sentences = re.findall(r"^\| `([^`{\[]+)`", section, re.MULTILINE)
    assert len(sentences) == 4
    for sentence in sentences:
        assert read_requirements(sentence, names).items
