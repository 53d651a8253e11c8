"""What a chain tells of one agreement, written into a store as the indexer would leave it.

Blocks are lists of events; undoing some and writing again is a reorganisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, delete, insert

from milestone_escrow.chain.contract import events as happened
from milestone_escrow.chain.contract.events import Event, Place
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, upsert
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import State, held, payee, silence, silence_split
from milestone_escrow.protocol.token import Token

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
DAY = 86_400
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@dataclass(frozen=True)
class Deployed:
    domain: Domain = DOMAIN

    def token(self, symbol: str) -> Token:
        return Token(symbol, "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", 6)


def example(name: str = "carpets") -> BoundAgreement:
    return Agreement.load(EXAMPLES / name / "agreement.yaml").on(Deployed())


@dataclass
class Chronicle:
    """The chain. Every event stands in a block of its own; `depth` blocks are not final yet."""

    bound: BoundAgreement
    time: int
    depth: int = 2
    blocks: list[tuple[int, tuple[Event, ...]]] = field(default_factory=list)
    fork: int = 0

    @property
    def head(self) -> int:
        return len(self.blocks)

    @property
    def final(self) -> int:
        return max(self.head - self.depth, 0)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(event for _, events in self.blocks for event in events)

    def wait(self, seconds: int) -> None:
        """Let time pass and mine an empty block."""
        self.time += seconds
        self.blocks.append((self.time, ()))

    def finalize_all(self) -> None:
        for _ in range(self.depth):
            self.wait(1)

    def undo(self, count: int) -> list[tuple[int, tuple[Event, ...]]]:
        """Take the last blocks away; returns them."""
        self.fork += 1
        undone = self.blocks[len(self.blocks) - count :]
        del self.blocks[len(self.blocks) - count :]
        return undone

    def redo(self, blocks: list[tuple[int, tuple[Event, ...]]], *, later: int = 1) -> None:
        """Mine the same events again, in other blocks."""
        for _, events in blocks:
            self.time += later
            number = self.head + 1
            moved = [
                replace(event, place=replace(event.place, block=number, time=self.time))
                for event in events
            ]
            self.blocks.append((self.time, tuple(moved)))

    # What happens

    def opened(self) -> None:
        terms, milestones = self.bound.terms, self.bound.milestones
        self._mine(
            lambda at: happened.AgreementOpened(
                at, self.bound.id, terms.buyer, terms.supplier, terms, milestones
            )
        )

    def funded(self, *indices: int) -> None:
        total = sum(self.bound.milestones[index].amount for index in indices)
        makers: list[Callable[[Place], Event]] = [
            lambda at: happened.MilestonesFunded(
                at, self.bound.id, self.bound.terms.buyer, indices, total
            )
        ]
        for index in indices:
            if self.bound.milestones[index].is_deposit:
                makers.append(self._pays(index, self.bound.milestones[index].amount, 0))
        self._mine(*makers)

    def accepted(self, index: int, amount: int | None = None) -> None:
        self._attested(index, Verdict.ACCEPTED, amount or self.bound.milestones[index].amount)

    def rejected(self, index: int) -> None:
        self._attested(index, Verdict.REJECTED, 0)

    def submitted(self, index: int) -> None:
        clock = self.time + self.bound.terms.review_period
        supplier = self.bound.terms.supplier
        self._mine(
            lambda at: happened.MilestoneSubmitted(
                at, self.bound.id, index, supplier, b"e" * 32, clock
            )
        )

    def disputed(self, index: int) -> None:
        clock = self.time + self.bound.terms.arbitration_period
        buyer = self.bound.terms.buyer
        self._mine(
            lambda at: happened.MilestoneDisputed(at, self.bound.id, index, buyer, b"r" * 32, clock)
        )

    def ruled(self, index: int, to_payee: int, to_buyer: int) -> None:
        self._mine(
            lambda at: happened.MilestoneRuled(
                at, self.bound.id, index, to_payee, to_buyer, b"r" * 32
            ),
            self._pays(index, to_payee, to_buyer),
        )

    def approved(self, index: int, *, arrives: bool = True) -> None:
        """Where it does not arrive, the payee is credited."""
        rest = held(self.bound.milestones[index], self.states()[index])
        terms, owner = self.bound.terms, payee(self.bound.terms, self.states()[index])
        makers: list[Callable[[Place], Event]] = [
            lambda at: happened.MilestoneResolved(at, self.bound.id, index, rest, 0),
            self._pays(index, rest, 0),
        ]
        if not arrives:
            makers.append(lambda at: happened.PayoutCredited(at, terms.token, owner, rest))
        self._mine(*makers)

    def withdrawn(self, account: str, amount: int) -> None:
        token = self.bound.terms.token
        self._mine(lambda at: happened.CreditWithdrawn(at, token, account, amount, 0))

    def assigned(self, index: int, assignee: str, price: int) -> None:
        owner = payee(self.bound.terms, self.states()[index])
        self._mine(
            lambda at: happened.MilestoneAssigned(at, self.bound.id, index, assignee, owner, price)
        )

    def finalized(self, index: int) -> None:
        state = self.states()[index]
        split = silence_split(self.bound.terms, self.bound.milestones[index], state)
        self._mine(
            lambda at: happened.MilestoneFinalized(at, self.bound.id, index, state.status),
            self._pays(index, split.to_payee, split.to_buyer),
        )

    def amended(self, new: BoundAgreement, *closes: int) -> None:
        carried = sum(held(self.bound.milestones[index], self.states()[index]) for index in closes)
        self._mine(lambda at: happened.AgreementAmended(at, self.bound.id, new.id, closes, carried))

    def states(self) -> tuple[State, ...]:
        return replay(self.events).states

    def write(self, store: Store, *, with_document: bool = True) -> None:
        """Leave the store as the indexer does at this head."""
        self.time = max(self.time, self.blocks[-1][0] if self.blocks else self.time)
        with store.transaction() as connection:
            for table in (t.events, t.milestones, t.agreements):
                connection.execute(delete(table))
            rows = [
                row_shapes.event_row(event, self._hash(number))
                for number, (_, events) in enumerate(self.blocks, start=1)
                for event in events
            ]
            if rows:
                connection.execute(insert(t.events), rows)
            cursor = {
                "id": 1,
                "number": self.head,
                "hash": self._hash(self.head),
                "time": self.time,
                "final_number": self.final,
                "final_hash": self._hash(self.final),
            }
            upsert(connection, t.cursor, cursor, "id")
            if any(isinstance(event, happened.AgreementOpened) for event in self.events):
                self._write_agreement(connection)
            if with_document:
                signed = SignedAgreement.start(self.bound)
                viewing.register(connection, signed, by="test", now=self.time)

    def _write_agreement(self, connection: Connection) -> None:
        terms, milestones, states = self.bound.terms, self.bound.milestones, self.states()
        opening = next(e for e in self.events if isinstance(e, happened.AgreementOpened))
        amended = [e for e in self.events if isinstance(e, happened.AgreementAmended)]
        connection.execute(
            insert(t.agreements).values(
                agreement_id=self.bound.id,
                buyer=terms.buyer,
                supplier=terms.supplier,
                arbiter=terms.arbiter,
                token=terms.token,
                terms=row_shapes.terms_data(terms),
                milestones=row_shapes.milestones_data(milestones),
                opened_block=opening.place.block,
                opened_at=opening.place.time,
                replaced_by=amended[-1].agreement_id if amended else None,
            )
        )
        stages = []
        for index, (milestone, state) in enumerate(zip(milestones, states, strict=True)):
            steps = silence(terms, milestone, state)
            last = self._last_change(index) or opening.place
            stages.append(
                {
                    "agreement_id": self.bound.id,
                    "milestone": index,
                    "amount": milestone.amount,
                    "deadline": milestone.deadline,
                    "status": int(state.status),
                    "assignee": state.assignee,
                    "clock": state.clock,
                    "issued_at": state.issued_at,
                    "epoch": state.epoch,
                    "handover": state.handover,
                    "pending": state.pending,
                    "paid": state.paid,
                    "next_at": steps[0].at if steps else None,
                    "changed_block": last.block,
                    "changed_at": last.time,
                }
            )
        connection.execute(insert(t.milestones), stages)

    def _last_change(self, index: int) -> Place | None:
        places = [
            event.place
            for event in self.events
            if getattr(event, "milestone", None) == index
            or index in getattr(event, "milestones", ())
            or index in getattr(event, "closes", ())
        ]
        return places[-1] if places else None

    def _attested(self, index: int, verdict: Verdict, amount: int) -> None:
        terms, milestone = self.bound.terms, self.bound.milestones[index]
        signers = tuple(i for i in range(32) if milestone.verifier_set >> i & 1)[: milestone.quorum]
        at_once = verdict is Verdict.ACCEPTED and not terms.objection_period
        period = terms.objection_period
        if verdict is Verdict.REJECTED:
            period = max(period, 3 * DAY)
        clock = 0 if at_once else self.time + 1 + period
        issued_at = self.time
        makers: list[Callable[[Place], Event]] = [
            lambda at: happened.MilestoneAttested(
                at, self.bound.id, index, verdict, amount, b"h" * 32, issued_at, signers, clock
            )
        ]
        if at_once:
            makers.append(self._pays(index, amount - self.states()[index].paid, 0))
        self._mine(*makers)

    def _pays(self, index: int, to_payee: int, to_buyer: int) -> Callable[[Place], Event]:
        states = self.states()
        owner = payee(self.bound.terms, states[index])
        return lambda at: happened.MilestonePaid(
            at, self.bound.id, index, owner, to_payee, 0, to_buyer
        )

    def _mine(self, *makers: Callable[[Place], Event]) -> None:
        self.time += 1
        number = self.head + 1
        transaction = "0x" + sha256(f"{number}/{self.fork}".encode()).hexdigest()
        events = [
            make(Place(number, self.time, transaction, place)) for place, make in enumerate(makers)
        ]
        self.blocks.append((self.time, tuple(events)))

    def _hash(self, number: int) -> bytes:
        return sha256(f"block {number} of {self.fork}".encode()).digest()
