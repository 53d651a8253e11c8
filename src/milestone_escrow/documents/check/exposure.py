"""Each side's exposure over time, if everything goes to plan.

The value of the work is the price (of a change order: what is left of it), spread over the
milestones that are worked for in proportion to what they pay before retainage; a deposit and a
release of retainage are payment, not work. Work is taken to be delivered on its due date and proven
the same day; money then follows after the agreement's own waiting period. Where payment is ahead of
work the buyer is exposed, where work is ahead of payment the supplier.
"""

from __future__ import annotations

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import ExposurePoint
from milestone_escrow.documents.resolve import PlannedMilestone


def exposure(agreement: AgreementData, now: int) -> tuple[ExposurePoint, ...]:
    """One point for each moment at which work or money changes hands."""
    events = sorted([*_payments(agreement, now), *_deliveries(agreement)])
    points: list[ExposurePoint] = []
    paid = worth = done = 0
    total, price = _work(agreement), sum(m.amount for m in agreement.milestones)
    for at, order, amount, key in events:
        if order == _DELIVERY:
            done += amount
            worth = price * done // total if total else 0
        else:
            paid += amount
        point = ExposurePoint(
            at=at,
            milestone=key,
            is_payment=order == _PAYMENT,
            paid=paid,
            worth=worth,
            held=price - paid,
            buyer=max(paid - worth, 0),
            supplier=max(worth - paid, 0),
        )
        points.append(point)
    return tuple(points)


# Of two events at one moment, work comes before money.
_DELIVERY, _PAYMENT = 0, 1


def _payments(agreement: AgreementData, now: int) -> list[tuple[int, int, int, str]]:
    return [(_paid_at(agreement, m, now), _PAYMENT, m.amount, m.key) for m in agreement.milestones]


def _deliveries(agreement: AgreementData) -> list[tuple[int, int, int, str]]:
    return [
        (m.due_at or m.deadline, _DELIVERY, m.amount + m.withheld, m.key)
        for m in agreement.milestones
        if _is_work(m)
    ]


def _work(agreement: AgreementData) -> int:
    return sum(m.amount + m.withheld for m in agreement.milestones if _is_work(m))


def _is_work(milestone: PlannedMilestone) -> bool:
    return not milestone.is_deposit and milestone.where[:1] != ("retainage",)


def _paid_at(agreement: AgreementData, milestone: PlannedMilestone, now: int) -> int:
    if milestone.is_deposit:
        return now
    done = milestone.due_at or milestone.deadline
    if milestone.quorum:
        return done + agreement.model.rules.objection_period
    if agreement.model.rules.review_period:
        return done + agreement.model.rules.review_period
    return milestone.deadline if milestone.pays_on_silence else done
