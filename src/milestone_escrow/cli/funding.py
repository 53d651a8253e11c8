"""What `escrow open` and `escrow fund` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from milestone_escrow.cli.context import Session
from milestone_escrow.cli.desk import Desk, look, milestone_index
from milestone_escrow.cli.outcome import show_outcome
from milestone_escrow.cli.sending import Intent, carry_out
from milestone_escrow.cli.signers import choose
from milestone_escrow.cli.words import (
    Standing,
    amount,
    person,
    require,
    silence_words,
    split_words,
)
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import Role, Split, Status, Verb


def open_agreement(session: Session, name: str, fund: str | None) -> None:
    """Open, and fund what was chosen, in one transaction."""
    desk = look(session, name)
    bound, agreement = desk.bound, desk.bound.agreement
    is_open = desk.escrow.is_open(bound.id)
    if is_open and not fund:
        raise EscrowError(
            f"{agreement.reference} is open already",
            hint=f"pay milestones in with `escrow fund {desk.name}`",
        )
    chosen = _chosen(desk.standings(), (fund or "").split(",") if fund else ())
    parties = (bound.terms.buyer, bound.terms.supplier)
    signer = choose(session, bound, desk.network.chain_id, parties, any_will_do=True)
    desk = desk.acting(signer)
    signatures = {
        agreement.people[role]: signature
        for role, signature in desk.signed.signatures.items()
        if role in ("buyer", "supplier")
    }
    if not is_open:
        _require_signatures(desk, signer.address)
    opening = (
        f"opens the agreement of {person(bound, parties[0])} and {person(bound, parties[1])}: "
        "from now on its terms cannot change"
    )
    keys = [standing.key for standing in chosen]
    intent = Intent(
        doing=desk.doing("open"),
        will=([] if is_open else [opening]) + _payments(desk, chosen),
        prepare=lambda: desk.verbs.open(bound, signatures, keys),
        first=lambda: desk.verbs.allowance(bound, keys) if keys else None,
        facts={"milestones": keys},
    )
    receipts = carry_out(session, desk, intent)
    if receipts:
        session.shelf.put(desk.signed)
    show_outcome(session, desk, intent, receipts, keys)


def fund_milestones(session: Session, name: str, keys: Sequence[str], everything: bool) -> None:
    """Pay in the milestones named, all, or the next one."""
    if keys and everything:
        raise UsageError("milestones are named and --all is given", hint="keep one of the two")
    desk = look(session, name)
    desk.require_open()
    bound = desk.bound
    chosen = _chosen(desk.standings(), ("all",) if everything else keys or ("next",))
    people = (bound.terms.buyer,)
    desk = desk.acting(choose(session, bound, desk.network.chain_id, people))
    names = [standing.key for standing in chosen]
    intent = Intent(
        doing=desk.doing("fund"),
        will=_payments(desk, chosen),
        prepare=lambda: desk.verbs.fund(bound, names),
        first=lambda: desk.verbs.allowance(bound, names),
        facts={"milestones": names},
    )
    receipts = carry_out(session, desk, intent)
    show_outcome(session, desk, intent, receipts, names)


def _chosen(standings: Sequence[Standing], names: Sequence[str]) -> list[Standing]:
    """The milestones that `all`, `next` or their keys mean, each still to be funded."""
    bound = standings[0].bound
    fundable = [
        standing
        for standing in standings
        if (option := standing.option(Verb.FUND)) and option.is_open(standing.now)
    ]
    if list(names) in (["all"], ["next"]):
        if not fundable:
            unfunded = any(s.state.status is Status.UNFUNDED for s in standings)
            why = "the dates of those that are left have passed" if unfunded else "all are funded"
            raise EscrowError(f"{bound.agreement.reference} has nothing left to fund: {why}")
        return fundable if names[0] == "all" else fundable[:1]
    chosen = [standings[milestone_index(bound, name.strip())] for name in names]
    for standing in chosen:
        require(standing, Verb.FUND, Role.ANYONE, doing="funded")
    return list({standing.key: standing for standing in chosen}.values())


def _payments(desk: Desk, chosen: Sequence[Standing]) -> list[str]:
    """What paying these in means, and whether the wallet can."""
    if not chosen:
        return ["pays nothing in yet"]
    needed = sum(standing.milestone.amount for standing in chosen)
    has = desk.escrow.balance(desk.bound.token, desk.signer.address)
    if has < needed:
        payer = person(desk.bound, desk.signer.address)
        raise EscrowError(
            f"{payer} has {amount(chosen[0], has)}, and {amount(chosen[0], needed)} is needed",
            hint="fund fewer milestones, or move tokens to that account first",
        )
    lines = [_payment(standing) for standing in chosen]
    if len(chosen) > 1:
        lines.append(f"which is {amount(chosen[0], needed)} in all")
    if desk.escrow.allowance(desk.bound.token, desk.signer.address) < needed:
        lines.append(
            f"before that, allows the contract to take exactly {amount(chosen[0], needed)}"
        )
    return lines


def _payment(standing: Standing) -> str:
    price = standing.milestone.amount
    if standing.milestone.is_deposit:
        paid = split_words(standing, Split(price, 0))
        return f"'{standing.key}': {paid} now, final"
    funded = replace(standing, state=replace(standing.state, status=Status.FUNDED))
    return (
        f"'{standing.key}': pays {amount(standing, price)} into the contract; "
        f"if nobody decides, {silence_words(funded)}"
    )


def _require_signatures(desk: Desk, sender: str) -> None:
    agreement = desk.bound.agreement
    for role in ("buyer", "supplier"):
        if role in desk.signed.signatures or agreement.people[role] == sender:
            continue
        raise EscrowError(
            f"the {role}, {person(desk.bound, agreement.people[role])}, has not signed "
            f"{agreement.reference}",
            hint=f"they sign with `escrow agreement sign {desk.name} --as {role}`, or send you "
            "their .signed.json file",
        )
