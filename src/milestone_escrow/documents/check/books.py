"""What an accountant asks before an invoice can be written: only where the file speaks of VAT."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import Finding, Level
from milestone_escrow.documents.source import Where, field_name


def books(agreement: AgreementData, now: int) -> Iterator[Finding]:
    """Who charges VAT names itself fully; what is charged on top is paid elsewhere."""
    taxed = [m for m in agreement.milestones if m.vat]
    if not taxed:
        return
    supplier, buyer = agreement.parties["supplier"], agreement.parties["buyer"]
    if not supplier.tax_id:
        yield _finding(
            agreement, Level.WARNING, "no-tax-id", ("parties", "supplier"),
            "VAT is stated, but not the tax number of the supplier who charges it",
            "add `tax_id: DE811234567`",
        )  # fmt: skip
    for role, party in (("supplier", supplier), ("buyer", buyer)):
        if not party.address:
            yield _finding(
                agreement, Level.WARNING, "no-address", ("parties", role),
                f"VAT is stated, but {role} has no address for the invoice",
                "add `address: Street 1, 12345 Town, Country`, in quotes inside { }",
            )  # fmt: skip
    on_top = sum(
        m.vat.of(m.amount, agreement.currency).tax for m in taxed if m.vat and m.vat.on_top
    )
    if on_top:
        yield _finding(
            agreement, Level.NOTE, "vat-on-top", ("payment", "vat"),
            f"VAT of {agreement.amount(on_top)} comes on top of the price: the contract neither "
            "holds nor pays it", "agree on how it is paid, or raise the price and write `19 %`",
        )  # fmt: skip


def _finding(
    agreement: AgreementData, level: Level, code: str, where: Where, text: str, fix: str
) -> Finding:
    return Finding(level, code, field_name(where), text, fix, agreement.source.line(where))
