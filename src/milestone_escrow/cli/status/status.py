"""`escrow status`: what needs me, or where an agreement stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from milestone_escrow.cli.shell.desk import Desk, desk_of, look
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.outcome import as_json, with_key
from milestone_escrow.cli.shell.output import (
    bad,
    bold,
    command,
    dim,
    good,
    paragraph,
    table,
    waiting,
)
from milestone_escrow.cli.shell.records import kept
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import Named, at_hand, names_at_hand
from milestone_escrow.cli.status.credits import Credit, credits_of
from milestone_escrow.documents.files.signed_agreement import PARTIES, SignedAgreement
from milestone_escrow.documents.when import DAY, format_relative, format_time, parse_duration
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.words.listing import follows, ranged
from milestone_escrow.words.standing import Standing, amount, person, status
from milestone_escrow.words.tasks import Task, is_later, silence_sides, tasks


@click.command("status", short_help="Show what needs you, or where an agreement stands.")
@click.argument("agreement", required=False)
@click.option("--as", "signer_name", metavar="NAME", help="Only what this key or role can do.")
@click.option(
    "--within",
    metavar="TIME",
    default="30 days",
    show_default=True,
    help="What is due after that is later: named, without its commands.",
)
@reads
def status_(session: Session, agreement: str | None, within: str) -> None:
    """Show what needs you; with an agreement, where each milestone stands.

    Alone, it goes through every agreement that this machine knows and lists what waits for one
    of your keys, the most urgent first, each with the command that does it. What is not due soon,
    or comes after something that is not done, is named at the end.

    \b
    Examples:
      escrow status
      escrow status --as supplier
      escrow status --within 90d
      escrow status PO-2027-0114
      escrow status PO-2027-0114 --json
    """
    if agreement is None:
        show_all(session, _horizon(within))
    else:
        show_one(session, agreement, _horizon(within))


SOON = 2 * DAY
# From how many milestones in a row on a series is told as one.
SERIES = 7


def _horizon(within: str) -> int:
    seconds = parse_duration(within)
    if seconds <= 0:
        raise UsageError(f"--within is '{within}'", hint="write a time, as 30 days or 48 hours")
    return seconds


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits for one of this machine's keys."""

    reference: str
    milestone: str
    text: str
    line: str
    until: int
    now: int
    key: str = ""
    who: str = ""
    due: int = 0
    later: bool = False
    credit: Credit | None = None


def show_one(session: Session, name: str, within: int) -> None:
    """Milestones as a table, then who may do what now."""
    desk = look(session, name)
    agreement, is_open = desk.bound.agreement, desk.escrow.is_open(desk.bound.id)
    if is_open:
        session.shelf.put(desk.signed)
    standings = desk.standings()
    older = [s for before in desk.earlier for s in before.standings() if _counts(s)]
    now = standings[0].now
    waits = list(credits_of(desk)) if is_open else []
    session.say(f"{bold(agreement.reference)}  {agreement.title}")
    session.say(
        f"{agreement.name('buyer')} pays {agreement.name('supplier')} "
        f"{agreement.amount(agreement.price)} on {desk.network.title}"
    )
    session.say(f"It is {format_time(now, agreement.timezone)}; id 0x{desk.bound.id.hex()}\n")
    if line := _version(desk, bool(older)):
        session.say(paragraph(line) + "\n")
    if is_open:
        session.say(_table((*older, *standings), {id(s): " (before)" for s in older}))
        session.say(_totals((*older, *standings)))
        for credit in waits:
            session.say(f"{bad('Could not be delivered')}: {credit.text}.")
        for line in _returned(session, (*standings, *older)):
            session.say(paragraph(line))
        _say_possible(session, desk, (*standings, *older), waits, within)
    else:
        session.say(f"It is {waiting('not open')}.")
        _say_opening(session, desk)
    session.emit(
        {
            "agreement": "0x" + desk.bound.id.hex(),
            "reference": agreement.reference,
            "title": agreement.title,
            "network": desk.network.name,
            "open": is_open,
            "now": now,
            "held": {
                "units": str(sum(s.held for s in standings)),
                "text": agreement.amount(sum(s.held for s in standings)),
            },
            "credits": [credit.as_json() for credit in waits],
            "replaces": f"0x{agreement.replaces.hex()}" if agreement.replaces else None,
            "milestones": [as_json(standing) for standing in standings],
            "decided_by_earlier_versions": [as_json(standing) for standing in older],
        }
    )


def _counts(standing: Standing) -> bool:
    """Whether an earlier version's milestone still matters: it holds money, or has paid some."""
    return standing.state.status.holds or bool(standing.paid_out.total)


def _version(desk: Desk, has_older: bool) -> str:
    """Which version it is, where there are several."""
    count = len(desk.earlier)
    after = desk.escrow.versions(desk.bound)
    if after[-1] != desk.bound.id:
        return (
            f"It was changed: the newest version is 0x{after[-1].hex()[:8]}…. Where it is not "
            "known, give its change order once, as in `escrow status FILE.change.json`."
        )
    if not count:
        return ""
    ids = ", ".join(f"0x{before.bound.id.hex()[:8]}…" for before in desk.earlier)
    marked = "; (before) marks what an earlier version decides" if has_older else ""
    return f"It is version {count + 1}, after {ids}{marked}."


def show_all(session: Session, within: int) -> None:
    """Everything that waits for one of the keys at hand, the most urgent first."""
    items: list[Item] = []
    troubles: dict[str, None] = {}
    named = Named(session.signer_name)
    if session.network:
        session.place(None)
    known, aside = session.shelf.look_through()
    for signed in known:
        try:
            items += _items(session, signed, named, within)
        except EscrowError as error:
            troubles[f"{signed.agreement.reference}: {error}"] = None
    troubles |= {one.why: None for one in aside}
    if known and not troubles:
        named.require()
    items = _each_once(items)
    items.sort(key=lambda item: (item.later, item.credit is None, item.until == 0, item.until))
    now_due = [item for item in items if not item.later]
    if not known and not aside:
        session.say(f"There is no agreement here yet, in {session.home.agreements}.")
        session.say("Start from an example:")
        session.say(f"  {command('escrow agreement new')}")
    elif not now_due and not troubles:
        names = sorted({signed.agreement.reference for signed in known})
        count = f"{len(names)} agreements" if len(names) > 1 else names[0]
        session.say(f"{good('Nothing needs you now')} in {count}.")
    heading = ""
    for item in now_due:
        previous, heading = heading, f"{bold(item.reference)} {item.milestone}  {_until(item)}"
        if heading != previous:
            session.say(heading.rstrip())
        session.say(paragraph(item.text, "  "))
        session.say(f"    {command(item.line)}")
    for line in _later([item for item in items if item.later]):
        session.say(paragraph(line))
    for trouble in troubles:
        session.say(f"{bad('Not looked at')}: {trouble}")
    session.emit(
        {
            "tasks": [
                {
                    "reference": item.reference,
                    "milestone": item.milestone or None,
                    "as": item.key or None,
                    "who": item.who or None,
                    "text": item.text,
                    "command": item.line,
                    "until": item.until or None,
                    "due": item.due or None,
                    "later": item.later,
                }
                for item in items
            ],
            "not_looked_at": list(troubles),
        }
    )


def _later(items: Sequence[Item]) -> Iterator[str]:
    """One line of each agreement: which milestones have time, and when the first is due."""
    for reference in dict.fromkeys(item.reference for item in items):
        own = [item for item in items if item.reference == reference]
        keys = ranged(list(dict.fromkeys(item.milestone for item in own)))
        dates = [item.due or item.until for item in own if item.due or item.until]
        first = f"; the first is due {format_relative(min(dates), own[0].now)}" if dates else ""
        yield f"{bold(reference)} {waiting('later')}: {keys}{first}"


def _items(session: Session, signed: SignedAgreement, named: Named, within: int) -> list[Item]:
    keys = named.among(at_hand(session, signed.bound, signed.domain.chain_id))
    names = {key.account: key.name for key in reversed(keys)}
    # A new version is signed in its change order.
    unsigned = [] if signed.agreement.replaces else _unsigned(session, signed, names)
    if unsigned:
        return unsigned
    desk = desk_of(session, signed)
    if not desk.escrow.is_open(signed.id):
        buyer = signed.agreement.people["buyer"]
        if buyer not in names:
            return []
        line = f"escrow open {desk.name} --fund next --as {names[buyer]}"
        text = "Both sides have signed: open it and pay the first milestone in."
        who = signed.agreement.name("buyer")
        now = session.now()
        return [Item(signed.agreement.reference, "", text, line, 0, now, names[buyer], who)]
    return [
        *_credits(session, desk, names),
        *_milestones(session, desk, names, within),
        *_changes(session, desk, names),
    ]


def _credits(session: Session, desk: Desk, names: dict[str, str]) -> Iterator[Item]:
    """What waits for the accounts of the keys at hand."""
    reference, now = desk.bound.agreement.reference, session.now()
    for credit in credits_of(desk, names):
        text = f"{credit.who}: {credit.task}."
        mine = (names[credit.account], credit.who)
        yield Item(reference, "", text, credit.line(names), 0, now, *mine, credit=credit)


def _each_once(items: Sequence[Item]) -> list[Item]:
    """Without what waits for an account in several of its agreements; it is told with the one that
    most of it came from."""
    most: dict[tuple[str, ...], Item] = {}
    for item in items:
        if item.credit is not None:
            known = most.get(item.credit.place)
            if known is None or known.credit is None or known.credit.own < item.credit.own:
                most[item.credit.place] = item
    return [item for item in items if item.credit is None or most[item.credit.place] is item]


def _changes(session: Session, desk: Desk, names: dict[str, str]) -> list[Item]:
    """Change orders that wait for a signature, or for somebody who sends them."""
    items: list[Item] = []
    for change in session.shelf.changes(desk.bound.id):
        try:
            missing = change.missing(desk.escrow.states(desk.bound))
        except UsageError:
            # It was carried out, or something has happened since it was written.
            continue
        now = session.now()
        waiting = [account for account in missing if account in names]
        who = f"{person(desk.bound, waiting[0])} can sign it" if waiting else ""
        if now <= change.valid_until and (waiting or not missing):
            key = f" --as {names[waiting[0]]}" if waiting else ""
            line = f"escrow amend {desk.name}{key}"
            reference = desk.bound.agreement.reference
            text = f"A change order waits: {who or 'everybody has signed it'}."
            mine = (names[waiting[0]], person(desk.bound, waiting[0])) if waiting else ("", "")
            items.append(Item(reference, "", text, line, change.valid_until, now, *mine))
    return items


def _unsigned(session: Session, signed: SignedAgreement, names: dict[str, str]) -> list[Item]:
    agreement = signed.agreement
    return [
        Item(
            agreement.reference,
            "",
            f"{agreement.name(role)} has not signed it yet.",
            f"escrow agreement sign 0x{signed.id.hex()[:8]} --as {names[agreement.people[role]]}",
            0,
            session.now(),
            names[agreement.people[role]],
            agreement.name(role),
        )
        for role in PARTIES
        if role not in signed.signatures and agreement.people[role] in names
    ]


def _milestones(session: Session, desk: Desk, names: dict[str, str], within: int) -> list[Item]:
    """Each milestone's tasks; of the unfunded ones only the first, and of a quorum only who is
    still missing."""
    items: list[Item] = []
    is_funding_shown = False
    standings = desk.standings()
    for standing in standings:
        if standing.state.status is Status.UNFUNDED and is_funding_shown:
            continue
        is_funding_shown = is_funding_shown or standing.state.status is Status.UNFUNDED
        signed = _have_signed(session, standing)
        for task in tasks(desk.name, standing):
            if not task.is_needed or (task.account is not None and task.account not in names):
                continue
            if "attest" in task.command and task.account in signed:
                continue
            who = person(desk.bound, task.account) if task.account else "Anyone"
            items.append(
                Item(
                    desk.bound.agreement.reference,
                    standing.key,
                    f"{who}: {task.text}.",
                    with_key(task, names),
                    task.until,
                    standing.now,
                    names.get(task.account or "", ""),
                    who if task.account else "",
                    standing.planned.due_at,
                    is_later(task, standing, standings, within),
                )
            )
    return items


def _have_signed(session: Session, standing: Standing) -> set[str]:
    return {
        account
        for collected in kept(session, standing.bound, standing.key)
        if collected.attestation.verdict is not Verdict.RETURNED
        and collected.attestation.issued_at > standing.state.issued_at
        for account in collected.signatures
    }


def _until(item: Item) -> str:
    if not item.until:
        return ""
    text = f"ends {format_relative(item.until, item.now)}"
    return bad(text) if item.until - item.now < SOON else dim(text)


def _table(standings: tuple[Standing, ...], marks: Mapping[int, str]) -> str:
    symbol = standings[0].bound.agreement.token_symbol
    zone = standings[0].bound.agreement.timezone
    columns: dict[str, list[str]] = {
        "milestone": [standing.key + marks.get(id(standing), "") for standing in standings],
        "status": [_status(standing) for standing in standings],
        "payee": [_other_payee(standing) for standing in standings],
        symbol: [_bare(standing, _decides(standing)) for standing in standings],
        "paid": [_bare(standing, standing.delivered.to_payee) for standing in standings],
        "given back": [_bare(standing, standing.delivered.to_buyer) for standing in standings],
        "not delivered": [
            _bare(standing, standing.paid_out.total - standing.delivered.total)
            for standing in standings
        ],
        "ends": [
            format_time(standing.end, zone) if standing.state.status.holds else ""
            for standing in standings
        ],
        "what silence does": [
            silence_sides(standing) if standing.state.status.holds else "" for standing in standings
        ],
    }
    columns = _as_series(columns)
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    money = (symbol, "paid", "given back", "not delivered")
    right = [i for i, name in enumerate(shown) if name in money]
    return table(zip(*shown.values(), strict=True), tuple(shown), right=right)


def _as_series(columns: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Milestones in a row that differ in nothing but key and end stand as one, where many do."""
    runs: list[list[tuple[str, ...]]] = []
    for row in zip(*columns.values(), strict=True):
        before = runs[-1][-1] if runs else None
        if before and follows(before[0], row[0]) and _rest(columns, before) == _rest(columns, row):
            runs[-1].append(row)
        else:
            runs.append([row])
    names = list(columns)
    shown = [one for run in runs for one in (_told(names, run) if len(run) >= SERIES else run)]
    return {name: [row[i] for row in shown] for i, name in enumerate(names)}


def _told(names: Sequence[str], run: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    first, last = run[0], run[-1]
    cells = dict(zip(names, first, strict=True))
    cells["milestone"] = f"{ranged([row[0] for row in run])}, each"
    ends = names.index("ends")
    if first[ends] != last[ends]:
        cells["ends"] = f"{first[ends]} … {last[ends]}"
    return [tuple(cells.values())]


def _rest(columns: Mapping[str, list[str]], row: tuple[str, ...]) -> list[str]:
    return [
        cell for name, cell in zip(columns, row, strict=True) if name not in ("milestone", "ends")
    ]


def _decides(standing: Standing) -> int:
    """The part of a milestone that this version decides; a change order may move the rest on."""
    if standing.state.status is Status.SETTLED:
        return standing.paid_out.total
    return standing.milestone.amount


def _other_payee(standing: Standing) -> str:
    """Whom the milestone pays, where it is not the supplier."""
    is_sold = standing.payee != standing.terms.supplier
    return person(standing.bound, standing.payee) if is_sold else ""


def _status(standing: Standing) -> str:
    text = status(standing)
    if standing.state.status is Status.SETTLED and text != "not delivered":
        return good(text) if standing.paid_out.to_payee else dim(text)
    if standing.is_overdue or "disputed" in text or text == "not delivered":
        return bad(text)
    return dim(text) if standing.state.status is Status.UNFUNDED else waiting(text)


def _bare(standing: Standing, units: int) -> str:
    """An amount without its symbol; nothing for 0."""
    if not units:
        return ""
    return amount(standing, units).removesuffix(standing.bound.agreement.token_symbol).rstrip()


def _totals(standings: tuple[Standing, ...]) -> str:
    first = standings[0]
    held = sum(standing.held for standing in standings)
    paid = sum(standing.delivered.to_payee for standing in standings)
    back = sum(standing.delivered.to_buyer for standing in standings)
    text = f"\nHeld by the contract {amount(first, held)}, paid {amount(first, paid)}"
    return text + (f", given back {amount(first, back)}." if back else ".")


def _returned(session: Session, standings: tuple[Standing, ...]) -> list[str]:
    """What was sent back for rework, as far as this machine knows; the chain does not."""
    return [
        f"{who} returned '{standing.key}' for rework on "
        f"{format_time(collected.attestation.issued_at, standing.bound.agreement.timezone)}: "
        f"“{collected.reason}”"
        for standing in standings
        for collected in kept(session, standing.bound, standing.key)
        if collected.attestation.verdict is Verdict.RETURNED and standing.state.status.holds
        for who in [", ".join(person(standing.bound, a) for a in collected.signatures)]
    ]


def _say_possible(
    session: Session,
    desk: Desk,
    standings: tuple[Standing, ...],
    waits: Sequence[Credit],
    within: int,
) -> None:
    names = names_at_hand(session, desk.bound, desk.network)
    collect = [(f"  {one.who}", one.amount, command(one.line(names))) for one in waits]
    found = [
        (is_later(task, standing, standings, within), task)
        for standing in standings
        for task in tasks(desk.name, standing)
    ]
    found.sort(key=lambda one: one[0])
    needed = [task for _, task in found if task.is_needed]
    if needed or collect:
        session.say(f"\n{bold('Whose turn it is')}")
        rows = _rows if len(needed) < SERIES else _joined
        session.say(table([*collect, *rows(desk, needed, names)]))
    if possible := [task for _, task in found if not task.is_needed]:
        session.say(f"\n{bold('Also possible')}")
        session.say(table([*_joined(desk, possible, names), _changing(desk)]))


def _changing(desk: Desk) -> tuple[str, ...]:
    return "  both sides", command(f"escrow amend {desk.name} NEW.yaml"), ""


def _rows(desk: Desk, group: list[Task], names: dict[str, str]) -> list[tuple[str, ...]]:
    return [
        (f"  {_who(desk, task)}", task.milestone, command(with_key(task, names))) for task in group
    ]


def _joined(desk: Desk, group: list[Task], names: dict[str, str]) -> list[tuple[str, ...]]:
    """One line for each verb, with the milestones for which it is possible."""
    lines: dict[tuple[str, str], list[str]] = {}
    for task in group:
        line = with_key(task, names).replace(f" {task.milestone}", " MILESTONE", 1)
        lines.setdefault((_who(desk, task), line), []).append(task.milestone)
    return [
        (f"  {who}", command(line.replace("MILESTONE", keys[0]) if len(keys) == 1 else line),
         "" if len(keys) == 1 else ranged(keys))
        for (who, line), keys in lines.items()
    ]  # fmt: skip


def _who(desk: Desk, task: Task) -> str:
    return person(desk.bound, task.account) if task.account else "anyone"


def _say_opening(session: Session, desk: Desk) -> None:
    missing = [role for role in PARTIES if role not in desk.signed.signatures]
    if missing:
        role = missing[0]
        session.say(f"{desk.bound.agreement.name(role)} has not signed it:")
        session.say(f"  {command(f'escrow agreement sign {desk.name} --as {role}')}")
    else:
        session.say("Both sides have signed; the buyer opens it:")
        session.say(f"  {command(f'escrow open {desk.name} --fund next')}")
