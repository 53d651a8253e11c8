"""Deeds of one party: sent at once, or signed to a file that anybody may send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.paper import Paper, nothing_signed, say_unsigned, seconds
from milestone_escrow.cli.shell.records import remember_words
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.deeds import (
    Deed,
    action,
    effects,
    facts,
    missing_consents,
    useful_until,
)
from milestone_escrow.documents.files.signed_act import Act, SignedAct, dumps_acts, load_acts
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Dispute, Submission
from milestone_escrow.words.standing import Standing, when


def until(standing: Standing, paper: Paper) -> int:
    """The end of validity of what is signed now about a milestone."""
    return standing.now + seconds(paper)


def do(desk: Desk, verb: str, deeds: Sequence[Deed], paper: Paper) -> bool:
    """Send them in one transaction, or sign them to the paper's file; whether they were sent."""
    if paper.file:
        _sign(desk, verb, deeds, paper)
        return False
    return send_acts(desk, action(desk, verb, deeds), [deed.signed for deed in deeds])


def send_acts(desk: Desk, doing: Action, acts: Sequence[SignedAct]) -> bool:
    """Send acts, and keep the words behind them, so that `escrow history` can show them."""

    def remember() -> None:
        for signed in acts:
            if any(signed.commitment):
                remember_words(desk.session.home, signed.commitment, signed.words)

    return bool(run(desk, doing, [signed.planned.key for signed in acts], remember))


def _sign(desk: Desk, verb: str, deeds: Sequence[Deed], paper: Paper) -> None:
    """Write the signatures; a file of the same acts that is there already is continued."""
    assert paper.file is not None
    session = desk.session
    acts = [deed.signed for deed in deeds]
    if paper.file.exists():
        acts = _continued(paper, acts, desk)
    session.say(bold(f"{verb} {desk.bound.agreement.reference}, to {paper.file}"))
    for line in (*effects(deeds), *_limits(desk, deeds, acts)):
        session.say(paragraph(line, "  "))
    if nothing_signed(session, {"sent": False, **facts(acts)}):
        return
    if isinstance(desk.signer, Absent):
        say_unsigned(session, desk.bound, desk.signer, paper.file, dumps_acts(acts))
        return
    session.say()
    session.confirm("Sign it?")
    acts = [signed.sign(desk.signer) for signed in acts]
    write(paper.file, dumps_acts(acts))
    who, line = _next(desk, deeds, acts, paper)
    session.say(f"{good('Signed')}, nothing was sent. {who}:\n  {command(line)}")
    session.emit({"file": str(paper.file), "sent": False, **facts(acts)})


def _continued(paper: Paper, fresh: Sequence[SignedAct], desk: Desk) -> list[SignedAct]:
    """The acts in the paper's file, for one more signature.

    Raises:
        EscrowError: it says something else, or this account has signed it.
    """
    assert paper.file is not None
    there = load_acts(paper.file, desk.bound, desk.session.wallets)
    if [_substance(signed.act) for signed in there] != [_substance(one.act) for one in fresh]:
        raise EscrowError(f"{paper.file} says something else", hint="write to another file")
    if all(desk.account in signed.signatures for signed in there):
        name = desk.person(desk.account)
        raise EscrowError(f"{name} has signed {paper.file} already")
    return list(there)


def _next(
    desk: Desk, deeds: Sequence[Deed], acts: Sequence[SignedAct], paper: Paper
) -> tuple[str, str]:
    """Who goes on with the file, and with which command."""
    missing = [
        account
        for deed, signed in zip(deeds, acts, strict=True)
        for account in missing_consents(deed.standing, signed)
    ]
    if not missing:
        return f"Anyone sends {paper.file} with", f"escrow send {paper.file}"
    what = deeds[0].standing.key if len(deeds) == 1 else "--all"
    line = f"escrow settle {desk.name} {what} --with {paper.file}"
    return f"Next, {desk.person(missing[0])} settles it with", line


def _limits(desk: Desk, deeds: Sequence[Deed], acts: Sequence[SignedAct]) -> list[str]:
    """Until when the signatures count, and what ends them earlier."""
    until = min(
        useful_until(deed.standing, signed) for deed, signed in zip(deeds, acts, strict=True)
    )
    keys = ", ".join(f"'{deed.standing.key}'" for deed in deeds)
    lines = [
        f"signed by {desk.person(desk.account)}; counts until "
        f"{when(deeds[0].standing, until)}, and only if nothing else happens to {keys} before"
    ]
    if isinstance(acts[0].act, (Submission, Dispute)):
        lines.append("its periods begin when it is sent")
    return lines


def _substance(act: Act) -> tuple[object, ...]:
    """What an act says, apart from until when."""
    return tuple(getattr(act, field.name) for field in fields(act) if field.name != "valid_until")
