"""What `check` promises about silence is what the contract does, to the second and to the unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pytest
from eth_keys.datatypes import PrivateKey

from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check.report import Outcome
from milestone_escrow.protocol.devchain import SANDBOX_ACCOUNTS
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.token import Token
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import Deal, abi_attestation
from tests.contracts.support.people import Person
from tests.contracts.support.world import RICH, World, branch, build

KEYS = [PrivateKey(number.to_bytes(32, "big")) for number in range(1, SANDBOX_ACCOUNTS + 1)]
PEOPLE: dict[Address, Person] = {
    str(key.public_key.to_checksum_address()): Person("", key) for key in KEYS
}


@dataclass(frozen=True)
class Play:
    """An example on the chain, opened and funded by its buyer at its own date."""

    agreement: Agreement
    world: World

    @property
    def domain(self) -> Domain:
        return self.world.domain

    def token(self, symbol: str) -> Token:
        """The one token that there is, whatever the agreement calls it."""
        return Token(symbol, self.world.token.address, self.agreement.currency.decimals)

    @cached_property
    def deal(self) -> Deal:
        bound = self.agreement.on(self)
        return Deal(bound.domain, bound.terms, bound.milestones)

    def index(self, outcome: Outcome) -> int:
        return self.agreement.index(outcome.milestone)

    def branched(self) -> Play:
        """So that what is tried for one milestone is undone for the next."""
        return Play(self.agreement, branch(self.world))

    def outcomes(self, role: str) -> tuple[Outcome, ...]:
        report = self.agreement.check()
        return next((s.outcomes for s in report.silence if s.role == role), ())

    def finalizes_at(self, index: int, at: int) -> tuple[int, int]:
        """Not a second earlier; answers what payee (fee included) and buyer got."""
        self.world.now = at - 1
        with refuses("TooEarly", nowAt=at - 1, end=at):
            self.world.finalize(self.deal, index)
        self.world.now = at
        paid = self.world.finalize(self.deal, index).event("MilestonePaid")
        assert self.world.state(self.deal, index).status is Status.SETTLED
        return paid["toPayee"] + paid["fee"], paid["toBuyer"]


@pytest.fixture(scope="module")
def empty(artifacts: Mapping[str, Artifact]) -> World:
    return build(artifacts)


@pytest.fixture(params=examples.names())
def play(request: pytest.FixtureRequest, empty: World) -> Play:
    agreement = Agreement.load(examples.path(str(request.param)))
    play = Play(agreement, branch(empty))
    terms, world = play.deal.terms, play.world
    world.now = agreement.starts_at
    world.token.send("mint", terms.buyer, RICH)
    world.token.send("approve", world.escrow.address, 2**256 - 1, by=terms.buyer)
    supplier = PEOPLE[terms.supplier].sign(play.deal.typed_data)
    world.open(play.deal, play.deal.all, by=terms.buyer, supplier=supplier)
    return play


def test_if_everybody_is_silent(play: Play) -> None:
    """Each milestone settles at its promised second, and by the last of them nothing is left."""
    outcomes = sorted(play.outcomes("everybody"), key=lambda outcome: outcome.at)
    assert {o.milestone for o in outcomes} == {m.key for m in play.agreement.milestones}
    for outcome in outcomes:
        index = play.index(outcome)
        if play.deal.milestones[index].is_deposit:
            assert play.world.state(play.deal, index).status is Status.SETTLED
            assert outcome.at == play.agreement.starts_at
            continue
        paid = play.finalizes_at(index, outcome.at)
        assert paid == (outcome.to_payee, outcome.to_buyer)
    assert play.world.now == play.agreement.check().settled_by
    assert play.world.balance(play.world.escrow.address) == 0


def test_if_the_arbiter_is_silent(play: Play) -> None:
    """Disputed at the last second, which is the longest that anybody can wait."""
    outcomes = play.outcomes("arbiter")
    assert bool(outcomes) == play.deal.terms.has_arbiter
    for outcome in outcomes:
        tried = play.branched()
        index, terms = play.index(outcome), play.deal.terms
        milestone = play.deal.milestones[index]
        tried.world.now = milestone.deadline - 1
        party = terms.buyer if milestone.pays_on_silence else terms.supplier
        tried.world.dispute(play.deal, index, by=party)
        paid = tried.finalizes_at(index, outcome.at)
        assert paid == (outcome.to_payee, outcome.to_buyer)


def test_if_one_side_is_silent_its_clock_is_the_same(play: Play) -> None:
    """Supplier, verifiers and buyer: where a time is promised, it is the one that was tried."""
    everybody = {outcome.milestone: outcome for outcome in play.outcomes("everybody")}
    report = play.agreement.check()
    timed = [
        outcome
        for silence in report.silence
        if silence.role not in ("arbiter", "everybody")
        for outcome in silence.outcomes
        if outcome.at
    ]
    assert timed
    for outcome in timed:
        assert (outcome.at, outcome.to_payee, outcome.to_buyer) == (
            everybody[outcome.milestone].at,
            everybody[outcome.milestone].to_payee,
            everybody[outcome.milestone].to_buyer,
        )


def test_if_the_buyer_is_silent(play: Play) -> None:
    """Verifiers who accept, or a submission that nobody answers, pay what was promised."""
    terms, deal = play.deal.terms, play.deal
    for outcome in play.outcomes("buyer"):
        index = play.index(outcome)
        milestone = deal.milestones[index]
        if milestone.is_deposit or outcome.at:
            continue
        tried = play.branched()
        if milestone.quorum:
            attestation = deal.attestation(index, issued_at=tried.world.now)
            typed = attestation.typed_data(play.domain)
            signatures = [
                PEOPLE[verifier].sign(typed) for verifier in terms.verifiers_of(milestone)
            ]
            tried.world.escrow.send(
                "attest",
                deal.abi_terms,
                deal.ref(index),
                abi_attestation(attestation),
                milestone.verifier_set,
                signatures,
            )
            waits = terms.objection_period
        else:
            tried.world.submit(deal, index, by=terms.supplier)
            waits = terms.review_period
        if waits:
            paid = tried.finalizes_at(index, tried.world.now + waits)
            assert paid == (outcome.to_payee, outcome.to_buyer)
        assert tried.world.state(deal, index).status is Status.SETTLED
        assert outcome.to_payee == milestone.amount


def test_everybody_in_the_examples_can_sign_here(play: Play) -> None:
    people: set[Address] = set(play.agreement.people.values())
    assert people <= set(PEOPLE)
