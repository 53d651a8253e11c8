"""The contract's side of the small model: a node reached by real calls, and moves tried on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.acts import Attestation, Resolution, Verdict
from milestone_escrow.protocol.amendment import Amendment, epochs, signers
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import Split, State, Status, held, payee
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.protocol.terms import DAY
from tests.contracts.support.contract import Contract
from tests.contracts.support.deal import EVIDENCE, FOREVER, REASON, Deal
from tests.contracts.support.evm import GENESIS, Reverted
from tests.contracts.support.world import World
from tests.invariants.accounts import account
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Act, Ref
from tests.invariants.machine.stage import Stage, Storage, play
from tests.invariants.machine.twin import Twin
from tests.invariants.small import table
from tests.invariants.small.model import ASSIGNEE, PEOPLE, explore, make_milestone, make_terms
from tests.invariants.small.table import Move, Node, Setting

STRANGER = account("stranger")


@dataclass(frozen=True)
class Point:
    """Where a path of calls has led: the chain's state root, the time, and the twin's view."""

    root: bytes
    now: int
    twin: Twin
    ref: Ref

    @property
    def state(self) -> State:
        return self.twin.state(self.ref)


@dataclass
class Replay:
    """Reaches nodes by the shortest path, each step of it once."""

    stage: Stage
    calls: int = 0
    world: World = field(init=False)
    fresh: Twin = field(init=False)
    start: bytes = field(init=False)
    points: dict[tuple[Setting, Node], Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world, self.fresh = play(self.stage)
        token = self.stage.token("plain")
        for name in {*PEOPLE.values(), ASSIGNEE}:
            _endow(self.stage.contracts[token].on(self.world.chain), self.fresh, account(name))
        self.start = self.world.chain.root

    def at(self, setting: Setting, node: Node) -> Point:
        """The node, reached; raises where the contract refuses a step of the way."""
        if (setting, node) not in self.points:
            step = explore(setting)[node]
            self.points[setting, node] = (
                self._opened(setting)
                if step is None
                else self._step(setting, self.at(setting, step[0]), step[1])
            )
        return self.points[setting, node]

    def tries(self, point: Point, act: Act, by: Address) -> tuple[str | None, str | None, State]:
        """The errors of contract and twin, and the state afterwards; the point stays as it was."""
        expected, twin = None, point.twin
        try:
            twin = point.twin.execute(act, by)
        except LifecycleError as error:
            expected = str(error.fields["error"])
        answer = self._send(point, act, by)
        deal, index = point.ref.deal, point.ref.index
        states = Storage.of(self.world.chain, self.stage).states(deal.id, len(deal.milestones))
        if answer is None:
            shown = twin.state(point.ref)
            settled = shown.status is Status.SETTLED
            assert states[index] == (State(Status.SETTLED) if settled else shown)
        return answer, expected, states[index]

    def act(self, point: Point, move: Move) -> tuple[Act, Address]:
        """The move as a call, with the signatures of those who agree."""
        ref, state = point.ref, point.state
        who = {role: self._account(role, point) for role in move.by}
        alone, split = next(iter(who.values())), Split(move.x, move.y)
        match move.verb:
            case "fund":
                return acts.Fund(ref.deal, 1), alone
            case "accept" | "reject":
                return self._attest(point, move, alone), STRANGER
            case "submit":
                return acts.Submit(ref, EVIDENCE, 0, b""), alone
            case "dispute":
                return acts.Dispute(ref, REASON, 0, b""), alone
            case "rule":
                return acts.Rule(ref, split, REASON, 0, b""), alone
            case "resolve":
                if len(who) == 1:
                    return acts.Resolve(ref, split, 0, b"", b""), alone
                return self._settle(point, split, who[table.PAYEE]), who[table.BUYER]
            case "finalize":
                return acts.Finalize(ref), alone
            case "assign":
                return acts.Assign(ref, account(ASSIGNEE), 0, b""), alone
            case "buy":
                rest = ref.milestone.amount - state.paid
                offer = Offer(
                    ref.deal.id, 0, ZERO_ADDRESS, 1, rest, state.epoch, state.handover, FOREVER
                )
                signature = b""
                if table.PAYEE in who:
                    typed = offer.typed_data(ref.deal.domain)
                    signature = self.fresh.book.sign(who[table.PAYEE], typed)
                return acts.BuyReceivable(ref, offer, signature), who[table.FINANCIER]
            case _:
                return self._amend(point, set(who.values())), STRANGER

    def _opened(self, setting: Setting) -> Point:
        terms = make_terms(setting, self.stage.token("plain"), salt=1)
        milestone = make_milestone(setting, GENESIS + table.DEADLINE * DAY)
        deal = Deal(self.fresh.domain, terms, (milestone,))
        supplier = self.fresh.book.sign(terms.supplier, deal.typed_data)
        start = Point(self.start, GENESIS, self.fresh, Ref(deal, 0))
        return self._moved(start, acts.Open(deal, 0, b"", supplier), terms.buyer)

    def _step(self, setting: Setting, point: Point, step: Move | str) -> Point:
        if isinstance(step, Move):
            return self._moved(point, *self.act(point, step))
        now = point.now + (DAY if step == "a day" else 1)
        return replace(point, now=now, twin=replace(point.twin, now=now))

    def _moved(self, point: Point, act: Act, by: Address) -> Point:
        twin = point.twin.execute(act, by)
        answer = self._send(point, act, by)
        assert answer is None, f"{acts.function(act)} was refused on the way: {answer}"
        return replace(point, root=self.world.chain.root, twin=twin)

    def _send(self, point: Point, act: Act, by: Address) -> str | None:
        chain, escrow = self.world.chain, self.world.escrow
        chain.root, chain.now = point.root, point.now
        self.calls += 1
        try:
            chain.send(by, escrow.address, escrow.data(acts.function(act), *acts.arguments(act)))
        except Reverted as reverted:
            return self.stage.errors.get(reverted.data[:4], "")
        return None

    def _account(self, role: str, point: Point) -> Address:
        owner = payee(point.ref.deal.terms, point.state)
        if role == table.PAYEE:
            return owner
        if role == table.FINANCIER and owner == account(PEOPLE[role]):
            return account(ASSIGNEE)
        return account(PEOPLE[role])

    def _attest(self, point: Point, move: Move, signer: Address) -> acts.Attest:
        verdict = Verdict.ACCEPTED if move.verb == "accept" else Verdict.REJECTED
        said = Attestation(point.ref.deal.id, 0, verdict, move.x, EVIDENCE, point.now, FOREVER)
        typed = said.typed_data(point.ref.deal.domain)
        return acts.Attest(point.ref, said, 1, (self.fresh.book.sign(signer, typed),))

    def _settle(self, point: Point, split: Split, owner: Address) -> acts.Resolve:
        both = (split.to_payee, split.to_buyer)
        rest = held(point.ref.milestone, point.state)
        act = Resolution(point.ref.deal.id, 0, *both, rest, point.state.epoch, FOREVER)
        signature = self.fresh.book.sign(owner, act.typed_data(point.ref.deal.domain))
        return acts.Resolve(point.ref, split, FOREVER, b"", signature)

    def _amend(self, point: Point, agreed: set[Address]) -> acts.Amend:
        deal = point.ref.deal
        # Far enough ahead to be opened whenever it is tried.
        later = replace(deal.milestones[0], deadline=point.now + 9 * DAY)
        moves = (held(deal.milestones[0], point.state), epochs([point.state], 1))
        order = Amendment(deal.id, 1, 0, *moves, FOREVER, replace(deal.terms, salt=99), (later,))
        typed = order.typed_data(deal.domain)
        book = self.fresh.book
        signatures = tuple(
            book.sign(party, typed) if party in agreed else b""
            for party in signers(deal.terms, order.terms, [point.state], order.closes)
        )
        return acts.Amend(deal, order, signatures)


def sample(settings: Sequence[Setting]) -> Iterator[tuple[Setting, Node]]:
    """For each kind of node two that were reached under different settings."""
    kinds: dict[tuple[object, ...], list[tuple[Setting, Node]]] = {}
    for setting in settings:
        for node in explore(setting):
            kinds.setdefault(_kind(node), []).append((setting, node))
    for number, alike in enumerate(kinds.values()):
        first = (7 * number) % len(alike)
        yield alike[first]
        if len(alike) > 1:
            yield alike[(first + len(alike) // 2) % len(alike)]


def choose(moves: Sequence[Move], allowed: Mapping[Move, bool], turn: int) -> Iterator[Move]:
    """Of each verb up to two moves that are allowed and two that are not, other ones each turn."""
    for verb in sorted({move.verb for move in moves}):
        for wanted in (True, False):
            some = [move for move in moves if move.verb == verb and allowed[move] is wanted]
            for place in {(turn * 5) % len(some), (turn * 5 + 3) % len(some)} if some else ():
                yield some[place]


def _kind(node: Node) -> tuple[object, ...]:
    part = "all" if node.pending == table.AMOUNT else "part" if node.pending else "none"
    ended = (node.end > 0) - (node.end < 0)
    return (node.status, ended, node.paid > 0, part, node.assigned, node.deadline > 0)


def _endow(token: Contract, twin: Twin, who: Address) -> None:
    """So that everybody could fund."""
    held = twin.tokens[token.address]
    token.send("mint", who, 10**6)
    token.send("approve", twin.escrow, 2**256 - 1, by=who)
    held.balances[who] += 10**6
    held.allowances[who] = 2**256 - 1
