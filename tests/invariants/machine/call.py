"""What every call on the twin stands on: where things are, who agreed, how money leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from milestone_escrow.errors import TermsError
from milestone_escrow.protocol import transitions
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, TypedData
from milestone_escrow.protocol.lifecycle import Split, State, fee, payee
from milestone_escrow.protocol.terms import Milestone, validate_terms
from milestone_escrow.protocol.transitions import Transition, refusal
from tests.contracts.support.deal import Deal
from tests.invariants.machine.acts import Ref
from tests.invariants.machine.ledger import Ledger
from tests.invariants.machine.tokens import TokenTwin


@dataclass(frozen=True)
class Call:
    """One call by one account on a ledger that may be spoilt.

    Attributes:
        scarce: too little gas was sent to turn a payout into a credit.
        used: whose signatures were needed, over which digests.
    """

    twin: Ledger
    by: Address
    scarce: bool
    used: list[tuple[Address, bytes]] = field(default_factory=list)

    @property
    def now(self) -> int:
        return self.twin.now

    def _token(self, deal: Deal) -> TokenTwin:
        return self.twin.tokens[deal.terms.token]

    def _require_open(self, deal: Deal) -> None:
        if deal.id not in self.twin.states:
            raise refusal("AgreementNotOpen", deal.id.hex())

    def _locate(self, ref: Ref) -> tuple[Deal, Milestone, State]:
        if ref.index >= len(ref.deal.milestones):
            raise refusal("UnknownMilestones", f"{ref.index} of {len(ref.deal.milestones)}")
        self._require_open(ref.deal)
        return ref.deal, ref.deal.milestones[ref.index], self.twin.state(ref)

    def _validate(self, deal: Deal) -> None:
        try:
            validate_terms(deal.terms, deal.milestones, contract=self.twin.escrow, now=self.now)
        except TermsError as error:
            raise refusal(str(error.fields["error"]), str(error)) from error

    def _register(self, deal: Deal) -> None:
        self.twin.deals[deal.id] = deal
        self.twin.states[deal.id] = tuple(State() for _ in deal.milestones)

    def _mark(self, deal: Deal, chosen: int) -> tuple[int, list[int]]:
        if chosen >> len(deal.milestones):
            raise refusal("UnknownMilestones", f"{chosen:#b} of {len(deal.milestones)}")
        total, deposits = 0, []
        for index, milestone in enumerate(deal.milestones):
            if chosen >> index & 1:
                ref = Ref(deal, index)
                self._set(ref, transitions.fund(milestone, self.twin.state(ref), self.now).state)
                total += milestone.amount
                if milestone.is_deposit:
                    deposits.append(index)
        return total, deposits

    def _pay_deposits(self, deal: Deal, deposits: Sequence[int]) -> None:
        for index in deposits:
            amount = deal.milestones[index].amount
            self._push_all(deal, self._shares(deal, deal.terms.supplier, Split(amount, 0)))

    def _authorize(self, account: Address, data: TypedData, until: int, signature: bytes) -> None:
        """The account calls, or its signature is given, in time, and its own."""
        if self.by == account:
            return
        self._require_signature(account, data, signature)
        self._require_valid(until)

    def _require_valid(self, until: int) -> None:
        if self.now > until:
            raise refusal("SignatureExpired", f"valid until {until}, it is {self.now}")

    def _require_signature(self, account: Address, data: TypedData, signature: bytes) -> None:
        if not signature and account not in self.twin.book.wallets:
            raise refusal("NotAuthorized", f"{self.by} is not {account}")
        digest = data.digest()
        if account == ZERO_ADDRESS or not self.twin.book.is_valid(account, digest, signature):
            raise refusal("InvalidSignature", account)
        self.used.append((account, digest))

    def _set(self, ref: Ref, state: State) -> None:
        states = list(self.twin.states[ref.deal.id])
        states[ref.index] = state
        self.twin.states[ref.deal.id] = tuple(states)

    def _apply(self, ref: Ref, done: Transition) -> list[tuple[Address, int]]:
        """Keeps the next state; answers who is owed what, in the order of payment."""
        owner = payee(ref.deal.terms, self.twin.state(ref))
        self._set(ref, done.state)
        return self._shares(ref.deal, owner, done.split)

    def _shares(self, deal: Deal, owner: Address, split: Split) -> list[tuple[Address, int]]:
        kept = fee(deal.terms, split.to_payee)
        shares = [
            (owner, split.to_payee - kept),
            (deal.terms.fee_recipient, kept),
            (deal.terms.buyer, split.to_buyer),
        ]
        return [(to, amount) for to, amount in shares if amount]

    def _push_all(self, deal: Deal, shares: Sequence[tuple[Address, int]]) -> None:
        for to, amount in shares:
            self._push(deal.terms.token, to, amount)

    def _push(self, token: Address, to: Address, amount: int) -> None:
        """Pays, or credits what cannot be received."""
        if not amount or self.twin.tokens[token].push(to, amount):
            return
        if self.scarce:
            raise refusal("GasTooLow", f"{to} could not be paid")
        self.twin.credits[token, to] += amount
