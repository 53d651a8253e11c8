"""A report of `check` as text for people, and as JSON with the same sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from milestone_escrow.documents.check.report import (
    Actor,
    Finding,
    Outcome,
    Play,
    Plays,
    Power,
    Report,
    Silent,
)
from milestone_escrow.documents.money import Denomination, format_amount
from milestone_escrow.words.checked import ReportTeller
from milestone_escrow.words.listing import follows, ranged
from milestone_escrow.words.messages import say, say_count

WIDTH = 92
# From how many milestones in a row on a series is told by its first.
SERIES = 7

T = TypeVar("T")


def render_report(report: Report) -> str:
    """The report as text: findings, who alone can do what, silence, plays, exposure."""
    teller = ReportTeller(report)
    parts = (
        _findings(teller),
        _powers(teller),
        _silences(teller),
        _plays(teller),
        _exposure(teller),
    )
    return "\n".join(line.rstrip() for part in parts for line in part) + "\n"


def report_json(report: Report) -> dict[str, Any]:
    """For machines; amounts are text, because JSON numbers lose digits."""
    teller = ReportTeller(report)
    names = ("ok", "reference", "title", "at", "timezone", "symbol", "decimals")
    return {
        **{name: getattr(report, name) for name in names},
        "findings": [_finding(teller, finding) for finding in report.findings],
        "who_alone": [
            {
                "milestone": power.milestone,
                "payment": [_actor(teller, actor) for actor in power.payment],
                "refund": [_actor(teller, actor) for actor in power.refund],
            }
            for power in report.who_alone
        ],
        "exposure": [
            {
                "at": point.at,
                "event": teller.event(point),
                **_amounts(point, "paid", "worth", "held", "buyer", "supplier"),
            }
            for point in report.exposure
        ],
        "silence": [
            {
                "role": silence.role,
                "name": teller.name(silence),
                "text": teller.silence(silence),
                "outcomes": [_outcome(teller, outcome) for outcome in silence.outcomes],
            }
            for silence in report.silence
        ],
        "plays": [
            {
                "milestone": one.milestone,
                "plays": [_play(teller, play) for play in one.plays],
                "latest": one.latest,
            }
            for one in report.plays
        ],
        "caveats": [
            {"milestones": list(one.milestones), "text": teller.caveat(one)}
            for one in report.caveats
        ],
        "settled_by": report.settled_by,
    }


def _finding(teller: ReportTeller, one: Finding) -> dict[str, object]:
    text, fix = teller.finding(one)
    found = {"level": one.level.value, "code": one.code, "where": one.where}
    return {**found, "text": text, "fix": fix, "line": one.line, "others": list(one.others)}


def _actor(teller: ReportTeller, actor: Actor) -> dict[str, object]:
    return {"who": actor.who, "how": teller.means(actor), "alone": actor.alone}


def _outcome(teller: ReportTeller, one: Outcome) -> dict[str, object]:
    amounts = _amounts(one, "to_payee", "to_buyer")
    return {"milestone": one.milestone, "at": one.at, **amounts, "text": teller.outcome(one)}


def _play(teller: ReportTeller, play: Play) -> dict[str, object]:
    payments = [
        {"at": due.at, "wait": due.wait, **_amounts(due, "to_payee", "to_buyer")}
        for due in play.due
    ]
    move = play.move.name.lower().replace("_", "-")
    return {"move": move, "text": teller.play(play), "payments": payments}


def _amounts(thing: object, *names: str) -> dict[str, str]:
    return {name: str(getattr(thing, name)) for name in names}


def _findings(teller: ReportTeller) -> Iterator[str]:
    report = teller.report
    yield f"{report.reference}: {report.title}"
    errors = say_count("{count} error", "{count} errors", len(report.errors))
    warnings = say_count("{count} warning", "{count} warnings", len(report.warnings))
    yield say(
        "{errors}, {warnings}",
        errors=errors if report.errors else say("no errors"),
        warnings=warnings if report.warnings else say("no warnings"),
    )
    for finding in report.findings:
        text, fix = teller.finding(finding)
        parts = {"level": finding.level.value, "where": finding.where, "text": text}
        if finding.line:
            told = say("{level}: line {line}, {where}: {text}", line=finding.line, **parts)
        else:
            told = say("{level}: {where}: {text}", **parts)
        yield from _wrapped(told, 2, 4)
        yield from _wrapped(f"-> {fix}", 4, 7)


def _powers(teller: ReportTeller) -> Iterator[str]:
    yield from ("", say("Who can cause a payment or a refund"))
    shown: dict[tuple[str, ...], list[str]] = {}
    for power in teller.report.who_alone:
        sides = ((say("pay:"), power.payment), (say("refund:"), power.refund))
        lines = tuple(
            f"{side:<7} {actor.who}, {teller.means(actor)}"
            for side, actors in sides
            for actor in actors
        )
        shown.setdefault(lines, []).append(power.milestone)
    alike = {power.milestone: _undated(power) for power in teller.report.who_alone}
    for run in _series(list(shown.items()), lambda one: (one[1][-1], alike[one[1][-1]])):
        for lines, keys in run[:1] if len(run) >= SERIES else run:
            yield f"  {ranged(keys)}"
            for line in lines:
                yield from _wrapped(line, 4, 12)
        if len(run) >= SERIES:
            yield f"  {_likewise([key for _, keys in run[1:] for key in keys])}"


def _undated(power: Power) -> object:
    sides = (power.payment, power.refund)
    return tuple(tuple(replace(actor, at=0) for actor in actors) for actors in sides)


def _series(things: list[T], told: Callable[[T], tuple[str, object]]) -> Iterator[list[T]]:
    """Runs of milestones of one series of which the same is told, apart from dates."""
    run: list[T] = []
    for thing in things:
        key, what = told(thing)
        if run and not (follows(told(run[-1])[0], key) and told(run[-1])[1] == what):
            yield run
            run = []
        run.append(thing)
    if run:
        yield run


def _likewise(keys: list[str]) -> str:
    return say("{milestones}: likewise, each at its own dates", milestones=ranged(keys))


def _silences(teller: ReportTeller) -> Iterator[str]:
    report = teller.report
    yield from ("", say("If somebody goes silent"))
    everybody = [one for one in report.silence if one.who is Silent.EVERYBODY]
    clock = {outcome for one in everybody for outcome in one.outcomes}
    for silence in (*everybody, *(one for one in report.silence if one not in everybody)):
        name = teller.name(silence)
        yield f"  {silence.role}" if silence.role == name else f"  {silence.role}, {name}"
        yield from _wrapped(teller.silence(silence), 4, 4)
        same = [o.milestone for o in silence.outcomes if o in clock and silence not in everybody]
        if same:
            told = say("as if nobody acts: {milestones}", milestones=ranged(same))
            yield f"      {told}"
        others = [outcome for outcome in silence.outcomes if outcome.milestone not in same]
        for run in _series(others, lambda o: (o.milestone, replace(o, milestone="", at=0))):
            for outcome in run[:1] if len(run) >= SERIES else run:
                yield from _wrapped(f"{outcome.milestone}: {teller.outcome(outcome)}", 6, 8)
            if len(run) >= SERIES:
                yield f"      {_likewise([outcome.milestone for outcome in run[1:]])}"
    if report.settled_by:
        when = teller.time(report.settled_by)
        told = say(
            "If nobody ever acts, all funded money has found its owner after {when}.", when=when
        )
        yield f"  {told}"


def _plays(teller: ReportTeller) -> Iterator[str]:
    report = teller.report
    if not report.plays:
        return
    day = teller.day(report.at)
    yield from ("", say("What follows from what, if it were funded and done on {day}", day=day))
    alike: dict[object, list[Plays]] = {}
    for one in report.plays:
        alike.setdefault(_shape(one), []).append(one)
    for run in alike.values():
        for one in run[:1] if len(run) >= SERIES else run:
            yield f"  {one.milestone}"
            for text in (*map(teller.play, one.plays), teller.latest(one)):
                yield from _wrapped(text, 4, 6)
        if len(run) >= SERIES:
            keys = ranged([one.milestone for one in run[1:]])
            told = say(
                "{milestones}: likewise, each with its own amounts and dates", milestones=keys
            )
            yield from _wrapped(told, 2, 4)
    if report.caveats:
        yield from ("", say("Easily overlooked"))
    for caveat in report.caveats:
        yield from _wrapped(teller.caveat(caveat), 2, 4)


def _shape(plays: Plays) -> object:
    """What is the same of milestones that differ in nothing but amounts and dates."""
    return tuple(
        (
            replace(play, due=()),
            tuple((due.wait, not due.to_payee, not due.to_buyer) for due in play.due),
        )
        for play in plays.plays
    )


def _exposure(teller: ReportTeller) -> Iterator[str]:
    report = teller.report
    currency = Denomination(report.symbol, report.decimals)
    yield from ("", say("Exposure if all goes to plan ({symbol})", symbol=report.symbol))
    columns = (say("paid"), say("work"), say("buyer ahead"), say("supplier ahead"))
    rows = [
        [
            format_amount(amount, currency, symbol=False)
            for amount in (point.paid, point.worth, point.buyer, point.supplier)
        ]
        for point in report.exposure
    ]
    # Two spaces between columns at least, however many decimals a token has.
    wide = max(13, *(len(amount) for row in rows for amount in row)) + 2 if rows else 15
    yield f"  {'':<36}" + "".join(f"{name:>{wide}}" for name in columns)
    for point, row in zip(report.exposure, rows, strict=True):
        day = teller.time(point.at).split(",")[0]
        event = textwrap.shorten(teller.event(point), 22, placeholder="…")
        yield f"  {day:<12} {event:<23}" + "".join(f"{amount:>{wide}}" for amount in row)


def _wrapped(text: str, first: int, later: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * first, subsequent_indent=" " * later)
