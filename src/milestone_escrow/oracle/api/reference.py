"""Writes docs/openapi.json: `python -m milestone_escrow.oracle.api.reference` prints it."""

from __future__ import annotations

import json
import sys

from milestone_escrow.oracle.api import openapi
from milestone_escrow.oracle.api.app import bare


def text() -> str:
    """The same for every service, so it needs none."""
    found = openapi.document(bare())
    return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
