"""Writing a file at once or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from milestone_escrow.errors import DocumentError


def write_private(path: Path, data: bytes) -> None:
    """Replace a file's content atomically, readable for its owner only (0600).

    Raises:
        DocumentError: the folder cannot be written to; the old content stays.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        reason = error.strerror or "failed"
        raise DocumentError(
            f"cannot be written ({reason})", file=str(path), hint="choose another folder"
        ) from error
