"""What `escrow receivable offer`, `buy` and `assign` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.attest.oracle_verifying import find_oracle, patiently
from milestone_escrow.cli.receivable import factoring
from milestone_escrow.cli.receivable.offers import (
    Offered,
    keep_offer,
    read_offer,
)
from milestone_escrow.cli.shell.deeds import do, until
from milestone_escrow.cli.shell.desk import Desk, open_desk
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.output import bold, command, good, paragraph, waiting
from milestone_escrow.cli.shell.paper import Paper, require_no_transaction, say_unsigned
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import account_named, choose
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.deeds import assignment
from milestone_escrow.deals.paying import choose_way, permit_for, require_balance
from milestone_escrow.deals.rights import require_assignable, require_holder
from milestone_escrow.deals.shares import share
from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.assessment import Assessment
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import Role
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.words.standing import Standing, amount, person

if TYPE_CHECKING:
    from milestone_escrow.oracle.api_client import OracleClient


def offer(
    session: Session,
    name: str,
    key: str,
    price: str,
    to: str | None,
    paper: Paper,
    oracle: str | None = None,
) -> None:
    """The payee signs a price; an oracle that is named is given the offer, too."""
    assert paper.file is not None
    require_no_transaction(session)
    desk, standing = _of_payee(session, name, key, "sells it")
    client = find_oracle(session, desk, oracle) if oracle else None
    financier = _right_holder(session, desk, standing, to) if to else ZERO_ADDRESS
    units = share(standing, price, standing.held)
    target = (desk.bound.id, standing.planned.index)
    act = Offer(
        *target, financier, units, standing.held, standing.state.sequence, until(standing, paper)
    )
    found = desk.escrow.assess(desk.bound, key)
    signed = SignedAct(desk.bound, act, {}, {})
    offered = Offered(paper.file, standing, signed)
    session.say(bold(desk.doing("offer a receivable of")))
    for line in _terms(desk, standing, found, act):
        session.say(paragraph(line, "  "))
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit({"milestone": key, "sent": False, **offered.as_json(found)})
        return
    if isinstance(desk.signer, Absent):
        say_unsigned(session, desk.bound, desk.signer, paper.file, dumps_acts([signed]))
        return
    session.say()
    session.confirm("Sign it?")
    signed = signed.sign(desk.signer)
    write(paper.file, dumps_acts([signed]))
    keep_offer(session, signed)
    session.say(f"{good('Signed')}, nothing was sent. The offer is in {bold(str(paper.file))};")
    session.say("send it to the financier with the agreement's .signed.json file. They buy it with")
    session.say(f"  {command(f'escrow receivable buy {paper.file}')}")
    posted = {"posted": _give(session, client, signed)} if client else {}
    session.emit({"milestone": key, "sent": False, **posted, **offered.as_json(found)})


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


def buy(session: Session, file: Path, way: str | None) -> None:
    """The financier pays the price and becomes the payee."""
    desk, offered = read_offer(session, file)
    standing, act = offered.standing, offered.offer
    wanted = () if act.financier == ZERO_ADDRESS else (act.financier,)
    signer = choose(session, desk.bound, desk.network.chain_id, wanted or _outsiders(session, desk))
    if wanted and signer.address not in wanted:
        raise EscrowError(
            f"the offer is to {person(desk.bound, act.financier)} alone, and "
            f"{person(desk.bound, signer.address)} is asking",
            hint="ask the payee for an offer to you, or to anyone",
        )
    _require_may_own(desk, standing, signer.address)
    if signer.address == standing.payee:
        raise EscrowError(f"'{standing.key}' is yours already", hint="nobody buys from oneself")
    desk = desk.acting(signer)
    found = desk.escrow.assess(desk.bound, standing.key)
    require_balance(desk, signer.address, act.price)
    chosen = choose_way(desk, act.price, way)
    action = Action(
        doing=desk.doing("buy a receivable of"),
        will=[
            *_bought(desk, standing, found, act),
            chosen.line(desk, act.price),
        ],
        prepare=lambda: desk.verbs.buy_receivable(
            desk.bound, act, offered.signature, permit=permit_for(desk, act.price, chosen)
        ),
        first=lambda: chosen.allow(desk, act.price),
        facts={"milestone": standing.key, "with": chosen.way, **offered.as_json(found)},
    )
    run(desk, action, [standing.key])


def _bought(desk: Desk, standing: Standing, found: Assessment, act: Offer) -> list[str]:
    """What the financier gets, and what can still go wrong."""
    seller = person(desk.bound, standing.payee)
    lines = [
        f"'{standing.key}': pays {amount(standing, act.price)} to {seller} now, final, and makes "
        f"{person(desk.bound, desk.signer.address)} the payee",
        f"then {factoring.expected(standing, found)}: {factoring.cost_words(standing, found, act)}",
        f"the risk: {factoring.verdict(standing, found)}",
    ]
    lines += [f"  {factoring.stopper(standing, one)}" for one in found.stoppers]
    lines.append(f"at worst you receive {factoring.worst(standing, found)}")
    return lines


def assign(session: Session, name: str, key: str, to: str, paper: Paper) -> None:
    """The payee hands the right on."""
    desk, standing = _of_payee(session, name, key, "assigns it")
    assignee = _right_holder(session, desk, standing, to)
    deed = assignment(standing, assignee, until(standing, paper))
    do(desk, "assign a receivable of", [deed], paper)


def _of_payee(session: Session, name: str, key: str, does: str) -> tuple[Desk, Standing]:
    desk = open_desk(session, name, key)
    standing = desk.standing(key)
    require_assignable(standing)
    desk = desk.chosen((standing.payee,))
    require_holder(standing, Role.PAYEE, does, desk.account)
    return desk, standing


def _outsiders(session: Session, desk: Desk) -> tuple[Address, ...]:
    """The keys here that hold no role, of which one buys by default."""
    from milestone_escrow.cli.shell.signers import at_hand

    keys = at_hand(session, desk.bound, desk.network.chain_id)
    people = set(desk.bound.agreement.people.values())
    return tuple(dict.fromkeys(key.account for key in keys if key.account not in people))


def _right_holder(session: Session, desk: Desk, standing: Standing, name: str) -> Address:
    account = account_named(session, desk.bound, desk.network, name)
    _require_may_own(desk, standing, account)
    if account == standing.payee:
        raise UsageError(f"'{standing.key}' is theirs already", hint="name somebody else")
    return account


def _require_may_own(desk: Desk, standing: Standing, account: Address) -> None:
    """Nobody who decides about a milestone may own what it pays."""
    terms = standing.terms
    if account in (terms.arbiter, *terms.verifiers):
        raise EscrowError(
            f"{person(desk.bound, account)} decides about '{standing.key}' and may not own it",
            hint="verifiers and arbiter hold no receivables of their agreement",
        )
    if account in (ZERO_ADDRESS, desk.escrow.contract):
        raise UsageError(f"{account} cannot own anything", hint="name a person's account")
