"""Who needs to do what, or may, each with the command that does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from milestone_escrow.documents.requirements.kinds import AfterRequired, leaves
from milestone_escrow.protocol import lifecycle
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Option, Role, Status, Verb
from milestone_escrow.protocol.receivables import ASSIGNABLE
from milestone_escrow.words.standing import (
    Standing,
    amount,
    holders,
    split_words,
    when,
)

REASON = '--reason "…"'


@dataclass(frozen=True, slots=True)
class Task:
    """Something that somebody can do now.

    Attributes:
        account: who; None is anyone.
        text: what, and what happens otherwise.
        verb: the command that does it.
        command: without `--as`, which depends on whose machine it is.
        until: Unix seconds, 0 where nothing runs out.
        is_needed: whether the deal waits for it; otherwise it is merely possible.
    """

    milestone: str
    account: Address | None
    text: str
    verb: str
    command: str
    until: int
    is_needed: bool


def tasks(name: str, standing: Standing) -> Iterator[Task]:
    """Everything that can be done about a milestone now; `name` is the agreement's."""
    for option in standing.options:
        if not option.is_open(standing.now):
            continue
        accounts: tuple[Address | None, ...] = holders(standing, option.role) or (None,)
        if option.verb is Verb.FUND:
            accounts = (standing.terms.buyer,)
        for account in accounts:
            yield _task(name, standing, option, account)
    if standing.state.status in ASSIGNABLE and standing.now < standing.end:
        line = f"escrow receivable offer {name} {standing.key} --price 97%"
        text = "sell what it pays for early cash"
        yield Task(standing.key, standing.payee, text, "offer", line, standing.end, is_needed=False)


def unmet(standing: Standing, others: Iterable[Standing]) -> tuple[str, ...]:
    """The milestones that must be accepted before this one, and are not yet."""
    known = {other.key: other.state.status for other in others}
    done = (Status.SETTLED, Status.RELEASE_PENDING)
    needed = [
        one for one in leaves(standing.planned.requirements) if isinstance(one, AfterRequired)
    ]
    return tuple(
        one.milestone for one in needed if known.get(one.milestone, Status.SETTLED) not in done
    )


def is_later(task: Task, standing: Standing, others: Iterable[Standing], within: int) -> bool:
    """Whether it can be done now, but is not due for longer than `within` seconds, or comes after
    something that is not done. What has been submitted or disputed is never later."""
    if standing.state.status is not Status.FUNDED or task.verb not in ("attest", "submit"):
        return False
    due = standing.planned.due_at or task.until
    return due - standing.now > within or bool(unmet(standing, others))


def _task(name: str, standing: Standing, option: Option, account: Address | None) -> Task:
    text, arguments, needed = _words(standing, option)
    verb = "approve" if option.role is Role.BUYER else "refund"
    if option.verb is not Verb.RESOLVE:
        verb = option.verb.value
    command = " ".join(filter(None, ("escrow", verb, name, standing.key, arguments)))
    until = option.until or 0
    return Task(standing.key, account, text, verb, command, until, needed)


def _words(standing: Standing, option: Option) -> tuple[str, str, bool]:
    """What the option means, the arguments of its command, and whether the deal waits for it."""
    status = standing.state.status
    held = amount(standing, standing.held)
    if option.verb is Verb.FUND:
        return f"pay {amount(standing, standing.milestone.amount)} in", "", True
    if option.verb is Verb.ATTEST:
        waits = status in (Status.FUNDED, Status.SUBMITTED, Status.DISPUTED_BEFORE_VERDICT)
        return "look at the evidence and sign a verdict", "--accept", waits
    if option.verb is Verb.SUBMIT:
        return "say that it is done, which starts the review", "", not standing.milestone.quorum
    if option.verb is Verb.RULE:
        words = f"decide how {held} is split"
        return words, f"--to-supplier 50% --to-buyer rest {REASON}", True
    if option.verb is Verb.FINALIZE:
        return f"let time decide: {silence_split(standing)}", "", True
    if option.verb is Verb.DISPUTE:
        text = f"object; otherwise {silence_split(standing)} on {when(standing, standing.end)}"
        late = standing.now >= standing.milestone.deadline
        return text, REASON, late or status is not Status.FUNDED
    if option.role is Role.BUYER:
        return f"pay {held} now, or a part of it", "", False
    return f"give {held} back, or a part of it", "", False


def silence_split(standing: Standing) -> str:
    """What the next `finalize` does: "pays 72,000.00 USDC to Rajwada Exports"."""
    return split_words(
        standing, lifecycle.silence_split(standing.terms, standing.milestone, standing.state)
    )


def silence_sides(standing: Standing) -> str:
    """The same in two words: "refunds buyer", "pays payee" where that is not the supplier."""
    payee = "supplier" if standing.payee == standing.terms.supplier else "payee"
    result = lifecycle.silence_split(standing.terms, standing.milestone, standing.state)
    if not (result.to_payee and result.to_buyer):
        return f"pays {payee}" if result.to_payee else "refunds buyer"
    parts = (result.to_payee, f"to {payee}"), (result.to_buyer, "to buyer")
    return ", ".join(f"{amount(standing, units)} {side}" for units, side in parts)
