"""The bundle as a file: a ZIP whose every byte follows from what is in it.

Nothing is compressed, names are sorted, times are fixed. So the same content is the same file on
every machine, no byte can differ unnoticed, and nothing can grow when it is read.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

from milestone_escrow.errors import DocumentError

MAX_BUNDLE = 512_000_000
MAX_FILES = 20_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}(/[A-Za-z0-9][A-Za-z0-9._-]{0,120}){0,3}")
_TIME = (1980, 1, 1, 0, 0, 0)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as one ZIP."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return stream.getvalue()


def unpack(data: bytes, *, file: str = "bundle") -> dict[str, bytes]:
    """The files of a ZIP that `pack` has written; nothing else is taken for one.

    Raises:
        DocumentError: it is larger than allowed, damaged, compressed, or written differently.
    """
    if len(data) > MAX_BUNDLE:
        raise _refusal(file, f"it has more than {MAX_BUNDLE // 10**6} MB")
    try:
        files = _read(data)
    except Exception as error:  # whatever a forged file makes the library stumble over
        raise _refusal(file, str(error) or "it is damaged") from error
    if pack(files) != data:
        raise _refusal(file, "a byte outside its files was changed, or another tool packed it")
    return files


def _read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_FILES:
            raise ValueError(f"it holds more than {MAX_FILES:,} files")
        names = [entry.filename for entry in entries]
        if len(set(names)) != len(names):
            raise ValueError("it holds a file twice")
        for entry in entries:
            if not _NAME.fullmatch(entry.filename) or ".." in entry.filename:
                raise ValueError(f"'{entry.filename[:60]}' is no name for a file in it")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits:
                raise ValueError(f"'{entry.filename}' is compressed or encrypted")
            if entry.file_size != entry.compress_size:
                raise ValueError(f"'{entry.filename}' has two sizes")
        # Entries that overlap would come out larger than the file that holds them.
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("its files overlap")
        return {entry.filename: archive.read(entry) for entry in entries}


def _refusal(file: str, why: str) -> DocumentError:
    return DocumentError(
        f"is not an audit bundle as it was written: {why}",
        file=file,
        hint="ask for the file again, and compare its SHA-256",
    )
