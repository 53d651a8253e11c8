"""`check`: what a careful lawyer and a careful engineer would say before anyone signs."""

from __future__ import annotations

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check_exposure import exposure
from milestone_escrow.documents.check_findings import findings
from milestone_escrow.documents.check_power import powers
from milestone_escrow.documents.check_silence import settled_by, silences
from milestone_escrow.documents.report import Report


def check(agreement: Agreement, now: int) -> Report:
    """Everything worth knowing about an agreement that is about to be signed at `now`."""
    return Report(
        reference=agreement.reference,
        title=agreement.title,
        at=now,
        timezone=agreement.timezone.key,
        symbol=agreement.currency.symbol,
        decimals=agreement.currency.decimals,
        findings=findings(agreement, now),
        who_alone=powers(agreement),
        exposure=exposure(agreement, now),
        silence=silences(agreement, now),
        settled_by=settled_by(agreement),
    )
