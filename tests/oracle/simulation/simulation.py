"""One run of the whole pipeline from a seed: first everything goes wrong, then nothing does.

In the bad phase people pay in, hand in evidence and sign, while nodes lie, the chain reorganises,
clocks are wrong, and instances are killed. In the good phase the same things go on without faults
until every clock has run out. `checks` then says whether all is as if nothing had happened.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import event

from milestone_escrow.errors import EscrowError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle import book
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.evidence.handing import Rules, add
from milestone_escrow.oracle.evidence.listing import manifest
from milestone_escrow.oracle.evidence.manifests import manifest_hash
from milestone_escrow.oracle.signing.counting import Stage
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.signing.waiting import attestations
from milestone_escrow.oracle.signing.wire import Post
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import State, Status, end
from milestone_escrow.protocol.terms import DAY
from tests.oracle.simulation.deal import (
    BUYER,
    EVIDENCE,
    FORWARDER,
    INSPECTOR,
    RELAYERS,
    SUPPLIER,
    Ground,
    ground,
)
from tests.oracle.simulation.instance import Instance, Killer, Recipient, Watcher, arm
from tests.oracle.simulation.proxy import LyingProxy
from tests.oracle.support.mempool import Mempool

HOUR = 3_600
GWEI = 10**9
PROVEN, REJECTED, SILENT = "proven", "rejected", "silent"
DEPTH = 12


@dataclass
class Plan:
    """What a seed decides before it begins."""

    seed: int
    reference: str
    fates: tuple[str, str, str]
    rate: float
    widest: int
    skews: tuple[int, ...]
    kills: float
    steps: int
    dies_at: int | None

    @classmethod
    def of(cls, seed: int) -> Plan:
        chance = random.Random(seed)
        instances = chance.choice((1, 2, 2))
        steps = chance.randrange(25, 40)
        return cls(
            seed,
            chance.choice(("SIM-AT-ONCE", "SIM-LATER")),
            (
                chance.choice((PROVEN, PROVEN, SILENT)),
                chance.choice((PROVEN, PROVEN, SILENT)),
                chance.choice((PROVEN, PROVEN, REJECTED, SILENT)),
            ),
            chance.choice((0.0, 0.05, 0.15, 0.3)),
            chance.choice((2, 5, 100)),
            tuple(chance.choice((0, -HOUR, HOUR)) for _ in range(instances)),
            chance.choice((0.0, 0.2, 0.5)),
            steps,
            chance.randrange(steps) if instances > 1 and chance.random() < 0.3 else None,
        )


@dataclass
class Simulation:
    """A run. With a `killer` of one's own, `calm` leaves out the seed's kills and lies, and has
    everything proven, so that every step is reached."""

    seed: int
    folder: Path
    killer: Killer = field(default_factory=Killer)
    calm: bool = False

    def __post_init__(self) -> None:
        self.plan = Plan.of(self.seed)
        if self.calm:
            proven = (PROVEN, PROVEN, PROVEN)
            self.plan = replace(self.plan, fates=proven, rate=0.0, kills=0.0, dies_at=None)
        self.random = random.Random(self.seed + 1)
        self.ground: Ground = ground()
        self.deal = self.ground.deals[self.plan.reference]
        self.bound = self.deal.bound
        self.chain = self.ground.escrow.chain
        self.store = self.open("oracle.db")
        self.blobs = Folder(self.folder / "evidence")
        self.watcher = Watcher()
        self.recipient = Recipient()
        self.proposals: dict[int, Attestation] = {}
        self.posted: set[tuple[int, int]] = set()
        self.handed_in: set[int] = set()
        self._known: tuple[bytes, tuple[State, ...]] | None = None

    def run(self, check: Callable[[Simulation], None]) -> None:
        """Play both phases on the shared chain, then check; the chain is left as it was."""
        snapshot = self.chain.snapshot()
        arm(self.killer)
        try:
            self._play()
            arm(None)
            check(self)
        finally:
            arm(None)
            self.store.close()
            self.chain.revert(snapshot)

    def _play(self) -> None:
        self.pool = Mempool(self.chain)
        self.pool.final_depth = DEPTH
        self.now = self.chain.time
        self.instances = [
            Instance(
                self.ground,
                self.store,
                LyingProxy(self.pool, self.seed + number, self.plan.rate, widest=self.plan.widest),
                account,
                self._clock(skew),
                self.watcher,
                self.recipient,
            )
            for number, (account, skew) in enumerate(zip(RELAYERS, self.plan.skews, strict=False))
        ]
        self.first = self.pool.head
        self._look_everywhere()
        if self.calm:
            self._provoke()
        self._suffer()
        self._recover()

    # The bad phase

    def _suffer(self) -> None:
        self.recipient.is_away = lambda: self.random.random() < self.plan.rate
        acts = (
            *(self._instance_acts,) * 10,
            *(self._people_act,) * 4,
            *(self._mine,) * 4,
            self._pass,
            self._reorganise,
            self._forget,
        )
        for step in range(self.plan.steps):
            if step == self.plan.dies_at:
                self.instances[0].dead = True
            self.random.choice(acts)()

    def _instance_acts(self) -> None:
        living = [one for one in self.instances if not one.dead]
        one = self.random.choice(living)
        kill = self.random.random() < self.plan.kills
        self.killer.left = self.random.randrange(1, 6) if kill else 0
        for act in self.random.choice((("follow", "work"), ("work",), ("follow", "tell"))):
            if not one.run(act):
                break
        self.killer.left = 0

    def _people_act(self) -> None:
        acts = [self._fund, self._hand_in, self._sign, self._sign, self._sign_nonsense]
        self.random.choice(acts)()

    def _mine(self) -> None:
        self._catch_up()
        self.pool.mine()

    def _pass(self) -> None:
        self.now += self.random.choice((30, 300, HOUR))

    def _reorganise(self) -> None:
        depth = self.random.choice((1, 2, 3, 5, 8, DEPTH))
        allowed = self.pool.head - self.first
        if allowed > 0:
            self.pool.keeps_undone = self.random.random() < 0.8
            self.pool.reorg(min(depth, allowed))
            self.now = max(self.now, self.chain.time)

    def _forget(self) -> None:
        self.pool.drop()

    def _provoke(self) -> None:
        """What every step needs to come: something to sign, too low a fee, and a reorganisation."""
        self.pool.keeps_undone = True
        self._fund()
        self._mine()
        self._follow_and_work()
        for milestone in range(3):
            self._hand_in(milestone)
            for who in (INSPECTOR, FORWARDER):
                self._sign(milestone, who)
        self._follow_and_work()
        self._follow_and_work()
        self.pool.base_fee = 30 * GWEI
        for _ in range(3):
            self.now += 120
            self._catch_up()
            self.pool.empty(2)
            self._follow_and_work()
        self.pool.base_fee = 0
        self._mine()
        self._follow_and_work()
        self.pool.reorg(min(8, self.pool.head - self.first))
        self.now = max(self.now, self.chain.time)
        self._follow_and_work()
        self._follow_and_work()

    def _follow_and_work(self) -> None:
        for one in self.instances:
            one.run("follow")
            one.run("work")

    # The good phase

    def _recover(self) -> None:
        """No faults any more; whoever is dead stays so."""
        self.killer.left = 0
        self.recipient.is_away = lambda: False
        for one in self.instances:
            one.node.rate = 0.0
        if all(one.dead for one in self.instances):
            raise AssertionError("somebody must live")
        for count in range(40):
            if self._decided():
                break
            self._fund()
            for milestone in range(3):
                self._hand_in(milestone)
                for who in (INSPECTOR, FORWARDER):
                    self._sign(milestone, who)
            # Longer in the end: a clock that was an hour fast must have come true.
            self._healthy_round(60 if count < 15 else 600)
        for _ in range(60):
            states = self.states()
            if all(state.status is Status.SETTLED for state in states):
                break
            clocks = [
                end(self.bound.milestones[index], state)
                for index, state in enumerate(states)
                if state.status.holds
            ]
            self.now = max(self.now + 60, min(clocks, default=0) + 1)
            self._healthy_round(0)
        # The last of it becomes final, and everybody hears of it.
        for _ in range(3):
            self.pool.empty(DEPTH)
            self.now = max(self.now, self.chain.time) + 4 * HOUR
            self._healthy_round(0)
            for one in self.instances:
                one.run("tell")

    def _decided(self) -> bool:
        """Whether everything that was proven or rejected is on its way by the contract."""
        for state, fate in zip(self.states(), self.plan.fates, strict=True):
            waits = state.status in (Status.UNFUNDED, Status.FUNDED)
            if state.status is Status.UNFUNDED or (fate is not SILENT and waits):
                return False
        return True

    def _healthy_round(self, seconds: int) -> None:
        self.now = max(self.now, self.chain.time) + seconds
        self._catch_up()
        self._follow_and_work()
        self.pool.mine()
        for one in self.instances:
            one.run("follow")
        self.random.choice(self.instances).run("tell")

    def _look_everywhere(self) -> None:
        for one in self.instances:
            one.run("tick")

    # What people do

    def _fund(self) -> None:
        if self.states()[0].status is not Status.UNFUNDED:
            return
        buyer = DevSigner(BUYER)
        count = self.pool.request("eth_getTransactionCount", [buyer.address, "pending"])
        latest = self.pool.request("eth_getTransactionCount", [buyer.address, "latest"])
        if count != latest:
            return
        fields = {
            "type": 2,
            "chainId": self.ground.network.chain_id,
            "nonce": int(count, 16),
            "to": self.ground.escrow.contract,
            "value": 0,
            "data": self.deal.funding,
            "gas": 400_000,
            "maxFeePerGas": 20 * GWEI,
            "maxPriorityFeePerGas": GWEI,
        }
        raw = buyer.sign_transaction(fields)
        self.pool.request("eth_sendRawTransaction", ["0x" + raw.hex()])

    def _hand_in(self, milestone: int | None = None) -> None:
        """Evidence arrives; for what stays unproven, none that would do."""
        index = self.random.randrange(3) if milestone is None else milestone
        if self.plan.fates[index] == SILENT or index in self.handed_in:
            return
        name, who = EVIDENCE[index]
        view = self._view()
        if view is None:
            return
        try:
            add(
                self.store,
                self.blobs,
                Rules(),
                view,
                index,
                name,
                [f"what {name} says".encode()],
                DevSigner(who).address,
                self.now,
            )
            self.handed_in.add(index)
        except EscrowError:
            pass  # the milestone is not one that takes evidence just now

    def _sign(self, milestone: int | None = None, who: int | None = None) -> None:
        """A verifier signs what the others sign, and posts it, perhaps repeatedly."""
        index = self.random.choice((1, 2)) if milestone is None else milestone
        who = who or self.random.choice((INSPECTOR, FORWARDER))
        fate = self.plan.fates[index]
        if index == 0 or fate == SILENT or (index == 1 and who == FORWARDER):
            return
        ready = fate == REJECTED or index in self.handed_in
        ready = ready and self._view() is not None
        if not ready or self.states()[index].status is not Status.FUNDED:
            return
        proposal = self._open_proposal(index, fate, DevSigner(who).address)
        if index in self.proposals and self.random.random() < 0.3:
            proposal = self.proposals[index]  # what was sent once is sent once more
        elif proposal is None and (index, who) not in self.posted:
            proposal = self._proposal(index, fate)
        if proposal is not None:
            self.proposals[index] = proposal
            self._post(proposal, who)

    def _open_proposal(self, index: int, fate: str, account: str) -> Attestation | None:
        """What others have signed and this verifier would say, too."""
        wanted = Verdict.ACCEPTED if fate == PROVEN else Verdict.REJECTED
        with self.store.reading() as connection:
            found = attestations(connection, self.bound.id, index)
        for one in found:
            is_alike = one.stage is Stage.OPEN and one.attestation.verdict is wanted
            if is_alike and account not in one.signatures:
                return one.attestation
        return None

    def _proposal(self, index: int, fate: str) -> Attestation:
        """What a verifier signs who has looked at the evidence that is there."""
        accepted = fate == PROVEN
        issued = self.chain.now
        view = self._view()
        assert view is not None
        with self.store.reading() as connection:
            evidence = manifest_hash(manifest(connection, view.id, index))
        return Attestation(
            self.bound.id,
            index,
            Verdict.ACCEPTED if accepted else Verdict.REJECTED,
            self.bound.milestones[index].amount if accepted else 0,
            evidence,
            issued,
            issued + 30 * DAY,
        )

    def _sign_nonsense(self) -> None:
        """Contradictions, strangers, and what has expired: none of it may count."""
        index = self.random.choice((0, 1, 2))
        base = self.proposals.get(index)
        if base is None:
            return
        whole = self.bound.milestones[index].amount
        wrong = self.random.choice(
            (
                replace(base, verdict=Verdict.REJECTED, amount=0),
                replace(base, amount=max(whole // 2, 1), verdict=Verdict.ACCEPTED),
                replace(base, milestone=59),
                replace(base, valid_until=base.issued_at - 1),
                replace(base, amount=whole + 1, verdict=Verdict.ACCEPTED),
            )
        )
        # The verifier who signed first contradicts itself, or a stranger tries.
        who = self.random.choice((INSPECTOR, SUPPLIER))
        if who == INSPECTOR and (index, INSPECTOR) not in self.posted:
            return
        self._post(wrong, who, note=False)

    def _post(self, attestation: Attestation, who: int, *, note: bool = True) -> None:
        domain = self.ground.escrow.domain
        signer = DevSigner(who)
        signature = signer.sign_typed_data(attestation.typed_data(domain))
        post = Post(attestation, {signer.address: signature})
        now = max(self.chain.now, attestation.issued_at)
        outcomes = take_many(self.store, domain, [post], now)
        if note and outcomes[0].is_taken:
            self.posted.add((attestation.milestone, who))

    # Time and state

    def _view(self) -> book.AgreementView | None:
        """The agreement as far as the store has heard of it."""
        with self.store.reading() as connection:
            return book.agreement(connection, self.bound.id)

    def _clock(self, skew: int) -> Callable[[], int]:
        return lambda: self.now + skew

    def _catch_up(self) -> None:
        """The chain's next block is not before the present."""
        if self.now > self.chain.time:
            self.chain.set_next_time(self.now)

    def states(self) -> tuple[State, ...]:
        """On chain."""
        head = self.chain.head.header.hash
        if self._known is None or self._known[0] != head:
            self._known = (head, self.ground.escrow.states(self.bound))
        return self._known[1]

    def open(self, name: str) -> Store:
        path = self.folder / name
        shutil.copy(self.ground.store, path)
        store = Store.open(path, self.ground.escrow.domain)
        event.listen(store.engine, "connect", _careless)
        store.engine.dispose()
        return store


def _careless(connection: object, _record: object) -> None:
    """The process dies here, never the machine: waiting for the disk would prove nothing."""
    connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]
