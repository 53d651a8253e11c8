"""Files that are not what their names say."""

from __future__ import annotations

import pytest

from milestone_escrow.documents.manifest import media_type_of
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.evidence.content import KNOWN_TYPES, Inspection

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
PDF = b"%PDF-1.7\n" + b"\0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20
ZIP = b"PK\x03\x04" + b"\0" * 20
MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 20
HEIC = b"\0\0\0\x18ftypheic" + b"\0" * 20
WEBP = b"RIFF\0\0\0\0WEBPVP8 "


def inspect(name: str, content: bytes, size: int = 7) -> None:
    inspection = Inspection(name, media_type_of(name))
    for start in range(0, len(content), size):
        inspection.see(content[start : start + size])
    inspection.close()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", PNG), ("a.pdf", PDF), ("a.jpg", JPEG), ("a.jpeg", JPEG), ("a.zip", ZIP),
        ("a.docx", ZIP), ("a.xlsx", ZIP), ("a.mp4", MP4), ("a.webp", WEBP), ("a.gif", b"GIF89a.."),
        ("a.tiff", b"II*\0...."), ("a.json", b"{}"), ("a.csv", "Größe;1\n".encode()),
        ("a.md", b"# Report"), ("a.txt", "Größe".encode("latin-1")), ("a.xml", b"<x/>"),
        ("a.svg", b"<svg/>"),
    ],
)  # fmt: skip
def test_takes_files_that_are_what_they_say(name: str, content: bytes) -> None:
    inspect(name, content)
    assert media_type_of(name) in KNOWN_TYPES


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdf", PNG, "image/png"), ("a.png", PDF, "application/pdf"), ("a.jpg", PNG, "image/png"),
        ("a.png", JPEG, "image/jpeg"), ("a.zip", PDF, "application/pdf"),
        ("a.docx", PDF, "application/pdf"), ("a.pdf", b"hello", "something else"),
        ("a.pdf", b" %PDF-1.7", "something else"), ("a.png", b"\x89PN", "something else"),
        ("a.mp4", ZIP, "application/zip"), ("a.csv", ZIP, "not text"), ("a.txt", PDF, "not text"),
        ("a.txt", b"%PDF-1.7", "application/pdf"),
        ("a.json", b"{}" + b" " * 600 + b"\0", "not text"),
        ("a.pdf", b"MZ\x90\0", "a program"), ("a.txt", b"#!/bin/sh\nrm", "a program"),
        ("a.png", b"\x7fELF\2\1\1", "a program"), ("a.pdf", b"", "is empty"),
        ("a.webp", b"RIFF\0\0\0\0WAVEfmt ", "something else"),
    ],
)  # fmt: skip
def test_refuses_files_that_are_something_else(name: str, content: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        inspect(name, content)


def test_pages_with_scripts_are_no_evidence() -> None:
    for name in ("a.html", "a.js", "a.exe", "a.unknown", "a"):
        assert media_type_of(name) not in KNOWN_TYPES
