"""Agreements and reports as plain text for people; whoever prints them adds colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from fractions import Fraction

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check.report import Report
from milestone_escrow.documents.money import Denomination, format_amount, format_percent
from milestone_escrow.documents.requirements.kinds import SomeRequired
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.values import BPS
from milestone_escrow.documents.vat import Vat
from milestone_escrow.documents.when import (
    format_date,
    format_duration,
    format_time,
    read_zone,
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


def render_report(report: Report) -> str:
    """The report as text: findings first, then who alone can do what, silence, exposure."""
    parts = (
        _findings(report),
        _powers(report),
        _silences(report),
        _exposure(report),
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


def _findings(report: Report) -> Iterator[str]:
    yield f"{report.reference}: {report.title}"
    counts = ((len(report.errors), "error"), (len(report.warnings), "warning"))
    yield ", ".join(f"{n or 'no'} {word}{'' if n == 1 else 's'}" for n, word in counts)
    for finding in report.findings:
        place = f"line {finding.line}, " if finding.line else ""
        text = f"{finding.level.value}: {place}{finding.where}: {finding.text}"
        yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
        yield from textwrap.wrap(
            f"-> {finding.fix}", WIDTH, initial_indent="    ", subsequent_indent="       "
        )


def _powers(report: Report) -> Iterator[str]:
    yield from _heading("Who can cause a payment or a refund")
    shown: dict[str, list[str]] = {}
    for power in report.who_alone:
        lines = [
            f"{verb} {actor.who}, {actor.how}"
            for verb, actors in (("pay:   ", power.payment), ("refund:", power.refund))
            for actor in actors
        ]
        shown.setdefault("\n".join(lines), []).append(power.milestone)
    for block, keys in shown.items():
        yield f"  {_joined(keys)}"
        for line in block.splitlines():
            yield from textwrap.wrap(line, WIDTH, initial_indent="    ", subsequent_indent=" " * 12)


def _silences(report: Report) -> Iterator[str]:
    yield from _heading("If somebody goes silent")
    clock = {outcome for s in report.silence if s.role == "everybody" for outcome in s.outcomes}
    for silence in sorted(report.silence, key=lambda s: s.role != "everybody"):
        role = silence.role if silence.role == silence.name else f"{silence.role}, {silence.name}"
        yield f"  {role}"
        yield from _wrapped(silence.text, "    ")
        same = [o.milestone for o in silence.outcomes if o in clock and silence.role != "everybody"]
        if same:
            yield f"      as if nobody acts: {_joined(same)}"
        for outcome in silence.outcomes:
            if outcome.milestone in same:
                continue
            yield from textwrap.wrap(
                f"{outcome.milestone}: {outcome.text}", WIDTH, initial_indent="      ",
                subsequent_indent="        ",
            )  # fmt: skip
    if report.settled_by:
        when = format_time(report.settled_by, read_zone(report.timezone))
        yield f"  If nobody ever acts, all funded money has found its owner after {when}."


def _exposure(report: Report) -> Iterator[str]:
    currency, zone = Denomination(report.symbol, report.decimals), read_zone(report.timezone)
    yield from _heading(f"Exposure if all goes to plan ({report.symbol})")
    columns = ("paid", "work", "buyer ahead", "supplier ahead")
    yield f"  {'':<36}" + "".join(f"{name:>15}" for name in columns)
    for point in report.exposure:
        amounts = (point.paid, point.worth, point.buyer, point.supplier)
        day = format_time(point.at, zone).split(",")[0]
        event = textwrap.shorten(point.event, 22, placeholder="…")
        yield f"  {day:<12} {event:<23}" + "".join(
            f"{format_amount(amount, currency, symbol=False):>15}" for amount in amounts
        )


def _joined(keys: list[str]) -> str:
    return ", ".join(keys) if len(keys) < 5 else f"{keys[0]} … {keys[-1]} ({len(keys)} milestones)"


def _heading(text: str) -> tuple[str, str]:
    return "", text


def _wrapped(text: str, indent: str = "") -> list[str]:
    words = " ".join(text.split())
    return textwrap.wrap(words, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _vat(vat: Vat) -> str:
    return vat.words if vat.on_top or not vat.rate else f"{vat.words}, included"


def _bps(bps: int) -> str:
    return format_percent(Fraction(bps, BPS))
