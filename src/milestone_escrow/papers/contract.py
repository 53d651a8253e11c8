"""The agreement as a contract on paper: to read, to print, to file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.change_orders.difference import milestone_words
from milestone_escrow.documents.model import Party
from milestone_escrow.documents.money import format_percent
from milestone_escrow.documents.requirements.kinds import SomeRequired
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.when import format_date, format_duration
from milestone_escrow.papers.bill import MONEY, QR_SIZE, party_facts, written_by
from milestone_escrow.papers.sheet import (
    ACCENT,
    BODY,
    CODE,
    INK,
    LABEL,
    QUIET,
    STRONG,
    Layout,
    Sheet,
    Style,
)
from milestone_escrow.protocol.terms import BPS

HEADLINE = Style(19, colour=ACCENT, leading=1.2)
NAMES = 34.0


def contract_pdf(
    agreement: Agreement,
    *,
    bound: BoundAgreement | None = None,
    signatures: Mapping[str, bytes] | None = None,
    page: str = "",
    layout: Layout | None = None,
) -> bytes:
    """The agreement as PDF, dated as it is dated; the same input gives the same bytes.

    `bound` adds the chain, the contract and the id; `signatures` are by role, as collected.
    `page` is what the QR code leads to.

    Raises:
        UsageError: no font for a name.
    """
    foot = f"{agreement.reference}  ·  SHA-256 {agreement.document_hash.hex()}"
    author = agreement.name("buyer")
    sheet = Sheet(
        layout or Layout(), agreement.title, author, agreement.date, foot, written_by(agreement)
    )
    _head(sheet, agreement)
    _parties(sheet, agreement)
    _pairs(sheet, "Payment and rules", _rules(agreement))
    _milestones(sheet, agreement)
    _clauses(sheet, agreement)
    _attachments(sheet, agreement)
    _signatures(sheet, agreement, signatures or {})
    _binding(sheet, agreement, bound, page)
    return sheet.finish()


def _head(sheet: Sheet, agreement: Agreement) -> None:
    sheet.write_text(agreement.reference, LABEL)
    sheet.write_text(agreement.title, HEADLINE)
    sheet.down(1)
    sheet.write_text(f"Agreement of {format_date(agreement.date)}", QUIET)
    if agreement.replaces:
        sheet.write_text(f"A change order; it replaces 0x{agreement.replaces.hex()}", QUIET)
    sheet.down(3)
    sheet.rule(colour=ACCENT, weight=0.5)
    sheet.down(5)
    if agreement.model.description:
        sheet.write_text(" ".join(agreement.model.description.split()), BODY)
        sheet.down(4)


def _parties(sheet: Sheet, agreement: Agreement) -> None:
    sheet.heading("Parties", keep=24)
    for role, party in agreement.parties.items():
        facts = [fact for fact in (party.address, *party_facts(party)) if fact]
        needed = sum(sheet.tall(fact, QUIET, sheet.width - NAMES) for fact in facts)
        sheet.need(needed + 13)
        sheet.row((role, party.name), (NAMES, sheet.width - NAMES), (QUIET, STRONG))
        for fact in facts:
            sheet.write_text(fact, QUIET, x=sheet.left + NAMES)
        sheet.write_text(party.account, CODE, x=sheet.left + NAMES)
        sheet.down(2.4)
    sheet.down(2)


def _rules(agreement: Agreement) -> Iterator[tuple[str, str]]:
    rules, payment = agreement.model.rules, agreement.model.payment
    yield "Price", f"{agreement.amount(agreement.price)} on {agreement.network}"
    if payment.vat:
        yield "VAT", payment.vat.words
    fee = f"{_share(payment.fee.bps)} of each payout to {payment.fee.recipient}"
    yield "Fee", fee if payment.fee.bps else "none"
    yield "Objection period", format_duration(rules.objection_period)
    yield "Review period", format_duration(rules.review_period)
    yield "Ruling within", format_duration(rules.ruling_within)
    if rules.if_no_ruling is not None:
        buyer = BPS - rules.if_no_ruling
        yield "If no ruling", f"{_share(rules.if_no_ruling)} to supplier, {_share(buyer)} to buyer"


def _milestones(sheet: Sheet, agreement: Agreement) -> None:
    sheet.heading("Milestones", keep=24)
    sheet.down(0.6)
    sheet.rule(colour=INK, weight=0.3)
    for milestone in agreement.milestones:
        _milestone(sheet, agreement, milestone)
    for milestone in agreement.left_behind:
        words = f"{milestone.title}; stays with the version before"
        _amount_row(sheet, words, agreement.amount(milestone.decided), QUIET)
    total = agreement.amount(sum(m.amount for m in agreement.milestones))
    sheet.down(1.6)
    in_all = "Still to be decided" if agreement.replaces else "In all"
    _amount_row(sheet, in_all, total, Style(10.5, bold=True))
    sheet.down(5)


def _milestone(sheet: Sheet, agreement: Agreement, milestone: PlannedMilestone) -> None:
    words = dict(milestone_words(agreement, milestone))
    if milestone.vat == agreement.model.payment.vat:
        words.pop("VAT", "")  # said above, for all
    pays = agreement.amount(milestone.amount)
    facts = [
        f"{name}: {words[name]}"
        for name in ("due", "responsible", "verified by", "withheld", "VAT", "cost centre")
        if words.get(name) and not (milestone.is_deposit and name == "verified by")
    ]
    left = sheet.width - MONEY
    shown = [f"–  {_requirement(item)}" for item in milestone.requirements.items]
    silence = f"If nothing happens: {words['silence']}" if words.get("silence") else ""
    small = [
        "; ".join([f"“{milestone.key}”", *facts]),
        *([" ".join(milestone.description.split())] if milestone.description else []),
        *shown,
        *([silence] if silence else ["Paid as soon as it is funded"]),
    ]
    sheet.need(9 + sum(sheet.tall(text, QUIET, left) for text in small[:6]))
    sheet.down(1.8)
    _amount_row(sheet, milestone.title, pays, STRONG)
    for text in small:
        sheet.write_text(text, QUIET, width=left)
    sheet.down(1.8)
    sheet.rule()


def _requirement(item: object) -> str:
    words: str = item.words()  # type: ignore[attr-defined]
    if isinstance(item, SomeRequired):
        return words.replace(" of (", " of: ").removesuffix(")")
    return words


def _amount_row(sheet: Sheet, text: str, amount: str, style: Style) -> None:
    sheet.row((text, amount), (sheet.width - MONEY, MONEY), (style, style), right=(1,))


def _clauses(sheet: Sheet, agreement: Agreement) -> None:
    clauses = agreement.model.clauses.items()
    _pairs(sheet, "Clauses", ((n.replace("_", " "), " ".join(t.split())) for n, t in clauses))


def _attachments(sheet: Sheet, agreement: Agreement) -> None:
    if not agreement.attachments:
        return
    sheet.heading("Attached")
    for file in agreement.attachments:
        sheet.write_text(file.name, BODY)
        sheet.write_text(f"SHA-256 {file.sha256}", CODE)
        sheet.down(1)
    sheet.down(4)


def _signatures(sheet: Sheet, agreement: Agreement, signatures: Mapping[str, bytes]) -> None:
    half = (sheet.width - 10) / 2
    sheet.heading("Signatures", keep=34)
    sheet.down(2)
    top = sheet.y
    for at, role in enumerate(("buyer", "supplier")):
        x = sheet.left + at * (half + 10)
        sheet.set_y(top)
        _signature(sheet, x, half, role, agreement.parties[role], signatures.get(role))
    for role, party in agreement.parties.items():
        if role not in ("buyer", "supplier") and role in signatures:
            sheet.need(20)
            sheet.down(2)
            _signature(sheet, sheet.left, sheet.width, role, party, signatures[role])
    sheet.down(5)


def _signature(
    sheet: Sheet, x: float, width: float, role: str, party: Party, signature: bytes | None
) -> None:
    sheet.write_text(f"{role}: {party.name}", QUIET, x=x, width=width)
    if signature:
        sheet.write_text(f"signed by {party.account}", CODE, x=x, width=width)
        sheet.write_text(f"0x{signature.hex()}", CODE, x=x, width=width)
        return
    sheet.down(13)
    line = sheet.y
    sheet.set_draw_color(*INK)
    sheet.set_line_width(0.2)
    sheet.line(x, line, x + width, line)
    sheet.down(0.8)
    sheet.write_text("date, signature", LABEL, x=x, width=width)


def _binding(sheet: Sheet, agreement: Agreement, bound: BoundAgreement | None, page: str) -> None:
    rows = [("Document hash", f"0x{agreement.document_hash.hex()}")]
    if bound:
        rows += [
            ("Chain id", str(bound.domain.chain_id)),
            ("Contract", bound.domain.verifying_contract),
            ("Token", f"{bound.token.symbol} {bound.token.address}"),
            ("Agreement id", f"0x{bound.id.hex()}"),
        ]
    sheet.need((QR_SIZE + 10) if page else 5.0 * len(rows) + 10)
    sheet.heading("What is binding", keep=0)
    top = sheet.y
    width = sheet.width - (QR_SIZE + 8 if page else 0)
    sheet.write_text(
        "The escrow contract commits to this document by its SHA-256 and pays by its terms only. "
        "This print is for reading; the file is what counts.", QUIET, width=width,
    )  # fmt: skip
    sheet.down(1.5)
    for name, text in rows:
        sheet.row((name, text), (NAMES, width - NAMES), (LABEL, CODE))
    if page:
        sheet.qr(page, sheet.right - QR_SIZE, top, QR_SIZE)


def _pairs(sheet: Sheet, title: str, pairs: Iterator[tuple[str, str]]) -> None:
    rows = list(pairs)
    if not rows:
        return
    sheet.heading(title)
    for name, text in rows:
        sheet.row((name, text), (NAMES, sheet.width - NAMES), (QUIET, BODY))
        sheet.down(0.6)
    sheet.down(4)


def _share(bps: int) -> str:
    return format_percent(Fraction(bps, BPS))
