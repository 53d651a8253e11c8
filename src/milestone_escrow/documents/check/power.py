"""Who alone can cause a payment, and who alone a refund, milestone by milestone."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import Actor, Means, Power
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.protocol.terms import BPS, MIN_TIME_TO_OBJECT


def powers(agreement: AgreementData) -> tuple[Power, ...]:
    """One entry per milestone, in order."""
    return tuple(
        Power(m.key, tuple(_payment(agreement, m)), tuple(_refund(agreement, m)))
        for m in agreement.milestones
    )


def supplier_alone(agreement: AgreementData, milestone: PlannedMilestone) -> bool:
    """Whether the supplier's own accounts reach the quorum: payment by the payee's own file."""
    supplier = agreement.people["supplier"]
    own = [name for name in milestone.verifiers if agreement.people[name] == supplier]
    return bool(milestone.quorum) and len(own) >= milestone.quorum


def _payment(agreement: AgreementData, milestone: PlannedMilestone) -> Iterator[Actor]:
    rules = agreement.model.rules
    if milestone.is_deposit:
        yield Actor("buyer", Means.FUNDING, True)
        return
    yield Actor("buyer", Means.APPROVING, True)
    if milestone.quorum:
        yield Actor(milestone.verified_by, Means.ACCEPTING, milestone.quorum == 1)
        if supplier_alone(agreement, milestone):
            yield Actor("supplier", Means.OWN_VERIFIER, True)
    if rules.review_period:
        yield Actor("supplier", Means.SUBMITTING, True, period=rules.review_period)
    if milestone.pays_on_silence:
        means = Means.PAID_UNLESS_SPOKEN if milestone.quorum else Means.PAID_IN_TIME
        yield Actor("the clock", means, True, at=milestone.deadline)
    share = rules.if_no_ruling or 0
    if share and not milestone.pays_on_silence and "arbiter" in agreement.people:
        yield Actor("supplier", Means.DISPUTING, False, share=share)


def _refund(agreement: AgreementData, milestone: PlannedMilestone) -> Iterator[Actor]:
    if milestone.is_deposit:
        return
    has_arbiter = "arbiter" in agreement.people
    yield Actor("supplier", Means.GIVING_BACK, True)
    if milestone.quorum:
        period = max(agreement.model.rules.objection_period, MIN_TIME_TO_OBJECT)
        means = Means.REJECTING if has_arbiter else Means.REJECTING_FOR_GOOD
        yield Actor(milestone.verified_by, means, milestone.quorum == 1, period=period)
    if not milestone.pays_on_silence:
        yield Actor("the clock", Means.REFUNDED_IN_TIME, True, at=milestone.deadline)
    if back := buyer_takes_back(agreement, milestone):
        yield Actor("buyer", Means.OBJECTING, not has_arbiter, share=back)


def buyer_takes_back(agreement: AgreementData, milestone: PlannedMilestone) -> int:
    """Basis points that return when the buyer objects before a verdict and nobody rules."""
    rules = agreement.model.rules
    may_object = milestone.pays_on_silence or rules.review_period
    if milestone.is_deposit or not may_object:
        return 0
    return BPS - (rules.if_no_ruling or 0)
