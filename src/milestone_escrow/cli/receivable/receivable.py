"""`escrow receivable`: a milestone's payout as something to look at, sell, buy and hand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.oracle.asking import find_oracle, patiently
from milestone_escrow.cli.receivable import factoring
from milestone_escrow.cli.receivable.assessing import (
    check_offer,
    check_receivable,
    list_receivables,
)
from milestone_escrow.cli.receivable.offers import (
    Offered,
    keep_offer,
    read_offer,
)
from milestone_escrow.cli.shell.deeds import do, until
from milestone_escrow.cli.shell.desk import Desk, open_desk
from milestone_escrow.cli.shell.options import offers, reads, sends
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.output import bold, command, good, paragraph, waiting
from milestone_escrow.cli.shell.paper import (
    Paper,
    nothing_signed,
    on_paper,
    require_no_transaction,
    say_unsigned,
)
from milestone_escrow.cli.shell.saving import save, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import account_named, at_hand
from milestone_escrow.deals import receivables
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.deeds import assignment
from milestone_escrow.deals.paying import choose_way, permit_for, require_balance
from milestone_escrow.deals.rights import require_assignable, require_holder
from milestone_escrow.deals.shares import share
from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.assessment import Assessment
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import Role
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.words.standing import Standing, amount, person

if TYPE_CHECKING:
    from milestone_escrow.oracle.api_client import OracleClient


_TO = "An account, one of your keys, or on the sandbox a name."


@click.group(short_help="Sell a milestone's payout, or buy one.")
def receivable() -> None:
    """Sell the right to a milestone's payout for early cash, buy one, or hand one on.

    Whoever holds the right is the milestone's payee: paid instead of the supplier, and the only
    one who submits, disputes and gives back in its place.

    \b
    Examples:
      escrow receivable check PO-2027-0114 departed
      escrow receivable offer PO-2027-0114 departed --price 58,500.00
    """


@receivable.command(short_help="Answer what a factor asks before buying.")
@click.argument("agreement", metavar="AGREEMENT|OFFER")
@click.argument("milestone", required=False)
@reads
def check(session: Session, agreement: str, milestone: str | None) -> None:
    """Answer what a factor asks before buying: what kind of payment it is, whether the money is
    there and the work verified, who can still stop it, when it pays at the earliest and at the
    latest, the worst case, and earlier sales.

    All of it follows from the terms and the chain; nobody's favour is counted. With the file of
    an offer, also what buying at its price would bring.

    \b
    Examples:
      escrow receivable check PO-2027-0114 departed
      escrow receivable check departed.offer.json
    """
    if milestone is None:
        check_offer(session, Path(agreement))
    else:
        check_receivable(session, agreement, milestone)


@receivable.command(short_help="Offer a milestone's payout for sale.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--price", required=True, metavar="PART", help="96,000.00, or 96% of what is held.")
@click.option("--to", "buyer", metavar="WHO", help=f"Who alone may buy; anyone otherwise. {_TO}")
@click.option(
    "--valid-for", metavar="TIME", default="7 days", show_default=True, help="How long it stands."
)
@click.option(
    "--oracle",
    metavar="URL",
    help="An oracle to give the offer to: it shows it to whoever may buy, and reminds of its end.",
)
@offers
def offer(
    session: Session,
    agreement: str,
    milestone: str,
    price: str,
    buyer: str | None,
    valid_for: str,
    oracle: str | None,
) -> None:
    """Offer a milestone's payout for sale, as its payee. Writes a signed file; no transaction is
    sent. The file is MILESTONE.offer.json here, unless -o names another.

    It shows what that costs as a yearly rate. The offer dies with its date, as soon as somebody
    decides about the milestone, and when `receivable withdraw` takes it back. What is paid by
    consent meanwhile comes off the price.

    \b
    Examples:
      escrow receivable offer PO-2027-0114 departed --price 58,500.00
      escrow receivable offer PO-2027-0114 departed --price 97.5% --to 0x9A1c…
      escrow receivable offer PO-2027-0114 departed --price 97% --oracle https://oracle.example
    """
    require_no_transaction(session)
    paper = Paper(target(session, f"{milestone}.offer.json"), valid_for)
    assert paper.file is not None
    desk, standing = _of_payee(session, agreement, milestone, "sells it")
    client = find_oracle(session, desk, oracle) if oracle else None
    financier = _right_holder(desk, standing, buyer) if buyer else ZERO_ADDRESS
    units = share(standing, price, standing.held)
    act = receivables.offer(standing, financier, units, until(standing, paper))
    found = desk.escrow.assess(desk.bound, milestone)
    signed = SignedAct(desk.bound, act, {}, {})
    offered = Offered(paper.file, standing, signed)
    session.say(bold(desk.doing("offer a receivable of")))
    for line in _terms(desk, standing, found, act):
        session.say(paragraph(line, "  "))
    if nothing_signed(session, {"milestone": milestone, "sent": False, **offered.as_json(found)}):
        return
    if isinstance(desk.signer, Absent):
        say_unsigned(session, desk.bound, desk.signer, paper.file, dumps_acts([signed]))
        return
    session.say()
    session.confirm("Sign it?")
    signed = signed.sign(desk.signer)
    save(session, paper.file, dumps_acts([signed]).encode())
    keep_offer(session, signed)
    session.say(f"{good('Signed')}, nothing was sent. The offer is in {bold(str(paper.file))};")
    session.say("send it to the financier with the agreement's .signed.json file. They buy it with")
    session.say(f"  {command(f'escrow receivable buy {paper.file}')}")
    posted = {"posted": _give(session, client, signed)} if client else {}
    session.emit({"milestone": milestone, "sent": False, **posted, **offered.as_json(found)})


@receivable.command(short_help="Buy what an offer sells.")
@click.argument("offer", type=click.Path(path_type=Path), metavar="OFFER")
@click.option(
    "--with",
    "way",
    type=click.Choice(["allowance", "permit"]),
    help="How the price is paid; the best that the token knows otherwise.",
)
@sends
def buy(session: Session, offer: Path, way: str | None) -> None:
    """Buy what an offer sells, as a financier. The price goes straight to the payee, and you
    become the payee, in the same transaction.

    What you get, when, and what can still go wrong is shown first, as `receivable check` shows
    it. The contract may take exactly the price, and only for this.

    \b
    Examples:
      escrow receivable buy departed.offer.json
      escrow receivable buy departed.offer.json --as mykey --dry-run
    """
    desk, offered = read_offer(session, offer)
    standing, act = offered.standing, offered.offer
    wanted = () if act.financier == ZERO_ADDRESS else (act.financier,)
    desk = desk.chosen(wanted or _outsiders(desk))
    receivables.require_buyer(standing, act, desk.account)
    found = desk.escrow.assess(desk.bound, standing.key)
    require_balance(desk, desk.account, offered.price)
    chosen = choose_way(desk, offered.price, way)
    action = Action(
        doing=desk.doing("buy a receivable of"),
        will=[
            *_bought(desk, standing, found, act),
            chosen.line(desk, offered.price),
        ],
        prepare=lambda: desk.verbs.buy_receivable(
            desk.bound, act, offered.signature, permit=permit_for(desk, offered.price, chosen)
        ),
        first=chosen.first,
        facts={"milestone": standing.key, "with": chosen.way, **offered.as_json(found)},
    )
    run(desk, action, [standing.key])


@receivable.command(short_help="Hand a milestone's payout on, for nothing.")
@click.argument("agreement")
@click.argument("milestone")
@click.option("--to", "assignee", required=True, metavar="WHO", help=_TO)
@sends
@on_paper
def assign(session: Session, agreement: str, milestone: str, assignee: str, paper: Paper) -> None:
    """Hand a milestone's payout on, as its payee. Nothing is paid for it here: for a sale that
    pays in the same moment, use `receivable offer`. It cannot be taken back.

    \b
    Examples:
      escrow receivable assign PO-2027-0114 departed --to 0x9A1c…
      escrow receivable assign PO-2027-0114 departed --to mybank --sign-only assigned.json
    """
    desk, standing = _of_payee(session, agreement, milestone, "assigns it")
    deed = assignment(standing, _right_holder(desk, standing, assignee), until(standing, paper))
    do(desk, "assign a receivable of", [deed], paper)


@receivable.command(short_help="Take back every offer of a milestone's payout.")
@click.argument("agreement")
@click.argument("milestone")
@sends
def withdraw(session: Session, agreement: str, milestone: str) -> None:
    """Take back every offer of a milestone's payout that you have signed, as its payee, whoever has
    it. Nothing else that was signed about the milestone is touched.

    \b
    Examples:
      escrow receivable withdraw PO-2027-0114 departed
    """
    desk, standing = _of_payee(session, agreement, milestone, "takes its offers back")
    do(desk, "take back the offers of", [assignment(standing, standing.payee)], Paper())


@receivable.command("list", short_help="Show the payouts that are yours, bought or offered.")
@click.option("--as", "signer_name", metavar="NAME", help="Only those of this key or role.")
@reads
def list_(session: Session) -> None:
    """Show the payouts that your keys will receive, and those that you have offered or bought,
    with what a factor would say of each.

    \b
    Examples:
      escrow receivable list
      escrow receivable list --as financier
    """
    list_receivables(session)


def _give(session: Session, client: OracleClient, signed: SignedAct) -> bool:
    """Hand an offer to an oracle; the file does without where the oracle is away."""
    from milestone_escrow.oracle.api_client import OracleAwayError

    try:
        patiently(lambda: client.offer(signed))
    except OracleAwayError as error:
        session.say(paragraph(f"{waiting('Without the oracle')}: {error.message}."))
        return False
    session.say(
        f"The oracle at {client.origin} has it, too: it shows it to whoever may buy, and reminds "
        "of its end."
    )
    return True


def _terms(desk: Desk, standing: Standing, found: Assessment, act: Offer) -> list[str]:
    anyone = act.financier == ZERO_ADDRESS
    financier = "whoever buys it" if anyone else person(desk.bound, act.financier)
    return [
        f"'{standing.key}': sells what it pays to {financier}, for {amount(standing, act.price)} "
        "in the same moment",
        f"costs {factoring.cost_words(standing, found, act)}",
        f"a buyer sees: {factoring.verdict(standing, found)}",
        factoring.stands_until(standing, act),
    ]


def _bought(desk: Desk, standing: Standing, found: Assessment, act: Offer) -> list[str]:
    """What the financier gets, and what can still go wrong."""
    seller = person(desk.bound, standing.payee)
    price = amount(standing, receivables.price_now(standing, act))
    lines = [
        f"'{standing.key}': pays {price} to {seller} now, final, and makes "
        f"{desk.person(desk.account)} the payee",
        f"then {factoring.expected(standing, found)}: {factoring.cost_words(standing, found, act)}",
        f"the risk: {factoring.verdict(standing, found)}",
    ]
    lines += [f"  {factoring.stopper(standing, one)}" for one in found.stoppers]
    lines.append(f"at worst you receive {factoring.worst(standing, found)}")
    return lines


def _of_payee(session: Session, name: str, key: str, does: str) -> tuple[Desk, Standing]:
    desk = open_desk(session, name, key)
    standing = desk.standing(key)
    require_assignable(standing)
    desk = desk.chosen((standing.payee,))
    require_holder(standing, Role.PAYEE, does, desk.account)
    return desk, standing


def _outsiders(desk: Desk) -> tuple[Address, ...]:
    """The keys here that hold no role, of which one buys by default."""
    keys = at_hand(desk.session, desk.bound, desk.network.chain_id)
    people = set(desk.bound.agreement.people.values())
    return tuple(dict.fromkeys(key.account for key in keys if key.account not in people))


def _right_holder(desk: Desk, standing: Standing, name: str) -> Address:
    account = account_named(desk.session, desk.bound, desk.network, name)
    receivables.require_may_own(standing, account)
    if account in (ZERO_ADDRESS, desk.escrow.contract):
        raise UsageError(f"{account} cannot own anything", hint="name a person's account")
    if account == standing.payee:
        raise UsageError(f"'{standing.key}' is theirs already", hint="name somebody else")
    return account
