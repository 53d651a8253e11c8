"""What `escrow rule`, `finalize` and `withdraw` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milestone_escrow.cli.attest.oracle_verifying import find_oracle
from milestone_escrow.cli.dispute.giving import give_reason, require_sent
from milestone_escrow.cli.shell.deeds import Deed, do, once
from milestone_escrow.cli.shell.desk import Desk, look, milestone_index, take_up
from milestone_escrow.cli.shell.outcome import show_outcome
from milestone_escrow.cli.shell.paper import Paper
from milestone_escrow.cli.shell.sending import Intent, body, carry_out
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.deals.shares import split
from milestone_escrow.documents.files.signed_act import reason_hash, reason_words
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Ruling
from milestone_escrow.protocol.lifecycle import Role, Verb
from milestone_escrow.words.standing import Standing, person, require, silence_words
from milestone_escrow.words.tasks import silence_split

if TYPE_CHECKING:
    from milestone_escrow.protocol.eip712 import Address


def rule_on(
    session: Session,
    name: str,
    key: str,
    to_supplier: str | None,
    to_buyer: str | None,
    reason: str,
    paper: Paper,
    oracle: str | None = None,
) -> None:
    """The arbiter's split; an oracle tells both sides why."""
    require_sent(paper, oracle)
    desk, standing = take_up(
        session, name, key, Verb.RULE, Role.ARBITER, doing="ruled on", does="rules on it"
    )
    result = split(standing, to_supplier, to_buyer)
    parts = (result.to_payee, result.to_buyer, reason_hash(reason))
    act = Ruling(desk.bound.id, standing.planned.index, *parts, *once(standing, paper))
    deed = Deed(
        standing,
        act,
        prepare=lambda verbs: verbs.rule(desk.bound, key, *parts),
        words=reason_words(reason),
    )
    client = find_oracle(session, desk, oracle) if oracle else None
    if do(session, desk, "rule", [deed], paper) and client:
        give_reason(session, desk, client, standing, reason)


def finalize_milestones(session: Session, name: str, key: str | None, everything: bool) -> None:
    """Whatever has fallen due, in one transaction."""
    if key and everything:
        raise UsageError("a milestone is named and --all is given", hint="keep one of the two")
    desk = look(session, name, key)
    desk.require_open()
    chosen = _due(desk, key, everything)
    desk = desk.acting(choose(session, desk.bound, desk.network.chain_id))
    keys = [standing.key for standing in chosen]

    intent = Intent(
        doing=desk.doing("finalize"),
        will=[f"'{s.key}': time is up, {silence_split(s)} now, final" for s in chosen],
        prepare=lambda: desk.verbs.together([desk.verbs.finalize(desk.bound, k) for k in keys]),
        facts={"milestones": keys},
    )
    show_outcome(session, desk, intent, carry_out(session, desk, intent), keys)


def _due(desk: Desk, key: str | None, everything: bool) -> list[Standing]:
    """The milestones that time may decide now."""
    standings = desk.standings()
    if key is not None:
        standing = standings[milestone_index(desk.bound, key)]
        require(standing, Verb.FINALIZE, Role.ANYONE, doing="finalized")
        return [standing]
    due = [standing for standing in standings if standing.is_overdue]
    if not due:
        held = [standing for standing in standings if standing.state.status.holds]
        soonest = min(held, key=lambda standing: standing.end, default=None)
        when_ = f"; the next is '{soonest.key}', which {silence_words(soonest)}" if soonest else ""
        raise EscrowError(f"nothing of {desk.bound.agreement.reference} has fallen due{when_}")
    if len(due) > 1 and not everything:
        names = ", ".join(standing.key for standing in due)
        raise UsageError(
            f"{len(due)} milestones have fallen due: {names}", hint="name one, or --all"
        )
    return due


def withdraw_credit(session: Session, name: str, role: str | None) -> None:
    """Pay out what waits for one person, or for everybody."""
    desk = look(session, name)
    desk.require_open()
    agreement = desk.bound.agreement
    if role is not None and role not in agreement.people:
        raise UsageError(f"'{role}' has no role", hint=f"roles: {', '.join(agreement.people)}")
    accounts = [agreement.people[role]] if role else _payable(desk)
    waiting = {a: c for a in accounts if (c := desk.escrow.credit(desk.bound.token, a))}
    if not waiting:
        whom = agreement.name(role) if role else "anybody"
        raise EscrowError(
            f"nothing waits for {whom}",
            hint="payouts arrive by themselves; only one that failed waits here",
        )
    desk = desk.acting(choose(session, desk.bound, desk.network.chain_id))

    token = desk.bound.token
    intent = Intent(
        doing=desk.doing("withdraw"),
        will=[
            f"pays {agreement.amount(units)} to {person(desk.bound, account)}"
            for account, units in waiting.items()
        ],
        prepare=lambda: desk.verbs.together([desk.verbs.withdraw(token, a) for a in waiting]),
    )
    receipts = carry_out(session, desk, intent)
    if receipts:
        for account, units in waiting.items():
            session.say(f"Paid {agreement.amount(units)} to {person(desk.bound, account)}.")
        session.emit(body(desk, intent, receipts))


def _payable(desk: Desk) -> list[Address]:
    """Everybody whom this agreement ever pays: parties, fee account, holders of receivables."""
    payees = [standing.payee for standing in desk.standings()]
    terms = desk.bound.terms
    fee_account = [terms.fee_recipient] if terms.fee_bps else []
    return list(dict.fromkeys([terms.buyer, terms.supplier, *payees, *fee_account]))
