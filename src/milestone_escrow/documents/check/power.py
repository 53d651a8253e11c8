"""Who alone can cause a payment, and who alone a refund, milestone by milestone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import Actor, Power
from milestone_escrow.documents.money import format_percent
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.when import format_duration, format_time
from milestone_escrow.protocol.terms import BPS, MIN_REJECTION_PERIOD


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
        yield Actor("buyer", "by funding it: a deposit is paid at once", True)
        return
    yield Actor("buyer", "by approving, in full or in part", True)
    if milestone.quorum:
        yield Actor(*_quorum(milestone, "by accepting"), milestone.quorum == 1)
        if supplier_alone(agreement, milestone):
            yield Actor("supplier", "by a verifier's account of its own", True)
    if rules.review_period:
        review = format_duration(rules.review_period)
        yield Actor("supplier", f"by submitting, unless the buyer objects within {review}", True)
    if milestone.pays_on_silence:
        when = format_time(milestone.deadline, agreement.timezone)
        yield Actor("the clock", f"after {when}, unless the buyer objects before", True)
    share = rules.if_no_ruling or 0
    if share and not milestone.pays_on_silence and "arbiter" in agreement.people:
        how = f"by disputing before the deadline: {_share(share)} if the arbiter stays silent"
        yield Actor("supplier", how, False)


def _refund(agreement: AgreementData, milestone: PlannedMilestone) -> Iterator[Actor]:
    if milestone.is_deposit:
        return
    yield Actor("supplier", "by giving back, in full or in part", True)
    if milestone.quorum:
        period = max(agreement.model.rules.objection_period, MIN_REJECTION_PERIOD)
        wait = format_duration(period)
        objects = ", unless the supplier disputes it" if "arbiter" in agreement.people else ""
        how = f"by rejecting, after {wait}{objects}"
        yield Actor(*_quorum(milestone, how), milestone.quorum == 1)
    if not milestone.pays_on_silence:
        when = format_time(milestone.deadline, agreement.timezone)
        yield Actor("the clock", f"after {when}, if nothing is proven before", True)
    if back := buyer_takes_back(agreement, milestone):
        has_arbiter = "arbiter" in agreement.people
        silent = "if the arbiter stays silent" if has_arbiter else "because nobody can rule"
        how = f"by objecting in time: {_share(back)} goes back {silent}"
        yield Actor("buyer", how, not has_arbiter)


def buyer_takes_back(agreement: AgreementData, milestone: PlannedMilestone) -> int:
    """Basis points that return when the buyer objects before a verdict and nobody rules."""
    rules = agreement.model.rules
    may_object = milestone.pays_on_silence or rules.review_period
    if milestone.is_deposit or not may_object:
        return 0
    return BPS - (rules.if_no_ruling or 0)


def _share(bps: int) -> str:
    return format_percent(Fraction(bps, BPS))


def _quorum(milestone: PlannedMilestone, how: str) -> tuple[str, str]:
    return milestone.verified_by, how
