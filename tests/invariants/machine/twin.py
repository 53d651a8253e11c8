"""The whole contract in Python, around the lifecycle twin: what an act leads to, or how it fails.

Each verb refuses in the contract's order, with the name of its error. Nothing here reads the
chain; whatever is compared with it afterwards was predicted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from milestone_escrow.errors import LifecycleError, TermsError
from milestone_escrow.protocol import acts as signed
from milestone_escrow.protocol import amendment, receivables, transitions
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, Domain, TypedData
from milestone_escrow.protocol.lifecycle import Split, State, Status, fee, payee
from milestone_escrow.protocol.terms import Milestone, validate_terms
from milestone_escrow.protocol.transitions import Transition, refusal
from tests.contracts.support.deal import Deal
from tests.invariants.machine import acts
from tests.invariants.machine.acts import Act, Ref
from tests.invariants.machine.book import Book
from tests.invariants.machine.tokens import TokenTwin

SKIPPED = frozenset(
    {"WrongStatus", "TooLate", "SignatureExpired", "IssuedAtOutOfBounds", "AmountOutOfBounds"}
)
"""What a batch forgives: somebody or time was first."""


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a call: where milestones stood before it, and whose signatures it needed."""

    act: Act
    states: Mapping[bytes, tuple[State, ...]]
    used: frozenset[tuple[Address, bytes]]


@dataclass
class Twin:
    """The contract, its tokens, and the time. `execute` answers a new one.

    Attributes:
        steps: what the last call did, one by one.
    """

    domain: Domain
    book: Book
    tokens: dict[Address, TokenTwin]
    now: int
    deals: dict[bytes, Deal] = field(default_factory=dict)
    states: dict[bytes, tuple[State, ...]] = field(default_factory=dict)
    credits: defaultdict[tuple[Address, Address], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    steps: tuple[Step, ...] = ()

    @property
    def escrow(self) -> Address:
        return self.domain.verifying_contract

    def execute(self, act: Act, by: Address, scarce: bool = False) -> Twin:
        """What follows from the act; `scarce` gas must not turn a payout into a credit.

        Raises:
            LifecycleError: the contract refuses, with the error of that name.
        """
        twin = replace(
            self,
            tokens={address: token.copy() for address, token in self.tokens.items()},
            deals=dict(self.deals),
            states=dict(self.states),
            credits=self.credits.copy(),
            steps=(),
        )
        for part in acts.parts(act):
            before = dict(twin.states)
            call = _Call(twin, by, scarce)
            try:
                call.run(part)
            except LifecycleError as error:
                if part is act or error.fields["error"]:
                    raise
                raise refusal("FailedCall", "a part of a multicall gave no reason") from error
            twin.steps += (Step(part, before, frozenset(call.used)),)
        return twin

    def state(self, ref: Ref) -> State:
        return self.states[ref.deal.id][ref.index]

    def owed(self, token: Address) -> int:
        """What is held and credited of a token."""
        held = sum(
            milestone.amount - state.paid
            for id_, deal in self.deals.items()
            if deal.terms.token == token
            for milestone, state in zip(deal.milestones, self.states[id_], strict=True)
            if state.status.holds
        )
        return held + sum(amount for (of, _), amount in self.credits.items() if of == token)


@dataclass(frozen=True)
class _Call:
    """One call by one account on a twin that may be spoilt."""

    twin: Twin
    by: Address
    scarce: bool
    used: list[tuple[Address, bytes]] = field(default_factory=list)

    def run(self, act: Act) -> None:
        match act:
            case acts.Open():
                self._open(act)
            case acts.Fund(deal, chosen):
                self._require_fundable(deal, chosen)
                self._fund(deal, chosen)
            case acts.FundWithAuthorization():
                self._fund_with_authorization(act)
            case acts.Permit():
                self._permit(act)
            case acts.Attest():
                self._attest(act)
            case acts.AttestBatch():
                self._attest_batch(act)
            case acts.Amend():
                self._amend(act)
            case acts.Withdraw(token, account):
                self._withdraw(token, account)
            case acts.BuyReceivable():
                self._buy(act)
            case acts.Multicall():
                raise AssertionError("a multicall in a multicall is not played")
            case _:
                self._decide(act)

    def _decide(
        self,
        act: acts.Submit | acts.Dispute | acts.Rule | acts.Resolve | acts.Finalize | acts.Assign,
    ) -> None:
        """The verbs about one milestone that one or two people sign."""
        deal, milestone, state = self._locate(act.ref)
        target = (deal.id, act.ref.index)
        terms, now = deal.terms, self.now
        owner = payee(terms, state)
        match act:
            case acts.Submit(_, evidence, until, signature):
                done = transitions.submit(terms, milestone, state, owner, now)
                typed = signed.Submission(*target, evidence, state.sequence, until)
                self._authorize(owner, typed.typed_data(deal.domain), until, signature)
            case acts.Dispute(_, reason, until, signature):
                done, party = self._dispute(deal, milestone, state)
                complaint = signed.Dispute(*target, reason, state.sequence, until)
                self._authorize(party, complaint.typed_data(deal.domain), until, signature)
            case acts.Rule(_, split, reason, until, signature):
                done = self._rule(deal, milestone, state, split)
                parts = (split.to_payee, split.to_buyer)
                ruling = signed.Ruling(*target, *parts, reason, state.sequence, until)
                self._authorize(terms.arbiter, ruling.typed_data(deal.domain), until, signature)
            case acts.Resolve(_, split, until, buyer, other):
                done = transitions.resolve(terms, milestone, state, split, {terms.buyer, owner})
                parts = (split.to_payee, split.to_buyer)
                typed_data = signed.Resolution(*target, *parts, state.sequence, until).typed_data(
                    deal.domain
                )
                if split.to_payee:
                    self._authorize(terms.buyer, typed_data, until, buyer)
                if split.to_buyer:
                    self._authorize(owner, typed_data, until, other)
            case acts.Finalize():
                done = transitions.finalize(terms, milestone, state, now)
            case acts.Assign(_, assignee, until, signature):
                done = receivables.assign(
                    terms, milestone, state, assignee, owner, now, contract=self.twin.escrow
                )
                order = receivables.Assignment(*target, assignee, state.sequence, until)
                self._authorize(owner, order.typed_data(deal.domain), until, signature)
        self._push_all(deal, self._apply(act.ref, done))

    def _dispute(
        self, deal: Deal, milestone: Milestone, state: State
    ) -> tuple[Transition, Address]:
        """By whichever party the twin lets dispute."""
        parties = (deal.terms.buyer, payee(deal.terms, state))
        try:
            done = transitions.dispute(deal.terms, milestone, state, parties[0], self.now)
        except LifecycleError as error:
            if error.fields["error"] != "NotAuthorized":
                raise
            return transitions.dispute(deal.terms, milestone, state, parties[1], self.now), parties[
                1
            ]
        return done, parties[0]

    def _rule(self, deal: Deal, milestone: Milestone, state: State, split: Split) -> Transition:
        """Where there is no arbiter, nobody's signature can stand for one."""
        terms = deal.terms
        if not terms.has_arbiter:
            terms = replace(terms, arbiter=self.by)
        return transitions.rule(terms, milestone, state, split, terms.arbiter, self.now)

    def _open(self, act: acts.Open) -> None:
        deal, chosen = act.deal, act.chosen
        if deal.id in self.twin.states:
            for index, state in enumerate(self.twin.states[deal.id]):
                if state.status is not Status.UNFUNDED:
                    chosen &= ~(1 << index)
        else:
            self._validate(deal)
            for party, signature in (
                (deal.terms.buyer, act.buyer),
                (deal.terms.supplier, act.supplier),
            ):
                if self.by != party:
                    self._require_signature(party, deal.typed_data, signature)
            self._register(deal)
        if chosen:
            self._fund(deal, chosen)

    def _validate(self, deal: Deal) -> None:
        try:
            validate_terms(deal.terms, deal.milestones, contract=self.twin.escrow, now=self.now)
        except TermsError as error:
            raise refusal(str(error.fields["error"]), str(error)) from error

    def _register(self, deal: Deal) -> None:
        self.twin.deals[deal.id] = deal
        self.twin.states[deal.id] = tuple(State() for _ in deal.milestones)

    def _require_fundable(self, deal: Deal, chosen: int) -> None:
        self._require_open(deal)
        if not chosen:
            raise refusal("UnknownMilestones", "none chosen")

    def _fund(self, deal: Deal, chosen: int) -> None:
        total, deposits = self._mark(deal, chosen)
        self._token(deal).pull(self.by, total)
        self._pay_deposits(deal, deposits)

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

    def _fund_with_authorization(self, act: acts.FundWithAuthorization) -> None:
        deal = act.deal
        self._require_fundable(deal, act.chosen)
        total, deposits = self._mark(deal, act.chosen)
        token = self._token(deal)
        nonce = acts.authorization_nonce(deal, act.chosen)
        window = (act.valid_after, act.valid_before)
        valid = token.takes_signatures and self.twin.book.is_valid(
            act.payer,
            token.authorization(act.payer, total, *window, nonce).digest(),
            act.signature,
        )
        token.receive(act.payer, total, *window, nonce, self.now, valid)
        self._pay_deposits(deal, deposits)

    def _permit(self, act: acts.Permit) -> None:
        """Never fails; works where the token knows the caller's signature."""
        token = self.twin.tokens[act.token]
        if not token.takes_signatures or self.now > act.deadline:
            return
        data = token.permit(self.by, act.amount, token.nonces[self.by], act.deadline)
        if self.twin.book.is_valid(self.by, data.digest(), act.signature):
            token.nonces[self.by] += 1
            token.allowances[self.by] = act.amount

    def _attest(self, act: acts.Attest) -> None:
        deal, milestone, state = self._locate(act.ref)
        self._require_about(act.attestation, deal, act.ref.index)
        # The twin knows no signers: who may sign is checked after what is said, as in the contract.
        done = self._attested(deal, milestone, state, act.attestation)
        self._require_quorum(milestone, act.signers)
        data = act.attestation.typed_data(deal.domain)
        self._require_signers(deal.terms.verifiers, data, act.signers, act.signatures)
        self._push_all(deal, self._apply(act.ref, done))

    def _attested(
        self, deal: Deal, milestone: Milestone, state: State, attestation: Attestation
    ) -> Transition:
        """With a quorum of at least 1: a lack of verifiers shows where signers are counted."""
        certifiable = replace(milestone, quorum=max(milestone.quorum, 1))
        return transitions.attest(deal.terms, certifiable, state, attestation, self.now)

    def _attest_batch(self, act: acts.AttestBatch) -> None:
        first: tuple[Address, ...] | None = None
        for ref, _ in act.items:
            self._require_quorum(ref.milestone, act.signers)
            if first is not None and ref.deal.terms.verifiers != first:
                raise refusal("VerifiersDiffer", "not those of the item before")
            first = ref.deal.terms.verifiers
        if first is None:
            raise refusal("UnknownMilestones", "an empty batch")
        data = signed.batch_typed_data(
            self.twin.domain, [attestation for _, attestation in act.items]
        )
        self._require_signers(first, data, act.signers, act.signatures)
        queue: dict[tuple[Address, Address], int] = {}
        for ref, attestation in act.items:
            deal, milestone, state = self._locate(ref)
            self._require_about(attestation, deal, ref.index)
            try:
                done = self._attested(deal, milestone, state, attestation)
            except LifecycleError as error:
                if error.fields["error"] not in SKIPPED:
                    raise
                continue
            for to, amount in self._apply(ref, done):
                key = (deal.terms.token, to)
                queue[key] = queue.get(key, 0) + amount
        for (token, to), amount in queue.items():
            self._push(token, to, amount)

    def _buy(self, act: acts.BuyReceivable) -> None:
        deal, milestone, state = self._locate(act.ref)
        owner = payee(deal.terms, state)
        sold = replace(act.offer, agreement_id=deal.id, milestone=act.ref.index)
        # Time is checked with the signature, which is looked at last.
        fresh = replace(sold, valid_until=max(sold.valid_until, self.now))
        done = receivables.buy(
            deal.terms, milestone, state, fresh, self.by, self.now, contract=self.twin.escrow
        )
        if not act.signature:
            raise refusal("NotAuthorized", f"{self.by} has no offer of {owner}")
        self._require_valid(sold.valid_until)
        self._require_signature(owner, sold.typed_data(deal.domain), act.signature)
        self._apply(act.ref, done)
        self._token(deal).move(self.by, owner, sold.price)

    def _amend(self, act: acts.Amend) -> None:
        deal, new, order = act.deal, act.new, act.amendment
        states = self.twin.states.get(deal.id, tuple(State() for _ in deal.milestones))
        everybody = frozenset(amendment.signers(deal.terms, states, 2**64 - 1))
        order = replace(order, replaces=deal.id)
        conflict: LifecycleError | None = None
        try:
            closed, moved = amendment.close(
                deal.terms, deal.milestones, states, order, everybody, self.now
            )
        except LifecycleError as error:
            if error.fields["error"] in ("RoleNotAllowed", "SignatureExpired"):
                raise
            conflict = error
        self._require_open(deal)
        if conflict and conflict.fields["error"] == "UnknownMilestones":
            raise conflict
        self._require_consents(deal, states, order, act.signatures, conflict)
        for index, state in closed.items():
            self._set(Ref(deal, index), state)
        if new.id not in self.twin.states:
            self._validate(new)
            self._register(new)
        deposits = self._mark(new, order.funds)[1] if order.funds else []
        if moved.pulled:
            self._token(deal).pull(self.by, moved.pulled)
        self._push(deal.terms.token, deal.terms.buyer, moved.returned)
        self._pay_deposits(new, deposits)

    def _require_consents(
        self,
        deal: Deal,
        states: Sequence[State],
        order: amendment.Amendment,
        signatures: Sequence[bytes],
        conflict: LifecycleError | None,
    ) -> None:
        """Buyer, supplier, then milestone by milestone: its status, its assignee."""
        upto = len(states)
        if conflict:
            upto = next(
                i
                for i, s in enumerate(states)
                if order.closes >> i & 1 and s.status is Status.SETTLED
            )
        parties = amendment.signers(deal.terms, states[:upto], order.closes)
        data = order.typed_data(deal.domain)
        for slot, party in enumerate(parties):
            if party == self.by:
                continue
            if slot >= len(signatures) or not signatures[slot]:
                raise refusal("NotAuthorized", f"{self.by} lacks the consent of {party}")
            self._require_signature(party, data, signatures[slot])
        if conflict:
            raise conflict
        if len(signatures) != len(parties):
            raise refusal("SignatureCountMismatch", f"{len(signatures)} for {len(parties)}")

    def _withdraw(self, token: Address, account: Address) -> None:
        amount = self.twin.credits.get((token, account), 0)
        if not amount:
            raise refusal("NothingCredited", account)
        self.twin.credits[token, account] = 0
        if not self.twin.tokens[token].push(account, amount):
            raise refusal("GasTooLow" if self.scarce else "WithdrawalFailed", account)

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

    def _require_about(self, attestation: Attestation, deal: Deal, index: int) -> None:
        if (attestation.agreement_id, attestation.milestone) != (deal.id, index):
            raise refusal("AttestationMismatch", "about something else")
        if attestation.verdict not in (Verdict.ACCEPTED, Verdict.REJECTED):
            raise refusal("VerdictNotAllowed", "returned for rework")

    def _require_quorum(self, milestone: Milestone, signers: int) -> None:
        if signers & ~milestone.verifier_set:
            raise refusal("SignersNotAllowed", f"{signers:#b} of {milestone.verifier_set:#b}")
        count = signers.bit_count()
        if count < milestone.quorum or not count:
            raise refusal("QuorumNotReached", f"{count} of {milestone.quorum}")

    def _require_signers(
        self,
        verifiers: Sequence[Address],
        data: TypedData,
        signers: int,
        signatures: Sequence[bytes],
    ) -> None:
        chosen = [verifier for bit, verifier in enumerate(verifiers) if signers >> bit & 1]
        if len(signatures) != len(chosen):
            raise refusal("SignatureCountMismatch", f"{len(signatures)} for {len(chosen)}")
        for verifier, signature in zip(chosen, signatures, strict=True):
            self._require_signature(verifier, data, signature)

    def _authorize(self, account: Address, data: TypedData, until: int, signature: bytes) -> None:
        """The account calls, or its signature is given, in time, and its own."""
        if self.by == account:
            return
        if not signature:
            raise refusal("NotAuthorized", f"{self.by} is not {account}")
        self._require_valid(until)
        self._require_signature(account, data, signature)

    def _require_valid(self, until: int) -> None:
        if self.now > until:
            raise refusal("SignatureExpired", f"valid until {until}, it is {self.now}")

    def _require_signature(self, account: Address, data: TypedData, signature: bytes) -> None:
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
