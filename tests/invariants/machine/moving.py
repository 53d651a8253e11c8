"""Rules: receivables, change orders, credits, and everything that is sent to do harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from milestone_escrow.protocol.amendment import Amendment, carried, epochs, signers
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Split, Status
from milestone_escrow.protocol.receivables import ASSIGNABLE, Assignment, Offer
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.contract import Refused
from tests.contracts.support.deal import EVIDENCE, REASON, Deal
from tests.invariants.accounts import account
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Ref
from tests.invariants.machine.base import STRANGER, Machine, rule
from tests.invariants.machine.deciding import HOLDING
from tests.invariants.machine.drawing import FLAWS
from tests.invariants.machine.opening import MOST_AGREEMENTS
from tests.invariants.machine.tokens import MODES

FINANCIERS = ("financier", "financier 2")


class Moving(Machine):
    """Who is owed what changes hands; and who tries what is not allowed."""

    @rule
    def payee_assigns(self, data: Any) -> None:
        """To a financier; now and then to whom it must not go."""
        ref = self.pick(data, self.live(*ASSIGNABLE))
        terms = ref.deal.terms
        wrong = (ZERO_ADDRESS, self.twin.escrow, terms.arbiter, *terms.verifiers)
        right = tuple(account(name) for name in (*FINANCIERS, "broker"))
        assignee = data.draw(st.sampled_from((*right * 3, terms.buyer, *wrong)))
        target = (ref.deal.id, ref.index)
        by, until, signature = self.signed(
            data,
            self.payee(ref),
            self.twin.state(ref).handover,
            lambda number, until: Assignment(*target, assignee, number, until).typed_data(
                self.twin.domain
            ),
        )
        self.send(acts.Assign(ref, assignee, until, signature), by)

    def offer(self, ref: Ref, financier: str, price: int) -> Offer:
        state, held = self.twin.state(ref), self.held(ref)
        limits = (state.epoch, state.handover, self.now + 3_600)
        return Offer(ref.deal.id, ref.index, financier, price, held, *limits)

    @rule
    def a_financier_buys(self, data: Any) -> None:
        ref = self.pick(data, self.live(*ASSIGNABLE))
        financier = account(data.draw(st.sampled_from(FINANCIERS)))
        named = data.draw(st.sampled_from((financier, ZERO_ADDRESS)))
        offer = self.offer(ref, named, max(self.held(ref) * 96 // 100, 1))
        signature = self.twin.book.sign(self.payee(ref), offer.typed_data(self.twin.domain))
        self.send(acts.BuyReceivable(ref, offer, signature), financier)

    @rule
    def offers_are_no_good(self, data: Any) -> None:
        """Stale, for another, too dear, for nothing, expired, changed, or not the payee's."""
        ref = self.choose(data, self.live(*ASSIGNABLE), self.milestones())
        financier, held = account("financier"), self.held(ref)
        offer = self.offer(ref, financier, max(held // 2, 1))
        changes: dict[str, Any] = data.draw(
            st.sampled_from(
                (
                    {"epoch": offer.epoch + 1},
                    {"handover": offer.handover + 1},
                    {"held": held + 1 if held < 2**128 - 1 else 0},
                    {"held": max(held - 1, 0)},
                    {"financier": account("financier 2")},
                    {"price": 0},
                    {"price": min(held + 1, 2**128 - 1)},
                    {"valid_until": self.now - 1},
                    {"valid_until": self.now},
                    {},
                )
            )
        )
        bent = replace(offer, **changes)
        told = bent if data.draw(st.integers(0, 3)) else replace(bent, milestone=ref.index + 1)
        who = self.choose(data, [self.payee(ref), self.payee(ref), STRANGER])
        signature = self.twin.book.sign(who, told.typed_data(self.twin.domain))
        if not data.draw(st.integers(0, 5)):
            signature = b""
        self.send(acts.BuyReceivable(ref, bent, signature), financier)

    def change_order(self, data: Any, deal: Deal) -> Amendment:
        """Later dates or other amounts; the same terms in new words, or the old ones."""
        self.salt += 1
        milestones = tuple(
            replace(
                milestone,
                amount=max(milestone.amount * data.draw(st.sampled_from((1, 2, 3))) // 2, 1)
                % 2**128,
                deadline=milestone.deadline and max(milestone.deadline, self.now) + 10 * DAY,
            )
            for milestone in deal.milestones
        )
        terms = replace(deal.terms, salt=self.salt)
        if data.draw(st.integers(0, 4)) == 0:
            terms, milestones = deal.terms, deal.milestones
        states = self.twin.states[deal.id]
        alive = sum(1 << i for i, s in enumerate(states) if s.status is not Status.SETTLED)
        closes = alive & data.draw(st.sampled_from((15, 15, 1, 2, 5)))
        funds = data.draw(st.integers(0, (1 << len(milestones)) - 1))
        moves = (carried(deal.milestones, states, closes), epochs(states, closes))
        if not data.draw(st.integers(0, 9)):
            moves = data.draw(st.sampled_from(((moves[0] + 1, moves[1]), (moves[0], moves[1] + 1))))
        return Amendment(deal.id, closes, funds, *moves, self.now + 3_600, terms, milestones)

    def consents(self, deal: Deal, order: Amendment) -> tuple[bytes, ...]:
        typed = order.typed_data(self.twin.domain)
        parties = signers(deal.terms, order.terms, self.twin.states[deal.id], order.closes)
        return tuple(self.twin.book.sign(party, typed) for party in parties)

    @precondition(lambda self: len(self.twin.deals) < MOST_AGREEMENTS)
    @rule
    def both_sides_change_the_order(self, data: Any) -> None:
        deal = self.choose(data, self.deals())
        order = self.change_order(data, deal)
        by = self.choose(data, [deal.terms.buyer, deal.terms.supplier, STRANGER])
        self.send(acts.Amend(deal, order, self.consents(deal, order)), by)

    @rule
    def change_orders_err(self, data: Any) -> None:
        """A consent is missing, of another, to something else, or one too many; or the deal is."""
        deal = self.choose(data, self.deals())
        order = self.change_order(data, deal)
        consents = self.consents(deal, order)
        opening = Deal(self.twin.domain, order.terms, order.milestones).typed_data
        to_open = tuple(
            self.twin.book.sign(party, opening) for party in (deal.terms.buyer, deal.terms.supplier)
        )
        kind = data.draw(st.integers(0, 8))
        if kind == 0:
            consents = consents[:1]
        elif kind == 1:
            consents = (b"", *consents[1:])
        elif kind == 2:
            consents = (*to_open, *consents[2:])
        elif kind == 3:
            consents = (*consents, b"")
        elif kind == 4:
            order = replace(order, funds=order.funds ^ 1)
        elif kind == 5:
            order = replace(order, valid_until=self.now - 1)
            consents = self.consents(deal, order)
        elif kind == 6:
            closes = data.draw(st.sampled_from((0, 1 << len(deal.milestones), 15)))
            order = replace(order, closes=closes)
            consents = self.consents(deal, order)
        elif kind == 7:
            changed: dict[str, Any] = {
                data.draw(st.sampled_from(("buyer", "supplier", "token"))): STRANGER
            }
            order = replace(order, terms=replace(order.terms, **changed))
            consents = self.consents(deal, order)
        else:
            flaw = FLAWS[data.draw(st.sampled_from(("no amount", "a judge in its own cause")))]
            new = Deal(self.twin.domain, order.terms, order.milestones)
            flawed = flaw(new, self.stage, self.now)
            order = replace(order, terms=flawed.terms, milestones=flawed.milestones)
            consents = self.consents(deal, order)
        self.send(acts.Amend(deal, order, consents), STRANGER)

    @rule
    def anyone_withdraws(self, data: Any) -> None:
        """What is credited, to whom it is credited; what is not, to nobody."""
        credited = [key for key, credit in self.twin.credits.items() if credit]
        nothing = (self.choose(data, list(self.stage.contracts)), account("broker"))
        asked = data.draw(st.sampled_from((2**256 - 1, 1, 1_000_000, 0)))
        self.send(acts.Withdraw(*self.choose(data, credited, [nothing]), asked), STRANGER)
        if not data.draw(st.integers(0, 3)):
            self.send(acts.Withdraw(*nothing), STRANGER)

    @rule
    def a_token_turns(self, data: Any) -> None:
        """Midway, and back."""
        token = self.choose(data, [token for token in self.twin.tokens.values() if token.turns])
        self.turn(token, data.draw(st.sampled_from(("Honest", *MODES))), token.on_transfer_from)

    @rule
    def a_token_reenters(self, data: Any) -> None:
        """While it pays somebody it calls back, and gets nowhere, whatever it tries."""
        ours = [r for r in self.milestones(*HOLDING) if self.twin.tokens[r.deal.terms.token].turns]
        ref = self.choose(data, ours, self.milestones())
        token, terms = self.twin.tokens[ref.deal.terms.token], ref.deal.terms
        held = self.held(ref)
        pays = acts.Resolve(ref, Split(held, 0), 0, b"", b"")
        if not token.turns:
            return
        contract = self.token_contract(token.address)
        tries: tuple[acts.Act, ...] = (
            acts.Withdraw(token.address, terms.supplier),
            acts.Finalize(ref),
            pays,
        )
        again = self.calldata(self.choose(data, tries))
        contract.send("callBack", self.twin.escrow, again)
        self.turn(token, "Reenter", "Reenter")
        if self.send(pays, terms.buyer):
            refused = self.world.escrow.decode_error(contract.call("answer"))
            assert not contract.call("reentered")
            assert isinstance(refused, Refused)
            assert refused.name == "ReentrancyGuardReentrantCall"
            self.tally.errors[refused.name] += 1
        self.turn(self.twin.tokens[token.address], "Honest", "Honest")

    @rule
    def an_issuer_denies_an_account(self, data: Any) -> None:
        names = ("buyer", "supplier", "financier", "broker", "saver")
        address = self.stage.token("USDC")
        who = account(data.draw(st.sampled_from(names)))
        self.deny(address, who, who not in self.twin.tokens[address].denied)

    @rule
    def an_issuer_denies_the_escrow(self, data: Any) -> None:
        """Nothing of that token moves, and nobody loses a claim."""
        address = self.stage.token("USDC")
        denied = self.twin.escrow in self.twin.tokens[address].denied
        if denied or not data.draw(st.integers(0, 3)):
            self.deny(address, self.twin.escrow, not denied)

    @precondition(lambda self: self.history)
    @rule
    def an_old_call_is_replayed(self, data: Any) -> None:
        """By whoever likes, word for word."""
        act, sender = self.choose(data, self.history[-40:])
        self.send(act, self.choose(data, [STRANGER, sender]))

    @precondition(lambda self: self.history)
    @rule
    def a_signature_is_transplanted(self, data: Any) -> None:
        """A call that was signed for one milestone is sent about another."""
        aimed: list[Any] = [act for act, _ in self.history[-60:] if hasattr(act, "ref")]
        if aimed:
            act = self.choose(data, aimed)
            self.send(replace(act, ref=self.choose(data, self.milestones())), STRANGER)

    @rule
    def strangers_try(self, data: Any) -> None:
        """Every verb that belongs to somebody, without anybody's signature."""
        ref = self.choose(data, self.milestones(*HOLDING), self.milestones())
        deal, held, no = ref.deal, self.held(ref), b""
        order = self.change_order(data, deal)
        tries: tuple[acts.Act, ...] = (
            acts.Submit(ref, EVIDENCE, self.now, no),
            acts.Dispute(ref, REASON, self.now, no),
            acts.Rule(ref, Split(held, 0), REASON, self.now, no),
            acts.Resolve(ref, Split(held, 0), self.now, no, no),
            acts.Resolve(ref, Split(0, held), self.now, no, no),
            acts.Assign(ref, STRANGER, self.now, no),
            acts.BuyReceivable(ref, self.offer(ref, ZERO_ADDRESS, max(held, 1)), no),
            acts.Amend(deal, order, (no,) * 2),
        )
        assert not self.send(self.choose(data, tries), STRANGER)

    @rule
    def wrong_terms_name_nothing(self, data: Any) -> None:
        """Terms that differ in one word, or a milestone that is not there."""
        ref = self.choose(data, self.milestones())
        terms = replace(ref.deal.terms, fee_bps=ref.deal.terms.fee_bps ^ 1)
        wrong = replace(ref.deal, terms=terms)
        count = len(ref.deal.milestones)
        target = self.choose(data, [Ref(wrong, ref.index), Ref(ref.deal, count), Ref(wrong, 60)])
        buyer = ref.deal.terms.buyer
        tries: tuple[acts.Act, ...] = (
            acts.Finalize(target),
            acts.Resolve(target, Split(1, 0), 0, b"", b""),
            acts.Dispute(target, REASON, 0, b""),
        )
        assert not self.send(self.choose(data, tries), buyer)
        assert not self.send(acts.Fund(wrong, 1), buyer)
