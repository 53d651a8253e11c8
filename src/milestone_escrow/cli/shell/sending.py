"""What every sending command does: say it in words, simulate, ask, send, show what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell import boundary
from milestone_escrow.cli.shell.elsewhere import Absent
from milestone_escrow.cli.shell.output import bold, command, dim, good, paragraph, table, waiting
from milestone_escrow.cli.shell.unsigned import hand_over
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.chain.send.transactions import Prepared, Receipt
    from milestone_escrow.cli.shell.desk import Desk
    from milestone_escrow.cli.shell.session import Session


@dataclass(frozen=True, slots=True)
class Intent:
    """What a command is about to do.

    Attributes:
        doing: the heading, "fund SHED-7 on Sandbox as Anna Bauer".
        will: what happens, one sentence each.
        prepare: simulates the transaction; raises in words where it would be refused.
        first: a transaction that must go before, the token allowance.
        more: further transactions after it, each on its own.
        question: asked once more where it cannot be undone.
    """

    doing: str
    will: Sequence[str]
    prepare: Callable[[], Prepared]
    first: Callable[[], Prepared | None] = lambda: None
    more: Sequence[Callable[[], Prepared]] = ()
    question: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


def carry_out(session: Session, desk: Desk, intent: Intent) -> tuple[Receipt, ...]:
    """Send it, unless it is refused, declined or only looked at; returns nothing if not sent."""
    before = intent.first()
    # What needs an allowance first can only be simulated once that is mined.
    simulated = [] if before else _prepared(intent)
    session.say(bold(intent.doing))
    for sentence in intent.will:
        session.say(paragraph(sentence, "  "))
    steps = [before] if before else simulated
    if not desk.network.local:
        session.say(f"  {'the allowance first' if before else 'this'} costs {_costs(desk, steps)}")
    if session.unsigned:
        if before:
            with desk.escrow.unsimulated():
                steps = [before, *_prepared(intent)]
        name = intent.doing
        facts = body(desk, intent, ())
        hand_over(session, desk.network, steps, facts, name=name, nonce=session.nonce)
        return ()
    if session.dry_run:
        gas = sum(step.gas for step in steps)
        session.say(f"\n{waiting('Nothing was sent')}: this was a dry run (up to {gas:,} gas).")
        most = sum(step.max_cost for step in steps)
        session.emit(body(desk, intent, (), gas=gas, max_cost=str(most)))
        return ()
    if isinstance(desk.signer, Absent):
        raise UsageError(
            f"nothing can be sent as {desk.signer.address}, whose key --from does not use",
            hint="add --unsigned to print it for a wallet, or name a key with --as or --signer",
        )
    session.say()
    session.confirm("Go ahead?")
    if intent.question:
        session.confirm(intent.question)
    boundary.sending()
    receipts = [desk.send(before)] if before else []
    for prepared in simulated or [intent.prepare()]:
        receipts.append(desk.send(prepared))
    session.say(_receipts(desk, receipts, "allowance" if before else ""))
    return tuple(receipts)


def _prepared(intent: Intent) -> list[Prepared]:
    return [intent.prepare(), *(step() for step in intent.more)]


def _costs(desk: Desk, steps: Sequence[Prepared]) -> str:
    """What the steps take in the network's coin, a rollup's charge for data included."""
    from milestone_escrow.chain.send.fees import coins

    about = coins(sum(step.expected_cost for step in steps), desk.network.coin)
    most = coins(sum(step.max_cost for step in steps), desk.network.coin)
    return f"about {about} for gas, at most {most}"


def _receipts(desk: Desk, receipts: Sequence[Receipt], first: str) -> str:
    names = [first or "sent", *["sent"] * (len(receipts) - 1)]
    rows = [
        (good(name), receipt.transaction, dim(f"{receipt.gas_used:,} gas"))
        for name, receipt in zip(names, receipts, strict=True)
    ]
    links = [desk.network.link("tx", receipt.transaction) for receipt in receipts]
    return "\n".join([table(rows), *[f"  {link}" for link in links if link]])


def body(
    desk: Desk, intent: Intent, receipts: Sequence[Receipt], **more: object
) -> dict[str, object]:
    """The JSON object of a sending command."""
    return {
        "agreement": "0x" + desk.bound.id.hex(),
        "reference": desk.bound.agreement.reference,
        "network": desk.network.name,
        "will": list(intent.will),
        **intent.facts,
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
