"""What the chain says about an agreement: each event that people or their books want to know.

Money is told once its block is final, so that nobody books what a reorganisation takes back. What
only starts a clock is told at once, because the clock already runs; see `corrections`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from milestone_escrow.chain.contract import events as happened
from milestone_escrow.chain.contract.events import Event
from milestone_escrow.chain.contract.replay import Undelivered
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Returned, Situation
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.words.messages import say, say_count
from milestone_escrow.words.silence import silent
from milestone_escrow.words.telling import payout
from milestone_escrow.words.undelivered import did_not_arrive, withdraw_line

AT_ONCE = frozenset(
    {
        "agreement.opened",
        "milestone.submitted",
        "milestone.accepted",
        "milestone.rejected",
        "milestone.disputed",
    }
)
"""Kinds that are told before their block is final, and taken back where it is undone for good."""


def happenings(seen: Situation) -> Iterator[Notice]:
    """A notice for every event in the order of the chain; those about money only once final."""
    told = _Notices(seen)
    for event in seen.events:
        for notice in told.tell(event):
            if notice.kind in AT_ONCE or event.place.block <= seen.final_block:
                yield notice
    for returned in seen.returned:
        yield _returned(seen, returned)


def _returned(seen: Situation, returned: Returned) -> Notice:
    """Never on chain: returned milestones simply go on."""
    index = returned.milestone
    parts = {
        "milestone": seen.names.milestone(index),
        "signers": seen.names.people(returned.signers),
        "reasons": "; ".join(returned.reasons) or say("no reason was given"),
    }
    return Notice(
        "milestone.returned",
        seen.agreement_id,
        index,
        returned.digest.hex()[:24],
        at=returned.at,
        subject=say("{milestone} was returned for rework", **parts),
        text=say(
            "{signers} returned {milestone} for rework: {reasons}. The milestone goes on; what is "
            "shown next is looked at anew.",
            **parts,
        ),
        audience=seen.workers(index),
        facts={"reasons": list(returned.reasons), "by": list(returned.signers)},
    )


@dataclass
class _Notices:
    """Walks through the events once, in order: some are only understood from those before."""

    seen: Situation
    paid: Counter[int] = field(default_factory=Counter)
    count: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    causes: dict[tuple[str, int], str] = field(default_factory=dict)
    spoken: set[int] = field(default_factory=set)

    def tell(self, event: Event) -> Iterator[Notice]:
        if (sentence := _SENTENCES.get(type(event))) is not None:
            yield from sentence(self, event)

    def opened(self, event: happened.AgreementOpened) -> Iterator[Notice]:
        seen = self.seen
        total = sum(milestone.amount for milestone in event.milestones)
        yield self._notice(
            "agreement.opened",
            event,
            None,
            "once",
            say("the agreement is open"),
            say_count(
                "Both sides have agreed: {total} in {count} milestone.",
                "Both sides have agreed: {total} in {count} milestones.",
                len(event.milestones),
                total=seen.names.amount(total),
            ),
            seen.audience(event.buyer, event.supplier, *event.terms.verifiers, event.terms.arbiter),
            {"amount": str(total)},
        )

    def funded(self, event: happened.MilestonesFunded) -> Iterator[Notice]:
        seen = self.seen
        cause = say("paid on as soon as it was paid in")
        for index in event.milestones:
            amount = seen.milestones[index].amount
            parts = {
                "amount": seen.names.amount(amount),
                "milestone": seen.names.milestone(index),
                "funder": seen.names.person(event.funder),
            }
            self.causes[event.place.transaction, index] = cause
            yield self._notice(
                "milestone.funded",
                event,
                index,
                "once",
                say("{milestone} is funded", **parts),
                say("{amount} for {milestone} were paid in by {funder}.", **parts),
                seen.parties(index),
                {"amount": str(amount), "funder": event.funder},
            )

    def attested(self, event: happened.MilestoneAttested) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        self.spoken.add(index)
        signers = tuple(seen.terms.verifiers[place] for place in event.signers)
        accepted = event.verdict is Verdict.ACCEPTED
        parts = {
            "milestone": seen.names.milestone(index),
            "signers": seen.names.people(signers),
            "amount": seen.names.amount(event.amount),
            "time": seen.names.time(event.clock),
        }
        if accepted:
            subject = say("{milestone} was accepted", **parts)
            text = say("{signers} accepted {amount} of {milestone}.", **parts)
            cause = say("accepted by {signers}", **parts)
        else:
            subject = say("{milestone} was rejected", **parts)
            text = say("{signers} rejected {milestone}.", **parts)
            cause = say("rejected by {signers}", **parts)
        if later := event.clock > event.place.time:
            text = say("{verdict} It takes effect on {time}.", verdict=text, **parts)
        self.causes[event.place.transaction, index] = cause
        yield self._notice(
            "milestone.accepted" if accepted else "milestone.rejected",
            event,
            index,
            f"{event.issued_at}-{event.amount}",
            subject,
            text,
            seen.parties(index),
            {
                "amount": str(event.amount),
                "signers": list(signers),
                "evidence_hash": "0x" + event.evidence_hash.hex(),
                "takes_effect": event.clock if later else event.place.time,
            },
        )

    def submitted(self, event: happened.MilestoneSubmitted) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        parts = {
            "payee": seen.names.person(event.payee),
            "milestone": seen.names.milestone(index),
            "buyer": seen.names.person(seen.terms.buyer),
            "time": seen.names.time(event.clock),
            "amount": seen.names.amount(seen.milestones[index].amount - self.paid[index]),
        }
        yield self._notice(
            "milestone.submitted",
            event,
            index,
            f"{self._ordinal('submitted', index)}-{event.evidence_hash.hex()[:16]}",
            say("{milestone} was submitted for review", **parts),
            say(
                "{payee} says that {milestone} is done. {buyer} may object until {time}; if nobody "
                "does, it pays {amount}.",
                **parts,
            ),
            seen.parties(index),
            {"review_until": event.clock, "evidence_hash": "0x" + event.evidence_hash.hex()},
        )

    def disputed(self, event: happened.MilestoneDisputed) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        parts = {
            "party": seen.names.person(event.party),
            "milestone": seen.names.milestone(index),
            "arbiter": seen.names.person(seen.terms.arbiter),
            "time": seen.names.time(event.clock),
        }
        if seen.terms.has_arbiter:
            text = say("{party} disputes {milestone}. {arbiter} may rule until {time}.", **parts)
        else:
            text = say("{party} disputes {milestone}. Both sides may settle until {time}.", **parts)
        yield self._notice(
            "milestone.disputed",
            event,
            index,
            f"{self._ordinal('disputed', index)}-{event.reason_hash.hex()[:16]}",
            say("{milestone} is disputed", **parts),
            text,
            (*seen.audience(seen.terms.arbiter), *seen.parties(index)),
            {
                "party": event.party,
                "rule_until": event.clock,
                "reason_hash": "0x" + event.reason_hash.hex(),
            },
        )

    def ruled(self, event: happened.MilestoneRuled) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        parts = {
            "arbiter": seen.names.person(seen.terms.arbiter),
            "milestone": seen.names.milestone(index),
            "does": seen.split(index, Split(event.to_payee, event.to_buyer)),
        }
        self.causes[event.place.transaction, index] = say("ruled by {arbiter}", **parts)
        yield self._notice(
            "milestone.ruled",
            event,
            index,
            f"{self._ordinal('ruled', index)}",
            say("{arbiter} has ruled on {milestone}", **parts),
            say("The ruling on {milestone} {does}.", **parts),
            seen.parties(index),
            {"to_payee": str(event.to_payee), "to_buyer": str(event.to_buyer)},
        )

    def resolved(self, event: happened.MilestoneResolved) -> Iterator[Notice]:
        if not event.to_payee:
            cause = say("given back by the payee")
        elif event.to_buyer:
            cause = say("agreed by both sides")
        else:
            cause = say("approved by the buyer")
        self.causes[event.place.transaction, event.milestone] = cause
        yield from ()

    def finalized(self, event: happened.MilestoneFinalized) -> Iterator[Notice]:
        milestone, spoken = self.seen.milestones[event.milestone], event.milestone in self.spoken
        why = silent(self.seen.terms, milestone, event.status, spoken=spoken)
        self.causes[event.place.transaction, event.milestone] = why
        yield from ()

    def money(self, event: happened.MilestonePaid) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        self.paid[index] += event.total
        kind = "split" if event.to_payee and event.to_buyer else "released"
        kind = "refunded" if not event.to_payee else kind
        why = self.causes.get((event.place.transaction, index), "")
        waiting = [one for one in seen.undelivered(event.place) if one.milestone == index]
        lost = [one for one in waiting if one.place.transaction == event.place.transaction]
        parts = {
            "moved": payout(seen.names, event, seen.terms.buyer),
            "milestone": seen.names.milestone(index),
            "why": why,
            "lost": "; ".join(self._lost(one) for one in lost),
        }
        subject = say("{moved} for {milestone}", **parts)
        if lost:
            subject = say("what {milestone} pays did not all arrive", **parts)
            text = say("{moved} for {milestone}: {why}. But {lost}.", **parts)
            if not why:
                text = say("{moved} for {milestone}. But {lost}.", **parts)
        elif why:
            text = say("{moved} left the contract for {milestone}: {why}.", **parts)
        else:
            text = say("{moved} left the contract for {milestone}.", **parts)
        facts: dict[str, object] = {
            "to_payee": str(event.to_payee),
            "fee": str(event.fee),
            "to_buyer": str(event.to_buyer),
            "payee": event.payee,
            "paid_so_far": str(self.paid[index]),
            "reason": why,
            "undelivered": [{"account": one.account, "amount": str(one.units)} for one in lost],
        }
        # What was paid only ever grows, so the sum so far tells one payment from the next.
        yield self._notice(
            f"milestone.{kind}",
            event,
            index,
            str(self.paid[index]),
            subject,
            text,
            seen.parties(index),
            facts,
        )
        if self.paid[index] == seen.milestones[index].amount:
            end = say("Nothing more can happen to {milestone}.", **parts)
            if waiting:
                end = say("What {milestone} pays is decided, and waits to be withdrawn.", **parts)
            yield self._notice(
                "milestone.settled",
                event,
                index,
                "once",
                say("{milestone} is settled", **parts),
                end,
                (),
                {"amount": str(self.paid[index])},
            )

    def _lost(self, one: Undelivered) -> str:
        return say(
            "{lost}, and waits for `{command}`",
            lost=did_not_arrive(self.seen.names, one.account, one.units),
            command=withdraw_line(self.seen.reference, self.seen.names, one.account),
        )

    def assigned(self, event: happened.MilestoneAssigned) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        if event.assignee == event.payee:
            return  # offers were taken back: nobody is paid or asked anew
        parts = {
            "milestone": seen.names.milestone(index),
            "payee": seen.names.person(event.payee),
            "assignee": seen.names.person(event.assignee),
            "account": event.assignee,
            "price": seen.names.amount(event.price),
        }
        if event.price:
            text = say(
                "{payee} handed what {milestone} pays to {assignee} for {price}. It is paid to "
                "{account} from now on.",
                **parts,
            )
        else:
            text = say(
                "{payee} handed what {milestone} pays to {assignee}. It is paid to {account} from "
                "now on.",
                **parts,
            )
        yield self._notice(
            "milestone.assigned",
            event,
            index,
            f"{self._ordinal('assigned', index)}",
            say("what {milestone} pays now belongs to {assignee}", **parts),
            text,
            tuple(dict.fromkeys((*seen.parties(index), *seen.audience(event.payee)))),
            {"payee": event.payee, "assignee": event.assignee, "price": str(event.price)},
        )

    def amended(self, event: happened.AgreementAmended) -> Iterator[Notice]:
        seen = self.seen
        if event.replaces != seen.agreement_id:
            return
        for index in event.closes:
            self.paid[index] = seen.milestones[index].amount
        new = "0x" + event.agreement_id.hex()
        yield self._notice(
            "agreement.amended",
            event,
            None,
            event.agreement_id.hex()[:32],
            say("the agreement was changed"),
            say(
                "Both sides signed a new version, {id}: {milestones} closed here, and {amount} "
                "moved over.",
                id=f"{new[:10]}…",
                milestones=seen.names.milestones(event.closes) or say("nothing"),
                amount=seen.names.amount(event.carried),
            ),
            seen.audience(
                seen.terms.buyer, seen.terms.supplier, *seen.terms.verifiers, seen.terms.arbiter
            ),
            {
                "replaced_by": new,
                "carried": str(event.carried),
                "closes": [seen.key(index) for index in event.closes],
            },
        )

    def collected(self, event: happened.CreditWithdrawn) -> Iterator[Notice]:
        """Money that had not arrived before: books take it in only now."""
        seen = self.seen
        for one in seen.collected(event):
            parts = {
                "who": seen.names.person(one.account),
                "amount": seen.names.amount(one.units),
                "time": seen.names.time(one.place.time),
            }
            yield self._notice(
                "milestone.collected",
                event,
                one.milestone,
                f"{self._ordinal('collected', one.milestone)}",
                say("{who} received {amount} that had waited", **parts),
                say("{who} received {amount} that could not be delivered on {time}.", **parts),
                seen.audience(seen.terms.buyer, seen.terms.supplier, one.account),
                {"account": one.account, "amount": str(one.units)},
            )

    def _ordinal(self, kind: str, milestone: int | None) -> int:
        """The how-manieth of its kind: the same once a reorganisation has moved it elsewhere."""
        self.count[kind, milestone] += 1
        return self.count[kind, milestone]

    def _notice(
        self,
        kind: str,
        event: Event,
        milestone: int | None,
        about: str,
        subject: str,
        text: str,
        audience: tuple[str, ...],
        facts: dict[str, object],
    ) -> Notice:
        place = event.place
        where: dict[str, object] = {
            "block": place.block,
            "time": place.time,
            "transaction": place.transaction,
            "log_index": place.log_index,
            "final": place.block <= self.seen.final_block,
        }
        return Notice(
            kind,
            self.seen.agreement_id,
            milestone,
            about,
            at=place.time,
            subject=subject,
            text=text,
            audience=audience,
            facts={**facts, "chain": where},
            block=place.block,
        )


_SENTENCES: dict[type, Callable[[_Notices, Any], Iterator[Notice]]] = {
    happened.AgreementOpened: _Notices.opened,
    happened.MilestonesFunded: _Notices.funded,
    happened.MilestoneAttested: _Notices.attested,
    happened.MilestoneSubmitted: _Notices.submitted,
    happened.MilestoneDisputed: _Notices.disputed,
    happened.MilestoneRuled: _Notices.ruled,
    happened.MilestoneResolved: _Notices.resolved,
    happened.MilestoneFinalized: _Notices.finalized,
    happened.MilestonePaid: _Notices.money,
    happened.MilestoneAssigned: _Notices.assigned,
    happened.AgreementAmended: _Notices.amended,
    happened.CreditWithdrawn: _Notices.collected,
}
