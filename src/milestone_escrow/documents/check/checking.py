"""`check`: what a careful lawyer and a careful engineer would say before anyone signs."""

from __future__ import annotations

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.exposure import exposure
from milestone_escrow.documents.check.findings import findings
from milestone_escrow.documents.check.plays import caveats, plays
from milestone_escrow.documents.check.power import powers
from milestone_escrow.documents.check.report import Report
from milestone_escrow.documents.check.silence import settled_by, silences


def check(agreement: AgreementData, now: int) -> Report:
    """Everything worth knowing about an agreement that is about to be signed at `now`."""
    return Report(
        reference=agreement.reference,
        title=agreement.title,
        at=now,
        timezone=agreement.timezone.key,
        symbol=agreement.currency.symbol,
        decimals=agreement.currency.decimals,
        supplier=agreement.short_name("supplier"),
        buyer=agreement.short_name("buyer"),
        findings=findings(agreement, now),
        who_alone=powers(agreement),
        exposure=exposure(agreement, now),
        silence=silences(agreement, now),
        plays=plays(agreement, now),
        caveats=caveats(agreement),
        settled_by=settled_by(agreement),
    )
