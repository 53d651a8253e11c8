"""Acts of one party: sent at once, or signed to a file that anybody may send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.elsewhere import Absent
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.outcome import show_outcome
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.paper import Paper, say_unsigned, seconds
from milestone_escrow.cli.shell.records import remember_words
from milestone_escrow.cli.shell.sending import Intent, carry_out
from milestone_escrow.documents.files.signed_act import Act, SignedAct, dumps_acts, load_acts
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Dispute, Resolution, Submission
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.effects import effect
from milestone_escrow.words.standing import Standing, person, when

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.verbs import Verbs
    from milestone_escrow.chain.send.transactions import Prepared
    from milestone_escrow.cli.shell.session import Session


@dataclass(frozen=True)
class Deed:
    """What somebody is about to do about a milestone.

    Attributes:
        act: what would be signed.
        prepare: the same as a transaction of whoever it belongs to.
        words: what the act's hash commits to, kept for `escrow history`.
    """

    standing: Standing
    act: Act
    prepare: Callable[[Verbs], Prepared]
    words: Mapping[str, object] = field(default_factory=dict)
    signatures: Mapping[Address, bytes] = field(default_factory=dict)

    @property
    def signed(self) -> SignedAct:
        """With the signatures that others have given already."""
        return SignedAct(self.standing.bound, self.act, self.words, self.signatures)


def once(standing: Standing, paper: Paper) -> tuple[int, int]:
    """Sequence and end of validity of what is signed now about a milestone."""
    return standing.state.sequence, standing.now + seconds(paper)


def do(session: Session, desk: Desk, verb: str, deeds: Sequence[Deed], paper: Paper) -> bool:
    """Send them in one transaction, or sign them to the paper's file; whether they were sent."""
    if not paper.file:
        return _send(session, desk, verb, deeds)
    _sign(session, desk, verb, deeds, paper)
    return False


def _send(session: Session, desk: Desk, verb: str, deeds: Sequence[Deed]) -> bool:
    intent = Intent(
        doing=desk.doing(verb),
        will=_effects(desk, deeds),
        prepare=lambda: desk.verbs.together([deed.prepare(desk.verbs) for deed in deeds]),
        facts=facts([deed.signed for deed in deeds]),
    )
    receipts = carry_out(session, desk, intent)
    if receipts:
        remember(session, [deed.signed for deed in deeds])
    show_outcome(session, desk, intent, receipts, [deed.standing.key for deed in deeds])
    return bool(receipts)


def _sign(session: Session, desk: Desk, verb: str, deeds: Sequence[Deed], paper: Paper) -> None:
    """Write the signatures; a file of the same acts that is there already is continued."""
    assert paper.file is not None
    acts = [deed.signed for deed in deeds]
    if paper.file.exists():
        acts = _continued(paper, acts, desk)
    session.say(bold(f"{verb} {desk.bound.agreement.reference}, to {paper.file}"))
    for line in (*_effects(desk, deeds), *_limits(desk, deeds, acts)):
        session.say(paragraph(line, "  "))
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit({"sent": False, **facts(acts)})
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


def _effects(desk: Desk, deeds: Sequence[Deed]) -> list[str]:
    lines = [line for deed in deeds for line in effect(deed.standing, deed.act, deed.words)]
    splits = [deed.act for deed in deeds if isinstance(deed.act, Resolution)]
    if len(splits) > 1:
        amount = desk.bound.agreement.amount
        to_payee, to_buyer = sum(s.to_payee for s in splits), sum(s.to_buyer for s in splits)
        parts = [f"{amount(to_payee)} paid"] if to_payee else []
        parts += [f"{amount(to_buyer)} given back"] if to_buyer else []
        lines.append(f"in all {' and '.join(parts)}, in one transaction: all of it or nothing")
    return lines


def _continued(paper: Paper, fresh: Sequence[SignedAct], desk: Desk) -> list[SignedAct]:
    """The acts in the paper's file, for one more signature.

    Raises:
        EscrowError: it says something else, or this account has signed it.
    """
    assert paper.file is not None
    there = load_acts(paper.file, desk.bound, desk.session.wallets)
    if [_substance(signed.act) for signed in there] != [_substance(one.act) for one in fresh]:
        raise EscrowError(f"{paper.file} says something else", hint="write to another file")
    if all(desk.signer.address in signed.signatures for signed in there):
        name = person(desk.bound, desk.signer.address)
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
    return f"Next, {person(desk.bound, missing[0])} settles it with", line


def missing_consents(standing: Standing, signed: SignedAct) -> list[Address]:
    """Who gives something up by a split and has not signed it: the buyer what is paid, the payee
    what goes back."""
    act = signed.act
    if not isinstance(act, Resolution):
        return []
    parts = ((act.to_payee, standing.terms.buyer), (act.to_buyer, standing.payee))
    return [who for units, who in parts if units and who not in signed.signatures]


def _limits(desk: Desk, deeds: Sequence[Deed], acts: Sequence[SignedAct]) -> list[str]:
    """Until when the signatures count, and what ends them earlier."""
    until = min(
        useful_until(deed.standing, signed) for deed, signed in zip(deeds, acts, strict=True)
    )
    keys = ", ".join(f"'{deed.standing.key}'" for deed in deeds)
    lines = [
        f"signed by {person(desk.bound, desk.signer.address)}; counts until "
        f"{when(deeds[0].standing, until)}, and only if nothing else happens to {keys} before"
    ]
    if isinstance(acts[0].act, (Submission, Dispute)):
        lines.append("its periods begin when it is sent")
    return lines


def useful_until(standing: Standing, signed: SignedAct) -> int:
    """When what was signed can no longer be sent: its own limit, or the milestone's."""
    if isinstance(signed.act, Resolution):
        return signed.act.valid_until
    return min(signed.act.valid_until, standing.end)


def remember(session: Session, acts: Sequence[SignedAct]) -> None:
    """Keep the words behind what was sent, so that `escrow history` can show them."""
    for signed in acts:
        if any(signed.commitment):
            remember_words(session.home, signed.commitment, signed.words)


def facts(acts: Sequence[SignedAct]) -> dict[str, object]:
    """Acts for machines: one by itself, several as a list."""
    return as_json(acts[0]) if len(acts) == 1 else {"acts": [as_json(signed) for signed in acts]}


def as_json(signed: SignedAct) -> dict[str, object]:
    """A signed act for machines: amounts in token units as text, times in Unix seconds."""
    act = signed.act
    values: dict[str, object] = {
        field.name: _plain(field.name, getattr(act, field.name))
        for field in fields(act)
        if field.name not in ("agreement_id", "milestone")
    }
    reason = {"reason": signed.words["reason"]} if "reason" in signed.words else {}
    return {
        "milestone": signed.planned.key,
        "act": signed.kind,
        **values,
        **reason,
        "signed_by": list(signed.signatures),
    }


def _plain(name: str, value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if name in ("to_payee", "to_buyer", "price", "held") else value


def _substance(act: Act) -> tuple[object, ...]:
    """What an act says, apart from until when."""
    return tuple(getattr(act, field.name) for field in fields(act) if field.name != "valid_until")
