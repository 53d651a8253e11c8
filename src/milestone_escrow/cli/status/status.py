"""`escrow status`: what needs me, or where an agreement stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from milestone_escrow.cli.shell.signers import AtHand, at_hand, names_at_hand
from milestone_escrow.documents.files.signed_agreement import PARTIES, SignedAgreement
from milestone_escrow.documents.source import suggest
from milestone_escrow.documents.when import DAY, format_relative, format_time
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.words.standing import Standing, amount, person, status
from milestone_escrow.words.tasks import Task, silence_sides, tasks


@click.command("status", short_help="Show what needs you, or where an agreement stands.")
@click.argument("agreement", required=False)
@click.option("--as", "signer_name", metavar="NAME", help="Only what this key or role can do.")
@reads
def status_(session: Session, agreement: str | None) -> None:
    """Show what needs you; with an agreement, where each milestone stands.

    Alone, it goes through every agreement that this machine knows and lists what waits for one
    of your keys, the most urgent first, each with the command that does it.

    \b
    Examples:
      escrow status
      escrow status --as supplier
      escrow status PO-2027-0114
      escrow status PO-2027-0114 --json
    """
    if agreement is None:
        show_all(session)
    else:
        show_one(session, agreement)


SOON = 2 * DAY


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits for one of this machine's keys."""

    reference: str
    milestone: str
    text: str
    line: str
    until: int
    now: int


def show_one(session: Session, name: str) -> None:
    """Milestones as a table, then who may do what now."""
    desk = look(session, name)
    agreement, is_open = desk.bound.agreement, desk.escrow.is_open(desk.bound.id)
    if is_open:
        session.shelf.put(desk.signed)
    standings = desk.standings()
    older = [s for before in desk.earlier for s in before.standings() if _counts(s)]
    now = standings[0].now
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
        for line in _returned(session, (*standings, *older)):
            session.say(paragraph(line))
        _say_possible(session, desk, (*standings, *older))
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


def show_all(session: Session) -> None:
    """Everything that waits for one of the keys at hand, the most urgent first."""
    items: list[Item] = []
    troubles: dict[str, None] = {}
    named = Named(session.signer_name)
    if session.network:
        session.place(None)
    known, aside = session.shelf.look_through()
    for signed in known:
        try:
            items += _items(session, signed, named)
        except EscrowError as error:
            troubles[f"{signed.agreement.reference}: {error}"] = None
    troubles |= {one.why: None for one in aside}
    if known and not troubles:
        named.require()
    items.sort(key=lambda item: (item.until == 0, item.until))
    if not known and not aside:
        session.say("There is no agreement here yet. Start from an example:")
        session.say(f"  {command('escrow agreement new')}")
    elif not items and not troubles:
        names = sorted({signed.agreement.reference for signed in known})
        count = f"{len(names)} agreements" if len(names) > 1 else names[0]
        session.say(f"{good('Nothing needs you now')} in {count}.")
    heading = ""
    for item in items:
        previous, heading = heading, f"{bold(item.reference)} {item.milestone}  {_until(item)}"
        if heading != previous:
            session.say(heading.rstrip())
        session.say(paragraph(item.text, "  "))
        session.say(f"    {command(item.line)}")
    for trouble in troubles:
        session.say(f"{bad('Not looked at')}: {trouble}")
    session.emit(
        {
            "tasks": [
                {
                    "reference": item.reference,
                    "milestone": item.milestone or None,
                    "text": item.text,
                    "command": item.line,
                    "until": item.until or None,
                }
                for item in items
            ],
            "not_looked_at": list(troubles),
        }
    )


@dataclass
class Named:
    """Whom --as names, and who there is: an all-clear for nobody would be none."""

    name: str | None
    there: set[str] = field(default_factory=set)

    def among(self, keys: Sequence[AtHand]) -> tuple[AtHand, ...]:
        """Those that are looked at; everybody where nobody is named."""
        self.there |= {key.name for key in keys}
        return tuple(key for key in keys if self.name in (None, key.name))

    def require(self) -> None:
        """Refuse a name that is nobody's.

        Raises:
            UsageError: with those that there are.
        """
        if self.name is not None and self.name not in self.there:
            raise UsageError(
                f"there is no key or role '{self.name}' here",
                hint=suggest(self.name, sorted(self.there)) or "see `escrow key list`",
            )


def _items(session: Session, signed: SignedAgreement, named: Named) -> list[Item]:
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
        return [Item(signed.agreement.reference, "", text, line, 0, session.now())]
    return [*_milestones(session, desk, names), *_changes(session, desk, names)]


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
            items.append(Item(reference, "", text, line, change.valid_until, now))
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
        )
        for role in PARTIES
        if role not in signed.signatures and agreement.people[role] in names
    ]


def _milestones(session: Session, desk: Desk, names: dict[str, str]) -> list[Item]:
    """Each milestone's tasks; of the unfunded ones only the first, and of a quorum only who is
    still missing."""
    items: list[Item] = []
    is_funding_shown = False
    for standing in desk.standings():
        if standing.state.status is Status.UNFUNDED and is_funding_shown:
            continue
        is_funding_shown = is_funding_shown or standing.state.status is Status.UNFUNDED
        signed = _have_signed(session, standing)
        for task in tasks(desk.name, standing):
            if not task.is_needed or (task.account is not None and task.account not in names):
                continue
            if "attest" in task.command and task.account in signed:
                continue
            who = f"{person(desk.bound, task.account)}: " if task.account else "Anyone: "
            items.append(
                Item(
                    desk.bound.agreement.reference,
                    standing.key,
                    f"{who}{task.text}.",
                    with_key(task, names),
                    task.until,
                    standing.now,
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
        "paid": [_bare(standing, standing.paid_out.to_payee) for standing in standings],
        "given back": [_bare(standing, standing.paid_out.to_buyer) for standing in standings],
        "ends": [
            format_time(standing.end, zone) if standing.state.status.holds else ""
            for standing in standings
        ],
        "what silence does": [
            silence_sides(standing) if standing.state.status.holds else "" for standing in standings
        ],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    right = [i for i, name in enumerate(shown) if name in (symbol, "paid", "given back")]
    return table(zip(*shown.values(), strict=True), tuple(shown), right=right)


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
    if standing.state.status is Status.SETTLED:
        return good(text) if standing.paid_out.to_payee else dim(text)
    if standing.is_overdue or "disputed" in text:
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
    paid = sum(standing.paid_out.to_payee for standing in standings)
    back = sum(standing.paid_out.to_buyer for standing in standings)
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


def _say_possible(session: Session, desk: Desk, standings: tuple[Standing, ...]) -> None:
    names = names_at_hand(session, desk.bound, desk.network)
    found = [task for standing in standings for task in tasks(desk.name, standing)]
    if needed := [task for task in found if task.is_needed]:
        session.say(f"\n{bold('Whose turn it is')}")
        session.say(table(_rows(desk, needed, names)))
    if possible := [task for task in found if not task.is_needed]:
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
         "" if len(keys) == 1 else ", ".join(keys))
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
