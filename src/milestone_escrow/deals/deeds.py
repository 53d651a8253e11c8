"""What a party is about to do about a milestone: an act, what it does, and who must agree to it.

A door sends deeds in one transaction, or has them signed for somebody else to send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import Payout, pays, undeliverable
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.files.signed_act import Act, SignedAct, reason_hash, reason_words
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.protocol.receivables import Assignment
from milestone_escrow.words.effects import effect
from milestone_escrow.words.standing import Standing, person

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.verbs import Verbs
    from milestone_escrow.chain.send.transactions import Prepared


@dataclass(frozen=True)
class Deed:
    """What somebody is about to do about a milestone.

    Attributes:
        act: what would be signed.
        prepare: the same as a transaction of whoever it belongs to.
        words: what the act's hash commits to.
        signatures: what others have signed already.
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


# Prepare. `until` is the end of validity of what is signed, Unix seconds; sending needs none.


def submission(
    standing: Standing, evidence: bytes, words: Mapping[str, object], until: int = 0
) -> Deed:
    """The payee's claim that a milestone is done, with the hash of its evidence, for which `words`
    stand where they are known."""
    bound, index = standing.bound, standing.planned.index
    act = Submission(*_about(standing), evidence, *_once(standing, until))
    return Deed(standing, act, lambda verbs: verbs.submit(bound, index, evidence), words)


def dispute(standing: Standing, reason: str, until: int = 0) -> Deed:
    """An objection to what is about to happen."""
    why = reason_hash(reason)
    bound, index = standing.bound, standing.planned.index
    act = Dispute(*_about(standing), why, *_once(standing, until))
    words = reason_words(reason)
    return Deed(standing, act, lambda verbs: verbs.dispute(bound, index, why), words)


def ruling(standing: Standing, result: Split, reason: str, until: int = 0) -> Deed:
    """The arbiter's split of what is disputed."""
    bound, index = standing.bound, standing.planned.index
    split, why = (result.to_payee, result.to_buyer), reason_hash(reason)
    act = Ruling(*_about(standing), *split, why, *_once(standing, until))
    words = reason_words(reason)
    return Deed(standing, act, lambda verbs: verbs.rule(bound, index, *split, why), words)


def approval(standing: Standing, units: int, until: int = 0) -> Deed:
    """The buyer pays so much of what is held, which needs nobody else."""
    bound, index = standing.bound, standing.planned.index
    act = resolution(standing, Split(units, 0), until)
    return Deed(standing, act, lambda verbs: verbs.approve(bound, index, units))


def giving_back(standing: Standing, units: int, until: int = 0) -> Deed:
    """The payee gives so much of what is held back, which needs nobody else."""
    bound, index = standing.bound, standing.planned.index
    act = resolution(standing, Split(0, units), until)
    return Deed(standing, act, lambda verbs: verbs.refund(bound, index, units))


def settlement(standing: Standing, act: Resolution, signatures: Mapping[Address, bytes]) -> Deed:
    """A split by consent of both sides; whoever sends it consents by that."""
    bound, until = standing.bound, act.valid_until

    def prepare(verbs: Verbs) -> Prepared:
        split = (act.to_payee, act.to_buyer)
        return verbs.settle(bound, act.milestone, *split, signatures=signatures, valid_until=until)

    return Deed(standing, act, prepare, signatures=signatures)


def assignment(standing: Standing, assignee: Address, until: int = 0) -> Deed:
    """The payee hands a milestone's payout on."""
    bound, index = standing.bound, standing.planned.index
    act = Assignment(*_about(standing), assignee, standing.state.handover, until)
    return Deed(standing, act, lambda verbs: verbs.assign(bound, index, assignee))


def resolution(standing: Standing, result: Split, until: int) -> Resolution:
    """A split as its sides sign it."""
    split = (result.to_payee, result.to_buyer, standing.held)
    return Resolution(*_about(standing), *split, *_once(standing, until))


def _about(standing: Standing) -> tuple[bytes, int]:
    return standing.bound.id, standing.planned.index


def _once(standing: Standing, until: int) -> tuple[int, int]:
    """What makes a signature count once, and not for ever."""
    return standing.state.epoch, until


# Explain


def effects(deeds: Sequence[Deed]) -> list[str]:
    """What deeds do if they are sent now, one sentence each."""
    lines = [line for deed in deeds for line in effect(deed.standing, deed.act, deed.words)]
    splits = [deed.act for deed in deeds if isinstance(deed.act, Resolution)]
    if len(splits) > 1:
        amount = deeds[0].standing.bound.agreement.amount
        to_payee, to_buyer = sum(s.to_payee for s in splits), sum(s.to_buyer for s in splits)
        parts = [f"{amount(to_payee)} paid"] if to_payee else []
        parts += [f"{amount(to_buyer)} given back"] if to_buyer else []
        lines.append(f"in all {' and '.join(parts)}, in one transaction: all of it or nothing")
    return lines


def useful_until(standing: Standing, signed: SignedAct) -> int:
    """When what was signed can no longer be sent: its own limit, or the milestone's."""
    if isinstance(signed.act, Resolution):
        return signed.act.valid_until
    return min(signed.act.valid_until, standing.end)


# Consent


def sides(standing: Standing) -> tuple[Address, Address]:
    """Who must consent to a split: the buyer to what is paid, the payee to what goes back."""
    return standing.terms.buyer, standing.payee


def missing_consents(standing: Standing, signed: SignedAct) -> list[Address]:
    """Who gives something up by a split and has not signed it."""
    act = signed.act
    if not isinstance(act, Resolution):
        return []
    parts = zip((act.to_payee, act.to_buyer), sides(standing), strict=True)
    return [who for units, who in parts if units and who not in signed.signatures]


def require_consent(
    standings: Sequence[Standing], acts: Sequence[SignedAct], sender: Address, hint: str
) -> None:
    """Refuse splits that somebody besides their sender still has to consent to.

    Raises:
        EscrowError: with who that is.
    """
    for standing, signed in zip(standings, acts, strict=True):
        for who in missing_consents(standing, signed):
            if who != sender:
                name = person(standing.bound, who)
                raise EscrowError(f"this split also needs the consent of {name}", hint=hint)


# Send


def pay_now(acts: Iterable[tuple[Standing, Act]]) -> Iterator[Payout]:
    """What acts pay when they are sent: splits and rulings do at once."""
    for standing, act in acts:
        if isinstance(act, (Resolution, Ruling)):
            yield from pays(standing, Split(act.to_payee, act.to_buyer))


def action(table: Table, verb: str, deeds: Sequence[Deed]) -> Action:
    """Deeds of one sender as one transaction."""
    return Action(
        doing=table.doing(verb),
        will=[*effects(deeds), *undeliverable(table, pay_now((d.standing, d.act) for d in deeds))],
        prepare=lambda: table.verbs.together([deed.prepare(table.verbs) for deed in deeds]),
        facts=facts([deed.signed for deed in deeds]),
    )


# Outcome


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
