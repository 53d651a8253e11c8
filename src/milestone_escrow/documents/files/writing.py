"""Writing a file at once or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from milestone_escrow.errors import EscrowError


def write_private(path: Path, data: bytes | Iterable[bytes], *, fresh: bool = False) -> None:
    """Replace a file's content atomically, readable for its owner only (0600).

    A `fresh` file must not be there yet: its name is taken first, so that of two who write it at
    the same time one is refused.

    Raises:
        EscrowError: it is there already, or cannot be written; what was there stays.
    """
    taken: list[Path] = []
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        taken.append(Path(name))
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines([data] if isinstance(data, bytes) else data)
            stream.flush()
            os.fsync(stream.fileno())
        if fresh:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            taken.append(path)
        Path(name).replace(path)
    except OSError as error:
        for one in taken:
            with suppress(OSError):
                one.unlink()
        is_there = isinstance(error, FileExistsError)
        what = "exists already" if is_there else f"cannot be written ({error.strerror or 'failed'})"
        raise EscrowError(
            f"{path} {what}", hint="name another file" if is_there else "choose another folder"
        ) from error
