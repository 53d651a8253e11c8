"""The manifest of a milestone's evidence, the same as `escrow attest --evidence` makes of the same
files: what an attestation commits to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.documents.manifest import EvidenceFile, Manifest


class Listed(Protocol):
    """A file as the store and the policies know it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> bytes: ...


def manifest_files(files: Iterable[Listed]) -> Manifest:
    """The manifest of these files, sorted by name."""
    entries = [EvidenceFile(f.name, f.kind, f.media_type, f.size, f.sha256.hex()) for f in files]
    return Manifest(tuple(sorted(entries, key=lambda entry: entry.name)))


def manifest_hash(manifest: Manifest) -> bytes:
    """`evidenceHash` of an attestation on this evidence; zero where there is none."""
    return words_hash(words_of(manifest))


AnyListed = TypeVar("AnyListed", bound=Listed)


def committed_files(
    files: Sequence[AnyListed], evidence_hash: bytes
) -> tuple[AnyListed, ...] | None:
    """Those that a hash commits to: all, or the first few, as the list was when it was signed.

    None where it commits to something else.
    """
    for count in range(len(files), -1, -1):
        if manifest_hash(manifest_files(files[:count])) == evidence_hash:
            return tuple(files[:count])
    return None
