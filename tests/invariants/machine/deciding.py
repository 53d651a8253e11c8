"""Rules: submissions, disputes, rulings, consent, and time."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from milestone_escrow.protocol import acts as signed
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import (
    DISPUTED,
    Role,
    Split,
    Status,
    dispute_needs_arbiter,
    disputing_role,
)
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.deal import EVIDENCE, REASON
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Ref
from tests.invariants.machine.base import STRANGER, Machine, rule

DISPUTABLE = (
    Status.FUNDED, Status.SUBMITTED, Status.RELEASE_PENDING, Status.REFUND_PENDING
)  # fmt: skip
HOLDING = tuple(status for status in Status if status.holds)


class Deciding(Machine):
    """Parties, arbiter and time; and the clocks that people start."""

    @rule
    def payee_submits(self, data: Any) -> None:
        funded = self.live(Status.FUNDED)
        want_on = data.draw(st.integers(0, 4)) != 4
        on = [ref for ref in funded if (ref.deal.terms.review_period > 0) is want_on]
        ref = self.pick(data, on or funded)
        target, epoch = (ref.deal.id, ref.index), self.twin.state(ref).epoch
        by, until, signature = self.signed(
            data,
            self.payee(ref),
            epoch,
            lambda number, until: signed.Submission(*target, EVIDENCE, number, until).typed_data(
                self.twin.domain
            ),
        )
        self.send(acts.Submit(ref, EVIDENCE, until, signature), by)

    def disputable(self) -> list[Ref]:
        """Those that somebody may dispute now."""
        return [
            ref
            for ref in self.live(*DISPUTABLE)
            if ref.deal.terms.has_arbiter
            or not dispute_needs_arbiter(ref.milestone, self.twin.state(ref))
        ]

    def dispute(self, data: Any, ref: Ref, by_the_buyer: bool) -> bool:
        party = ref.deal.terms.buyer if by_the_buyer else self.payee(ref)
        by, until, signature = self.signed(
            data,
            party,
            self.twin.state(ref).epoch,
            lambda number, until: signed.Dispute(
                ref.deal.id, ref.index, REASON, number, until
            ).typed_data(self.twin.domain),
        )
        return self.send(acts.Dispute(ref, REASON, until, signature), by)

    def against_the_buyer(self, ref: Ref) -> bool:
        return disputing_role(ref.milestone, self.twin.state(ref)) is Role.BUYER

    @rule
    def a_party_disputes(self, data: Any) -> None:
        """Whom the status is about to go against."""
        ref = self.pick(data, self.disputable())
        self.dispute(data, ref, self.against_the_buyer(ref))

    @rule
    def the_wrong_party_disputes(self, data: Any) -> None:
        """The other one; or anyone, where there is no arbiter."""
        alone = [ref for ref in self.live(*DISPUTABLE) if not ref.deal.terms.has_arbiter]
        ref = self.pick(data, self.choose(data, [alone, self.live(*DISPUTABLE)]))
        wrong = data.draw(st.integers(0, 2)) != 0
        self.dispute(data, ref, self.against_the_buyer(ref) is not wrong)

    @rule
    def a_dispute_is_ruled_on(self, data: Any) -> None:
        ref = self.choose(data, self.disputable(), self.milestones())
        if self.dispute(data, ref, self.against_the_buyer(ref)):
            self.wait_until(self.now + data.draw(st.sampled_from((1, 3_600))))
            held = self.held(ref)
            to_payee = data.draw(st.sampled_from((held, held // 2, 0)))
            self.rule_on(data, ref, Split(to_payee, held - to_payee))

    def rule_on(self, data: Any, ref: Ref, split: Split) -> None:
        target, epoch = (ref.deal.id, ref.index), self.twin.state(ref).epoch
        by, until, signature = self.signed(
            data,
            ref.deal.terms.arbiter,
            epoch,
            lambda number, until: signed.Ruling(
                *target, split.to_payee, split.to_buyer, REASON, number, until
            ).typed_data(self.twin.domain),
        )
        self.send(acts.Rule(ref, split, REASON, until, signature), by)

    def disputed(self) -> list[Ref]:
        refs = self.live(*DISPUTED)
        return [ref for ref in refs if ref.deal.terms.has_arbiter] or refs

    @rule
    def arbiter_rules(self, data: Any) -> None:
        ref = self.pick(data, self.disputed())
        held = self.held(ref)
        to_payee = data.draw(st.sampled_from((0, held // 3, held)))
        self.rule_on(data, ref, Split(to_payee, held - to_payee))

    @rule
    def arbiter_rules_on_a_part(self, data: Any) -> None:
        """Or on nothing, or on more than there is."""
        ref = self.pick(data, self.disputed())
        third = self.held(ref) // 3
        parts = ((0, 0), (third, 0), (third, third), (third, self.held(ref)))
        self.rule_on(data, ref, Split(*data.draw(st.sampled_from(parts))))

    @rule
    def buyer_approves(self, data: Any) -> None:
        ref = self.pick(data, self.milestones(*HOLDING))
        self.resolve(data, ref, Split(self.held(ref), 0), ref.deal.terms.buyer)

    @rule
    def buyer_approves_a_part(self, data: Any) -> None:
        ref = self.pick(data, self.milestones(Status.FUNDED))
        part = data.draw(st.sampled_from((1, self.held(ref) // 2)))
        self.resolve(data, ref, Split(part, 0), ref.deal.terms.buyer)

    @rule
    def payee_gives_back(self, data: Any) -> None:
        ref = self.pick(data, self.milestones(*HOLDING))
        back = data.draw(st.sampled_from((self.held(ref), self.held(ref), 1)))
        self.resolve(data, ref, Split(0, back), self.payee(ref))

    @rule
    def a_split_needs_both(self, data: Any) -> None:
        """Signed by both, by one, or by neither."""
        ref = self.pick(data, self.milestones(*HOLDING))
        held = self.held(ref)
        split = Split(held // 2, held - held // 2)
        terms, epoch, until = ref.deal.terms, self.twin.state(ref).epoch, self.now
        typed = signed.Resolution(
            ref.deal.id, ref.index, split.to_payee, split.to_buyer, held, epoch, until
        ).typed_data(self.twin.domain)
        buyer = self.twin.book.sign(terms.buyer, typed)
        payee = self.twin.book.sign(self.payee(ref), typed)
        pair = data.draw(
            st.sampled_from(
                ((buyer, payee), (buyer, payee), (buyer, b""), (b"", payee), (payee, buyer))
            )
        )
        by = self.choose(data, [STRANGER, STRANGER, terms.buyer, self.payee(ref)])
        self.send(acts.Resolve(ref, split, until, *pair), by if by != ZERO_ADDRESS else STRANGER)

    @rule
    def a_split_is_out_of_bounds(self, data: Any) -> None:
        ref = self.pick(data, self.milestones(*HOLDING))
        held = self.held(ref)
        most = 2**128 - 1
        parts = ((0, 0), (held, 1), (0, min(held + 1, most)), (held // 2, 0), (most, most))
        split = Split(*data.draw(st.sampled_from(parts)))
        by = self.choose(data, [ref.deal.terms.buyer, self.payee(ref)])
        self.send(acts.Resolve(ref, split, 0, b"", b""), by)

    def resolve(self, data: Any, ref: Ref, split: Split, who: str) -> None:
        """By the one who gives up something."""
        held = self.held(ref)
        target, epoch = (ref.deal.id, ref.index), self.twin.state(ref).epoch
        by, until, signature = self.signed(
            data,
            who,
            epoch,
            lambda number, until: signed.Resolution(
                *target, split.to_payee, split.to_buyer, held, number, until
            ).typed_data(self.twin.domain),
        )
        pair = (signature, b"") if split.to_payee else (b"", signature)
        self.send(acts.Resolve(ref, split, until, *pair), by)

    def due(self) -> list[Ref]:
        return [ref for ref in self.milestones(*HOLDING) if self.now >= self.end(ref)]

    @rule
    def anyone_finalizes(self, data: Any) -> None:
        self.send(acts.Finalize(self.pick(data, self.due())), STRANGER)

    @rule
    def time_decides_to_the_second(self, data: Any) -> None:
        """A second before the end it is too early, at the end it is time."""
        ref = self.choose(data, self.live(*HOLDING), self.milestones())
        end = self.end(ref)
        if self.now < end <= self.now + 10 * DAY and self.twin.state(ref).status.holds:
            self.wait_until(end - 1)
            assert not self.send(acts.Finalize(ref), STRANGER)
            self.wait_until(end)
            assert self.send(acts.Finalize(ref), STRANGER)

    @rule
    def all_that_is_due_is_finalized_at_once(self, data: Any) -> None:
        """In one multicall; one call too many, and none of them happens."""
        refs = self.due()[:4] or [self.choose(data, self.milestones())]
        calls = [acts.Finalize(ref) for ref in refs]
        if data.draw(st.integers(0, 3)) == 0:
            calls.append(calls[0])
        self.send(acts.Multicall(tuple(calls)), STRANGER)

    @rule
    def a_relayer_is_stingy(self, data: Any) -> None:
        """Too little gas pays or fails; it never turns a payout into a credit."""
        soon = [r for r in self.milestones(*HOLDING) if self.end(r) <= self.now + 10 * DAY]
        fickle = [r for r in soon if self.twin.tokens[r.deal.terms.token].turns]
        ref = self.choose(data, fickle or soon, self.milestones())
        if soon:
            self.wait_until(self.end(ref))
        token = self.twin.tokens[ref.deal.terms.token]
        if token.turns:
            mode = data.draw(st.sampled_from(("Refuse", "Revert", "RevertHuge", "Honest")))
            self.turn(token, mode, token.on_transfer_from)
        if not self.send(acts.Finalize(ref), STRANGER, scarce=True):
            self.send(acts.Finalize(ref), STRANGER)
        credited = [key for key, credit in self.twin.credits.items() if credit]
        if credited:
            self.send(acts.Withdraw(*self.choose(data, credited)), STRANGER, scarce=True)

    @rule
    def time_passes(self, data: Any) -> None:
        self.wait_until(self.now + data.draw(st.sampled_from((1, 60, 3_600, DAY, 2 * DAY))))

    @rule
    def time_reaches_an_end(self, data: Any) -> None:
        """To a second before, at, or after a clock that runs."""
        soon = [ref for ref in self.live() if self.end(ref) <= self.now + 4 * DAY]
        if soon:
            end = self.end(self.choose(data, soon))
            self.wait_until(end + data.draw(st.sampled_from((-2, -1, 0, 1))))
