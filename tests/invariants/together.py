"""What the shards of the state machine did together, whichever process ran them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.invariants.machine.run import SHARDS, wanted
from tests.invariants.machine.tally import Tally


def together(shards: Sequence[str]) -> Tally:
    """The sum of what each shard counted, given as JSON."""
    total = Tally()
    for tally in shards:
        total.add(Tally.from_json(json.loads(tally)))
    return total


def missing(shards: Sequence[str]) -> list[str]:
    """What no shard met; nothing is said where not all of them ran."""
    return together(shards).missing(wanted()) if len(shards) == SHARDS else []
