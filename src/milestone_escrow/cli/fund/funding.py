"""What `escrow open` and `escrow fund` do."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.cli.agreement.signing import require_no_change_order
from milestone_escrow.cli.fund.payments import (
    payments,
    plan_payment,
    require_fundable,
    sign_payment,
)
from milestone_escrow.cli.shell.desk import Desk, look
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.paper import Paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import Status, Verb
from milestone_escrow.words.standing import Standing, person


def open_agreement(session: Session, name: str, fund: str | None, way: str | None) -> None:
    """Open, and fund what was chosen, in one transaction."""
    desk = look(session, name)
    bound, agreement = desk.bound, desk.bound.agreement
    is_open = desk.escrow.is_open(bound.id)
    if is_open and not fund:
        raise EscrowError(
            f"{agreement.reference} is open already",
            hint=f"pay milestones in with `escrow fund {desk.name}`",
        )
    if not is_open:
        require_no_change_order(desk.signed, name)
    if way and not fund:
        raise UsageError("--with says how to pay, and nothing is paid", hint="add --fund next")
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
    plan = plan_payment(session, desk, chosen, way) if chosen else None
    action = Action(
        doing=desk.doing("open"),
        will=[
            *([] if is_open else [opening]),
            *(payments(chosen, plan.line()) if plan else ["pays nothing in yet"]),
        ],
        prepare=lambda: plan.open(desk, signatures) if plan else desk.verbs.open(bound, signatures),
        first=lambda: plan.allow() if plan else None,
        facts={"milestones": keys, "with": plan.way if plan else None},
    )
    run(desk, action, keys, lambda: session.shelf.put(desk.signed))


def fund_milestones(
    session: Session,
    name: str,
    keys: Sequence[str],
    everything: bool,
    way: str | None,
    paper: Paper,
) -> None:
    """Pay in the milestones named, all, or the next one; or sign to a file that pays them."""
    if paper.file and way not in (None, "authorization"):
        raise UsageError(
            f"whoever pays by {way} sends it, too; only an authorization is signed to a file",
            hint="use --with authorization, or leave --sign-only out",
        )
    desk = look(session, name)
    desk.require_open()
    bound = desk.bound
    chosen = chosen_milestones(desk.standings(), keys, everything=everything)
    desk = desk.acting(choose(session, bound, desk.network.chain_id, (bound.terms.buyer,)))
    names = [standing.key for standing in chosen]
    if paper.file:
        sign_payment(session, desk, chosen, paper)
        return
    plan = plan_payment(session, desk, chosen, way)
    action = Action(
        doing=desk.doing("fund"),
        will=payments(chosen, plan.line()),
        prepare=lambda: plan.fund(desk),
        first=plan.allow,
        facts={"milestones": names, "with": plan.way},
    )
    run(desk, action, names)


def chosen_milestones(
    standings: Sequence[Standing], keys: Sequence[str], *, everything: bool
) -> list[Standing]:
    """The milestones named, all, or the next one, each still to be funded.

    Raises:
        EscrowError: there is none, or one cannot be funded now.
    """
    if keys and everything:
        raise UsageError("milestones are named and --all is given", hint="keep one of the two")
    return _chosen(standings, ("all",) if everything else keys or ("next",))


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
    return require_fundable({standing.key: standing for standing in chosen}.values())


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
