"""Lists of verdicts: the same in YAML, JSON and CSV, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.documents.tables.verdict_list import MAX_ITEMS, VerdictLine, load_verdicts
from milestone_escrow.errors import DocumentError
from milestone_escrow.protocol.acts import Verdict

YAML = """\
verdicts:
  - {agreement: PO-1, milestone: built, verdict: accepted, amount: 60%, evidence: [a.pdf, b.jpg]}
  - {agreement: PO-2, milestone: packed, verdict: rejected, reason: Two cartons are wet}
"""
JSON = """\
{"verdicts": [
  {"agreement": "PO-1", "milestone": "built", "verdict": "accepted", "amount": "60%",
   "evidence": ["a.pdf", "b.jpg"]},
  {"agreement": "PO-2", "milestone": "packed", "verdict": "rejected",
   "reason": "Two cartons are wet"}
]}
"""
CSV = """\
agreement,milestone,verdict,amount,reason,evidence
PO-1,built,accepted,60%,,a.pdf; b.jpg
PO-2,packed,rejected,,Two cartons are wet,
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.yaml", YAML),
        ("list.json", JSON),
        ("list.csv", CSV),
        ("LIST.CSV", "\ufeff" + CSV.replace("\n", "\r\n")),
    ],
)
def test_all_kinds_of_files_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    found = load_verdicts(write(tmp_path, name, text))
    assert found.lines == (
        VerdictLine(
            "PO-1", "built", Verdict.ACCEPTED, "60%", "",
            (tmp_path / "a.pdf", tmp_path / "b.jpg"), ("verdicts", 0),
        ),
        VerdictLine(
            "PO-2", "packed", Verdict.REJECTED, None, "Two cartons are wet", (), ("verdicts", 1)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [("list.yaml", YAML), ("list.csv", CSV)])
def test_knows_the_line_of_each(tmp_path: Path, name: str, text: str) -> None:
    found = load_verdicts(write(tmp_path, name, text))
    error = found.source.error(found.lines[1].where, "is wrong", "correct it")
    assert str(error).startswith(f"{tmp_path / name}:3")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("PO-1", "is not a verdict"),
        ("{agreement: PO-1, milestone: a}", "has no verdict"),
        ("{milestone: a, verdict: accepted}", "has no agreement"),
        ("{agreement: PO-1, milestone: a, verdict: perhaps}", "is 'perhaps'"),
        ("{agreement: PO-1, milestone: a, verdict: returned}", "escrow attest --return"),
        ("{agreement: PO-1, milestone: a, verdict: rejected}", "rejects without a reason"),
        (
            "{agreement: PO-1, milestone: a, verdict: rejected, reason: wet, amount: 5%}",
            "belongs to accepted",
        ),
        ("{agreement: PO-1, milestone: a, verdict: accepted, amonut: 5%}", "amount"),
        ("{agreement: [PO-1], milestone: a, verdict: accepted}", "is not plain text"),
        (
            "{agreement: PO-1, milestone: a, verdict: accepted, evidence: [[x]]}",
            "is not a list of files",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, entry: str, complaint: str) -> None:
    path = write(tmp_path, "list.yaml", f"verdicts:\n  - {entry}\n")
    with pytest.raises(DocumentError) as caught:
        load_verdicts(path)
    assert complaint in str(caught.value)
    assert f"{path}:2" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("list.yaml", "verdicts: []\n", "has no verdicts"),
        ("list.yaml", "{}\n", "has no verdicts"),
        ("list.yaml", YAML + "notes: none\n", "the only field is `verdicts`"),
        (
            "list.yaml",
            "verdicts:\n" + "  - {agreement: P, milestone: a, verdict: accepted}\n" * 201,
            f"at most {MAX_ITEMS} fit",
        ),
        ("list.csv", "agreement,verdict\nP,accepted\n", "has no column milestone"),
        ("list.csv", "", "has no column agreement"),
        ("list.csv", "agreement,milestone,verdict\nP,a,accepted,12,000\n", "list.csv:2"),
        ("list.csv", "agreement,milestone,verdict\n", "has no verdicts"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        load_verdicts(write(tmp_path, name, text))
    assert complaint in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        load_verdicts(tmp_path / "none.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes(CSV.replace("wet", "nass, fürchte ich").encode("latin-1"))
    with pytest.raises(DocumentError, match="is not UTF-8 text"):
        load_verdicts(path)
