"""The manifest is what an attestation commits to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from milestone_escrow.documents.manifest import kind_of, manifest, media_type_of
from milestone_escrow.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos-01.png").write_bytes(b"one")
    (tmp_path / "inspection-report.md").write_bytes(b"passed")
    (tmp_path / ".hidden").write_bytes(b"x")
    return tmp_path


def test_lists_name_kind_type_size_and_hash(folder: Path) -> None:
    report, photo = manifest([folder]).files
    assert (report.name, report.kind) == ("inspection-report.md", "inspection_report")
    assert (photo.name, photo.kind, photo.media_type, photo.size) == (
        "photos-01.png", "photos", "image/png", 3,
    )  # fmt: skip
    assert photo.sha256 == hashlib.sha256(b"one").hexdigest()


def test_the_hash_can_be_checked_with_public_tools(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes(b"hi")
    digest = hashlib.sha256(b"hi").hexdigest()
    text = (
        '{"files":[{"kind":"note","media_type":"text/plain","name":"note.txt",'
        f'"sha256":"{digest}","size":"2"}}],"format":"1"}}'
    )
    assert manifest([file]).canonical_json() == text.encode()
    assert manifest([file]).hash == hashlib.sha256(text.encode()).digest()


def test_the_order_of_the_files_does_not_matter(folder: Path) -> None:
    files = [folder / "photos-01.png", folder / "inspection-report.md"]
    assert manifest(files).hash == manifest(reversed(files)).hash == manifest([folder]).hash


def test_any_other_content_changes_the_hash(folder: Path) -> None:
    before = manifest([folder]).hash
    (folder / "photos-01.png").write_bytes(b"two")
    assert manifest([folder]).hash != before


def test_refuses_two_files_of_one_name(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "photos-01.png").write_bytes(b"another")
    with pytest.raises(UsageError, match=r"two pieces of evidence are called 'photos-01.png'"):
        manifest([folder, other])


def test_refuses_missing_files_and_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        manifest([tmp_path / "no.pdf"])
    with pytest.raises(UsageError, match="no evidence is given"):
        manifest([])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("photos.jpeg", "photos"), ("photos-3.jpeg", "photos"), ("Bill of Lading 2.pdf",
        "bill_of_lading"),
        ("bill_of_lading.pdf", "bill_of_lading"), ("2027.pdf", ""), ("aql2.5-report.md",
        "aql2_5_report"),
    ],
)  # fmt: skip
def test_a_files_kind_is_its_name_without_number(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_media_types_do_not_depend_on_the_machine() -> None:
    assert media_type_of("a.md") == "text/markdown"
    assert media_type_of("a.PDF") == "application/pdf"
    assert media_type_of("a.unheard-of") == "application/octet-stream"
    assert media_type_of("noext") == "application/octet-stream"
