"""The escrow with a token and people, as every contract test finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.protocol.acts import Attestation, Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import State, Status, held
from milestone_escrow.protocol.terms import Milestone
from tests.contracts.support.contract import Contract, Outcome
from tests.contracts.support.deal import (
    EVIDENCE,
    FOREVER,
    REASON,
    Deal,
    abi_attestation,
    make_milestone,
    make_terms,
    verifier_names,
)
from tests.contracts.support.evm import CHAIN_ID, GAS, Chain
from tests.contracts.support.people import person

RICH = 10**24


@dataclass
class World:
    """Verbs of the contract for tests: who calls comes last, `by` an account's name."""

    chain: Chain
    escrow: Contract
    token: Contract
    artifacts: Mapping[str, Artifact]
    deals: dict[bytes, Deal] = field(default_factory=dict)
    tokens: dict[str, Contract] = field(default_factory=dict)
    payees: set[str] = field(default_factory=set)
    """Accounts to which a receivable went, beside the suppliers."""

    @cached_property
    def domain(self) -> Domain:
        return Domain(CHAIN_ID, self.escrow.address)

    @property
    def now(self) -> int:
        return self.chain.now

    @now.setter
    def now(self, now: int) -> None:
        self.chain.now = now

    def deploy(self, name: str, *args: Any) -> Contract:
        return Contract.deploy(self.chain, self.artifacts[name], *args)

    def add_token(self, token: Contract) -> Contract:
        """Gives the buyer plenty, approved; the escrow's books of it are checked at the end."""
        buyer = account("buyer")
        token.send("mint", buyer, RICH)
        token.send("approve", self.escrow.address, 2**256 - 1, by=buyer)
        self.tokens[token.address] = token
        return token

    def deal(self, *milestones: Milestone, token: str = "", **terms: Any) -> Deal:
        """An agreement that nobody has opened; one milestone unless given."""
        made = make_terms(token or self.token.address, **terms)
        return Deal(self.domain, made, milestones or (make_milestone(),))

    def opened(self, *milestones: Milestone, **terms: Any) -> Deal:
        """An open agreement, nothing funded."""
        deal = self.deal(*milestones, **terms)
        self.open(deal)
        return deal

    def funded(self, *milestones: Milestone, **terms: Any) -> Deal:
        """An open agreement with every milestone funded."""
        deal = self.deal(*milestones, **terms)
        self.open(deal, deal.all)
        return deal

    def open(
        self,
        deal: Deal,
        chosen: int = 0,
        *,
        by: str = "buyer",
        buyer: bytes = b"",
        supplier: bytes | None = None,
        gas: int = GAS,
    ) -> Outcome:
        """By the buyer with the supplier's signature, unless said otherwise."""
        if supplier is None:
            supplier = person("supplier").sign(deal.typed_data)
        outcome = self.escrow.send(
            "open",
            deal.abi_terms,
            deal.abi_milestones,
            chosen,
            buyer,
            supplier,
            by=account(by),
            gas=gas,
        )
        self.deals[deal.id] = deal
        return outcome

    def fund(self, deal: Deal, chosen: int, *, by: str = "buyer", gas: int = GAS) -> Outcome:
        arguments = (deal.abi_terms, deal.abi_milestones, chosen)
        return self.escrow.send("fund", *arguments, by=account(by), gas=gas)

    def attest(
        self,
        deal: Deal,
        attestation: Attestation,
        signers: int = 0b011,
        *,
        signatures: Sequence[bytes] | None = None,
        index: int | None = None,
        by: str = "stranger",
        gas: int = GAS,
    ) -> Outcome:
        """Signed by the verifiers of `signers`, unless signatures are given."""
        if signatures is None:
            signatures = self.signatures(deal, attestation, signers)
        return self._send(
            deal,
            attestation.milestone if index is None else index,
            "attest",
            (abi_attestation(attestation), signers, list(signatures)),
            by,
            gas,
        )

    def signatures(self, deal: Deal, attestation: Attestation, signers: int) -> list[bytes]:
        data = attestation.typed_data(self.domain)
        names = verifier_names()
        return [person(names[i]).sign(data) for i in range(3) if signers >> i & 1]

    def submit(
        self,
        deal: Deal,
        index: int = 0,
        *,
        evidence: bytes = EVIDENCE,
        until: int = FOREVER,
        signature: bytes = b"",
        by: str = "supplier",
    ) -> Outcome:
        return self._send(deal, index, "submit", (evidence, until, signature), by)

    def dispute(
        self,
        deal: Deal,
        index: int = 0,
        *,
        reason: bytes = REASON,
        until: int = FOREVER,
        signature: bytes = b"",
        by: str = "buyer",
    ) -> Outcome:
        return self._send(deal, index, "dispute", (reason, until, signature), by)

    def rule(
        self,
        deal: Deal,
        to_payee: int,
        to_buyer: int,
        index: int = 0,
        *,
        reason: bytes = REASON,
        until: int = FOREVER,
        signature: bytes = b"",
        by: str = "arbiter",
        gas: int = GAS,
    ) -> Outcome:
        arguments = (to_payee, to_buyer, reason, until, signature)
        return self._send(deal, index, "rule", arguments, by, gas)

    def resolve(
        self,
        deal: Deal,
        to_payee: int,
        to_buyer: int,
        index: int = 0,
        *,
        until: int = FOREVER,
        buyer: bytes = b"",
        payee: bytes = b"",
        by: str = "buyer",
        gas: int = GAS,
    ) -> Outcome:
        return self._send(
            deal, index, "resolve", (to_payee, to_buyer, until, buyer, payee), by, gas
        )

    def finalize(
        self, deal: Deal, index: int = 0, *, by: str = "stranger", gas: int = GAS
    ) -> Outcome:
        return self._send(deal, index, "finalize", (), by, gas)

    def withdraw(
        self,
        who: str,
        *,
        at_most: int = 2**256 - 1,
        token: str = "",
        by: str = "stranger",
        gas: int = GAS,
    ) -> Outcome:
        token = token or self.token.address
        return self.escrow.send("withdraw", token, account(who), at_most, by=account(by), gas=gas)

    def state(self, deal: Deal, index: int = 0) -> State:
        """What the contract remembers of a milestone."""
        return self.states(deal)[index]

    def states(self, deal: Deal) -> list[State]:
        """The same of all its milestones."""
        found = self.escrow.call("milestoneStates", deal.id, len(deal.milestones))
        return [State(Status(status), *rest) for status, *rest in found]

    def balance(self, who: str, token: Contract | None = None) -> int:
        return int((token or self.token).call("balanceOf", account(who)))

    def credit(self, who: str, token: str = "") -> int:
        return int(self.escrow.call("creditOf", token or self.token.address, account(who)))

    def submission(self, deal: Deal, index: int = 0, **changes: Any) -> Submission:
        values = {"evidence_hash": EVIDENCE, "epoch": 0, "valid_until": FOREVER, **changes}
        return Submission(deal.id, index, **values)

    def dispute_act(self, deal: Deal, index: int = 0, **changes: Any) -> Dispute:
        values = {"reason_hash": REASON, "epoch": 0, "valid_until": FOREVER, **changes}
        return Dispute(deal.id, index, **values)

    def ruling(
        self, deal: Deal, to_payee: int, to_buyer: int, index: int = 0, **changes: Any
    ) -> Ruling:
        values = {"reason_hash": REASON, "epoch": 0, "valid_until": FOREVER, **changes}
        return Ruling(deal.id, index, to_payee, to_buyer, **values)

    def resolution(
        self, deal: Deal, to_payee: int, to_buyer: int, index: int = 0, **changes: Any
    ) -> Resolution:
        rest = held(deal.milestones[index], self.state(deal, index))
        values = {"held": rest, "epoch": 0, "valid_until": FOREVER, **changes}
        return Resolution(deal.id, index, to_payee, to_buyer, **values)

    def books(self, token: str) -> tuple[int, int]:
        """What the escrow has of a token, and what it owes: held and credited."""
        deals = [deal for deal in self.deals.values() if deal.terms.token == token]
        owed, accounts = 0, set(self.payees)
        for deal in deals:
            terms = deal.terms
            accounts |= {terms.buyer, terms.supplier, terms.fee_recipient}
            for milestone, state in zip(deal.milestones, self.states(deal), strict=True):
                owed += held(milestone, state)
        credited = sum(int(self.escrow.call("creditOf", token, who)) for who in accounts)
        return int(self.tokens[token].call("balanceOf", self.escrow.address)), owed + credited

    def _send(
        self, deal: Deal, index: int, verb: str, rest: tuple[Any, ...], by: str, gas: int = GAS
    ) -> Outcome:
        return self.escrow.send(
            verb, deal.abi_terms, deal.ref(index), *rest, by=account(by), gas=gas
        )


def account(who: str) -> str:
    """An account by its person's name, or itself."""
    return who if who.startswith("0x") else person(who).address


def build(artifacts: Mapping[str, Artifact], fork: str = "prague") -> World:
    """A fresh chain with the escrow and test USDC, of which the buyer has plenty."""
    chain = Chain(fork)
    escrow = Contract.deploy(chain, artifacts["MilestoneEscrow"], by=account("operator"))
    world = World(chain, escrow, escrow, artifacts)
    world.token = world.add_token(world.deploy("TestUSDC"))
    return world


def branch(world: World) -> World:
    """The same world, going its own way from here: a root and a clock are copied, nothing else."""
    chain = Chain(
        world.chain.fork, world.chain.now, world.chain.chain_id, world.chain.root, world.chain._db
    )
    tokens = {address: token.on(chain) for address, token in world.tokens.items()}
    return World(
        chain,
        world.escrow.on(chain),
        tokens[world.token.address],
        world.artifacts,
        dict(world.deals),
        tokens,
        set(world.payees),
    )
