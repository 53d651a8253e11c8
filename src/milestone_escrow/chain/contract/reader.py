"""Reading: one contract on one network, without a key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import MilestoneAssigned
from milestone_escrow.chain.contract.history import CONTRACT, EventReader
from milestone_escrow.chain.contract.status import AgreementStatus, describe
from milestone_escrow.chain.contract.structs import (
    OpenAgreement,
    bitmap,
    milestone_index,
    read_state,
)
from milestone_escrow.chain.contract.token_support import (
    TokenSupport,
    Way,
    read_nonce,
    read_support,
    signs_by_key,
)
from milestone_escrow.chain.contract.tokens import allowance_of, balance_of, push_refusal
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.assessment import Assessment, Handover, assess
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address, Domain
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.paying import Authorization, Permit, authorization_nonce, cost
from milestone_escrow.protocol.terms import DAY
from milestone_escrow.protocol.token import Token

__all__ = ["CONTRACT", "Reader"]


class Reader(EventReader):
    """What anybody may ask, and what people are asked to sign."""

    def token(self, symbol: str) -> Token:
        """The token of that symbol on this network; raises UsageError where there is none."""
        return self.network.token(symbol)

    def token_at(self, address: Address) -> Token | None:
        """The token at an address, where the network's record knows it."""
        return next((t for t in self.network.tokens if t.address == address), None)

    def now(self) -> int:
        """The chain's time: that of its latest block, Unix seconds."""
        return int(self.node.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)

    def is_open(self, agreement_id: bytes) -> bool:
        """Whether the agreement was ever opened here."""
        return bool(self._ask("isOpen", agreement_id))

    def states(self, agreement: OpenAgreement) -> tuple[State, ...]:
        """What the contract remembers of each milestone; of a settled one only that it is."""
        answer = self._ask("milestoneStates", agreement.id, len(agreement.milestones))
        return tuple(read_state(values) for values in answer)

    def status(self, agreement: OpenAgreement) -> AgreementStatus:
        """Where the agreement stands, and what each milestone's status allows now."""
        return describe(agreement, self.is_open(agreement.id), self.states(agreement), self.now())

    def assess(self, agreement: OpenAgreement, milestone: int | str) -> Assessment:
        """A milestone's payout as a factor would look at it now, earlier assignments included."""
        index = milestone_index(agreement, milestone)
        handovers = [
            Handover(event.payee, event.assignee, event.price, event.place.time)
            for event in self.events(agreement)
            if isinstance(event, MilestoneAssigned) and event.milestone == index
        ]
        state = self.states(agreement)[index]
        return assess(agreement.terms, agreement.milestones[index], state, self.now(), handovers)

    def attestation(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        verdict: Verdict = Verdict.ACCEPTED,
        *,
        amount: int | None = None,
        evidence_hash: bytes = ZERO_HASH,
        valid_for: int = 30 * DAY,
    ) -> Attestation:
        """An attestation of now, to be signed by verifiers; accepts in full unless told otherwise.

        `amount` counts from the milestone's start, in token units; `valid_for` is seconds.
        """
        index, now = milestone_index(agreement, milestone), self.now()
        full = agreement.milestones[index].amount if verdict is Verdict.ACCEPTED else 0
        certified = full if amount is None else amount
        until = now + valid_for
        return Attestation(agreement.id, index, verdict, certified, evidence_hash, now, until)

    def unfunded(self, agreement: OpenAgreement) -> tuple[int, ...]:
        """The milestones that nobody has paid in yet."""
        states = self.states(agreement)
        return tuple(i for i, state in enumerate(states) if state == State())

    def needed(self, agreement: OpenAgreement, milestones: Iterable[int | str]) -> int:
        """Token units that funding those of the milestones takes that are not funded yet."""
        chosen = {milestone_index(agreement, name) for name in milestones}
        return cost(agreement.milestones, bitmap(chosen & set(self.unfunded(agreement))))

    def balance(self, token: Token, account: Address) -> int:
        """Token units of an account; of the contract's own, what waits in it for everybody."""
        return balance_of(self.node, token.address, account)

    def allowance(self, token: Token, owner: Address) -> int:
        """Token units that the contract may take from `owner` when told to fund."""
        return allowance_of(self.node, token.address, owner, self.contract)

    def credit(self, token: Token, account: Address) -> int:
        """Token units that could not be delivered and wait for `withdraw`."""
        return int(self._ask("creditOf", token.address, account))

    def push_refusal(
        self, token: Token, account: Address, units: int, *, withdraws: bool = False
    ) -> str | None:
        """Why a payout or a withdrawal would not arrive at an account now, as the token says it, ""
        where it says nothing; None where it would arrive."""
        return push_refusal(
            self.node, token.address, self.contract, account, units, withdraws=withdraws
        )

    def token_support(self, token: Address) -> TokenSupport:
        """Whether the token takes permits and authorizations, by what it says of itself."""
        return read_support(self.node, self.network.chain_id, token, self.contract)

    def way_to_pay(self, token: Address, amount: int, payer: Address) -> Way:
        """The best way for `payer` to send and pay: an allowance that is there, else a permit
        where token and payer can, else an allowance that is still to be given."""
        if allowance_of(self.node, token, payer, self.contract) >= amount:
            return "allowance"
        by_permit = self.token_support(token).permit and signs_by_key(self.node, payer)
        return "permit" if by_permit else "allowance"

    def token_domain(self, token: Address, way: Way) -> Domain:
        """The token's own EIP-712 domain, under which a permit or an authorization is signed.

        Raises:
            UsageError: the token does not support that way.
        """
        support = self.token_support(token)
        if support.domain is None or way not in support.ways:
            known = self.token_at(token)
            name = known.symbol if known else f"the token {token}"
            raise UsageError(f"{name} takes no {way}s", hint=f"it takes {', '.join(support.ways)}")
        return support.domain

    def permit(
        self, token: Address, amount: int, owner: Address, *, valid_for: int = DAY
    ) -> Permit:
        """A permit for this contract, to be signed by `owner` under the token's domain."""
        nonce = read_nonce(self.node, token, owner) or 0
        return Permit(owner, self.contract, amount, nonce, self.now() + valid_for)

    def authorization(
        self,
        agreement: OpenAgreement,
        milestones: Iterable[int | str],
        payer: Address,
        *,
        valid_for: int = 7 * DAY,
    ) -> Authorization:
        """What `payer` signs, under the token's domain, so that anyone can fund exactly these."""
        chosen = bitmap(milestone_index(agreement, name) for name in milestones)
        value, nonce = cost(agreement.milestones, chosen), authorization_nonce(agreement.id, chosen)
        return Authorization(payer, self.contract, value, 0, self.now() + valid_for, nonce)

    def _ask(self, function: str, *values: object) -> Any:
        data = interface(CONTRACT).call(function, *values)
        call = {"to": self.contract, "data": hexed(data)}
        output = self.node.request("eth_call", [call, "latest"])
        return interface(CONTRACT).answer(function, bytes.fromhex(output[2:]))[0]
