"""What an accountant asks before an invoice can be written: only where the file speaks of VAT."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.finding_kinds import NoAddress, NoTaxId, VatOnTop
from milestone_escrow.documents.check.report import Finding, finding


def books(agreement: AgreementData, now: int) -> Iterator[Finding]:
    """Who charges VAT names itself fully; what is charged on top is paid elsewhere."""
    taxed = [m for m in agreement.milestones if m.vat]
    if not taxed:
        return
    supplier, buyer = agreement.parties["supplier"], agreement.parties["buyer"]
    if not supplier.tax_id:
        yield finding(agreement, ("parties", "supplier"), NoTaxId())
    for role, party in (("supplier", supplier), ("buyer", buyer)):
        if not party.address:
            yield finding(agreement, ("parties", role), NoAddress(role))
    on_top = sum(
        m.vat.of(m.amount, agreement.currency).tax for m in taxed if m.vat and m.vat.on_top
    )
    if on_top:
        yield finding(agreement, ("payment", "vat"), VatOnTop(on_top))
