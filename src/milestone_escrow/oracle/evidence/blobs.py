"""Content by its SHA-256, in a folder or wherever fsspec reaches: written whole or not at all,
checked whenever it is read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from milestone_escrow.errors import StoreError, UsageError
from milestone_escrow.oracle.store.failpoints import failpoint

CHUNK = 1 << 20
SPOOLED = 4 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """Content that is kept, by its SHA-256 and its size in bytes."""

    sha256: bytes
    size: int


class Blobs(Protocol):
    """A place for content. Errors are StoreError."""

    def put(self, chunks: Iterable[bytes], check: Callable[[Blob], None]) -> Blob:
        """Keep content. `check` may still refuse it when all of it has been seen."""
        ...

    def read(self, sha256: bytes) -> IO[bytes]:
        """The content, verified in full before the first byte is handed out."""
        ...


def open_blobs(where: str | Path) -> Blobs:
    """A folder, also as file://, or any other address that fsspec understands.

    Raises:
        UsageError: no such address can be used here.
    """
    if isinstance(where, Path) or "://" not in where:
        return Folder(Path(where).expanduser())
    if urlsplit(where).scheme == "file":
        return Folder(Path(unquote(urlsplit(where).path)))
    return Remote.at(where)


class Folder:
    """A folder that only its owner reads: `ab/abcd…` for each content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"Folder({self.root})"

    def put(self, chunks: Iterable[bytes], check: Callable[[Blob], None]) -> Blob:
        with self._telling("written"):
            self._private(self.root)
            descriptor, name = tempfile.mkstemp(dir=self.root, prefix=".new-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                blob = self._copy(chunks, stream)
                check(blob)
            failpoint("evidence.written")
            with self._telling("written"):
                final = self._path(blob.sha256)
                self._private(final.parent)
                temporary.replace(final)
                _sync(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return blob

    def read(self, sha256: bytes) -> IO[bytes]:
        path = self._path(sha256)
        if not path.is_file():
            raise _gone(sha256)
        with self._telling("read"), path.open("rb") as stream:
            return _verified(_pieces(stream), sha256)

    def _copy(self, chunks: Iterable[bytes], stream: IO[bytes]) -> Blob:
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            with self._telling("written"):
                stream.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        with self._telling("written"):
            stream.flush()
            os.fsync(stream.fileno())
        return Blob(digest.digest(), size)

    def _path(self, sha256: bytes) -> Path:
        return self.root / sha256.hex()[:2] / sha256.hex()

    @staticmethod
    def _private(folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    @contextlib.contextmanager
    def _telling(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"evidence cannot be {done} in {self.root} ({error.strerror or 'failed'})",
                hint="name another place under [evidence] in oracle.toml",
            ) from error


class Remote:
    """An object store, or whatever else fsspec reaches."""

    def __init__(self, files: Any, root: str, name: str) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self._name = name

    def __repr__(self) -> str:
        return f"Remote({self._name})"

    @classmethod
    def at(cls, url: str) -> Remote:
        """See `open_blobs`."""
        import fsspec

        scheme = urlsplit(url).scheme
        try:
            files, root = fsspec.core.url_to_fs(url)
        # fsspec imports a driver for each scheme, which may fail in any way.
        except Exception as error:
            raise UsageError(
                f"evidence cannot be kept at {scheme}:// ({type(error).__name__})",
                hint="install the fsspec driver for it, as s3fs for s3://",
            ) from None
        # Never the whole address: it may hold a key.
        return cls(files, root, f"{scheme}://{urlsplit(url).hostname or ''}")

    def put(self, chunks: Iterable[bytes], check: Callable[[Blob], None]) -> Blob:
        digest, size = hashlib.sha256(), 0
        temporary = f"{self._root}/new/{secrets.token_hex(16)}"
        with self._telling("written"):
            self._files.makedirs(f"{self._root}/new", exist_ok=True)
        try:
            with self._telling("written"), self._files.open(temporary, "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            blob = Blob(digest.digest(), size)
            check(blob)
            failpoint("evidence.written")
            with self._telling("written"):
                self._files.makedirs(self._path(blob.sha256).rpartition("/")[0], exist_ok=True)
                self._files.mv(temporary, self._path(blob.sha256))
        finally:
            with contextlib.suppress(Exception):
                if self._files.exists(temporary):
                    self._files.rm(temporary)
        return blob

    def read(self, sha256: bytes) -> IO[bytes]:
        with self._telling("read"):
            if not self._files.exists(self._path(sha256)):
                raise _gone(sha256)
            with self._files.open(self._path(sha256), "rb") as stream:
                return _verified(_pieces(stream), sha256)

    def _path(self, sha256: bytes) -> str:
        return f"{self._root}/{sha256.hex()[:2]}/{sha256.hex()}"

    @contextlib.contextmanager
    def _telling(self, done: str) -> Iterator[None]:
        try:
            yield
        except (StoreError, UsageError):
            raise
        # Each driver has errors of its own.
        except Exception as error:
            raise StoreError(
                f"evidence cannot be {done} at {self._name} ({type(error).__name__})",
                hint="check that the place can be reached, and the right to write there",
            ) from None


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _verified(chunks: Iterable[bytes], sha256: bytes) -> IO[bytes]:
    """A private copy of the content, once all of it has been found to be what it should be."""
    copy: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        copy.write(chunk)
    if digest.digest() != sha256:
        copy.close()
        raise StoreError(
            f"the evidence {sha256.hex()[:12]}… is damaged where it is kept, and is not handed out",
            hint="restore it from a copy, or ask who supplied it to hand it in again",
        )
    copy.seek(0)
    return copy


def _gone(sha256: bytes) -> StoreError:
    return StoreError(
        f"the evidence {sha256.hex()[:12]}… is not where it should be kept",
        hint="restore it from a copy, or ask who supplied it to hand it in again",
    )


def _sync(folder: Path) -> None:
    """Make the new name last, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
