"""What the fields of a file mean together: who verifies what, and when silence decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from milestone_escrow.documents.model import AgreementFile
from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    OtherRequired,
    leaves,
    requirements_hash,
)
from milestone_escrow.documents.requirements.language import (
    KnownNames,
    RequirementError,
    read_requirements,
)
from milestone_escrow.documents.schedule import WrittenMilestone
from milestone_escrow.documents.source import Source, Where, suggest
from milestone_escrow.documents.values import OnDate, PastDue
from milestone_escrow.documents.vat import Vat
from milestone_escrow.documents.when import CalendarPeriod, end_of_day
from milestone_escrow.protocol.eip712 import ZERO_HASH

DEFAULT_REFUND = PastDue(CalendarPeriod(days=30))
DEFAULT_PAYMENT = PastDue(CalendarPeriod())


@dataclass(frozen=True, slots=True)
class PlannedMilestone:
    """A milestone as people see it.

    Attributes:
        index: its place on chain, from 0; people use `key`.
        amount: token units, after retainage was withheld; in a change order only what is left.
        withheld: token units that were withheld and are released by later milestones.
        due: the day that people work to; None for a deposit, or where only a deadline is given.
        due_at: the end of that day, Unix seconds, 0 where there is none.
        deadline: when silence decides, Unix seconds; 0 for a deposit.
        verifiers: the names of those who may sign for it; `quorum` of them must.
        where: its path in the file's tree; `line` is 0 where there is no file.
        decided: token units that had left it before a change order, all where it stays behind.
        supplier_evidence: whether what only the supplier shows is enough, as both signed.
        vat: the tax on it, None where the agreement says nothing about that.
        cost_centre: what it is booked on; empty where nothing is said.
    """

    index: int
    key: str
    title: str
    amount: int
    withheld: int
    due: date | None
    due_at: int
    deadline: int
    pays_on_silence: bool
    responsible: str
    verifiers: tuple[str, ...]
    quorum: int
    requirements: AllRequired
    requirements_hash: bytes
    description: str
    where: Where
    line: int
    decided: int = 0
    supplier_evidence: bool = False
    vat: Vat | None = None
    cost_centre: str = ""

    @property
    def other_kinds(self) -> tuple[str, ...]:
        """The kinds of requirements in it that other packages bring."""
        found = (leaf.kind for leaf in leaves(self.requirements) if isinstance(leaf, OtherRequired))
        return tuple(dict.fromkeys(found))

    @property
    def whole(self) -> int:
        """What it pays over all versions of the agreement."""
        return self.amount + self.decided

    @property
    def is_deposit(self) -> bool:
        return self.deadline == 0

    @property
    def verified_by(self) -> str:
        """ "2 of forwarder, bank"; empty where nobody verifies."""
        if not self.quorum:
            return ""
        if len(self.verifiers) == 1:
            return self.verifiers[0]
        return f"{self.quorum} of {', '.join(self.verifiers)}"


def resolve(
    source: Source, model: AgreementFile, drafts: Sequence[WrittenMilestone]
) -> tuple[PlannedMilestone, ...]:
    """Resolve every draft against parties and rules.

    Raises:
        DocumentError: a name that does not exist, a date that is missing, a quorum too large.
    """
    resolver = _Resolver(source, model, tuple(draft.key for draft in drafts))
    milestones = tuple(resolver.milestone(index, draft) for index, draft in enumerate(drafts))
    _refuse_circles(source, drafts, milestones)
    return milestones


class _Resolver:
    def __init__(self, source: Source, model: AgreementFile, keys: tuple[str, ...]) -> None:
        self.source = source
        self.model = model
        self.verifiers = tuple(model.parties.verifiers)
        arbiter = ("arbiter",) if model.parties.arbiter else ()
        self.parties = ("buyer", "supplier", *self.verifiers, *arbiter)
        self.names = KnownNames(self.parties, self.verifiers, keys, is_signed=source.is_signed)

    def milestone(self, index: int, draft: WrittenMilestone) -> PlannedMilestone:
        zone, stage = self.model.timezone, draft.stage
        verifiers: tuple[str, ...] = ()
        quorum, requirements = 0, AllRequired(())
        pays_on_silence, deadline = True, 0
        if not draft.is_deposit:
            verifiers, quorum = self.quorum(draft)
            requirements = self.requirements(draft)
            pays_on_silence = self.pays_on_silence(draft)
            deadline = self.deadline(draft, pays_on_silence, zone)
        return PlannedMilestone(
            index=index,
            key=draft.key,
            title=draft.title,
            amount=draft.amount,
            withheld=draft.withheld,
            due=draft.due,
            due_at=end_of_day(draft.due, zone) if draft.due else 0,
            deadline=deadline,
            pays_on_silence=pays_on_silence,
            responsible=self.responsible(draft),
            verifiers=verifiers,
            quorum=quorum,
            requirements=requirements,
            requirements_hash=requirements_hash(requirements) if requirements.items else ZERO_HASH,
            description=stage.description or "",
            where=draft.where,
            line=self.source.line(draft.where),
            supplier_evidence=bool(stage.supplier_evidence),
            vat=stage.vat or self.model.payment.vat,
            cost_centre=stage.cost_centre or "",
        )

    def responsible(self, draft: WrittenMilestone) -> str:
        name = draft.stage.responsible
        if name is not None and name not in self.parties:
            raise self.source.error(
                (*draft.where, "responsible"),
                f"'{name}' is not a party of the agreement",
                suggest(name, self.parties),
            )
        return name or ""

    def quorum(self, draft: WrittenMilestone) -> tuple[tuple[str, ...], int]:
        own = draft.stage.verified_by
        where = (*draft.where, "verified_by") if own else ("rules", "verified_by")
        with self.source.at(where):
            return (own or self.model.rules.verified_by).resolve(self.verifiers)

    def requirements(self, draft: WrittenMilestone) -> AllRequired:
        if draft.stage.requires is None:
            return AllRequired(())
        where: Where = (*draft.where, "requires")
        try:
            return read_requirements(draft.stage.requires, self.names)
        except RequirementError as error:
            inside = error.where if isinstance(draft.stage.requires, list) else error.where[1:]
            raise self.source.error((*where, *inside), error.message, error.hint) from error

    def pays_on_silence(self, draft: WrittenMilestone) -> bool:
        own = draft.stage.if_nothing_proven
        answer = self.model.rules.if_nothing_proven if own is None else own
        if answer is None:
            raise self.source.error(
                draft.where,
                "does not say who is paid when nothing is proven",
                "add `if_nothing_proven: refund buyer` or `pay supplier` to rules",
            )
        return answer

    def deadline(self, draft: WrittenMilestone, pays: bool, zone: ZoneInfo) -> int:
        field, other = ("pays_after", "refund_after") if pays else ("refund_after", "pays_after")
        if getattr(draft.stage, other) is not None:
            silence = "pays the supplier" if pays else "refunds the buyer"
            raise self.source.error(
                (*draft.where, other), f"does not apply: silence {silence}", f"write {field}"
            )
        own = getattr(draft.stage, field)
        where = (*draft.where, field) if own else ("rules", field)
        rule = own or getattr(self.model.rules, field)
        rule = rule or (DEFAULT_PAYMENT if pays else DEFAULT_REFUND)
        if isinstance(rule, OnDate):
            if draft.due and rule.day < draft.due:
                raise self.source.error(
                    where,
                    f"{rule.day} lies before the due date {draft.due} of '{draft.key}'",
                    f"write {draft.due} or later, or 30 days past due",
                )
            return rule.deadline(draft.due, zone)
        if draft.due is None:
            raise self.source.error(
                (*draft.where, "due"), "is missing", "add `due: 2027-03-15` (year-month-day)"
            )
        return int(rule.deadline(draft.due, zone))


def _refuse_circles(
    source: Source, drafts: Sequence[WrittenMilestone], milestones: Sequence[PlannedMilestone]
) -> None:
    after: Mapping[str, list[str]] = {
        milestone.key: [
            leaf.milestone
            for leaf in leaves(milestone.requirements)
            if isinstance(leaf, AfterRequired)
        ]
        for milestone in milestones
    }
    for draft in drafts:
        seen: set[str] = set()
        waiting = list(after[draft.key])
        while waiting:
            key = waiting.pop()
            if key == draft.key:
                raise source.error(
                    (*draft.where, "requires"),
                    f"'{draft.key}' waits for itself",
                    "remove one of the `after` requirements",
                )
            if key not in seen:
                seen.add(key)
                waiting.extend(after[key])
