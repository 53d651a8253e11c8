"""Evidence is hashed when it arrives, hashed again before anyone signs, and held to the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.manifest import manifest
from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.language import KnownNames, read_requirements
from milestone_escrow.errors import UsageError
from milestone_escrow.sandbox.evidence import EvidenceDesk, HandedIn, facts_of, lacks

NAMES = KnownNames(("buyer", "supplier", "lab"), ("lab",), ("packed", "sent"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos-1.png", "photos-2.png", "report.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def desk(folder: Path) -> EvidenceDesk:
    agreement = Agreement.load(examples.path("carpets"))
    return EvidenceDesk(
        agreement, lambda key: sorted(folder.iterdir()) if key == "manufactured" else ()
    )


def test_takes_all_files_or_those_that_are_named(desk: EvidenceDesk) -> None:
    assert [f.name for f in desk.take("manufactured", ["report.md"], ["inspector"]).files] == [
        "report.md"
    ]
    assert len(desk.take("manufactured", [], ["supplier"]).files) == 3


def test_a_verdict_is_about_all_that_arrived(desk: EvidenceDesk) -> None:
    desk.take("manufactured", ["report.md"], ["inspector"])
    desk.take("manufactured", ["photos-1.png"], ["supplier"])
    files, lacking = desk.check("manufactured", [], frozenset({"inspector"}), frozenset())
    assert [file.name for file in files.files] == ["photos-1.png", "report.md"]
    assert lacking == ("no inspection report from inspector", "1 of 12 photos from supplier")


def test_what_somebody_else_hands_in_does_not_count(desk: EvidenceDesk) -> None:
    desk.take("manufactured", ["photos-1.png"], ["buyer"])
    lacking = desk.check("manufactured", [], frozenset(), frozenset())[1]
    assert lacking[1] == "0 of 12 photos from supplier (1 from buyer instead)"
    desk.take("manufactured", ["photos-1.png"], ["supplier"])
    lacking = desk.check("manufactured", [], frozenset(), frozenset())[1]
    assert lacking[1].startswith("1 of 12 photos from supplier")


def test_a_file_that_changed_after_it_was_handed_in_is_refused(
    desk: EvidenceDesk, folder: Path
) -> None:
    desk.take("manufactured", [], ["supplier"])
    (folder / "report.md").write_text("better")
    with pytest.raises(UsageError, match=r"'report.md' is not what was handed in"):
        desk.check("manufactured", [], frozenset(), frozenset())


def test_a_file_that_was_never_handed_in_is_refused(desk: EvidenceDesk) -> None:
    with pytest.raises(UsageError, match="not what was handed in"):
        desk.check("manufactured", ["report.md"], frozenset(), frozenset())
    with pytest.raises(UsageError, match=r"no evidence 'x.md'.*there are photos-1.png"):
        desk.take("manufactured", ["x.md"], ["supplier"])


@pytest.mark.parametrize(
    ("requirement", "signing", "settled", "lacking"),
    [
        ("report from lab", "", "", ""),
        ("report from lab, at least 2", "", "", "1 of 2 report from lab"),
        ("report from lab, as pdf", "", "", "no report from lab (1 not as application/pdf)"),
        ("photos from supplier, as png", "", "", ""),
        ("statement of lab", "", "", "lab has not signed"),
        ("statement of lab", "lab", "", ""),
        ("after packed", "", "", "'packed' is not settled yet"),
        ("after packed", "", "packed", ""),
        ({"any": ["statement of lab", "report from lab"]}, "", "", ""),
        (
            {"any": ["statement of lab", "invoice from lab"]}, "", "",
            "lab has not signed or no invoice from lab",
        ),
        (
            {"at least 2 of": ["statement of lab", "after sent", "report from lab"]}, "", "",
            "lab has not signed or 'sent' is not settled yet",
        ),
        ({"at least 2 of": ["statement of lab", "after sent", "report from lab"]}, "lab", "", ""),
        (
            {"webhook": {"source": "carrier", "event": "delivered"}}, "", "",
            "no event 'delivered' from carrier yet",
        ),
    ],
)  # fmt: skip
def test_says_what_is_still_missing(
    folder: Path, requirement: object, signing: str, settled: str, lacking: str
) -> None:
    read = read_requirements([requirement], NAMES)  # type: ignore[list-item]
    both = frozenset({"supplier", "lab"})
    shown = [HandedIn(file, both) for file in manifest([folder]).files]
    facts = facts_of({"supplier": "0x1", "lab": "0x2"}, shown, {signing}, {settled})
    assert "; ".join(lacks(evaluate(read, facts, 1))) == lacking


def test_nothing_required_is_never_missing() -> None:
    nothing = evaluate(read_requirements([], NAMES), facts_of({}, [], set(), set()), 1)
    assert not list(lacks(nothing))
