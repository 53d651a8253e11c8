"""Agreements and reports as plain text for people; whoever prints them adds colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from fractions import Fraction

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import format_percent
from milestone_escrow.documents.requirements.kinds import SomeRequired
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.values import BPS
from milestone_escrow.documents.vat import Vat
from milestone_escrow.documents.when import (
    format_date,
    format_duration,
    format_time,
)

WIDTH = 92


def render_agreement(agreement: Agreement) -> str:
    """The agreement as a contract-like page: parties, money, rules, milestones, clauses."""
    parts = (
        _head(agreement),
        _parties(agreement),
        _rules(agreement),
        _milestones(agreement),
        _clauses(agreement),
    )
    return "\n".join(line.rstrip() for part in parts for line in part) + "\n"


def _head(agreement: Agreement) -> Iterator[str]:
    yield agreement.title
    yield "=" * min(len(agreement.title), WIDTH)
    yield f"{agreement.reference}, {format_date(agreement.date)} ({agreement.timezone.key})"
    if agreement.model.description:
        yield ""
        yield from _wrapped(agreement.model.description)
    if agreement.model.replaces:
        yield f"A change order: replaces {agreement.model.replaces}"
    for file in agreement.attachments:
        yield f"Attached: {file.name} (SHA-256 {file.sha256[:16]}…)"


def _parties(agreement: Agreement) -> Iterator[str]:
    yield from _heading("Parties")
    width = max(len(role) for role in agreement.people)
    for role, party in agreement.parties.items():
        details = [value for value in (party.tax_id or party.registration, party.email) if value]
        yield f"  {role:<{width}}  {', '.join([party.name, *details])}"
        yield f"  {'':<{width}}  {party.account}"


def _rules(agreement: Agreement) -> Iterator[str]:
    rules, fee = agreement.model.rules, agreement.model.payment.fee
    yield from _heading("Payment and rules")
    yield f"  price             {agreement.amount(agreement.price)} on {agreement.network}"
    if vat := agreement.model.payment.vat:
        yield f"  VAT               {_vat(vat)}"
    if fee.bps:
        yield f"  fee               {_bps(fee.bps)} of each payout to {fee.recipient}"
    yield f"  objection period  {format_duration(rules.objection_period)}"
    yield f"  review period     {format_duration(rules.review_period)}"
    yield f"  ruling within     {format_duration(rules.ruling_within)}"
    if rules.if_no_ruling is not None:
        buyer = BPS - rules.if_no_ruling
        yield f"  if no ruling      {_bps(rules.if_no_ruling)} to supplier, {_bps(buyer)} to buyer"


def _milestones(agreement: Agreement) -> Iterator[str]:
    yield from _heading("Milestones")
    width = max(len(agreement.amount(m.amount)) for m in agreement.milestones)
    for milestone in agreement.milestones:
        yield from _milestone(agreement, milestone, width)
    in_all = "still to be decided" if agreement.replaces else "in all"
    yield f"  {agreement.amount(sum(m.amount for m in agreement.milestones)):>{width}}  {in_all}"
    for m in agreement.left_behind:
        yield f"  {agreement.amount(m.decided):>{width}}  {m.key}: stays with the version before"


def _milestone(agreement: Agreement, m: PlannedMilestone, width: int) -> Iterator[str]:
    gap = " " * (width + 4)
    yield f"  {agreement.amount(m.amount):>{width}}  {m.key}: {m.title}"
    if m.is_deposit:
        yield f"{gap}paid as soon as it is funded"
        yield ""
        return
    facts = [f"due {format_date(m.due)}"] if m.due else []
    facts += [f"responsible: {m.responsible}"] if m.responsible else []
    facts.append(f"verified by {m.verified_by}" if m.quorum else "no verifiers")
    yield gap + ", ".join(facts)
    if m.decided:
        yield f"{gap}the rest of {agreement.amount(m.whole)}, of which the version before decided"
    if m.withheld:
        yield f"{gap}after {agreement.amount(m.withheld)} withheld, which is released later"
    if m.vat and m.vat != agreement.model.payment.vat:
        yield f"{gap}VAT: {_vat(m.vat)}"
    if m.cost_centre:
        yield f"{gap}cost centre {m.cost_centre}"
    if m.description:
        yield from _wrapped(m.description, gap)
    for item in m.requirements.items:
        words = item.words()
        if isinstance(item, SomeRequired):
            words = words.replace(" of (", " of: ").removesuffix(")")
        yield from textwrap.wrap(words, WIDTH, initial_indent=f"{gap}- ", subsequent_indent=gap)
    if m.supplier_evidence:
        yield f"{gap}what only the supplier shows is enough"
    money = "paid to the supplier" if m.pays_on_silence else "refunded to the buyer"
    unless = "objected to" if m.pays_on_silence else "proven"
    yield f"{gap}{money} after {format_time(m.deadline, agreement.timezone)} unless {unless}"
    yield ""


def _clauses(agreement: Agreement) -> Iterator[str]:
    if agreement.model.clauses:
        yield from _heading("Clauses")
        for name, text in agreement.model.clauses.items():
            yield from textwrap.wrap(
                f"{name.replace('_', ' ')}: {text}", WIDTH, initial_indent="  ",
                subsequent_indent="    ",
            )  # fmt: skip
    yield ""
    yield f"Document hash (SHA-256): {agreement.document_hash.hex()}"


def _heading(text: str) -> tuple[str, str]:
    return "", text


def _wrapped(text: str, indent: str = "") -> list[str]:
    words = " ".join(text.split())
    return textwrap.wrap(words, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _vat(vat: Vat) -> str:
    return vat.words if vat.on_top or not vat.rate else f"{vat.words}, included"


def _bps(bps: int) -> str:
    return format_percent(Fraction(bps, BPS))
