"""Content by its hash: written whole or not at all, never handed out damaged."""

from __future__ import annotations

import hashlib
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.errors import StoreError, UsageError
from milestone_escrow.oracle.evidence.blobs import Blob, Blobs, Folder, Remote, open_blobs
from milestone_escrow.oracle.store import failpoints

CONTENT = b"a bill of lading" * 1_000
DIGEST = hashlib.sha256(CONTENT).digest()


def anything(blob: Blob) -> None:
    """Whatever came is fine."""


def pieces(content: bytes = CONTENT) -> Iterator[bytes]:
    for start in range(0, len(content), 999):
        yield content[start : start + 999]


@pytest.fixture(params=["folder", "file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    where = {
        "folder": str(tmp_path / "evidence"),
        "file": (tmp_path / "with space").as_uri(),
        "memory": f"memory://{uuid.uuid4().hex}/evidence",
    }
    return open_blobs(where[request.param])


def test_gives_back_what_was_put_in(blobs: Blobs) -> None:
    assert blobs.put(pieces(), anything) == Blob(DIGEST, len(CONTENT))
    assert blobs.put(pieces(), anything) == Blob(DIGEST, len(CONTENT))
    with blobs.read(DIGEST) as stream:
        assert stream.read() == CONTENT


def test_says_what_is_not_there(blobs: Blobs) -> None:
    with pytest.raises(StoreError, match="not where it should be kept"):
        blobs.read(DIGEST)


def test_keeps_nothing_that_is_refused_or_breaks_off(blobs: Blobs) -> None:
    def refuse(blob: Blob) -> None:
        raise UsageError("no")

    def breaking() -> Iterator[bytes]:
        yield CONTENT
        raise ConnectionError("gone")

    with pytest.raises(UsageError, match="no"):
        blobs.put(pieces(), refuse)
    with pytest.raises((ConnectionError, StoreError)):
        blobs.put(breaking(), anything)
    with pytest.raises(StoreError):
        blobs.read(DIGEST)


def test_a_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    root = tmp_path / "evidence"
    Folder(root).put(pieces(), anything)
    (blob,) = (path for path in root.rglob("*") if path.is_file())
    assert blob == root / DIGEST.hex()[:2] / DIGEST.hex()
    assert stat.S_IMODE(blob.stat().st_mode) == 0o600
    for directory in (root, blob.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], b"A" + CONTENT[1:], CONTENT + b"x"])
def test_damaged_content_is_never_handed_out_and_can_be_healed(
    tmp_path: Path, damage: bytes
) -> None:
    folder = Folder(tmp_path / "evidence")
    folder.put(pieces(), anything)
    path = folder.root / DIGEST.hex()[:2] / DIGEST.hex()
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="damaged where it is kept"):
        folder.read(DIGEST)
    folder.put(pieces(), anything)
    with folder.read(DIGEST) as stream:
        assert stream.read() == CONTENT


def test_a_damaged_object_is_not_handed_out_either() -> None:
    remote = open_blobs(f"memory://{uuid.uuid4().hex}")
    assert isinstance(remote, Remote)
    remote.put(pieces(), anything)
    with remote._files.open(remote._path(DIGEST), "wb") as stream:
        stream.write(CONTENT[1:])
    with pytest.raises(StoreError, match="damaged"):
        remote.read(DIGEST)


def test_killed_before_the_rename_leaves_nothing_that_is_found(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        assert name == "evidence.written"
        raise Killed

    folder = Folder(tmp_path / "evidence")
    failpoints.set_hook(kill)
    with pytest.raises(Killed):
        folder.put(pieces(), anything)
    failpoints.set_hook(None)
    with pytest.raises(StoreError):
        folder.read(DIGEST)
    assert folder.put(pieces(), anything).sha256 == DIGEST


def test_a_place_that_cannot_be_used_is_named_without_its_secrets(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        open_blobs("nosuch://key:secret@bucket/evidence?token=secret")
    assert "secret" not in str(refused.value)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        Folder(tmp_path / "file" / "evidence").put(pieces(), anything)
