"""Each event of the chain as a sentence: who, and what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from milestone_escrow.chain.contract import events as happened
from milestone_escrow.chain.contract.events import Event, Place
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.words.messages import say, say_count
from milestone_escrow.words.names import Names
from milestone_escrow.words.silence import silent

Recall: TypeAlias = Callable[[bytes], Mapping[str, object]]
"""The words behind a hash on chain; empty where they are not known."""

Told: TypeAlias = tuple[str, str]
"""Who, and what: "Indus Survey", "rejected 'packed'"."""


Credit: TypeAlias = happened.PayoutCredited | happened.CreditWithdrawn
"""What belongs to an account, and to no agreement."""


def version_of(event: Event) -> bytes:
    """Under which version it is told; empty for what belongs to none."""
    if isinstance(event, happened.AgreementAmended):
        return event.replaces
    found: bytes = getattr(event, "agreement_id", b"")
    return found


def tell_credit(names: Names, event: Credit) -> Told:
    amount, who = names.amount(event.amount), names.person(event.account)
    if isinstance(event, happened.CreditWithdrawn):
        return who, say("received {amount} that had waited", amount=amount)
    return who, say("could not receive {amount}, which waits for `escrow withdraw`", amount=amount)


def payout(names: Names, event: happened.MilestonePaid, buyer: Address) -> str:
    """ "71,280.00 USDC to Rajwada Exports (fee 720.00 USDC)", and what went back."""
    parts = {
        "paid": names.amount(event.to_payee),
        "payee": names.person(event.payee),
        "fee": names.amount(event.fee),
        "back": names.amount(event.to_buyer),
        "buyer": names.person(buyer),
    }
    if not event.to_payee:
        return say("{back} to {buyer}", **parts)
    if event.to_buyer and event.fee:
        return say("{paid} to {payee} (fee {fee}) and {back} to {buyer}", **parts)
    if event.to_buyer:
        return say("{paid} to {payee} and {back} to {buyer}", **parts)
    if event.fee:
        return say("{paid} to {payee} (fee {fee})", **parts)
    return say("{paid} to {payee}", **parts)


class Teller:
    """Puts events into words: who, and what."""

    def __init__(
        self,
        agreement: OpenAgreement,
        events: Sequence[Event],
        recall: Recall = lambda _: {},
        names: Names | None = None,
    ) -> None:
        """`events` are all that are going to be told, or more."""
        self.recall = recall
        self.deal = agreement
        self.names = names or Names.of(agreement)
        # A resolution does not name the payee; the payout that follows it does.
        self.payees = {
            (event.place.transaction, event.milestone): event.payee
            for event in events
            if isinstance(event, happened.MilestonePaid) and event.agreement_id == agreement.id
        }
        # What one transaction could not deliver, by account.
        self.credited = {
            (event.place.transaction, event.account)
            for event in events
            if isinstance(event, happened.PayoutCredited)
        }
        self.undelivered = self._undelivered(events)
        # What time decides then depends on it, and ends what verifiers can say.
        self.spoken = {
            (event.agreement_id, event.milestone)
            for event in events
            if isinstance(event, happened.MilestoneAttested)
        }
        # Money that a change order moves over was paid in before.
        self.carried = {
            (event.place.transaction, event.agreement_id): event.carried
            for event in events
            if isinstance(event, happened.AgreementAmended)
        }

    def tell(self, event: Event) -> Told:
        return SENTENCES[type(event)](self, event)

    def is_about(self, event: Event, key: str) -> bool:
        if isinstance(event, happened.MilestonesFunded):
            return key in map(self._key, event.milestones)
        if isinstance(event, happened.AgreementAmended):
            # What it closes are milestones of the version before.
            return event.replaces == self.deal.id and key in map(self._key, event.closes)
        if isinstance(event, (happened.PayoutCredited, happened.CreditWithdrawn)):
            return key in map(self._key, self.undelivered.get(event.place, ()))
        return self.key(event) == key

    def _undelivered(self, events: Sequence[Event]) -> Mapping[Place, set[int]]:
        """Of which milestones each credit is, and of which each withdrawal may be."""
        paid: dict[tuple[str, Address], set[int]] = {}
        waiting: dict[Address, set[int]] = {}
        found: dict[Place, set[int]] = {}
        for event in events:
            if isinstance(event, happened.MilestonePaid) and event.agreement_id == self.deal.id:
                for account, units in self._paid_to(event):
                    if units:
                        sent = (event.place.transaction, account)
                        paid.setdefault(sent, set()).add(event.milestone)
            elif isinstance(event, happened.PayoutCredited):
                sent = (event.place.transaction, event.account)
                found[event.place] = paid.get(sent, set())
                waiting.setdefault(event.account, set()).update(found[event.place])
            elif isinstance(event, happened.CreditWithdrawn):
                found[event.place] = set(waiting.get(event.account, ()))
                if not event.remaining:
                    waiting.pop(event.account, None)
        return found

    def _paid_to(self, event: happened.MilestonePaid) -> tuple[tuple[Address, int], ...]:
        terms = self.deal.terms
        fee, back = (terms.fee_recipient, event.fee), (terms.buyer, event.to_buyer)
        return (event.payee, event.to_payee), fee, back

    def key(self, event: Event) -> str | None:
        index = getattr(event, "milestone", None)
        return self._key(index) if isinstance(index, int) else None

    def _key(self, index: int) -> str | None:
        return self.names.document.milestones[index].key if self.names.document else None

    def opened(self, event: happened.AgreementOpened) -> Told:
        price = self.names.amount(sum(milestone.amount for milestone in event.milestones))
        count = len(event.milestones)
        if self.names.document is not None and self.names.document.replaces:
            what = say_count(
                "opened a new version, {price} in {count} milestone",
                "opened a new version, {price} in {count} milestones",
                count,
                price=price,
            )
        else:
            what = say_count(
                "opened the agreement, {price} in {count} milestone",
                "opened the agreement, {price} in {count} milestones",
                count,
                price=price,
            )
        return say("both sides"), what

    def funded(self, event: happened.MilestonesFunded) -> Told:
        keys, amount = self.names.milestones(event.milestones), self.names.amount
        carried = self.carried.get((event.place.transaction, event.agreement_id))
        funder = self.names.person(event.funder)
        if carried is None:
            what = say(
                "paid {amount} in for {milestones}", amount=amount(event.amount), milestones=keys
            )
            return funder, what
        more = event.amount - carried
        if more > 0:
            return funder, say(
                "paid {amount} more in, for {milestones}", amount=amount(more), milestones=keys
            )
        what = say(
            "{amount} of that went on in {milestones}", amount=amount(event.amount), milestones=keys
        )
        return say("both sides"), what

    def attested(self, event: happened.MilestoneAttested) -> Told:
        milestone = self.names.milestone(event.milestone)
        if event.verdict is Verdict.ACCEPTED:
            amount = self.names.amount(event.amount)
            what = say("accepted {amount} of {milestone}", amount=amount, milestone=milestone)
        else:
            what = say("rejected {milestone}", milestone=milestone)
        what = self._because(what, event.evidence_hash)
        if event.clock > event.place.time:
            time = self.names.time(event.clock)
            what = say("{what}, takes effect {time}", what=what, time=time)
        signers = [self.deal.terms.verifiers[place] for place in event.signers]
        return self.names.people(signers), what

    def submitted(self, event: happened.MilestoneSubmitted) -> Told:
        said = say("said that {milestone} is done", milestone=self.names.milestone(event.milestone))
        return self.names.person(event.payee), say(
            "{what}; may be objected to until {time}",
            what=self._because(said, event.evidence_hash),
            time=self.names.time(event.clock),
        )

    def disputed(self, event: happened.MilestoneDisputed) -> Told:
        said = say("disputed {milestone}", milestone=self.names.milestone(event.milestone))
        said, time = self._because(said, event.reason_hash), self.names.time(event.clock)
        if self.deal.terms.has_arbiter:
            said = say("{what}; may be ruled on until {time}", what=said, time=time)
        else:
            said = say("{what}; may be settled until {time}", what=said, time=time)
        return self.names.person(event.party), said

    def ruled(self, event: happened.MilestoneRuled) -> Told:
        what = say(
            "ruled on {milestone}: {paid} to the payee, {back} to the buyer",
            milestone=self.names.milestone(event.milestone),
            paid=self.names.amount(event.to_payee),
            back=self.names.amount(event.to_buyer),
        )
        arbiter = self.names.person(self.deal.terms.arbiter)
        return arbiter, self._because(what, event.reason_hash)

    def resolved(self, event: happened.MilestoneResolved) -> Told:
        parts = {
            "milestone": self.names.milestone(event.milestone),
            "paid": self.names.amount(event.to_payee),
            "back": self.names.amount(event.to_buyer),
        }
        if not event.to_buyer:
            buyer = self.names.person(self.deal.terms.buyer)
            return buyer, say("approved {paid} of {milestone}", **parts)
        if not event.to_payee:
            payee = self.payees[event.place.transaction, event.milestone]
            return self.names.person(payee), say("gave {back} of {milestone} back", **parts)
        return say("both sides"), say(
            "settled {milestone}: {paid} to the payee, {back} to the buyer", **parts
        )

    def finalized(self, event: happened.MilestoneFinalized) -> Told:
        milestone = self.deal.milestones[event.milestone]
        spoken = (event.agreement_id, event.milestone) in self.spoken
        return say("time"), say(
            "decided {milestone}: {why}",
            milestone=self.names.milestone(event.milestone),
            why=silent(self.deal.terms, milestone, event.status, spoken=spoken),
        )

    def paid(self, event: happened.MilestonePaid) -> Told:
        parts = {
            "moved": payout(self.names, event, self.deal.terms.buyer),
            "milestone": self.names.milestone(event.milestone),
        }
        if any(
            n and (event.place.transaction, a) in self.credited for a, n in self._paid_to(event)
        ):
            # The credits that follow say what of it could not be delivered.
            return say("contract"), say("released {moved} for {milestone}", **parts)
        return say("contract"), say("paid {moved} for {milestone}", **parts)

    def skipped(self, event: happened.AttestationSkipped) -> Told:
        milestone = self.names.milestone(event.milestone)
        return say("contract"), say(
            "skipped a verdict on {milestone} in a batch", milestone=milestone
        )

    def assigned(self, event: happened.MilestoneAssigned) -> Told:
        parts = {
            "milestone": self.names.milestone(event.milestone),
            "assignee": self.names.person(event.assignee),
            "price": self.names.amount(event.price),
        }
        if event.price:
            what = say("sold what {milestone} pays to {assignee} for {price}", **parts)
        elif event.assignee == event.payee:
            what = say("took back every offer of what {milestone} pays", **parts)
        else:
            what = say("assigned what {milestone} pays to {assignee}", **parts)
        return self.names.person(event.payee), what

    def amended(self, event: happened.AgreementAmended) -> Told:
        moved = self.names.amount(event.carried)
        if event.replaces != self.deal.id:
            what = say(
                "changed the agreement to this version: {amount} moved over from {id}",
                amount=moved,
                id=f"0x{event.replaces.hex()[:8]}…",
            )
        else:
            what = say(
                "changed the agreement: {milestones} closed here, {amount} moved to {id}",
                milestones=self.names.milestones(event.closes),
                amount=moved,
                id=f"0x{event.agreement_id.hex()[:8]}…",
            )
        return say("both sides"), what

    def credit(self, event: Credit) -> Told:
        return tell_credit(self.names, event)

    def _because(self, what: str, digest: bytes) -> str:
        """With what a hash stands for, as far as it is known here."""
        if digest == ZERO_HASH:
            return what
        known = self.recall(digest)
        files = known.get("files")
        listed = files if isinstance(files, list) else []
        names = ", ".join(str(file.get("name")) for file in listed if isinstance(file, dict))
        parts = {
            "what": what,
            "reason": known.get("reason"),
            "files": names,
            "hash": f"{digest.hex()[:12]}…",
        }
        if known.get("reason") and names:
            return say("{what}, “{reason}”, evidence {files}", **parts)
        if known.get("reason"):
            return say("{what}, “{reason}”", **parts)
        if names:
            return say("{what}, evidence {files}", **parts)
        return say("{what}, SHA-256 {hash}", **parts)


SENTENCES: dict[type, Callable[[Teller, Any], Told]] = {
    happened.AgreementOpened: Teller.opened,
    happened.MilestonesFunded: Teller.funded,
    happened.MilestoneAttested: Teller.attested,
    happened.MilestoneSubmitted: Teller.submitted,
    happened.MilestoneDisputed: Teller.disputed,
    happened.MilestoneRuled: Teller.ruled,
    happened.MilestoneResolved: Teller.resolved,
    happened.MilestoneFinalized: Teller.finalized,
    happened.MilestonePaid: Teller.paid,
    happened.AttestationSkipped: Teller.skipped,
    happened.MilestoneAssigned: Teller.assigned,
    happened.AgreementAmended: Teller.amended,
    happened.PayoutCredited: Teller.credit,
    happened.CreditWithdrawn: Teller.credit,
}
