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
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Returned, Situation
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Split, Status

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

_WHY = {
    Status.FUNDED: "its date has passed",
    Status.SUBMITTED: "nobody objected in the review period",
    Status.RELEASE_PENDING: "nobody disputed the acceptance",
    Status.REFUND_PENDING: "nobody disputed the rejection",
    Status.DISPUTED_BEFORE_VERDICT: "nobody ruled, the agreed share applies",
    Status.DISPUTED_OVER_VERDICT: "nobody ruled, the verdict stands",
}


def happenings(seen: Situation) -> Iterator[Notice]:
    """A notice for every event in the order of the chain; those about money only once final."""
    teller = _Teller(seen)
    for event in seen.events:
        for notice in teller.tell(event):
            if notice.kind in AT_ONCE or event.place.block <= seen.final_block:
                yield notice
    for returned in seen.returned:
        yield _returned(seen, returned)


def _returned(seen: Situation, returned: Returned) -> Notice:
    """Never on chain: returned milestones simply go on."""
    index = returned.milestone
    reasons = "; ".join(returned.reasons) or "no reason was given"
    return Notice(
        "milestone.returned",
        seen.agreement_id,
        index,
        returned.digest.hex()[:24],
        at=returned.at,
        subject=f"{seen.label(index)} was returned for rework",
        text=f"{seen.people(returned.signers)} returned {seen.label(index)} for rework: {reasons}. "
        "The milestone goes on; what is shown next is looked at anew.",
        audience=seen.workers(index),
        facts={"reasons": list(returned.reasons), "by": list(returned.signers)},
    )


@dataclass
class _Teller:
    """Walks through the events once, in order: some are only understood from those before."""

    seen: Situation
    paid: Counter[int] = field(default_factory=Counter)
    count: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    causes: dict[tuple[str, int], str] = field(default_factory=dict)

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
            "the agreement is open",
            f"Both sides have agreed: {seen.amount(total)} in {len(event.milestones)} milestones.",
            seen.audience(event.buyer, event.supplier, *event.terms.verifiers, event.terms.arbiter),
            {"amount": str(total)},
        )

    def funded(self, event: happened.MilestonesFunded) -> Iterator[Notice]:
        seen = self.seen
        for index in event.milestones:
            amount = seen.milestones[index].amount
            self.causes[event.place.transaction, index] = "paid on as soon as it was paid in"
            yield self._notice(
                "milestone.funded",
                event,
                index,
                "once",
                f"{seen.label(index)} is funded",
                f"{seen.amount(amount)} for {seen.label(index)} were paid in by "
                f"{seen.person(event.funder)}.",
                seen.parties(index),
                {"amount": str(amount), "funder": event.funder},
            )

    def attested(self, event: happened.MilestoneAttested) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        signers = tuple(seen.terms.verifiers[place] for place in event.signers)
        accepted = event.verdict is Verdict.ACCEPTED
        names = seen.people(signers)
        verb = "accepted" if accepted else "rejected"
        self.causes[event.place.transaction, index] = f"{verb} by {names}"
        what = f"{seen.amount(event.amount)} of {seen.label(index)}" if accepted else ""
        later = event.clock > event.place.time
        takes = f" It takes effect on {seen.time(event.clock)}." if later else ""
        yield self._notice(
            f"milestone.{verb}",
            event,
            index,
            f"{event.issued_at}-{event.amount}",
            f"{seen.label(index)} was {verb}",
            f"{names} {verb} {what or seen.label(index)}.{takes}",
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
        buyer = seen.person(seen.terms.buyer)
        yield self._notice(
            "milestone.submitted",
            event,
            index,
            f"{self._ordinal('submitted', index)}-{event.evidence_hash.hex()[:16]}",
            f"{seen.label(index)} was submitted for review",
            f"{seen.person(event.payee)} says that {seen.label(index)} is done. {buyer} may object "
            f"until {seen.time(event.clock)}; if nobody does, it pays "
            f"{seen.amount(seen.milestones[index].amount - self.paid[index])}.",
            seen.parties(index),
            {"review_until": event.clock, "evidence_hash": "0x" + event.evidence_hash.hex()},
        )

    def disputed(self, event: happened.MilestoneDisputed) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        arbiter = seen.person(seen.terms.arbiter)
        rules = f"{arbiter} may rule" if seen.terms.has_arbiter else "Both sides may settle"
        yield self._notice(
            "milestone.disputed",
            event,
            index,
            f"{self._ordinal('disputed', index)}-{event.reason_hash.hex()[:16]}",
            f"{seen.label(index)} is disputed",
            f"{seen.person(event.party)} disputes {seen.label(index)}. {rules} until "
            f"{seen.time(event.clock)}.",
            (*seen.audience(seen.terms.arbiter), *seen.parties(index)),
            {
                "party": event.party,
                "rule_until": event.clock,
                "reason_hash": "0x" + event.reason_hash.hex(),
            },
        )

    def ruled(self, event: happened.MilestoneRuled) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        arbiter = seen.person(seen.terms.arbiter)
        self.causes[event.place.transaction, index] = f"ruled by {arbiter}"
        split = Split(event.to_payee, event.to_buyer)
        yield self._notice(
            "milestone.ruled",
            event,
            index,
            f"{self._ordinal('ruled', index)}",
            f"{arbiter} has ruled on {seen.label(index)}",
            f"The ruling on {seen.label(index)} {seen.split(index, split)}.",
            seen.parties(index),
            {"to_payee": str(event.to_payee), "to_buyer": str(event.to_buyer)},
        )

    def resolved(self, event: happened.MilestoneResolved) -> Iterator[Notice]:
        cause = "approved by the buyer" if not event.to_buyer else "agreed by both sides"
        if not event.to_payee:
            cause = "given back by the payee"
        self.causes[event.place.transaction, event.milestone] = cause
        yield from ()

    def finalized(self, event: happened.MilestoneFinalized) -> Iterator[Notice]:
        self.causes[event.place.transaction, event.milestone] = _WHY[event.status]
        yield from ()

    def money(self, event: happened.MilestonePaid) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        self.paid[index] += event.total
        kind = "split" if event.to_payee and event.to_buyer else "released"
        kind = "refunded" if not event.to_payee else kind
        parts = []
        if event.to_payee:
            fee = f" after a fee of {seen.amount(event.fee)}" if event.fee else ""
            parts.append(f"{seen.amount(event.to_payee)} to {seen.person(event.payee)}{fee}")
        if event.to_buyer:
            parts.append(f"{seen.amount(event.to_buyer)} to {seen.person(seen.terms.buyer)}")
        why = self.causes.get((event.place.transaction, index), "")
        facts: dict[str, object] = {
            "to_payee": str(event.to_payee),
            "fee": str(event.fee),
            "to_buyer": str(event.to_buyer),
            "payee": event.payee,
            "paid_so_far": str(self.paid[index]),
            "reason": why,
        }
        # What was paid only ever grows, so the sum so far tells one payment from the next.
        yield self._notice(
            f"milestone.{kind}",
            event,
            index,
            str(self.paid[index]),
            f"{' and '.join(parts)} for {seen.label(index)}",
            f"{' and '.join(parts)} left the contract for {seen.label(index)}"
            + (f": {why}." if why else "."),
            seen.parties(index),
            facts,
        )
        if self.paid[index] == seen.milestones[index].amount:
            yield self._notice(
                "milestone.settled",
                event,
                index,
                "once",
                f"{seen.label(index)} is settled",
                f"Nothing more can happen to {seen.label(index)}.",
                (),
                {"amount": str(self.paid[index])},
            )

    def assigned(self, event: happened.MilestoneAssigned) -> Iterator[Notice]:
        seen, index = self.seen, event.milestone
        payee, assignee = seen.person(event.payee), seen.person(event.assignee)
        price = f" for {seen.amount(event.price)}" if event.price else ""
        yield self._notice(
            "milestone.assigned",
            event,
            index,
            f"{self._ordinal('assigned', index)}",
            f"what {seen.label(index)} pays now belongs to {assignee}",
            f"{payee} handed what {seen.label(index)} pays to {assignee}{price}. It is paid to "
            f"{event.assignee} from now on.",
            tuple(dict.fromkeys((*seen.parties(index), *seen.audience(event.payee)))),
            {"payee": event.payee, "assignee": event.assignee, "price": str(event.price)},
        )

    def amended(self, event: happened.AgreementAmended) -> Iterator[Notice]:
        seen = self.seen
        if event.replaces != seen.agreement_id:
            return
        for index in event.closes:
            self.paid[index] = seen.milestones[index].amount
        labels = ", ".join(seen.label(index) for index in event.closes)
        new = "0x" + event.agreement_id.hex()
        yield self._notice(
            "agreement.amended",
            event,
            None,
            event.agreement_id.hex()[:32],
            "the agreement was changed",
            f"Both sides signed a new version, {new[:10]}…: {labels or 'nothing'} closed here, and "
            f"{seen.amount(event.carried)} moved over.",
            seen.audience(
                seen.terms.buyer, seen.terms.supplier, *seen.terms.verifiers, seen.terms.arbiter
            ),
            {
                "replaced_by": new,
                "carried": str(event.carried),
                "closes": [seen.key(index) for index in event.closes],
            },
        )

    def _ordinal(self, kind: str, milestone: int) -> int:
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


_SENTENCES: dict[type, Callable[[_Teller, Any], Iterator[Notice]]] = {
    happened.AgreementOpened: _Teller.opened,
    happened.MilestonesFunded: _Teller.funded,
    happened.MilestoneAttested: _Teller.attested,
    happened.MilestoneSubmitted: _Teller.submitted,
    happened.MilestoneDisputed: _Teller.disputed,
    happened.MilestoneRuled: _Teller.ruled,
    happened.MilestoneResolved: _Teller.resolved,
    happened.MilestoneFinalized: _Teller.finalized,
    happened.MilestonePaid: _Teller.money,
    happened.MilestoneAssigned: _Teller.assigned,
    happened.AgreementAmended: _Teller.amended,
}
