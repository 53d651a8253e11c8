"""Acts that their parties signed to a file: whether they still count, and sending them."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import undeliverable
from milestone_escrow.deals.deeds import facts, pay_now, useful_until
from milestone_escrow.deals.rights import (
    RULE,
    SETTLE,
    SUBMIT,
    dispute_of,
    require_assignable,
    require_holder,
)
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Dispute, Resolution, Submission
from milestone_escrow.protocol.lifecycle import Role
from milestone_escrow.protocol.receivables import Assignment, Offer, stands
from milestone_escrow.words.effects import effect
from milestone_escrow.words.standing import Standing, person, when


def require_sendable(standing: Standing, signed: SignedAct, where: str) -> None:
    """Explain in words what the contract would refuse of an act that is in the file `where`.

    Raises:
        EscrowError: nobody signed it, it is too late, or the milestone has changed.
    """
    if isinstance(signed.act, Offer):
        raise EscrowError(
            f"{where} offers a receivable, which is bought, not sent",
            hint=f"look at it with `escrow receivable buy {where} --dry-run`",
        )
    if not signed.signatures:
        raise EscrowError(f"nobody has signed {where}", hint="ask for the file again")
    if standing.now > signed.act.valid_until:
        raise EscrowError(
            f"{where} counted until {when(standing, signed.act.valid_until)}",
            hint="ask for a new signature",
        )
    _require_possible(standing, signed)
    require_current(standing, signed, where)


def _require_possible(standing: Standing, signed: SignedAct) -> None:
    act = signed.act
    if isinstance(act, Resolution):
        SETTLE.require(standing)
        return
    if isinstance(act, Assignment):
        require_assignable(standing)
        require_holder(standing, Role.PAYEE, "assigns it", *signed.signatures)
        return
    right = RULE
    if isinstance(act, Submission):
        right = SUBMIT
    elif isinstance(act, Dispute):
        right = dispute_of(standing)
    right.require(standing)
    right.require_of(standing, *signed.signatures)


def require_current(standing: Standing, signed: SignedAct, where: str) -> None:
    """Refuse what was signed before the milestone last changed.

    Raises:
        EscrowError: it was.
    """
    if not stands(signed.act, standing.held, standing.state):
        raise EscrowError(
            f"{where} was signed before '{standing.key}' last changed",
            hint="ask for a new signature",
        )


def sending(
    table: Table, standings: Sequence[Standing], acts: Sequence[SignedAct], where: str
) -> Action:
    """What others have signed to a file as one transaction of whoever sends it."""
    return Action(
        doing=table.doing(f"send {where} for"),
        will=[
            *(line for pair in zip(standings, acts, strict=True) for line in _will(*pair)),
            *undeliverable(table, pay_now(zip(standings, (one.act for one in acts), strict=True))),
        ],
        prepare=lambda: table.verbs.together(
            [table.verbs.perform(table.bound, act.act, act.signatures) for act in acts]
        ),
        facts={"file": where, **facts(acts)},
    )


def _will(standing: Standing, signed: SignedAct) -> list[str]:
    return [*effect(standing, signed.act, signed.words), signed_by(standing, signed)]


def signed_by(standing: Standing, signed: SignedAct) -> str:
    """Who signed an act, and until when that counts."""
    names = " and ".join(person(standing.bound, account) for account in signed.signatures)
    until = when(standing, useful_until(standing, signed))
    return f"signed by {names}, which counts until {until}"
