"""What a play did: calls, rules, refusals. Counted to prove that nothing was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.invariants.machine.acts import Act, function

_COUNTERS = ("rules", "allowed", "refused", "errors")


@dataclass
class Tally:
    """Counts of one run over many plays."""

    rules: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    plays: int = 0

    @property
    def calls(self) -> int:
        return self.allowed.total() + self.refused.total()

    def count(self, act: Act, error: str | None) -> None:
        (self.allowed if error is None else self.refused)[function(act)] += 1
        if error is not None:
            self.errors[error] += 1

    def add(self, other: Tally) -> None:
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self.plays += other.plays

    def missing(self, wanted: Mapping[str, set[str]]) -> list[str]:
        """What of `wanted` (names by counter) was never counted."""
        return sorted(
            name
            for counter, names in wanted.items()
            for name in names - set(getattr(self, counter))
        )

    def to_json(self) -> dict[str, Any]:
        return {"plays": self.plays, **{name: dict(getattr(self, name)) for name in _COUNTERS}}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Tally:
        return cls(plays=found["plays"], **{name: Counter(found[name]) for name in _COUNTERS})

    def lines(self) -> list[str]:
        """The coverage report."""
        verbs = sorted(set(self.allowed) | set(self.refused))
        return [
            f"{self.calls} calls in {self.plays} plays, {self.allowed.total()} of them allowed",
            f"{len(self.rules)} rules: " + _listed(self.rules),
            "verbs, allowed/refused: "
            + ", ".join(f"{verb} {self.allowed[verb]}/{self.refused[verb]}" for verb in verbs),
            f"{len(self.errors)} errors: " + _listed(self.errors),
        ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name or 'no reason'} {count}" for name, count in sorted(counts.items()))
