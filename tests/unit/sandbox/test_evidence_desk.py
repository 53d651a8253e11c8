"""Evidence is hashed when it arrives, hashed again before anyone signs, and held to the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.manifest import Manifest, manifest
from milestone_escrow.documents.requirements.language import KnownNames, read_requirements
from milestone_escrow.errors import UsageError
from milestone_escrow.sandbox.evidence import Desk, Shown, missing

NAMES = KnownNames(("buyer", "supplier", "lab"), ("lab",), ("packed", "sent"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos-1.png", "photos-2.png", "report.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def desk(folder: Path) -> Desk:
    agreement = Agreement.load(examples.path("carpets"))
    return Desk(agreement, lambda key: sorted(folder.iterdir()) if key == "manufactured" else ())


def test_takes_all_files_or_those_that_are_named(desk: Desk) -> None:
    assert [f.name for f in desk.take("manufactured", ["report.md"]).files] == ["report.md"]
    assert len(desk.take("manufactured", []).files) == 3


def test_a_verdict_is_about_all_that_arrived(desk: Desk) -> None:
    desk.take("manufactured", ["report.md"])
    desk.take("manufactured", ["photos-1.png"])
    files, lacks = desk.check("manufactured", [], frozenset({"inspector"}), frozenset())
    assert [file.name for file in files.files] == ["photos-1.png", "report.md"]
    assert lacks == (
        "inspection report from inspector",
        "photos from supplier, at least 12 (1 there)",
    )


def test_a_file_that_changed_after_it_was_handed_in_is_refused(desk: Desk, folder: Path) -> None:
    desk.take("manufactured", [])
    (folder / "report.md").write_text("better")
    with pytest.raises(UsageError, match=r"'report.md' is not what was handed in"):
        desk.check("manufactured", [], frozenset(), frozenset())


def test_a_file_that_was_never_handed_in_is_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match="not what was handed in"):
        desk.check("manufactured", ["report.md"], frozenset(), frozenset())
    with pytest.raises(UsageError, match=r"no evidence 'x.md'.*there are photos-1.png"):
        desk.take("manufactured", ["x.md"])


@pytest.mark.parametrize(
    ("requirement", "signing", "settled", "lacks"),
    [
        ("report from lab", "", "", 0),
        ("report from lab, at least 2", "", "", 1),
        ("report from lab, as pdf", "", "", 1),
        ("photos from supplier, as png", "", "", 0),
        ("statement of lab", "", "", 1),
        ("statement of lab", "lab", "", 0),
        ("after packed", "", "", 1),
        ("after packed", "", "packed", 0),
        ({"any": ["statement of lab", "report from lab"]}, "", "", 0),
        ({"any": ["statement of lab", "invoice from lab"]}, "", "", 1),
        ({"at least 2 of": ["statement of lab", "after sent", "report from lab"]}, "", "", 1),
        ({"at least 2 of": ["statement of lab", "after sent", "report from lab"]}, "lab", "", 0),
        ({"webhook": {"source": "carrier", "event": "delivered"}}, "", "", 1),
    ],
)
def test_says_what_is_still_missing(
    folder: Path, requirement: object, signing: str, settled: str, lacks: int
) -> None:
    read = read_requirements([requirement], NAMES)  # type: ignore[list-item]
    shown = Shown(manifest([folder]), {signing}, {settled})
    assert len(missing(read, shown)) == lacks


def test_nothing_required_is_never_missing() -> None:
    assert missing(read_requirements([], NAMES), Shown(Manifest(()), set(), set())) == ()
