"""Evidence for a milestone: the manifest lists each file's SHA-256, an attestation commits to it.

A file's kind is its name without number and extension, as requirements name it:
`photos-03.jpeg` is one of the `photos`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from milestone_escrow.documents.attachments import file_sha256
from milestone_escrow.documents.canonical import canonical_json, sha256
from milestone_escrow.documents.requirements.language import MEDIA_TYPES
from milestone_escrow.errors import UsageError

_NUMBERED = re.compile(r"[-_ ]?\d+$", re.ASCII)
UNKNOWN_TYPE = "application/octet-stream"

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"

# Written out, because every Python and every system knows others, and a manifest's hash must be
# the same on all of them.
_BY_ENDING = MEDIA_TYPES | {
    "txt": "text/plain", "log": "text/plain", "md": "text/markdown",
    "tsv": "text/tab-separated-values",
    "htm": "text/html", "html": "text/html", "css": "text/css", "js": "text/javascript",
    "eml": "message/rfc822", "ics": "text/calendar", "rtf": "application/rtf",
    "doc": "application/msword", "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": f"{_OFFICE}.wordprocessingml.document", "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "odt": f"{_OPEN}.text", "ods": f"{_OPEN}.spreadsheet", "odp": f"{_OPEN}.presentation",
    "gif": "image/gif", "webp": "image/webp", "heic": "image/heic", "bmp": "image/bmp",
    "tif": "image/tiff", "tiff": "image/tiff", "jpe": "image/jpeg",
    "mov": "video/quicktime", "webm": "video/webm", "avi": "video/x-msvideo",
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/x-wav", "ogg": "audio/ogg",
    "gz": "application/gzip", "tar": "application/x-tar", "7z": "application/x-7z-compressed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file: its name without folders, what it is, and the hash of its content (hex)."""

    name: str
    kind: str
    media_type: str
    size: int
    sha256: str

    def data(self) -> dict[str, str]:
        return {
            "name": self.name,
            "kind": self.kind,
            "media_type": self.media_type,
            "size": str(self.size),
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class Manifest:
    """The evidence for one milestone, sorted by name."""

    files: tuple[EvidenceFile, ...]

    def canonical_json(self) -> bytes:
        """The manifest in its one canonical form (RFC 8785)."""
        return canonical_json({"format": "1", "files": [file.data() for file in self.files]})

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the canonical manifest: `evidenceHash` on chain."""
        return sha256(self.canonical_json())


def manifest(files: Iterable[str | Path]) -> Manifest:
    """The manifest of these files; a folder stands for all files directly in it.

    Raises:
        UsageError: a file cannot be read, none is given, or two have the same name.
    """
    entries: list[EvidenceFile] = []
    for path in _expand([Path(file) for file in files]):
        if any(entry.name == path.name for entry in entries):
            raise UsageError(
                f"two pieces of evidence are called '{path.name}'", hint="rename one of them"
            )
        entries.append(_entry(path))
    if not entries:
        raise UsageError("no evidence is given", hint="name at least one file")
    return Manifest(tuple(sorted(entries, key=lambda entry: entry.name)))


def media_type_of(name: str) -> str:
    """The media type that a file's extension stands for, the same on every machine."""
    return _BY_ENDING.get(Path(name).suffix.lower().removeprefix("."), UNKNOWN_TYPE)


def kind_of(name: str) -> str:
    """ "bill-of-lading-2.pdf" is a `bill_of_lading`."""
    stem = _NUMBERED.sub("", Path(name).stem.lower())
    return re.sub(r"[^a-z0-9]+", "_", stem).strip("_")


def _expand(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                inner
                for inner in path.iterdir()
                if inner.is_file() and not inner.name.startswith(".")
            )
        else:
            yield path


def _entry(path: Path) -> EvidenceFile:
    try:
        size, digest = path.stat().st_size, file_sha256(path)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise UsageError(
            f"the evidence {path} cannot be read ({reason})", hint="check the path"
        ) from error
    return EvidenceFile(path.name, kind_of(path.name), media_type_of(path.name), size, digest)
