"""`escrow amend` and `escrow extend`: change orders, which both sides sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.agreement.signing import require_no_errors
from milestone_escrow.cli.change.change_words import as_json, difference_lines, plan_lines
from milestone_escrow.cli.shell.desk import Desk, desk_of, open_desk
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.letters import is_change
from milestone_escrow.cli.shell.options import reads, sends
from milestone_escrow.cli.shell.outcome import show_outcome
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.paper import Paper, nothing_signed, on_paper, say_unsigned, seconds
from milestone_escrow.cli.shell.saving import require_free, save, saves, target
from milestone_escrow.cli.shell.sending import carry_out
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import names_at_hand
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.changes import amendment, may_send, missing, order_now, require_missing
from milestone_escrow.deals.paying import choose_way, require_balance
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.change_orders.change_order import ChangeOrder, change_order
from milestone_escrow.documents.change_orders.extend import extend
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.source import parse_source, read_source
from milestone_escrow.documents.when import read_date
from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.protocol.lifecycle import State


@click.command(short_help="Change an open agreement: both sides sign, the money moves over.")
@click.argument("names", nargs=-1, metavar="AGREEMENT NEW | CHANGE")
@click.option("--fund", metavar="KEY,KEY", help="Pay these new or unfunded milestones in with it.")
@click.option(
    "--with",
    "way",
    type=click.Choice(["allowance", "permit"]),
    help="How the sender pays what is missing; the best that token and wallet know otherwise.",
)
@sends
@on_paper
def amend(
    session: Session, names: tuple[str, ...], fund: str | None, way: str | None, paper: Paper
) -> None:
    """Change an open agreement. NEW is its file with the changes made, CHANGE what somebody has
    signed already. Before anyone signs, it shows what differs, in words, and where the money goes.

    The first signature writes NEW.change.json, which you send to the other side; they sign it with
    `escrow amend NEW.change.json`. Whoever signs last sends it, unless more money is needed, which
    the buyer brings. A milestone whose payout was sold needs its owner's signature, too.

    Money moves over, verdicts and sales do not: what is submitted, decided, disputed or sold stays
    with the old version, unless the change is about it. The reference then means the new version.

    \b
    Examples:
      escrow amend PO-2027-0114 agreement.yaml --as buyer
      escrow amend agreement.change.json --as supplier
      escrow amend PO-2027-0114 agreement.yaml --dry-run
    """
    if len(names) == 2:
        start(session, names[0], Path(names[1]), fund, way, paper)
    elif len(names) == 1:
        if fund:
            raise UsageError("a change order says itself what it funds", hint="leave --fund out")
        go_on(session, names[0], way, paper)
    else:
        raise UsageError(
            "this needs an agreement and its changed file",
            hint="as in `escrow amend PO-2027-0114 agreement.yaml`",
        )


@click.command("extend", short_help="Write the change order that moves one date.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--to", "date", required=True, metavar="DATE", help="The new date: 2027-05-15.")
@saves("Where the change order goes, by default MILESTONE.change.json here")
@click.option(
    "--valid-for", metavar="TIME", default="30 days", show_default=True, help="How long it counts."
)
@reads
def extend_(
    session: Session,
    agreement: str,
    milestone: str,
    date: str,
    valid_for: str,
) -> None:
    """Write the change order that gives one milestone a later date, for both sides to sign.

    Nothing is signed or sent. The date on which silence decides moves along.

    \b
    Examples:
      escrow extend PO-2027-0114 departed --to 2027-04-24
      escrow amend departed.change.json --as buyer
    """
    paper = Paper(target(session, f"{milestone}.change.json"), valid_for)
    extend_date(session, agreement, milestone, date, paper)


def start(
    session: Session, name: str, file: Path, fund: str | None, way: str | None, paper: Paper
) -> None:
    """A change order from a changed file."""
    if file.suffix.lower() == ".json":
        raise UsageError(
            f"{file} is not an agreement's own file",
            hint="change the file that people write, and give that",
        )
    desk = open_desk(session, name)
    states = desk.escrow.states(desk.bound)
    text = mark_change(read_source(file).text, desk.bound, states, file=str(file))
    new = Agreement.loads(text, file=str(file)).on(session.place_of(desk.signed))
    keys = [key.strip() for key in fund.split(",")] if fund else []
    change, order = _change(desk, SignedAgreement.start(new), states, paper, keys)
    if not order.difference.changes:
        raise EscrowError(
            f"{file} says the same as {desk.bound.agreement.reference}",
            hint="change what is to change in the file first",
        )
    place = paper.file or file.with_suffix(".change.json")
    _require_free(session, place, desk)
    to = replace(paper, file=place)
    signed = _sign_or_send(session, desk, change, order, way, to, bool(paper.file))
    if signed:
        # The file goes on saying the whole deal, and now also what it continues.
        write(file, text)


def _require_free(session: Session, file: Path, desk: Desk) -> None:
    """Only another order for the same change may take a change order's place."""
    known = SignedChange.load(file, session.wallets) if file.is_file() and is_change(file) else None
    if known is None or known.old.id != desk.bound.id:
        require_free(session, file)


def go_on(session: Session, name: str, way: str | None, paper: Paper) -> None:
    """A change order that somebody has written, by its file or the agreement that it changes."""
    path = Path(name)
    if path.suffix.lower() == ".json" and path.is_file() and is_change(path):
        change = SignedChange.load(path, session.wallets)
        session.shelf.put(change.old)
        desk = open_desk(session, "0x" + change.old.id.hex())
    else:
        desk = open_desk(session, name)
        change, path = _waiting(session, desk), Path()
    order = order_now(desk, change)
    to = replace(paper, file=paper.file or (path if path.name else None))
    _sign_or_send(session, desk, change, order, way, to, bool(paper.file))


def send_change(session: Session, file: Path) -> None:
    """Send a change order that everybody has signed; anybody may."""
    change = SignedChange.load(file, session.wallets)
    session.shelf.put(change.old)
    desk = open_desk(session, "0x" + change.old.id.hex())
    order = order_now(desk, change)
    if waits := missing(change, order):
        raise EscrowError(
            f"{desk.person(waits[0])} has not signed {file}",
            hint=f"they sign it with `escrow amend {file}`",
        )
    _send(desk.chosen(), change, order, None)


def extend_date(session: Session, name: str, key: str, date: str, paper: Paper) -> None:
    """The change order that moves one date, unsigned."""
    assert paper.file is not None
    desk = open_desk(session, name, key)
    old, states = desk.bound.agreement, desk.escrow.states(desk.bound)
    text = mark_change(extend(old, key, read_date(date)), desk.bound, states)
    tree = parse_source(text, file=str(paper.file)).tree
    if old.attachments:
        # They stay the same, and need not lie here.
        tree["attachments"] = old.document["attachments"]
    new = SignedAgreement.start(Agreement.from_document(tree).on(session.place_of(desk.signed)))
    change, order = _change(desk, new, states, paper, ())
    session.say(bold(f"extend {old.reference}, '{key}', on {desk.network.title}"))
    for line in (*difference_lines(order), *plan_lines(desk, order, change, ())):
        session.say(paragraph(line, "  "))
    save(session, paper.file, change.dumps().encode())
    session.shelf.put_change(change)
    session.say(f"\nThe change order is in {bold(str(paper.file))}. Nothing is signed yet.")
    _say_next(desk, change, order, str(paper.file))
    session.emit({"file": str(paper.file), "sent": False, **as_json(change, order)})


def _waiting(session: Session, desk: Desk) -> SignedChange:
    """The change order of an agreement that is kept here."""
    found = session.shelf.changes(desk.bound.id)
    if not found:
        raise UsageError(
            f"no change order of {desk.bound.agreement.reference} is known here",
            hint=f"give the changed file: `escrow amend {desk.name} NEW.yaml`",
        )
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} change orders of {desk.bound.agreement.reference} wait here",
            hint="give the file of the one that you mean",
        )
    return found[0]


def _change(
    desk: Desk,
    new: SignedAgreement,
    states: Sequence[State],
    paper: Paper,
    fund: Sequence[str],
) -> tuple[SignedChange, ChangeOrder]:
    until = desk.escrow.now() + seconds(paper)
    order = change_order(desk.bound, new.bound, states, valid_until=until, fund=fund)
    return SignedChange.of(desk.signed, new, order), order


def _sign_or_send(
    session: Session,
    desk: Desk,
    change: SignedChange,
    order: ChangeOrder,
    way: str | None,
    paper: Paper,
    only_sign: bool,
) -> bool:
    """Add a signature that is missing; the last one sends, unless only the buyer can pay."""
    require_no_errors(session, change.new)
    waits = missing(change, order)
    desk = desk.chosen(waits)
    if waits:
        require_missing(desk, change, order)
    if may_send(desk, change, order) and not only_sign:
        _send(desk, change, order, way)
        return False
    _sign(desk, change, order, paper)
    return not session.dry_run


def _sign(desk: Desk, change: SignedChange, order: ChangeOrder, paper: Paper) -> None:
    session = desk.session
    session.say(bold(desk.doing("change")))
    for line in (*difference_lines(order), *plan_lines(desk, order, change, change.signatures)):
        session.say(paragraph(line, "  "))
    if nothing_signed(session, {"sent": False, **as_json(change, order)}):
        return
    if isinstance(desk.signer, Absent) and paper.file:
        session.shelf.put_change(change)
        say_unsigned(session, desk.bound, desk.signer, paper.file, change.dumps())
        return
    session.say()
    session.confirm("Sign it?")
    change = change.sign(desk.signer)
    if paper.file:
        write(paper.file, change.dumps())
    session.shelf.put_change(change)
    where = f"; the change order is in {bold(str(paper.file))}" if paper.file else ""
    session.say(f"{good('Signed')} by {desk.person(desk.account)}{where}.")
    _say_next(desk, change, order, str(paper.file) if paper.file else desk.name)
    session.emit(
        {
            "file": str(paper.file) if paper.file else None,
            "sent": False,
            **as_json(change, order),
        }
    )


def _say_next(desk: Desk, change: SignedChange, order: ChangeOrder, name: str) -> None:
    session = desk.session
    names = names_at_hand(session, desk.bound, desk.network)
    waits = missing(change, order)
    session.say("\nNext")
    for account in waits:
        key = f" --as {names[account]}" if account in names else ""
        session.say(f"  {desk.person(account)} signs:")
        session.say(f"    {command(f'escrow amend {name}{key}')}")
    if not waits:
        buyer = desk.bound.terms.buyer
        who = desk.person(buyer) if order.money.pulled else "anyone"
        key = f" --as {names[buyer]}" if order.money.pulled and buyer in names else ""
        session.say(f"  {who} sends it:\n    {command(f'escrow send {name}{key}')}")


def _send(desk: Desk, change: SignedChange, order: ChangeOrder, way: str | None) -> None:
    session, pulled = desk.session, order.money.pulled
    if pulled:
        require_balance(desk, desk.account, pulled)
    chosen = choose_way(desk, pulled, way) if pulled else None
    signed = [*change.signatures, desk.account]
    will = [*difference_lines(order), *plan_lines(desk, order, change, signed)]
    action = amendment(desk, change, order, chosen, will, as_json(change, order))
    receipts = carry_out(desk, action)
    if not receipts:
        return
    session.shelf.put_change(change)
    session.shelf.put(change.new)
    new = desk_of(session, change.new).acting(desk.signer)
    if order.money.returned and not any(one.milestone is None for one in new.undelivered()):
        session.say(
            f"Gave {new.amount(order.money.returned)} back to {new.person(new.bound.terms.buyer)}."
        )
    reference, version = change.new.agreement.reference, change.new.id.hex()[:8]
    session.say(f"{bold(reference)} now means the new version, 0x{version}….")
    show_outcome(new, action, receipts, [m.key for m in change.new.agreement.milestones])
