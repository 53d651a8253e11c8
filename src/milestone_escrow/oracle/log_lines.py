"""The service's log: a line of JSON for machines, a sentence for people."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

ROOT = "milestone_escrow.oracle"


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, room, text, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "room": record.name.removeprefix(f"{ROOT}."),
            "text": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Sentences(logging.Formatter):
    """The same for a terminal: time, text, and the fields behind it."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = getattr(record, "fields", {})
        said = ", ".join(
            f"{name} {value}" for name, value in fields.items() if value not in ("", None)
        )
        room = record.name.removeprefix(f"{ROOT}.").split(".")[0]
        text = f"{moment}  {room:<10} {record.getMessage()}" + (f" ({said})" if said else "")
        # What comes from outside must not move the cursor or forge a second line.
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


@contextmanager
def logging_to(stream: TextIO, *, as_json: bool, level: int = logging.INFO) -> Iterator[None]:
    """Send the oracle's log to a stream, and nowhere else, until the block ends."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if as_json else Sentences())
    root = logging.getLogger(ROOT)
    before = root.level, root.propagate
    root.addHandler(handler)
    root.setLevel(level)
    root.propagate = False
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.level, root.propagate = before
