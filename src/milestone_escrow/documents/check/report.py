"""What `check` finds, as types: findings, who alone can do what, silence, exposure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Level(str, Enum):
    """How bad a finding is: an error must not be signed, a warning should be understood."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a careful reader would say; `where` is the field, `line` 0 if unknown."""

    level: Level
    code: str
    where: str
    text: str
    fix: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who can cause a payment or a refund; `alone` means with nobody else's help."""

    who: str
    how: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Power:
    """Who can cause a milestone's payment, and who its refund."""

    milestone: str
    payment: tuple[Actor, ...]
    refund: tuple[Actor, ...]

    @property
    def pays_alone(self) -> tuple[str, ...]:
        return tuple(actor.who for actor in self.payment if actor.alone)

    @property
    def refunds_alone(self) -> tuple[str, ...]:
        return tuple(actor.who for actor in self.refund if actor.alone)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one milestone comes to: `at` is Unix seconds, 0 where it depends on an act.

    Amounts are token units. `text` says the same in a sentence.
    """

    milestone: str
    at: int
    to_payee: int
    to_buyer: int
    text: str


@dataclass(frozen=True, slots=True)
class SilenceOf:
    """What happens if this role never acts: buyer, supplier, a verifier, arbiter, everybody."""

    role: str
    name: str
    text: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class ExposurePoint:
    """Where both sides stand at a moment, if all goes to plan. Amounts are token units.

    Attributes:
        paid: what has left the contract to the supplier.
        worth: the value of the work that is due by then, as a share of the price.
        held: what still waits in the contract, if everything was funded at the start.
        buyer: paid ahead of work, which no contract can bring back.
        supplier: worked ahead of pay, which `held` secures only where it is funded.
    """

    at: int
    event: str
    paid: int
    worth: int
    held: int
    buyer: int
    supplier: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `check` says about an agreement at a time.

    `settled_by` is when the last money leaves the contract if nobody ever acts.
    """

    reference: str
    title: str
    at: int
    timezone: str
    symbol: str
    decimals: int
    findings: tuple[Finding, ...]
    who_alone: tuple[Power, ...]
    exposure: tuple[ExposurePoint, ...]
    silence: tuple[SilenceOf, ...]
    settled_by: int

    @property
    def errors(self) -> tuple[Finding, ...]:
        return self._of(Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return self._of(Level.WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        return self._of(Level.NOTE)

    @property
    def ok(self) -> bool:
        """Whether it may be signed: no errors."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """For machines; amounts are text, because JSON numbers lose digits."""
        return {"ok": self.ok, **_jsonable(asdict(self))}

    def _of(self, level: Level) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is level)


_AMOUNTS = frozenset({"paid", "worth", "held", "buyer", "supplier", "to_payee", "to_buyer"})


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: str(inner) if name in _AMOUNTS else _jsonable(inner)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_jsonable(inner) for inner in value]
    return value.value if isinstance(value, Enum) else value
