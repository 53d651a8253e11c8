"""What `escrow receivable check` and `list` show."""

from __future__ import annotations

from pathlib import Path

from milestone_escrow.cli.receivable import factoring
from milestone_escrow.cli.receivable.offers import Offered, kept_offers, read_offer
from milestone_escrow.cli.shell.desk import Desk, desk_of, look
from milestone_escrow.cli.shell.output import bad, bold, command, dim, good, table, waiting
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import Named, at_hand
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.assessment import Assessment, Security
from milestone_escrow.words.standing import Standing, amount, person, status, when

_COLOURS = {Security.TIME_ONLY: good, Security.OBJECTION_POSSIBLE: waiting}


def check_receivable(session: Session, name: str, key: str) -> None:
    """One milestone's payout, as a factor looks at it."""
    desk = look(session, name, key)
    desk.require_open()
    standing = desk.standings()[milestone_index(desk.bound, key)]
    _show(session, desk, standing, None)


def check_offer(session: Session, file: Path) -> None:
    """The same for what an offer sells, with its price."""
    desk, offered = read_offer(session, file)
    _show(session, desk, offered.standing, offered)


def _show(session: Session, desk: Desk, standing: Standing, offered: Offered | None) -> None:
    agreement = desk.bound.agreement
    found = desk.escrow.assess(desk.bound, standing.key)
    colour = _COLOURS.get(found.security, bad)
    session.say(
        f"{bold(agreement.reference)} '{standing.key}', {standing.planned.title}, on "
        f"{desk.network.title}"
    )
    session.say(f"{bold(colour(factoring.verdict(standing, found)))}\n")
    session.say(table(rows(standing, found)))
    if offered:
        price = amount(standing, offered.price)
        session.say(
            f"\nOffered for {price}: {factoring.cost_words(standing, found, offered.offer)}"
        )
        session.say(f"  {command(f'escrow receivable buy {offered.file}')}")
    elif found.can_be_assigned:
        line = f"escrow receivable offer {desk.name} {standing.key} --price 97%"
        session.say(f"\n{person(desk.bound, standing.payee)} can offer it:\n  {command(line)}")
    session.emit(
        {
            "agreement": "0x" + desk.bound.id.hex(),
            "reference": agreement.reference,
            "network": desk.network.name,
            **as_json(standing, found),
            "offer": offered.as_json(found) if offered else None,
        }
    )


def rows(standing: Standing, found: Assessment) -> list[tuple[str, str]]:
    """Question and answer, in the order in which a factor asks."""
    sold = factoring.handovers(standing, found) or ["none on this contract"]
    answers = [
        ("kind", [factoring.kind(standing, found)]),
        ("money", [factoring.money(standing, found)]),
        ("status", [status(standing)]),
        ("payee", [person(standing.bound, standing.payee)]),
        *(_prospects(standing, found) if found.is_funded else []),
        ("earlier sales", sold),
    ]
    return [
        (dim(question) if i == 0 else "", answer)
        for question, lines in answers
        for i, answer in enumerate(lines)
    ]


def _prospects(standing: Standing, found: Assessment) -> list[tuple[str, list[str]]]:
    """What is still to come, where money waits."""
    stoppers = [factoring.stopper(standing, one) for one in found.stoppers]
    nobody = "nobody" if found.expected else "nobody needs to: without proof it is not paid"
    return [
        ("verified", [factoring.verified(standing, found)]),
        ("pays", [factoring.expected(standing, found)]),
        ("earliest", [factoring.moment(standing, found.earliest)]),
        ("latest", [factoring.moment(standing, found.latest)]),
        ("worst case", [factoring.worst(standing, found)]),
        ("can be stopped by", stoppers or [nobody]),
    ]


def list_receivables(session: Session) -> None:
    """What the keys here will receive, with what they have offered."""
    lines: list[tuple[str, ...]] = []
    bodies: list[dict[str, object]] = []
    if session.network:
        session.place(None)
    named = Named(session.signer_name)
    known, aside = session.shelf.look_through()
    troubles = [one.why for one in aside]
    for signed in known:
        try:
            mine = {
                key.account
                for key in named.among(at_hand(session, signed.bound, signed.domain.chain_id))
            }
            desk = desk_of(session, signed)
            if not desk.escrow.is_open(signed.id):
                continue
            for standing in desk.standings():
                if standing.payee not in mine or not standing.state.status.holds:
                    continue
                found = desk.escrow.assess(signed.bound, standing.key)
                offers = kept_offers(session, standing)
                lines.append(_line(standing, found, offers))
                bodies.append(
                    {
                        "reference": signed.agreement.reference,
                        **as_json(standing, found),
                        "offers": [offer.as_json(found) for offer in offers],
                    }
                )
        except EscrowError as error:
            troubles.append(f"{signed.agreement.reference}: {error}")
    if known and not troubles:
        named.require()
    if lines:
        heads = ("agreement", "milestone", "payee", "pays", "on", "offered", "verdict")
        session.say(table(lines, heads, right=(3,)))
    elif not known and not troubles:
        session.say(f"There is no agreement here yet, in {session.home.agreements}.")
    elif not troubles:
        session.say("No milestone that holds money pays one of your keys.")
    for trouble in troubles:
        session.say(f"{bad('Not looked at')}: {trouble}")
    session.emit({"receivables": bodies, "not_looked_at": troubles})


def _line(standing: Standing, found: Assessment, offers: list[Offered]) -> tuple[str, ...]:
    on = when(standing, found.expected_at) if found.expected and found.expected_at else ""
    prices = ", ".join(amount(standing, offered.price) for offered in offers)
    return (
        standing.bound.agreement.reference,
        standing.key,
        person(standing.bound, standing.payee) + _bought(standing),
        amount(standing, found.expected) if found.expected else f"({amount(standing, found.held)})",
        on,
        prices or "",
        _COLOURS.get(found.security, bad)(found.security.value),
    )


def _bought(standing: Standing) -> str:
    return "" if standing.payee == standing.terms.supplier else ", bought"


def as_json(standing: Standing, found: Assessment) -> dict[str, object]:
    """An assessment for machines: amounts in token units and as text, times in Unix seconds."""

    def money(units: int) -> dict[str, str]:
        return {"units": str(units), "text": amount(standing, units)}

    return {
        "milestone": standing.key,
        "verdict": found.security.value,
        "verdict_text": factoring.verdict(standing, found),
        "kind": found.kind.value,
        "status": found.status.name.lower(),
        "payee": found.payee,
        "can_be_assigned": found.can_be_assigned,
        "held": money(found.held),
        "verified": money(found.verified),
        "expected": money(found.expected),
        "expected_at": found.expected_at,
        "earliest": found.earliest,
        "latest": found.latest,
        "worst": money(found.worst),
        "stoppers": [
            {"role": one.role.value, "verb": one.verb.value, "until": one.until}
            for one in found.stoppers
        ],
        "earlier_sales": [
            {"payee": one.payee, "assignee": one.assignee, "price": str(one.price), "at": one.at}
            for one in found.handovers
        ],
    }
