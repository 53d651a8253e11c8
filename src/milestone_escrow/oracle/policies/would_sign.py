"""What the oracle would sign, milestone by milestone, and why not.

`decide` writes down the verdict wherever it changed. `why_not` is asked again right before a
signature is made, in the transaction that records it: nothing that was true a moment ago is
relied on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.evaluation import Evaluation
from milestone_escrow.documents.requirements.facts import Facts
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.evidence.manifests import (
    committed_files,
    manifest_files,
    manifest_hash,
)
from milestone_escrow.oracle.policies.gather import Gathered, gather
from milestone_escrow.oracle.policies.limits import Limits, ReleasedMoney, allowed
from milestone_escrow.oracle.policies.past import contract_of, releases
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import serialize, upsert
from milestone_escrow.oracle.store.types import dumps
from milestone_escrow.oracle.viewing import AgreementView, MilestoneView
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status, attest_until

ACTOR = "oracle"

_KNOWN = select(t.verdicts).where(t.verdicts.c.agreement_id == bindparam("id"))

# A quorum that has rejected, or accepted already, is not overruled by a machine.
DECIDABLE = frozenset({Status.FUNDED, Status.SUBMITTED, Status.DISPUTED_BEFORE_VERDICT})


@dataclass(frozen=True, slots=True)
class Decision:
    """The oracle's verdict on one milestone.

    Attributes:
        finding: what its requirements come to.
        refusals: why it will not be signed although all is shown; empty where nothing speaks
            against it.
        amount: what would be certified, token units, all that the milestone pays.
        evidence_hash: the manifest that an attestation commits to.
        signs: whether the oracle's own key is one of the milestone's verifiers.
    """

    agreement_id: bytes
    milestone: int
    key: str
    finding: Evaluation
    refusals: tuple[str, ...]
    amount: int
    evidence_hash: bytes
    signs: bool

    @property
    def accepts(self) -> bool:
        """Whether everything is shown and nothing speaks against signing it."""
        return self.finding.is_met and not self.refusals

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not accepted, in sentences; all that was shown where it is."""
        if self.accepts or not self.finding.is_met:
            wanted = self.accepts
            return tuple(f.text for f in self.finding.leaves() if f.is_met is wanted)
        return self.refusals

    def to_json(self) -> dict[str, object]:
        return {
            "accepts": self.accepts,
            "reasons": list(self.reasons),
            "refusals": list(self.refusals),
            "requirements": self.finding.to_json(),
        }


def decide(
    connection: Connection,
    view: AgreementView,
    limits: Limits,
    now: int,
    account: Address | None = None,
) -> tuple[Decision, ...]:
    """The verdicts on all milestones of an agreement that can be attested now.

    `account` is the oracle's own key; `now` is the chain's time. Needs the agreement's document:
    without it nobody knows what must be shown, and nothing is decided. What is accepted counts
    against the limits of what comes after it.
    """
    stages = [stage for stage in view.views if stage.planned and is_decidable(stage, now)]
    if not stages:
        return ()
    decisions: list[Decision] = []
    lately, gathered = SignedLately(connection, now), Gathered(connection, view)
    known = {(row.milestone, row.epoch): row for row in connection.execute(_KNOWN, {"id": view.id})}
    for stage in stages:
        assert stage.planned is not None
        facts = gathered.facts(stage.index)
        decision = judged(view, stage, stage.planned, facts, limits, lately)
        verifiers = view.terms.verifiers_of(stage.milestone)
        decision = replace(decision, signs=account is not None and account in verifiers)
        _write(connection, stage, decision, known.get((stage.index, stage.state.epoch)), now)
        decisions.append(decision)
        if decision.accepts:
            lately.add(lately.release(view, stage))
    return tuple(decisions)


@dataclass
class SignedLately:
    """What was signed in the last day before `now`; looked up only when something is about to be
    signed."""

    connection: Connection
    now: int

    @cached_property
    def past(self) -> list[ReleasedMoney]:
        return releases(self.connection, self.now)

    @cached_property
    def contract(self) -> Address:
        return contract_of(self.connection)

    def add(self, release: ReleasedMoney) -> None:
        self.past.append(release)

    def release(self, view: AgreementView, stage: MilestoneView) -> ReleasedMoney:
        """What certifying the whole milestone would let go."""
        amount = stage.milestone.amount - stage.state.paid
        payee = view.payee(stage.index)
        return ReleasedMoney(
            view.id, stage.index, self.contract, view.terms.token, payee, amount, self.now
        )


def is_decidable(stage: MilestoneView, now: int) -> bool:
    """Whether a verdict of verifiers would count now, and nobody has given one yet."""
    if stage.state.status not in DECIDABLE or not stage.milestone.quorum:
        return False
    return now < attest_until(stage.milestone, stage.state)


def judge(
    connection: Connection,
    view: AgreementView,
    stage: MilestoneView,
    planned: PlannedMilestone,
    limits: Limits,
    lately: SignedLately,
) -> Decision:
    """The verdict on one milestone; writes nothing."""
    facts = gather(connection, view, stage.index)
    return judged(view, stage, planned, facts, limits, lately)


def judged(
    view: AgreementView,
    stage: MilestoneView,
    planned: PlannedMilestone,
    facts: Facts,
    limits: Limits,
    lately: SignedLately,
) -> Decision:
    """The verdict that the facts lead to; see `judge`."""
    finding = evaluate(planned.requirements, facts, lately.now)
    refusals: list[str] = []
    if finding.is_met:
        refusals += own_word(planned, finding)
        refusals += allowed(limits, lately.release(view, stage), lately.past, lately.now)
    return Decision(
        view.id,
        stage.index,
        stage.key,
        finding,
        tuple(refusals),
        stage.milestone.amount,
        manifest_hash(manifest_files(facts.files)),
        signs=False,
    )


def own_word(planned: PlannedMilestone, finding: Evaluation) -> tuple[str, ...]:
    """Why what is shown is no proof: all of it is the payee's own, and the agreement does not say
    that this is enough. Independent of what `check` said before anybody signed."""
    if not planned.requirements.items:
        return ("the agreement does not say what must be shown: this is for people to judge",)
    if finding.independent or planned.supplier_evidence:
        return ()
    return (
        "all that is shown comes from whoever is paid for it, and the agreement does not say "
        "`supplier_evidence: is enough`",
    )


def why_not(
    connection: Connection,
    view: AgreementView,
    attestation: Attestation,
    limits: Limits,
    now: int,
) -> tuple[str, ...]:
    """Why the oracle must not sign this very attestation; empty where it may.

    To be asked in the transaction that records the signature: it lets one such transaction at a
    time come past, so that two instances together cannot exceed a limit. Evidence that the
    attestation does not commit to is not counted.
    """
    serialize(connection, "limits")
    try:
        stage = view.find(attestation.milestone)
    except UsageError as error:
        return (error.message,)
    if stage.planned is None:
        return ("the agreement's document is not known here",)
    if attestation.agreement_id != view.id:
        return ("the attestation is about another agreement",)
    if attestation.verdict is not Verdict.ACCEPTED:
        return ("the oracle signs acceptances only: people reject, and return for rework",)
    if attestation.amount != stage.milestone.amount:
        return ("the oracle certifies whole milestones only",)
    if not is_decidable(stage, now):
        return (f"'{stage.key}' cannot be certified now",)
    facts = gather(connection, view, stage.index)
    files = committed_files(facts.files, attestation.evidence_hash)
    if files is None:
        return ("the attestation commits to evidence that is not known here",)
    finding = evaluate(stage.planned.requirements, replace(facts, files=files), now)
    if not finding.is_met:
        return tuple(leaf.text for leaf in finding.leaves() if not leaf.is_met)
    lately = SignedLately(connection, now)
    refused = allowed(limits, lately.release(view, stage), lately.past, now)
    return (*own_word(stage.planned, finding), *refused)


def _write(
    connection: Connection,
    stage: MilestoneView,
    decision: Decision,
    known: Row[Any] | None,
    now: int,
) -> None:
    """Keep the verdict, and record it where it says something new."""
    keys = {
        "agreement_id": decision.agreement_id,
        "milestone": decision.milestone,
        "epoch": stage.state.epoch,
    }
    values = {
        "verdict": Verdict.ACCEPTED.value if decision.accepts else 0,
        "met": decision.finding.is_met,
        "reasons": decision.to_json(),
        "evidence_hash": decision.evidence_hash,
    }
    if known and all(_same(known._mapping[name], value) for name, value in values.items()):
        return
    times = {"decided_at": known.decided_at if known else now, "changed_at": now}
    upsert(connection, t.verdicts, {**keys, **values, **times}, *keys)
    audit_log.record(
        connection,
        now,
        ACTOR,
        "verdict.decided",
        audit_log.subject_of(decision.agreement_id, decision.milestone),
        accepts=decision.accepts,
        met=decision.finding.is_met,
        reasons=list(decision.reasons),
        evidence_hash=decision.evidence_hash,
    )


def _same(known: object, value: object) -> bool:
    return known == value if isinstance(value, bytes) else dumps(known) == dumps(value)


def accepted(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Those that the oracle's own key may sign."""
    return tuple(decision for decision in decisions if decision.accepts and decision.signs)
