"""Events alone tell everything: after every call, what they rebuild is what the contract shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    Event,
    MilestonePaid,
    read_event,
)
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.amendments import amend, revised
from tests.contracts.support.batches import attest_batch
from tests.contracts.support.contract import Outcome
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.paying import fund_with_authorization, multicall
from tests.contracts.support.receivables import assign, buy, enrich, offer
from tests.contracts.support.statuses import ARBITRATION, OBJECTION, REVIEW
from tests.contracts.support.world import World, account

DEPOSIT = make_milestone(amount=1_001, deadline=0, pays_on_silence=True)


@dataclass
class Reader:
    """Somebody who sees nothing but the log."""

    world: World
    log: list[Event] = field(default_factory=list)

    def sees(self, outcome: Outcome) -> Outcome:
        """Reads the events of a call, and compares every agreement with the contract."""
        for number, entry in enumerate(outcome.receipt.logs):
            if entry.address == self.world.escrow.address:
                raw = {
                    "topics": ["0x" + topic.hex() for topic in entry.topics],
                    "data": "0x" + entry.data.hex(),
                    "blockNumber": "0x1",
                    "transactionHash": "0x" + "00" * 32,
                    "logIndex": hex(number),
                }
                event = read_event(raw, self.world.now)
                assert event is not None, "an event that nobody can read"
                self.log.append(event)
        for deal in self.world.deals.values():
            told = replay(self.of(deal))
            assert (told.id, told.terms, told.milestones) == (deal.id, deal.terms, deal.milestones)
            assert [_shown(state) for state in told.states] == self.world.states(deal)
        return outcome

    def of(self, deal: Deal) -> list[Event]:
        """What a node finds by the agreement's id, in either place of a change order."""
        return [
            event
            for event in self.log
            if deal.id in (getattr(event, "agreement_id", b""), getattr(event, "replaces", b""))
        ]


def _shown(state: State) -> State:
    """The contract does not show the details of what is settled."""
    return State(Status.SETTLED) if state.status is Status.SETTLED else state


def test_a_life_with_every_verb(world: World) -> None:
    enrich(world, "financier", "rival")
    reader = Reader(world)
    sees = reader.sees
    fee = {"fee_bps": 250, "fee_recipient": account("broker")}
    deal = world.deal(
        *[make_milestone()] * 5,
        DEPOSIT,
        make_milestone(pays_on_silence=True),
        make_milestone(),
        objection_period=OBJECTION,
        **fee,
    )
    sees(world.open(deal))
    sees(world.fund(deal, 0b0010_0111))
    sees(fund_with_authorization(world, deal, 0b0101_1000))
    quick = world.deal(make_milestone(), make_milestone(), salt=2, **fee)
    sees(world.open(quick, 0b11))

    sees(world.submit(deal, 0))
    sees(assign(world, deal, 0))
    sees(world.attest(deal, deal.attestation(1, amount=400, issued_at=GENESIS - 5)))
    sees(buy(world, deal, offer(world, deal, 1, price=7)))
    sees(world.dispute(deal, 1, by="buyer"))
    sees(world.resolve(deal, 300, 0, 4, by="buyer"))
    batch = [
        (deal, deal.attestation(2, verdict=Verdict.REJECTED)),
        (deal, deal.attestation(7)),
        (deal, deal.attestation(1, amount=800)),
    ]
    sees(attest_batch(world, batch))
    items = [(quick, quick.attestation(0, amount=500)), (quick, quick.attestation(1))]
    sees(attest_batch(world, items))
    sees(world.dispute(deal, 2, by="supplier"))
    sees(world.dispute(deal, 3, by="supplier"))
    sees(world.rule(deal, 100, AMOUNT - 100, 3))

    new = revised(deal, make_milestone(deadline=DEADLINE + DAY), DEPOSIT, salt=3)
    sees(amend(world, deal, new, closes=0b0000_0110, funds=0b11))
    world.token.send("setDenylisted", account("financier"), True)
    world.now = GENESIS + REVIEW
    sees(world.finalize(deal, 0))
    world.token.send("setDenylisted", account("financier"), False)
    sees(world.withdraw("financier"))
    world.now = DEADLINE + ARBITRATION
    due = [world.escrow.data("finalize", deal.abi_terms, deal.ref(i)) for i in (4, 6)]
    sees(multicall(world, *due))
    sees(world.finalize(quick, 0))
    sees(world.finalize(new, 0))

    states = [state.status for state in world.states(deal)]
    assert states == [Status.SETTLED] * 7 + [Status.UNFUNDED]
    assert len({type(event) for event in reader.log}) == 14
    _adds_up(reader, deal, new)


def _adds_up(reader: Reader, old: Deal, new: Deal) -> None:
    """What settled milestones were worth has been paid or carried, to the last unit."""
    (order,) = {event for event in reader.log if isinstance(event, AgreementAmended)}
    paid = sum(e.total for e in reader.of(old) if isinstance(e, MilestonePaid))
    settled = sum(m.amount for m in old.milestones[:7])
    assert paid + order.carried == settled
    assert (order.replaces, order.agreement_id) == (old.id, new.id)
    assert sum(e.total for e in reader.of(new) if isinstance(e, MilestonePaid)) == AMOUNT + 1_001
