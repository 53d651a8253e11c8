"""What a running sandbox tells other terminals: a small file in the state folder.

A file whose process is gone says nothing: a sandbox that was killed could not remove it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.errors import EscrowError


@dataclass(frozen=True, slots=True)
class Record:
    """Where the sandbox is; `token` is its test USDC."""

    url: str
    pid: int
    chain_id: int
    contract: str
    token: str

    def write(self, path: Path) -> None:
        """Keep it where only its owner reads it, whole or not at all."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EscrowError(
                f"{path.parent} cannot be created ({error.strerror})",
                hint="set ESCROW_HOME to another folder",
            ) from error
        write_private(path, (json.dumps(asdict(self), indent=2) + "\n").encode())

    def answers(self) -> bool:
        """Whether something listens there: process numbers are used again, in containers soon."""
        parts = urlsplit(self.url)
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1):
                return True
        except (OSError, ValueError):
            return False

    def remove(self, path: Path) -> None:
        """Take it away, unless another sandbox has written its own meanwhile."""
        if read_record(path) == self:
            path.unlink(missing_ok=True)


def read_record(path: Path) -> Record | None:
    """The sandbox that runs now, or None."""
    try:
        found = json.loads(path.read_bytes())
        record = Record(**{field.name: found[field.name] for field in fields(Record)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if isinstance(record.pid, int) and is_alive(record.pid) else None


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs on this machine."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        # There, signal 0 is no question but an interruption.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Somebody else's process: it runs.
        return True
    return True
