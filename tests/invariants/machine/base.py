"""The machine without its rules: sends calls, compares contract and twin, and ends every play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import rule as hypothesis_rule

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, TypedData
from milestone_escrow.protocol.lifecycle import HOLDING, State, Status, end, payee, silence
from tests.contracts.support.contract import Contract
from tests.contracts.support.deal import Deal
from tests.contracts.support.evm import GAS, Receipt, Reverted
from tests.invariants.accounts import account
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Act, Ref
from tests.invariants.machine.laws import Laws, everyone_is_served, solvent
from tests.invariants.machine.stage import Stage, Storage, play, turn
from tests.invariants.machine.tally import Tally
from tests.invariants.machine.tokens import TokenTwin

T = TypeVar("T")

# Less than a payout that fails must have had, more than all else takes.
SCARCE_GAS = 320_000

STRANGER = account("stranger")
RULE_MARKER = "hypothesis_stateful_rule"


def rule(play_rule: Callable[[Any, Any], None]) -> Any:
    """A rule that draws what it needs, and is counted."""

    @wraps(play_rule)
    def counted(self: Machine, data: Any) -> None:
        self.tally.rules[play_rule.__name__] += 1
        play_rule(self, data)

    return hypothesis_rule(data=st.data())(counted)


class _Everything:
    """What hypothesis asks which rules a play has."""

    def is_enabled(self, name: str) -> bool:
        return True


class Machine(RuleBasedStateMachine):
    """One play on a branch of the stage."""

    stage: ClassVar[Stage]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self._play_with_most_rules()
        self.world, self.twin = play(self.stage)
        self.laws = Laws()
        self.seen: dict[bytes, tuple[State, ...]] = {}
        self.history: list[tuple[Act, Address]] = []
        self.salt = 0
        self.broken = False
        self.tally.plays += 1

    def _play_with_most_rules(self) -> None:
        """Hypothesis leaves rules out of each play, which suits data structures: here a play with
        a few of them idles. Three plays of four have all; where its inside has changed, none do.
        """
        chosen = self._rules_strategy
        some = getattr(chosen, "enabled_rules_strategy", None)
        if some is not None:
            mostly_all = st.one_of(*[st.just(_Everything())] * 3, some)
            chosen.enabled_rules_strategy = st.shared(mostly_all, key=("rules", id(self)))

    @property
    def now(self) -> int:
        return self.twin.now

    def wait_until(self, moment: int) -> None:
        """Time never goes back."""
        self.twin.now = self.world.now = max(self.twin.now, moment)

    def send(self, act: Act, by: Address, scarce: bool = False) -> bool:
        """One call: the contract must do exactly what the twin says. Answers whether it did."""
        self.broken = True
        expected, after = None, self.twin
        try:
            after = self.twin.execute(act, by, scarce)
        except LifecycleError as error:
            expected = str(error.fields["error"])
        answer, receipt = None, None
        try:
            receipt = self.world.chain.send(
                by, self.world.escrow.address, self.calldata(act), SCARCE_GAS if scarce else GAS
            )
        except Reverted as reverted:
            answer = self.stage.errors.get(reverted.data[:4], "")
        self.tally.count(act, answer)
        assert answer == expected, (
            f"{acts.function(act)} by {by} at {self.now}: "
            f"the contract says {_said(answer)}, the twin {_said(expected)}"
        )
        if receipt is not None:
            self._compare(act, by, receipt, after)
        self.history.append((act, by))
        self.broken = False
        return receipt is not None

    def calldata(self, act: Act) -> bytes:
        if isinstance(act, acts.Multicall):
            return self.world.escrow.data("multicall", [self.calldata(part) for part in act.acts])
        return self.world.escrow.data(acts.function(act), *acts.arguments(act))

    def _compare(self, act: Act, by: Address, receipt: Receipt, after: Any) -> None:
        """Status, amounts, payee, clock and epoch; balances and credits; then the laws."""
        storage = Storage.of(self.world.chain, self.stage)
        seen = dict(self.seen)
        for deal in acts.deals(act):
            if deal.id in after.states:
                seen[deal.id] = storage.states(deal.id, len(deal.milestones))
                assert seen[deal.id] == _shown(after.states[deal.id])
        for id_, states in seen.items():
            word = storage.word(id_)
            assert [word >> 4 * i & 7 for i in range(len(states))] == [s.status for s in states]
        tokens = self._tokens(act, after)
        before_purses = {
            (token, who): before.balances[who] + self.twin.credits.get((token, who), 0)
            for token in tokens
            for before in (self.twin.tokens[token],)
            for who in self.stage.accounts
        }
        purses = {}
        for token in tokens:
            twin = after.tokens[token]
            owed = 0
            for who in self._concerned(act, by, after):
                balance, credit = storage.balance(token, who), storage.credit(token, who)
                assert balance == twin.balances[who], f"{twin.name} of {who}"
                assert credit == after.credits.get((token, who), 0), (
                    f"credit of {twin.name} for {who}"
                )
                purses[token, who] = balance + credit
            for of, who in list(after.credits):
                owed += storage.credit(token, who) if of == token else 0
            has = storage.balance(token, after.escrow)
            solvent(twin, has, after.deals, seen, owed)
        paid = self.laws.check(after, by, receipt.logs, self.seen, seen)
        everyone_is_served(after, act, paid, before_purses, purses)
        self.twin, self.seen = after, seen

    def _tokens(self, act: Act, after: Any) -> list[Address]:
        named = [deal.terms.token for deal in acts.deals(act)]
        named += [part.token for part in acts.parts(act) if hasattr(part, "token")]
        return [token for token in dict.fromkeys(named) if after.tokens[token].has_code]

    def _concerned(self, act: Act, by: Address, after: Any) -> set[Address]:
        """Whose money a call may move, and a stranger's; everybody's is looked at in the end."""
        found = {by, after.escrow, STRANGER, account("saver")}
        for deal in acts.deals(act):
            terms = deal.terms
            found |= {terms.buyer, terms.supplier, terms.fee_recipient}
            for states in (self.twin.states.get(deal.id, ()), after.states.get(deal.id, ())):
                found |= {state.assignee for state in states}
        found |= {part.account for part in acts.parts(act) if isinstance(part, acts.Withdraw)}
        return found - {ZERO_ADDRESS}

    def deals(self) -> list[Deal]:
        return list(self.twin.deals.values())

    def milestones(self, *statuses: Status) -> list[Ref]:
        """All that are open, or those in one of these statuses."""
        return [
            Ref(deal, index)
            for deal in self.twin.deals.values()
            for index, state in enumerate(self.twin.states[deal.id])
            if not statuses or state.status in statuses
        ]

    def live(self, *statuses: Status) -> list[Ref]:
        """Those whose status has not ended."""
        return [ref for ref in self.milestones(*statuses) if self.now < self.end(ref)]

    def end(self, ref: Ref) -> int:
        return end(ref.milestone, self.twin.state(ref))

    def payee(self, ref: Ref) -> Address:
        return payee(ref.deal.terms, self.twin.state(ref))

    def held(self, ref: Ref) -> int:
        return ref.milestone.amount - self.twin.state(ref).paid

    def choose(self, data: Any, options: Sequence[T], otherwise: Sequence[T] = ()) -> T:
        return data.draw(st.sampled_from(list(options) or list(otherwise)))  # type: ignore[no-any-return]

    def pick(self, data: Any, wanted: Sequence[Ref]) -> Ref:
        """Mostly one of those, now and then any milestone at all."""
        everything = self.milestones()
        astray = data.draw(st.integers(0, 9)) == 9
        return self.choose(data, everything if astray else wanted, everything)

    def signed(
        self,
        data: Any,
        who: Address,
        epoch: int,
        make: Callable[[int, int], TypedData],
    ) -> tuple[Address, int, bytes]:
        """An act of `who`: sender, validity, signature. Mostly right, at times wrong in one way."""
        wrong = ("late", "forged", "unsigned", "stale", "early")
        way = data.draw(st.sampled_from((*("self", "sent") * 5, *wrong)))
        signs = who if who != ZERO_ADDRESS else STRANGER
        if way == "self" and who not in self.twin.book.wallets and who != ZERO_ADDRESS:
            return who, 0, b""
        if way == "unsigned":
            return STRANGER, 2**64 - 1, b""
        until = self.now - 1 if way == "late" else self.now + 3_600
        if way in ("stale", "early"):
            epoch = max(epoch - 1, 0) if way == "stale" and epoch else epoch + 1
        typed = make(epoch, until)
        signer = STRANGER if way == "forged" else signs
        return STRANGER, until, self.twin.book.sign(signer, typed, short=until % 2 == 0)

    def teardown(self) -> None:
        """Law 4, and the last look at everything."""
        if self.broken or not self.twin.states:
            return
        self._everything_agrees()
        self._silence_settles()
        for address, token in self.twin.tokens.items():
            if token.has_code:
                credited = sum(c for (of, _), c in self.twin.credits.items() if of == address)
                has = int(self._balance(address, token.escrow))
                assert has == credited + token.given - token.lied
        self._every_credit_is_paid()
        self._purses_agree()

    def _silence_settles(self) -> None:
        """Time alone, with nobody acting, in as many calls as the twin promised: at most two."""
        promised = Counter(
            {
                (ref.deal.id, ref.index): len(
                    silence(ref.deal.terms, ref.milestone, self.twin.state(ref), self.now)
                )
                for ref in self.milestones()
            }
        )
        assert max(promised.values(), default=0) <= 2
        while waiting := self.milestones(*HOLDING):
            ref = min(waiting, key=lambda one: end(one.milestone, self.twin.state(one)))
            self.wait_until(end(ref.milestone, self.twin.state(ref)))
            assert self.send(acts.Finalize(ref), STRANGER)
            promised[ref.deal.id, ref.index] -= 1
        assert not any(promised.values())
        assert not [s for states in self.seen.values() for s in states if s.status.holds]

    def _every_credit_is_paid(self) -> None:
        """Once a token behaves, whoever could not receive is paid in full."""
        for address, token in self.twin.tokens.items():
            if token.turns:
                self.turn(token, "Honest", "Honest")
            for denied in sorted(token.denied):
                self.deny(address, denied, False)
        for (address, who), credit in list(self.twin.credits.items()):
            if credit and not self.twin.tokens[address].lied:
                assert self.send(acts.Withdraw(address, who), STRANGER)

    def token_contract(self, address: Address) -> Contract:
        return self.stage.contracts[address].on(self.world.chain)

    def turn(self, token: TokenTwin, transfer: str, transfer_from: str) -> None:
        turn(self.token_contract(token.address), token, transfer, transfer_from)

    def deny(self, address: Address, who: Address, denied: bool) -> None:
        self.token_contract(address).send("setDenylisted", who, denied)
        token = self.twin.tokens[address]
        token.denied = token.denied | {who} if denied else token.denied - {who}

    def _balance(self, token: Address, who: Address) -> int:
        return Storage.of(self.world.chain, self.stage).balance(token, who)

    def _everything_agrees(self) -> None:
        """All of it, through the contract's own views."""
        self.broken = True
        for id_, states in self.twin.states.items():
            found = self.world.escrow.on(self.world.chain).call("milestoneStates", id_, len(states))
            assert tuple(State(Status(status), *rest) for status, *rest in found) == _shown(states)
        for (token, who), credit in self.twin.credits.items():
            assert not credit or self.world.credit(who, token) == credit
        self._purses_agree()
        self.broken = False

    def _purses_agree(self) -> None:
        """Everybody's, in every token."""
        storage = Storage.of(self.world.chain, self.stage)
        for address, token in self.twin.tokens.items():
            if token.has_code:
                for who in self.stage.accounts:
                    assert storage.balance(address, who) == token.balances[who]
                    assert storage.credit(address, who) == self.twin.credits.get((address, who), 0)


def rules_of(machine: type[Machine]) -> Iterator[str]:
    """The names of all rules of a machine."""
    for name in dir(machine):
        if hasattr(getattr(machine, name, None), RULE_MARKER):
            yield name


def _shown(states: Sequence[State]) -> tuple[State, ...]:
    """As the contract shows them: of a settled milestone only that it is."""
    return tuple(
        State(state.status) if state.status is Status.SETTLED else state for state in states
    )


def _said(error: str | None) -> str:
    return "yes" if error is None else error or "no, without a reason"
