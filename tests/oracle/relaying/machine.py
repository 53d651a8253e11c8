"""Everything that can happen to a relayer, in any order, and what must hold all the while."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from eth_hash.auto import keccak
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.events import MilestoneAttested
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.relaying.relayer import Relayer
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.relaying.world import CONFIRMATIONS, START, World, opened
from tests.oracle.support.mempool import Mempool
from tests.support.nodes import Odd

GWEI = 10**9
COUNT = 8
MOMENTS = (
    "relay.planned",
    "relay.claimed",
    "relay.simulated",
    "relay.signed",
    "relay.broadcast",
    "relay.recorded",
    "relay.replaced",
    "relay.mined",
    "relay.undone",
    "relay.final",
)


class KilledError(BaseException):
    """The process ends here: nothing may catch it."""


@lru_cache
def prepared() -> tuple[Escrow, OpenedAgreement, Path]:
    """A chain with an agreement, and the database of a store that has never seen it."""
    escrow = Escrow.embedded(DevSigner(1), start=START)
    escrow.mint("USDC", DevSigner(1).address, 10**15)
    escrow.allow("USDC", 10**15)
    deal = opened(escrow, count=COUNT)
    empty = Path(tempfile.mkdtemp()) / "empty.db"
    Store.open(empty, escrow.domain).close()
    return escrow, deal, empty


class Relaying(RuleBasedStateMachine):
    """One relayer's life, with its restarts. Blocks are undone less deep than is trusted."""

    @initialize(joined=st.sampled_from([1, 3]))
    def begin(self, joined: int) -> None:
        escrow, self.deal, empty = prepared()
        self.snapshot = escrow.chain.snapshot()
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "oracle.db"
        shutil.copy(empty, file)
        self.pool = Mempool(escrow.chain)
        network = escrow.network
        self.world = World(
            escrow,
            self.pool,
            Store.open(file, escrow.domain),
            replace(network, confirmations=CONFIRMATIONS),
            Odd(self.pool),
            escrow.now(),
            RelayingSettings(joined=joined, longest_back_off=60),
        )
        self.world.follow()
        self.lives = 0
        self.wanted: list[int] = []
        self.foreign: set[str] = set()
        self.start()

    def start(self) -> None:
        """After a start a relayer remembers nothing, and has another name."""
        self.lives += 1
        self.relayer: Relayer = self.world.relayer(owner=f"life {self.lives}")

    @precondition(lambda self: len(self.wanted) < COUNT)
    @rule()
    def a_quorum_completes(self) -> None:
        self.world.complete(self.deal, len(self.wanted))
        self.wanted.append(len(self.wanted))

    @rule(seconds=st.sampled_from([1, 25, 70]))
    def step(self, seconds: int) -> None:
        self.world.turn(self.relayer, seconds)

    @rule(moment=st.sampled_from(MOMENTS), seconds=st.sampled_from([1, 25, 70]))
    def is_killed(self, moment: str, seconds: int) -> None:
        def hook(name: str) -> None:
            if name == moment:
                raise KilledError

        failpoints.set_hook(hook)
        try:
            self.world.turn(self.relayer, seconds)
        except KilledError:
            pass
        finally:
            failpoints.set_hook(None)
        self.start()

    @rule()
    def blocks_come(self) -> None:
        self.pool.mine()

    @rule(count=st.integers(1, 3))
    def empty_blocks_come(self, count: int) -> None:
        self.pool.empty(count)

    @rule()
    def the_node_forgets(self) -> None:
        self.pool.drop()

    @rule(depth=st.integers(1, CONFIRMATIONS - 1), kept=st.booleans())
    def blocks_are_undone(self, depth: int, kept: bool) -> None:
        first = min(self.pool._snapshots)
        depth = min(depth, self.pool.head - first)
        if depth:
            self.pool.keeps_undone = kept
            self.pool.reorg(depth)

    @rule(price=st.sampled_from([1, 3, 40, 600]))
    def gas_costs(self, price: int) -> None:
        self.pool.tip = price * GWEI

    @rule(strict=st.booleans())
    def the_node_is_strict(self, strict: bool) -> None:
        self.pool.strict = strict

    @rule(
        method=st.sampled_from(
            ["eth_getTransactionReceipt", "eth_sendRawTransaction", "eth_estimateGas"]
        )
    )
    def the_node_lies(self, method: str) -> None:
        answer = None if method.endswith("Receipt") else RpcError("internal error")
        self.world.node.answers[method] = answer  # type: ignore[attr-defined]

    @rule()
    def the_node_is_honest(self) -> None:
        self.world.node.answers.clear()  # type: ignore[attr-defined]

    @rule(gwei=st.sampled_from([1, 60]))
    def the_key_is_used_elsewhere(self, gwei: int) -> None:
        # What waits there may offer more; it is refused then.
        with contextlib.suppress(RpcError):
            self.world.foreign(gwei=gwei)
        self.foreign.add("0x" + keccak(self.pool.seen[-1]).hex())

    @precondition(lambda self: self.wanted and self.pool.tip <= 3 * GWEI)
    @rule(place=st.integers(0, COUNT - 1))
    def somebody_else_attests(self, place: int) -> None:
        milestone = self.wanted[place % len(self.wanted)]
        if self.world.status(self.deal, milestone) is Status.FUNDED:
            self.world.attest_by_hand(self.deal, milestone)

    # What must hold

    @invariant()
    def nothing_is_sent_that_is_not_stored(self) -> None:
        stored = {one.name for one in self.world.attempts()}
        key = bytes.fromhex(self.relayer.sender[2:])
        for raw in set(self.pool.seen):
            sent = self.pool._decode(raw)
            assert sent.sender != key or sent.hash in stored or sent.hash in self.foreign

    @invariant()
    def an_intent_has_one_nonce_that_can_still_be_used(self) -> None:
        mined = self.world.nonce()
        open_ones = {
            (one.intent_id, one.nonce)
            for one in self.world.attempts()
            if one.intent_id is not None and one.nonce >= mined
        }
        counts = Counter(intent for intent, _ in open_ones)
        assert all(count == 1 for count in counts.values()), open_ones

    @invariant()
    def a_nonce_belongs_to_one_intent(self) -> None:
        owners: dict[int, set[int]] = {}
        for one in self.world.attempts():
            if one.intent_id is not None:
                owners.setdefault(one.nonce, set()).add(one.intent_id)
        assert all(len(each) == 1 for each in owners.values())

    @invariant()
    def nothing_happens_twice(self) -> None:
        told = [
            event.milestone
            for event in self.world.escrow.events(self.deal)
            if isinstance(event, MilestoneAttested)
        ]
        assert len(told) == len(set(told))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.heal()
        finally:
            self.world.store.close()
            self.folder.cleanup()
            self.world.escrow.chain.revert(self.snapshot)

    def heal(self) -> None:
        """On a chain that works again everything comes to its end."""
        self.the_node_is_honest()
        self.pool.tip = GWEI
        for _ in range(40):
            self.world.turn(self.relayer, 30)
            self.pool.mine()
            done = set(self.world.stages()) <= {"final", "dropped"}
            if done and all(self.world.status(self.deal, n) is Status.SETTLED for n in self.wanted):
                break
        self.nothing_happens_twice()
        settled = [self.world.status(self.deal, n) for n in self.wanted]
        assert settled == [Status.SETTLED] * len(self.wanted), self.world.intents()
        assert set(self.world.stages()) <= {"final", "dropped"}, self.world.intents()
