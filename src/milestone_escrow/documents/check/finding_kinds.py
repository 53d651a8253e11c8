"""What `check` can find: one type for each finding, with what its sentence speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction
from typing import ClassVar, TypeAlias


class Level(str, Enum):
    """How bad a finding is: an error must not be signed, a warning should be understood."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Found:
    code: ClassVar[str]
    level: ClassVar[Level]


@dataclass(frozen=True)
class OfMilestone(Found):
    milestone: str


@dataclass(frozen=True)
class OfRole(Found):
    role: str


@dataclass(frozen=True)
class DatePast(OfMilestone):
    """`due` is None where only the deadline is known."""

    code, level = "date-past", Level.ERROR
    due: date | None


@dataclass(frozen=True)
class DueBeforeDate(OfMilestone):
    code, level = "due-before-date", Level.ERROR
    due: date


@dataclass(frozen=True)
class TwoRoles(OfRole):
    code, level = "two-roles", Level.ERROR
    other: str


class PayeeAlone(OfMilestone):
    code, level = "payee-alone", Level.ERROR


@dataclass(frozen=True)
class KnownKey(OfRole):
    code, level = "test-key", Level.ERROR
    name: str


class KnownKeyInTest(KnownKey):
    """On a test network it may be meant."""

    level = Level.WARNING


@dataclass(frozen=True)
class NoChecksum(OfRole):
    code, level = "no-checksum", Level.NOTE
    account: str


@dataclass(frozen=True)
class ShortPeriod(Found):
    """`field` is the rule's name in the file, `period` in seconds."""

    code, level = "short-window", Level.WARNING
    field: str
    period: int


class NoObjection(Found):
    code, level = "no-objection", Level.NOTE


@dataclass(frozen=True)
class ObjectsBeforeDue(OfMilestone):
    """`room` is the time in seconds between due date and deadline; so it is of the next two."""

    code, level = "objects-before-due", Level.NOTE
    room: int


@dataclass(frozen=True)
class ShortRefund(OfMilestone):
    code, level = "short-window", Level.WARNING
    room: int


@dataclass(frozen=True)
class ShortProof(OfMilestone):
    code, level = "short-proof", Level.NOTE
    room: int


@dataclass(frozen=True)
class WeakQuorum(OfMilestone):
    code, level = "weak-quorum", Level.WARNING
    quorum: int
    verifiers: int
    majority: int


class OnlyBuyer(OfMilestone):
    code, level = "only-buyer", Level.WARNING


class UnusedVerifier(OfRole):
    code, level = "unused-verifier", Level.WARNING


@dataclass(frozen=True)
class NoArbiter(Found):
    """`back` in basis points: what the buyer alone can take back by objecting."""

    code, level = "no-arbiter", Level.WARNING
    back: int


@dataclass(frozen=True)
class ManyMilestones(Found):
    code, level = "many-milestones", Level.WARNING
    count: int
    at_most: int


@dataclass(frozen=True)
class LargeDeposit(Found):
    code, level = "large-deposit", Level.WARNING
    share: Fraction


class NoClauses(Found):
    code, level = "no-clauses", Level.NOTE


class Lack(Enum):
    """What a milestone does not say."""

    REQUIREMENTS = "requires"
    RESPONSIBLE = "responsible"
    DUE = "due"
    TITLE = "title"


@dataclass(frozen=True)
class Vague(OfMilestone):
    code, level = "vague", Level.WARNING
    lack: Lack
    title: str


class SupplierEvidence(OfMilestone):
    code, level = "supplier-evidence", Level.WARNING


class OwnEvidence(OfMilestone):
    code, level = "own-evidence", Level.NOTE


@dataclass(frozen=True)
class WrongOrder(OfMilestone):
    code, level = "order", Level.WARNING
    first: str
    due: date


@dataclass(frozen=True)
class TermsRefused(Found):
    code, level = "terms", Level.ERROR
    reason: str


@dataclass(frozen=True)
class UnknownToken(Found):
    """`symbol` is not among the tokens whose decimals are known."""

    code, level = "unknown-token", Level.WARNING
    symbol: str
    decimals: int


class NoTaxId(Found):
    code, level = "no-tax-id", Level.WARNING


class NoAddress(OfRole):
    code, level = "no-address", Level.WARNING


@dataclass(frozen=True)
class VatOnTop(Found):
    """`tax` in token units."""

    code, level = "vat-on-top", Level.NOTE
    tax: int


FindingKind: TypeAlias = (
    DatePast | DueBeforeDate | TwoRoles | PayeeAlone | KnownKey | NoChecksum | ShortPeriod
    | NoObjection | ObjectsBeforeDue | ShortRefund | ShortProof | WeakQuorum | OnlyBuyer
    | UnusedVerifier | NoArbiter | ManyMilestones | LargeDeposit | NoClauses | Vague
    | SupplierEvidence | OwnEvidence | WrongOrder | TermsRefused | NoTaxId | NoAddress | VatOnTop
    | UnknownToken
)  # fmt: skip
