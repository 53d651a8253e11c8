"""What was learnt of a node and a contract that saves asking again."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.hexes import hexed

# How many answers of one width make a wider question worth a try, after a refusal.
PATIENCE = 16


@dataclass(slots=True)
class Width:
    """How many blocks to ask for logs of: halved when the node refuses, doubled when it answers;
    after a refusal only once it has answered a while, so that a fixed limit is not hit for ever."""

    blocks: int = sys.maxsize
    widest: int = sys.maxsize
    wait: int = 0

    def answered(self, asked: int) -> None:
        if asked < self.blocks:
            return
        self.wait -= 1
        if self.wait < 0:
            self.blocks, self.wait = min(2 * self.blocks, self.widest), 0

    def shrink(self, asked: int) -> bool:
        """Half of what was asked; False where that was one block already."""
        self.blocks, self.wait = max(asked // 2, 1), PATIENCE
        return asked > 1


@dataclass
class Landmarks:
    """How wide a question the node takes, and which blocks opened agreements.

    Only ever a shortcut: an opening that is not found at its block is looked for everywhere.
    """

    width: Width = field(default_factory=Width)
    opened: dict[bytes, int] = field(default_factory=dict)

    def mark(self, agreement_id: bytes, block: int) -> None:
        """Remember the block that opened an agreement."""
        self.opened[agreement_id] = block

    def learnt(self) -> None:
        """Called when something was read, for whoever keeps landmarks from run to run."""


class KeptLandmarks(Landmarks):
    """Landmarks in a file, one for each contract; widths are by node. A file that cannot be read
    or written costs time and nothing else."""

    def __init__(self, file: Path, host: str) -> None:
        widths, opened = _read(file)
        known = widths.get(host)
        super().__init__(Width(known, wait=PATIENCE) if known else Width(), opened)
        self._file = file
        self._host = host
        self._widths = widths
        self._kept = self._text()

    def learnt(self) -> None:
        if self.width.blocks < sys.maxsize:
            self._widths[self._host] = self.width.blocks
        text = self._text()
        if text == self._kept:
            return
        self._kept = text
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, text.encode())
        except (OSError, EscrowError):
            return

    def _text(self) -> str:
        opened = {hexed(key): block for key, block in sorted(self.opened.items())}
        return json.dumps({"opened": opened, "width": self._widths}, indent=2) + "\n"


def _read(file: Path) -> tuple[dict[str, int], dict[bytes, int]]:
    """Widths and openings; nothing where the file is missing or is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
        widths = {str(host): int(width) for host, width in found["width"].items()}
        opened = {bytes.fromhex(key[2:]): int(block) for key, block in found["opened"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}, {}
    if any(width < 1 for width in widths.values()) or any(at < 0 for at in opened.values()):
        return {}, {}
    return widths, opened
