"""Rules: opening, funding, and money that comes in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status
from tests.contracts.support.deal import Deal
from tests.invariants.accounts import account
from tests.invariants.machine import acts
from tests.invariants.machine.base import STRANGER, Machine, rule
from tests.invariants.machine.drawing import FLAWS, SKETCHES, bind
from tests.invariants.machine.stage import FUNDERS, NO_TOKEN
from tests.invariants.machine.tokens import MODES

MOST_AGREEMENTS = 10


class Opening(Machine):
    """How agreements come about and are paid in."""

    @initialize(data=st.data())
    def some_deals_are_made(self, data: Any) -> None:
        """Most of a play should be about money, so it begins with some."""
        for chosen, changes in (
            (-1, {"token": "plain", "arbiter": ""}),
            (-1, {"token": "fickle 18", "arbiter": "judge"}),
            (1, {"token": "USDC"}),
            (0, {"token": "fickle 6"}),
        ):
            deal = self.draft(data, **changes)
            assert self.open(deal, chosen & (1 << len(deal.milestones)) - 1)

    def draft(self, data: Any, **changes: Any) -> Deal:
        """An agreement that nobody has opened."""
        self.salt += 1
        sketch = replace(data.draw(SKETCHES), **changes)
        return bind(sketch, self.stage, self.twin.domain, self.now, self.salt)

    def open(self, deal: Deal, chosen: int, by: Address = "") -> bool:
        """By the buyer with the supplier's signature, or by anyone with both."""
        terms = deal.terms
        buyer = self.twin.book.sign(terms.buyer, deal.typed_data)
        supplier = self.twin.book.sign(terms.supplier, deal.typed_data, short=True)
        return self.send(acts.Open(deal, chosen, buyer, supplier), by or terms.buyer)

    def some(self, data: Any, deal: Deal) -> int:
        """A bitmap, mostly of what can be funded."""
        if data.draw(st.integers(0, 3)):
            states = self.twin.states[deal.id]
            fundable = [i for i, state in enumerate(states) if state.status is Status.UNFUNDED]
            picked = data.draw(st.sampled_from((15, 1, 2, 5)))
            every = sum(1 << i for i in fundable)
            return every & picked or every
        return int(data.draw(st.integers(0, 1 << len(deal.milestones))))

    def unfunded(self) -> list[Deal]:
        """Agreements where a milestone can still be funded."""
        found = {
            ref.deal.id: ref.deal
            for ref in self.milestones(Status.UNFUNDED)
            if ref.milestone.is_deposit or self.now < ref.milestone.deadline
        }
        return list(found.values())

    def signable(self) -> list[Deal]:
        """Those of them in a token that takes signatures; or all of them."""
        deals = self.unfunded()
        return [d for d in deals if self.twin.tokens[d.terms.token].takes_signatures] or deals

    @precondition(lambda self: len(self.twin.deals) < MOST_AGREEMENTS)
    @rule
    def both_sides_open(self, data: Any) -> None:
        deal = self.draft(data)
        chosen = data.draw(st.sampled_from((0, 0, 1, 2, (1 << len(deal.milestones)) - 1)))
        by = self.choose(data, [account(name) for name in FUNDERS])
        self.open(deal, chosen, by)

    @rule
    def somebody_opens_again(self, data: Any) -> None:
        """Signatures no longer matter; what is funded already is skipped."""
        deal = self.choose(data, self.deals())
        chosen = data.draw(st.integers(0, 2 << len(deal.milestones)))
        by = self.choose(data, [account(name) for name in (*FUNDERS, "saver")])
        self.send(acts.Open(deal, chosen, b"", b"\x01"), by)

    @rule
    def terms_are_out_of_bounds(self, data: Any) -> None:
        draft = self.draft(data)
        name = self.choose(data, sorted(FLAWS))
        flawed = FLAWS[name](draft, self.stage, self.now)
        people = self.twin.book.people
        buyer, supplier = (
            self.twin.book.sign(who, flawed.typed_data) if who in people else b""
            for who in (flawed.terms.buyer, flawed.terms.supplier)
        )
        assert not self.send(acts.Open(flawed, 0, buyer, supplier), STRANGER), name

    @rule
    def consent_is_missing_at_opening(self, data: Any) -> None:
        """None, of somebody else, to other terms, or of the other party."""
        deal = self.draft(data)
        terms, book = deal.terms, self.twin.book
        other = replace(deal, terms=replace(terms, salt=terms.salt + 2**128))
        buyer = book.sign(terms.buyer, deal.typed_data)
        supplier = book.sign(terms.supplier, deal.typed_data)
        wrong = self.choose(
            data,
            [
                b"",
                book.sign(STRANGER, deal.typed_data),
                book.sign(terms.supplier, other.typed_data),
            ],
        )
        pair = self.choose(data, [(buyer, wrong), (wrong, supplier), (supplier, buyer)])
        assert not self.send(acts.Open(deal, 0, *pair), STRANGER)

    @rule
    def somebody_funds(self, data: Any) -> None:
        deal = self.choose(data, self.unfunded(), self.deals())
        by = self.choose(data, [account(name) for name in FUNDERS])
        self.send(acts.Fund(deal, self.some(data, deal)), by)

    @rule
    def the_wrong_things_are_funded(self, data: Any) -> None:
        """Nothing, what does not exist, by who has approved nothing, or what nobody opened."""
        deal = self.choose(data, self.unfunded(), self.deals())
        kind = data.draw(st.integers(0, 3))
        if kind == 0:
            self.send(acts.Fund(self.draft(data), 1), STRANGER)
        elif kind == 1:
            assert not self.open(self.draft(data, token=NO_TOKEN), 1)
        elif kind == 2:
            # A token that knows no authorizations gives no reason, not even through a multicall.
            plain = self.draft(data, token="plain")
            supplier = self.twin.book.sign(plain.terms.supplier, plain.typed_data)
            pays = acts.FundWithAuthorization(plain, 1, STRANGER, 0, 2**40, bytes(65))
            opens = acts.Open(plain, 0, b"", supplier)
            assert not self.send(acts.Multicall((opens, pays)), plain.terms.buyer)
        chosen = data.draw(st.sampled_from((0, 1, 1 << len(deal.milestones), 2**255)))
        self.send(acts.Fund(deal, chosen), account(data.draw(st.sampled_from(("saver", "broker")))))

    @rule
    def the_saver_funds_by_permit(self, data: Any) -> None:
        """In one transaction; at times somebody has used the permit before, or it is no good."""
        deal = self.choose(data, self.signable(), self.deals())
        saver, token = account("saver"), self.twin.tokens[deal.terms.token]
        if not token.takes_signatures:
            token = self.twin.tokens[self.stage.token("USDC")]
        chosen = self.some(data, deal)
        total = sum(m.amount for i, m in enumerate(deal.milestones) if chosen >> i & 1)
        deadline = self.now + data.draw(st.sampled_from((-1, 0, 3_600)))
        nonce = token.nonces[saver] + data.draw(st.sampled_from((0, 0, 0, 1)))
        typed = token.permit(saver, total, nonce, deadline)
        signature = self.twin.book.sign(self.choose(data, [saver, saver, STRANGER]), typed)
        permit = acts.Permit(token.address, total, deadline, signature)
        if data.draw(st.booleans()):
            self.send(permit, saver)
        self.send(acts.Multicall((permit, acts.Fund(deal, chosen))), saver)

    @rule
    def an_authorization_funds(self, data: Any) -> None:
        """The saver signs, a stranger sends it; the nonce says what it is for."""
        deal = self.choose(data, self.signable(), self.deals())
        token, chosen = self.twin.tokens[deal.terms.token], self.some(data, deal)
        flaws = ("another purpose", "another payer", "too early", "too late", "forged")
        flaw = data.draw(st.sampled_from((*("none",) * 6, *flaws)))
        total = sum(m.amount for i, m in enumerate(deal.milestones) if chosen >> i & 1)
        payer = account("broker" if flaw == "another payer" else "saver")
        since = self.now - (0 if flaw == "too early" else 1)
        until = self.now + (0 if flaw == "too late" else 1)
        signature = b"\x1b" * 65
        if token.takes_signatures:
            meant = chosen ^ 1 if flaw == "another purpose" else chosen
            nonce = acts.authorization_nonce(deal, meant)
            typed = token.authorization(payer, total, since, until, nonce)
            signer = STRANGER if flaw == "forged" else payer
            signature = self.twin.book.sign(signer, typed)
        act = acts.FundWithAuthorization(deal, chosen, payer, since, until, signature)
        ways: list[acts.Act] = [act, act, acts.Multicall((act,))]
        if self.send(self.choose(data, ways), STRANGER):
            assert not self.send(act, STRANGER)

    @rule
    def a_token_cheats_while_it_funds(self, data: Any) -> None:
        """It taxes, refuses, lies, answers nothing or too much; then it is itself again."""
        fickle = [d for d in self.unfunded() if self.twin.tokens[d.terms.token].turns]
        if not fickle and len(self.twin.deals) < MOST_AGREEMENTS:
            fickle = [self.draft(data, token="fickle 6")]
            self.open(fickle[0], 0)
        deal = self.choose(data, fickle, self.deals())
        token = self.twin.tokens[deal.terms.token]
        if token.turns:
            self.turn(token, token.on_transfer, data.draw(st.sampled_from(("Tax", "Tax", *MODES))))
        self.send(acts.Fund(deal, self.some(data, deal)), account("financier"))
        if token.turns:
            token = self.twin.tokens[deal.terms.token]
            self.turn(token, token.on_transfer, "Honest")

    @rule
    def somebody_gives_the_escrow_tokens(self, data: Any) -> None:
        """A gift belongs to nobody, and must never pay anybody."""
        address = self.choose(data, list(self.stage.contracts))
        token = self.twin.tokens[address]
        amount = data.draw(st.sampled_from((1, 10**9)))
        if token.escrow in token.denied:
            return
        self.token_contract(address).send("mint", token.escrow, amount)
        token.balances[token.escrow] += amount
        token.given += amount
