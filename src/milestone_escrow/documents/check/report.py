"""What `check` finds, as types: findings, who alone can do what, silence, exposure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.finding_kinds import FindingKind, Level
from milestone_escrow.documents.source import Where, field_name


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a careful reader would say; `where` is the field, `line` 0 if unknown.

    `others` are milestones of the same entry of which exactly the same is to be said.
    """

    kind: FindingKind
    where: str
    line: int = 0
    others: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def level(self) -> Level:
        return self.kind.level


def finding(agreement: AgreementData, where: Where, kind: FindingKind) -> Finding:
    return Finding(kind, field_name(where), agreement.source.line(where))


class Means(Enum):
    """By what somebody causes a payment or a refund; in brackets, which field tells more."""

    FUNDING = "funding a deposit"
    APPROVING = "approving"
    ACCEPTING = "accepting"
    OWN_VERIFIER = "a verifier's account of its own"
    SUBMITTING = "submitting (period)"
    PAID_IN_TIME = "silence (at)"
    PAID_UNLESS_SPOKEN = "silence of verifiers, too (at)"
    DISPUTING = "disputing before the deadline (share)"
    GIVING_BACK = "giving back"
    REJECTING = "rejecting (period)"
    REJECTING_FOR_GOOD = "rejecting where nobody can dispute (period)"
    REFUNDED_IN_TIME = "nothing being proven (at)"
    OBJECTING = "objecting (share)"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who can cause a payment or a refund; `alone` means with nobody else's help.

    `period` in seconds, `at` Unix seconds, `share` in basis points, where the means has it.
    """

    who: str
    means: Means
    alone: bool
    period: int = 0
    at: int = 0
    share: int = 0


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


class Course(Enum):
    """Which way a milestone goes when somebody is silent."""

    UNFUNDED = "nobody funds it"
    FUNDED = "a deposit, paid as soon as it is funded"
    ACCEPTED = "paid some time after its verifiers accepted"
    SUBMITTED = "paid some time after it was submitted"
    CLOCK = "time decides"
    DISPUTE = "time decides, after a dispute before a verdict"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one milestone comes to: `at` is Unix seconds, 0 where it depends on an act.

    Amounts are token units, `wait` is seconds after that act.
    """

    milestone: str
    course: Course
    at: int
    to_payee: int
    to_buyer: int
    wait: int = 0
    verified_by: str = ""


class Silent(Enum):
    """Who never acts."""

    BUYER = "buyer"
    SUPPLIER = "supplier"
    VERIFIER = "verifier"
    VERIFIERS = "verifiers"
    ARBITER = "arbiter"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class SilenceOf:
    """What happens if this role never acts: buyer, supplier, a verifier, arbiter, everybody.

    Attributes:
        name: the person's or company's; "" of several.
        deposits: token units that a silent supplier has already.
        others: milestones that a silent verifier's colleagues can still certify.
    """

    who: Silent
    role: str
    name: str
    outcomes: tuple[Outcome, ...]
    deposits: int = 0
    silence_pays: bool = False
    others: tuple[str, ...] = ()


class Move(Enum):
    """What somebody does to a funded milestone before everybody is silent."""

    CERTIFIED = "a part is certified"
    REJECTED = "it is rejected"
    SUBMITTED = "it is submitted"
    NOTHING = "nobody does anything"
    CERTIFIED_DISPUTED = "a part is certified, and disputed"
    REJECTED_DISPUTED = "it is rejected, and disputed"
    SUBMITTED_DISPUTED = "it is submitted, and disputed"
    DISPUTED = "it is disputed before anybody decides"

    @property
    def is_disputed(self) -> bool:
        return self.name.endswith("DISPUTED")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves a milestone, in token units: at Unix seconds, or where `at` is 0 `wait` seconds
    after the act."""

    at: int
    wait: int
    to_payee: int
    to_buyer: int


@dataclass(frozen=True, slots=True)
class Play:
    """An act, who objects to it, "" where nobody does, and what time alone pays from there.

    `part` is how much of the milestone a certificate accepts, in per cent.
    """

    move: Move
    part: int
    verified_by: str
    objector: str
    has_arbiter: bool
    due: tuple[Leaving, ...]


@dataclass(frozen=True, slots=True)
class Plays:
    """A milestone's plays, and by when its money has left whatever anybody does, Unix seconds."""

    milestone: str
    plays: tuple[Play, ...]
    latest: int


class Warned(Enum):
    """What surprises people about a milestone; in brackets, which field tells more."""

    REST_WAITS = "a rest waits even where nobody can object (period)"
    NO_CORRECTION = "verifiers cannot correct themselves after the deadline"
    REFUNDS_COUNT = "what was given back counts as certified"
    ONLY_UNSPOKEN = "silence pays only where verifiers never decided"
    HELD_UP = "the buyer can hold up a submission"
    REST_TO_BUYER = "a disputed submission after a certificate goes to the buyer"
    LATE_FUNDING = "funding late leaves less time to object"


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something that surprises people, and the milestones of which it is so; seconds."""

    what: Warned
    milestones: tuple[str, ...]
    period: int


@dataclass(frozen=True, slots=True)
class ExposurePoint:
    """Where both sides stand at a moment, if all goes to plan. Amounts are token units.

    Attributes:
        is_payment: whether the milestone is paid then; otherwise its work is due.
        paid: what has left the contract to the supplier.
        worth: the value of the work that is due by then, as a share of the price.
        held: what still waits in the contract, if everything was funded at the start.
        buyer: paid ahead of work, which no contract can bring back.
        supplier: worked ahead of pay, which `held` secures only where it is funded.
    """

    at: int
    milestone: str
    is_payment: bool
    paid: int
    worth: int
    held: int
    buyer: int
    supplier: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `check` says about an agreement at a time.

    `settled_by` is when the last money leaves the contract if nobody ever acts; `supplier` and
    `buyer` are their short names.
    """

    reference: str
    title: str
    at: int
    timezone: str
    symbol: str
    decimals: int
    supplier: str
    buyer: str
    findings: tuple[Finding, ...]
    who_alone: tuple[Power, ...]
    exposure: tuple[ExposurePoint, ...]
    silence: tuple[SilenceOf, ...]
    plays: tuple[Plays, ...]
    caveats: tuple[Caveat, ...]
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

    def _of(self, level: Level) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is level)
