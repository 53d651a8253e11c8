"""Money by month: paid in, released, and expected, for one currency at a time."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from milestone_escrow.chain.contract.events import Event, MilestonePaid, MilestonesFunded
from milestone_escrow.chain.contract.replay import undelivered
from milestone_escrow.documents.money import Denomination, format_amount
from milestone_escrow.documents.when import day_of
from milestone_escrow.oracle.viewing import DocumentedView

HEIGHT = 160
WIDTH = 56
MONTHS = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the chart: what it is, where it stands, and its words."""

    kind: str
    x: int
    y: int
    height: int
    text: str


@dataclass(frozen=True, slots=True)
class Month:
    """One month: its name, where it stands, and its sums in words."""

    name: str
    x: int
    paid_in: str
    released: str
    expected: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the table that says the same."""

    symbol: str
    width: int
    bars: tuple[Bar, ...]
    months: tuple[Month, ...]


KINDS = ("paid in", "released", "expected")
_Flows = dict[tuple[int, int], dict[str, int]]


def charts(
    views: Sequence[DocumentedView], events: Mapping[bytes, Sequence[Event]]
) -> tuple[Chart, ...]:
    """A chart for each currency in these agreements, whose documents are known."""
    flows: dict[Denomination, _Flows] = {}
    for view in views:
        of_currency = flows.setdefault(view.agreement.currency, {})
        for month, kind, units in _moves(view, events.get(view.id, ())):
            sums = of_currency.setdefault(month, dict.fromkeys(KINDS, 0))
            sums[kind] += units
    return tuple(_chart(currency, found) for currency, found in flows.items() if found)


def _moves(
    view: DocumentedView, events: Sequence[Event]
) -> Iterable[tuple[tuple[int, int], str, int]]:
    agreement = view.agreement
    assert agreement is not None
    zone = agreement.timezone
    for event in events:
        month = _month(day_of(event.place.time, zone))
        if isinstance(event, MilestonesFunded):
            yield month, "paid in", event.amount
        elif isinstance(event, MilestonePaid):
            yield month, "released", event.to_payee + event.fee
    for one in undelivered(view, events):
        if one.account != view.terms.buyer:
            yield _month(day_of(one.place.time, zone)), "released", -one.units
    for stage in view.views:
        waits = stage.held
        if stage.planned is not None and stage.planned.due is not None and waits:
            yield _month(stage.planned.due), "expected", waits


def _month(day: datetime.date) -> tuple[int, int]:
    return day.year, day.month


def _chart(currency: Denomination, flows: _Flows) -> Chart:
    months = sorted(flows)[-MONTHS:]
    most = max(max(flows[month].values()) for month in months) or 1
    bars, rows = [], []
    for at, month in enumerate(months):
        name = datetime.date(*month, 1).strftime("%b %Y")
        sums = flows[month]
        for number, kind in enumerate(KINDS):
            height = round(Fraction(HEIGHT * sums[kind], most))
            text = f"{name}, {kind}: {format_amount(sums[kind], currency)}"
            x = at * WIDTH + 4 + number * 16
            if height:
                bars.append(Bar(kind.replace(" ", "-"), x, HEIGHT - height, height, text))
        words = [format_amount(sums[kind], currency) if sums[kind] else "–" for kind in KINDS]
        rows.append(Month(name, at * WIDTH + WIDTH // 2, *words))
    return Chart(currency.symbol, WIDTH * len(months), tuple(bars), tuple(rows))
