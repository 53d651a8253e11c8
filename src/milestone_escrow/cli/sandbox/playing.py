"""What `escrow demo` does and shows: a timeline, then the accounts."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from milestone_escrow.cli.sandbox.played import Played, as_json
from milestone_escrow.cli.shell.output import bad, bold, command, dim, good, table, terminal_width
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.money import format_amount
from milestone_escrow.documents.when import day_of, format_date
from milestone_escrow.errors import EscrowError

if TYPE_CHECKING:
    from milestone_escrow.sandbox.timeline import Beat, Movement

STORY_FILE = "story.yaml"
DATE, MONEY, GAS = 11, 15, 9


def play_one(session: Session, name: str) -> None:
    """Play one example, and exit with 1 if it does not add up."""
    played = _play(session, name)
    next_name = "software" if name != "software" else "carpets"
    session.say(f"\nAnother one:          {command(f'escrow demo {next_name}')}")
    session.say(f"Your own, from this:  {command(f'escrow agreement new {name}')}")
    session.emit(as_json(played))
    _require_no_problems([played])


def play_all(session: Session) -> None:
    """Play every example, and sum them up."""
    played = [_play(session, name) for name in examples.names()]
    rows = [
        (
            one.name,
            one.agreement.amount(one.agreement.price),
            _amount(one, one.outcome.to_payee),
            _amount(one, one.outcome.to_buyer),
            _amount(one, one.outcome.contract_balance),
            f"{one.outcome.transactions}",
            f"{one.days:,}",
            bad("NOT ok") if one.outcome.problems else good("ok"),
        )
        for one in played
    ]
    header = ("example", "price", "to supplier", "back", "left", "sent", "days", "adds up")
    session.say(f"\n{bold('All examples')}\n")
    session.say(table(rows, header, right=range(1, 7)))
    seconds = sum(one.seconds for one in played)
    session.say(f"\n{len(played)} agreements, start to end, in {seconds:.1f} seconds.")
    session.emit({"examples": [as_json(one) for one in played]})
    _require_no_problems(played)


def _play(session: Session, name: str) -> Played:
    file = examples.path(name)
    agreement = Agreement.load(file)
    session.say(f"\n{bold(agreement.title)}  {dim(agreement.reference)}")
    buyer, supplier = agreement.name("buyer"), agreement.name("supplier")
    count = len(agreement.milestones)
    session.say(f"{buyer} buys from {supplier}")
    session.say(f"for {agreement.amount(agreement.price)} in {count} milestones.")

    from milestone_escrow.sandbox.books import close
    from milestone_escrow.sandbox.player import Player
    from milestone_escrow.sandbox.story import load_story
    from milestone_escrow.sandbox.world import World

    started = time.perf_counter()
    story = load_story(file.parent / STORY_FILE)
    world = World.start(agreement.starts_at)
    player = Player(agreement, story, world, lambda key: examples.evidence(name, key))
    session.say(f"\n{bold('What happened')}: {story.title}\n")
    for line in _timeline(agreement, player.play()):
        session.say(line)
    played = Played(name, player, close(player), time.perf_counter() - started)
    for line in _accounts(played):
        session.say(line)
    return played


# The timeline


def _timeline(agreement: Agreement, beats: Iterator[Beat]) -> Iterator[str]:
    """Date, what happened, what it moved into (+) or out of (-) the contract, gas."""
    room = max(terminal_width() - DATE - MONEY - GAS - 6, 34)
    head = f"{'date':>{DATE}}  {'':<{room}}  {agreement.token_symbol:>{MONEY}}  {'gas':>{GAS}}"
    yield bold(head)
    shown = ""
    for beat in beats:
        day = format_date(day_of(beat.at, agreement.timezone))
        date, shown = ("" if day == shown else day), day
        yield from _beat_lines(agreement, beat, date, room)


def _beat_lines(agreement: Agreement, beat: Beat, date: str, room: int) -> Iterator[str]:
    into = [movement for movement in beat.movements if movement.into]
    gas = f"{beat.gas:,}" if beat.gas else ""
    lines = textwrap.wrap(f"{beat.who} {beat.what}", room, break_on_hyphens=False)
    for number, line in enumerate(lines):
        first = number == 0
        text = line.replace(beat.who, bold(beat.who), 1) if first else line
        pad = " " * (room - len(line))
        money = f"+{_number(agreement, into[0])}" if into and first else ""
        cells = f"{date if first else '':>{DATE}}  {text}{pad}"
        yield f"{cells}  {money:>{MONEY}}  {gas if first else '':>{GAS}}".rstrip()
    indent = " " * (DATE + 2)
    for movement in beat.movements:
        if not movement.into:
            head, *more = textwrap.wrap(f"→ {movement.words} {movement.name}", room)
            money = f"-{_number(agreement, movement)}"
            yield f"{indent}{good(head)}{' ' * (room - len(head))}  {money:>{MONEY}}"
            yield from (f"{indent}{good(line)}" for line in more)
    for note in beat.note.splitlines():
        for line in textwrap.wrap(note, room, break_on_hyphens=False):
            yield f"{indent}{dim(line)}"


def _number(agreement: Agreement, movement: Movement) -> str:
    return format_amount(movement.units, agreement.currency, symbol=False)


# The accounts


def _accounts(played: Played) -> Iterator[str]:
    outcome = played.outcome
    fees = any(share.fee for share in outcome.shares)
    header = ["milestone", "amount", "to supplier", *(["fee"] if fees else []), "back to buyer"]
    rows = [
        [
            share.milestone,
            *(
                _amount(played, units)
                for units in (
                    share.amount,
                    share.net,
                    *([share.fee] if fees else []),
                    share.to_buyer,
                )
            ),
            share.decided_by,
        ]
        for share in outcome.shares
    ]
    sums = [outcome.funded, outcome.to_payee, *([outcome.fees] if fees else []), outcome.to_buyer]
    total = [bold(cell) for cell in ("all", *(_amount(played, units) for units in sums))]
    yield f"\n{bold('Who got what')}\n"
    right = range(1, len(header))
    yield table([*rows, [*total, ""]], [*header, "decided by"], right=right)
    yield ""
    people = [
        (
            account.role,
            account.name,
            _amount(played, account.before),
            _amount(played, account.paid),
            _amount(played, account.received),
            _amount(played, account.after),
        )
        for account in outcome.accounts
    ]
    yield table(people, ("", "", "had", "paid in", "received", "has now"), right=range(2, 6))
    yield f"\n{bold('Does it add up?')}\n"
    yield from _checks(played)


def _checks(played: Played) -> Iterator[str]:
    outcome, amount = played.outcome, played.agreement.amount
    out = outcome.to_payee + outcome.fees + outcome.to_buyer
    yield _check(
        outcome.is_conserved,
        f"{amount(outcome.funded)} went in and {amount(out)} came out, as every balance of the "
        "token confirms to the last unit",
    )
    yield _check(not outcome.contract_balance, f"the contract holds {_left(played)}")
    settled = len(outcome.shares) - len(outcome.unsettled)
    yield _check(not outcome.unsettled, f"{settled} of {len(outcome.shares)} milestones settled")
    yield _check(
        not outcome.differing,
        f"{outcome.events} events, replayed, give exactly the state that the contract reports",
    )
    yield dim(
        f"    {outcome.transactions} transactions, {outcome.gas:,} gas; "
        f"{played.days:,} days in {played.seconds:.1f} seconds"
    )


def _left(played: Played) -> str:
    return played.agreement.amount(played.outcome.contract_balance)


def _check(passed: bool, sentence: str) -> str:
    lines = textwrap.wrap(sentence, max(terminal_width() - 4, 40))
    return f"{good('ok') if passed else bad('NO')}  " + "\n    ".join(lines)


def _amount(played: Played, units: int) -> str:
    return format_amount(units, played.agreement.currency, symbol=False)


def _require_no_problems(played: Sequence[Played]) -> None:
    problems = [f"{one.name}: {'; '.join(p)}" for one in played if (p := one.outcome.problems)]
    if problems:
        raise EscrowError(
            f"the demo does not add up ({', '.join(problems)})",
            hint="please report this: it must never happen",
        )
