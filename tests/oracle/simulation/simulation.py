"""One run of the whole pipeline from a seed: first everything goes wrong, then nothing does.

In the bad phase people pay in, hand in evidence and sign, while nodes lie, the chain reorganises,
clocks are wrong, and instances are killed. In the good phase the same things go on without faults
until every clock has run out. `checks` then says whether all is as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable

from milestone_escrow.protocol.lifecycle import Status, end
from tests.oracle.simulation.deal import (
    FORWARDER,
    INSPECTOR,
    RELAYERS,
)
from tests.oracle.simulation.instance import Instance, arm
from tests.oracle.simulation.people import People
from tests.oracle.simulation.proxy import LyingProxy
from tests.oracle.simulation.world import DEPTH, GWEI, HOUR, SILENT
from tests.oracle.support.mempool import Mempool


class Simulation(People):
    """A run; a `killer` of one's own decides who dies when, besides the seed."""

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
        self.now = self.began = self.chain.time
        seed, rate, widest = self.plan.seed, self.plan.rate, self.plan.widest
        self.instances = [
            Instance(
                self.ground,
                self.store,
                LyingProxy(self.pool, seed + number, rate, widest=widest),
                account,
                self.clock(skew),
                self.watcher,
                self.recipient,
            )
            for number, (account, skew) in enumerate(zip(RELAYERS, self.plan.skews, strict=False))
        ]
        self.first = self.pool.head
        self._look_everywhere()
        if self.plan.calm:
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
        acts = [self.fund, self.hand_in, self.sign, self.sign, self.sign_nonsense]
        self.random.choice(acts)()

    def _mine(self) -> None:
        self.catch_up()
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
        self.fund()
        self._mine()
        self._follow_and_work()
        for milestone in range(3):
            self.hand_in(milestone)
            for who in (INSPECTOR, FORWARDER):
                self.sign(milestone, who)
        self._follow_and_work()
        self._follow_and_work()
        self.pool.base_fee = 30 * GWEI
        for _ in range(3):
            self.now += 120
            self.catch_up()
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
            self.fund()
            for milestone in range(3):
                self.hand_in(milestone)
                for who in (INSPECTOR, FORWARDER):
                    self.sign(milestone, who)
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
        self.catch_up()
        self._follow_and_work()
        self.pool.mine()
        for one in self.instances:
            one.run("follow")
        self.random.choice(self.instances).run("tell")

    def _look_everywhere(self) -> None:
        for one in self.instances:
            one.run("tick")
