"""What every sending command does: say it in words, simulate, ask, send, show what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell import boundary
from milestone_escrow.cli.shell.output import bold, command, dim, good, paragraph, table, waiting
from milestone_escrow.cli.shell.unsigned import hand_over
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.send.transactions import Prepared, Receipt
    from milestone_escrow.cli.shell.desk import Desk
    from milestone_escrow.cli.shell.session import Session


def carry_out(desk: Desk, action: Action) -> tuple[Receipt, ...]:
    """Send it, unless it is refused, declined or only looked at; returns nothing if not sent."""
    session, before = desk.session, list(action.first)
    # What needs an allowance first can only be simulated once that is mined.
    simulated = [] if before else _prepared(action)
    session.say(bold(action.doing))
    for sentence in action.will:
        session.say(paragraph(sentence, "  "))
    steps = before or simulated
    if not desk.network.local:
        session.say(f"  {_priced(before)} costs {_costs(desk, steps)}")
    if session.unsigned:
        if before:
            with desk.escrow.unsimulated():
                steps = [*before, *_prepared(action)]
        name = action.doing
        facts = body(desk, action, ())
        hand_over(session, desk.network, steps, facts, name=name, nonce=session.nonce)
        return ()
    if session.dry_run:
        gas = sum(step.gas for step in steps)
        session.say(f"\n{waiting('Nothing was sent')}: this was a dry run (up to {gas:,} gas).")
        most = sum(step.max_cost for step in steps)
        session.emit(body(desk, action, (), gas=gas, max_cost=str(most)))
        return ()
    if isinstance(desk.signer, Absent):
        raise UsageError(
            f"nothing can be sent as {desk.signer.address}, whose key --from does not use",
            hint="add --unsigned to print it for a wallet, or name a key with --as or --signer",
        )
    session.say()
    session.confirm("Go ahead?")
    if action.question:
        session.confirm(action.question)
    boundary.sending()
    receipts = [desk.send(step) for step in before]
    for prepared in simulated or [action.prepare()]:
        receipts.append(desk.send(prepared))
    session.say(_receipts(desk, receipts, ["allowance"] * len(before)))
    return tuple(receipts)


def _prepared(action: Action) -> list[Prepared]:
    return [action.prepare(), *(step() for step in action.more)]


def _priced(before: Sequence[Prepared]) -> str:
    """What can be simulated now, and so be priced."""
    if not before:
        return "this"
    return "the allowance first" if len(before) == 1 else "setting it to 0, the first of all,"


def _costs(desk: Desk, steps: Sequence[Prepared]) -> str:
    """What the steps take in the network's coin, a rollup's charge for data included."""
    from milestone_escrow.chain.send.fees import coins

    about = coins(sum(step.expected_cost for step in steps), desk.network.coin)
    most = coins(sum(step.max_cost for step in steps), desk.network.coin)
    return f"about {about} for gas, at most {most}"


def _receipts(desk: Desk, receipts: Sequence[Receipt], first: Sequence[str]) -> str:
    names = [*first, *["sent"] * (len(receipts) - len(first))]
    rows = [
        (good(name), receipt.transaction, dim(f"{receipt.gas_used:,} gas"))
        for name, receipt in zip(names, receipts, strict=True)
    ]
    links = [desk.network.link("tx", receipt.transaction) for receipt in receipts]
    return "\n".join([table(rows), *[f"  {link}" for link in links if link]])


def body(
    desk: Desk, action: Action, receipts: Sequence[Receipt], **more: object
) -> dict[str, object]:
    """The JSON object of a sending command."""
    return {
        "agreement": "0x" + desk.bound.id.hex(),
        "reference": desk.bound.agreement.reference,
        "network": desk.network.name,
        "will": list(action.will),
        **action.facts,
        "sent": bool(receipts),
        "transactions": [
            {
                "hash": receipt.transaction,
                "block": receipt.block,
                "time": receipt.time,
                "gas_used": receipt.gas_used,
            }
            for receipt in receipts
        ],
        **more,
    }


def suggest_next(session: Session, lines: Sequence[tuple[str, str]]) -> None:
    """What can be done next, each with its command."""
    if lines:
        session.say("\nNext")
        for text, line in lines:
            session.say(f"  {text}:\n    {command(line)}")
