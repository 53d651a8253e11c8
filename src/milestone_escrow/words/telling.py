"""Each event of the chain as a sentence: who, and what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from milestone_escrow.chain.contract import events as happened
from milestone_escrow.chain.contract.events import Event
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.when import format_time
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.words.standing import person

Recall: TypeAlias = Callable[[bytes], Mapping[str, object]]
"""The words behind a hash on chain; empty where they are not known."""


def version_of(event: Event) -> bytes:
    """Under which version it is told; empty for what belongs to none."""
    if isinstance(event, happened.AgreementAmended):
        return event.replaces
    found: bytes = getattr(event, "agreement_id", b"")
    return found


class Teller:
    """Puts events into words: who, and what."""

    def __init__(self, bound: BoundAgreement, events: Sequence[Event], recall: Recall) -> None:
        """`events` are all that are going to be told, or more."""
        self.recall = recall
        self.bound = bound
        self.agreement = bound.agreement
        # A resolution does not name the payee; the payout that follows it does.
        self.payees = {
            (event.place.transaction, event.milestone): event.payee
            for event in events
            if isinstance(event, happened.MilestonePaid) and event.agreement_id == bound.id
        }
        # Money that a change order moves over was paid in before.
        self.carried = {
            (event.place.transaction, event.agreement_id): event.carried
            for event in events
            if isinstance(event, happened.AgreementAmended)
        }

    def tell(self, event: Event) -> tuple[str, str]:
        return SENTENCES[type(event)](self, event)

    def is_about(self, event: Event, key: str) -> bool:
        if isinstance(event, happened.MilestonesFunded):
            return key in [self.agreement.milestones[i].key for i in event.milestones]
        if isinstance(event, happened.AgreementAmended):
            # What it closes are milestones of the version before.
            is_here = event.replaces == self.bound.id
            return is_here and key in [self.agreement.milestones[i].key for i in event.closes]
        return self.key(event) == key

    def key(self, event: Event) -> str | None:
        index = getattr(event, "milestone", None)
        return self.agreement.milestones[index].key if isinstance(index, int) else None

    def name(self, account: str) -> str:
        return person(self.bound, account)

    def milestone(self, index: int) -> str:
        return f"'{self.agreement.milestones[index].key}'"

    def amount(self, units: int) -> str:
        return self.agreement.amount(units)

    def time(self, moment: int) -> str:
        return format_time(moment, self.agreement.timezone)

    def words(self, digest: bytes) -> str:
        """What a hash stands for, as far as it is known here."""
        if digest == ZERO_HASH:
            return ""
        known = self.recall(digest)
        files = known.get("files")
        listed = files if isinstance(files, list) else []
        names = [str(file.get("name")) for file in listed if isinstance(file, dict)]
        parts = [f"“{known['reason']}”"] if known.get("reason") else []
        parts += [f"evidence {', '.join(names)}"] if names else []
        return ", " + (", ".join(parts) or f"SHA-256 {digest.hex()[:12]}…")

    def opened(self, event: happened.AgreementOpened) -> tuple[str, str]:
        price = self.amount(sum(milestone.amount for milestone in event.milestones))
        what = "a new version" if self.agreement.replaces else "the agreement"
        return "both sides", f"opened {what}, {price} in {len(event.milestones)} milestones"

    def funded(self, event: happened.MilestonesFunded) -> tuple[str, str]:
        keys = ", ".join(map(self.milestone, event.milestones))
        carried = self.carried.get((event.place.transaction, event.agreement_id))
        if carried is None:
            return self.name(event.funder), f"paid {self.amount(event.amount)} in for {keys}"
        more = event.amount - carried
        if more > 0:
            return self.name(event.funder), f"paid {self.amount(more)} more in, for {keys}"
        return "both sides", f"{self.amount(event.amount)} of that went on in {keys}"

    def attested(self, event: happened.MilestoneAttested) -> tuple[str, str]:
        names = ", ".join(self.name(self.bound.terms.verifiers[i]) for i in event.signers)
        accepted = event.verdict is Verdict.ACCEPTED
        what = f"accepted {self.amount(event.amount)} of" if accepted else "rejected"
        later = f", takes effect {self.time(event.clock)}" if event.clock > event.place.time else ""
        words = self.words(event.evidence_hash)
        return names, f"{what} {self.milestone(event.milestone)}{words}{later}"

    def submitted(self, event: happened.MilestoneSubmitted) -> tuple[str, str]:
        words = self.words(event.evidence_hash)
        text = f"said that {self.milestone(event.milestone)} is done{words}"
        return self.name(event.payee), f"{text}; may be objected to until {self.time(event.clock)}"

    def disputed(self, event: happened.MilestoneDisputed) -> tuple[str, str]:
        words = self.words(event.reason_hash)
        text = f"disputed {self.milestone(event.milestone)}{words}"
        return self.name(event.party), f"{text}; may be ruled on until {self.time(event.clock)}"

    def ruled(self, event: happened.MilestoneRuled) -> tuple[str, str]:
        split = self.split(event.to_payee, event.to_buyer)
        text = f"ruled on {self.milestone(event.milestone)}: {split}{self.words(event.reason_hash)}"
        return self.name(self.bound.terms.arbiter), text

    def resolved(self, event: happened.MilestoneResolved) -> tuple[str, str]:
        key = self.milestone(event.milestone)
        if not event.to_buyer:
            text = f"approved {self.amount(event.to_payee)} of {key}"
            return self.name(self.bound.terms.buyer), text
        if not event.to_payee:
            payee = self.payees[event.place.transaction, event.milestone]
            return self.name(payee), f"gave {self.amount(event.to_buyer)} of {key} back"
        return "both sides", f"settled {key}: {self.split(event.to_payee, event.to_buyer)}"

    def finalized(self, event: happened.MilestoneFinalized) -> tuple[str, str]:
        why = {
            Status.FUNDED: "its deadline passed",
            Status.SUBMITTED: "nobody objected in the review period",
            Status.RELEASE_PENDING: "nobody disputed the acceptance",
            Status.REFUND_PENDING: "nobody disputed the rejection",
            Status.DISPUTED_BEFORE_VERDICT: "nobody ruled, the agreed share applies",
            Status.DISPUTED_OVER_VERDICT: "nobody ruled, the verdict stands",
        }
        return "time", f"decided {self.milestone(event.milestone)}: {why[event.status]}"

    def paid(self, event: happened.MilestonePaid) -> tuple[str, str]:
        parts = []
        if event.to_payee:
            fee = f" (fee {self.amount(event.fee)})" if event.fee else ""
            parts.append(f"{self.amount(event.to_payee)} to {self.name(event.payee)}{fee}")
        if event.to_buyer:
            parts.append(f"{self.amount(event.to_buyer)} to {self.name(self.bound.terms.buyer)}")
        return "contract", f"paid {' and '.join(parts)} for {self.milestone(event.milestone)}"

    def skipped(self, event: happened.AttestationSkipped) -> tuple[str, str]:
        return "contract", f"skipped a verdict on {self.milestone(event.milestone)} in a batch"

    def assigned(self, event: happened.MilestoneAssigned) -> tuple[str, str]:
        key, assignee = self.milestone(event.milestone), self.name(event.assignee)
        if event.price:
            text = f"sold what {key} pays to {assignee} for {self.amount(event.price)}"
        else:
            text = f"assigned what {key} pays to {assignee}"
        return self.name(event.payee), text

    def amended(self, event: happened.AgreementAmended) -> tuple[str, str]:
        if event.replaces != self.bound.id:
            moved = f"{self.amount(event.carried)} moved over from 0x{event.replaces.hex()[:8]}…"
            return "both sides", f"changed the agreement to this version: {moved}"
        keys = ", ".join(map(self.milestone, event.closes))
        moved = f"{self.amount(event.carried)} moved to 0x{event.agreement_id.hex()[:8]}…"
        return "both sides", f"changed the agreement: {keys} closed here, {moved}"

    def credited(self, event: happened.PayoutCredited) -> tuple[str, str]:
        name = self.name(event.account)
        return name, f"could not receive {self.amount(event.amount)}, which waits for `withdraw`"

    def withdrawn(self, event: happened.CreditWithdrawn) -> tuple[str, str]:
        return self.name(event.account), f"received {self.amount(event.amount)} that had waited"

    def split(self, to_payee: int, to_buyer: int) -> str:
        return f"{self.amount(to_payee)} to the payee, {self.amount(to_buyer)} to the buyer"


SENTENCES: dict[type, Callable[[Teller, Any], tuple[str, str]]] = {
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
    happened.PayoutCredited: Teller.credited,
    happened.CreditWithdrawn: Teller.withdrawn,
}
