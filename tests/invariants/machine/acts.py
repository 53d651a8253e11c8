"""What can be sent to the contract, as values: an act can be kept, replayed, and bent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from eth_hash.auto import keccak

from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.amendment import Amendment
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.protocol.terms import Milestone
from tests.contracts.support.amendments import abi_amendment
from tests.contracts.support.deal import Deal, abi_attestation, abi_milestone
from tests.contracts.support.receivables import abi_offer

Signatures: TypeAlias = tuple[bytes, ...]


@dataclass(frozen=True)
class Ref:
    """One milestone of an agreement; the index may lie beyond its last."""

    deal: Deal
    index: int

    def __repr__(self) -> str:
        return f"milestone {self.index} of agreement {self.deal.terms.salt}"

    @property
    def milestone(self) -> Milestone:
        """What the call shows of it: the first one where there is none at the index."""
        exists = self.index < len(self.deal.milestones)
        return self.deal.milestones[self.index if exists else 0]

    @property
    def abi(self) -> Any:
        hashes = [milestone.hash() for milestone in self.deal.milestones]
        if self.index < len(hashes):
            hashes[self.index] = bytes(32)
        return hashes, self.index, abi_milestone(self.milestone)


@dataclass(frozen=True)
class Open:
    deal: Deal
    chosen: int
    buyer: bytes
    supplier: bytes


@dataclass(frozen=True)
class Fund:
    deal: Deal
    chosen: int


@dataclass(frozen=True)
class FundWithAuthorization:
    deal: Deal
    chosen: int
    payer: Address
    valid_after: int
    valid_before: int
    signature: bytes


@dataclass(frozen=True)
class Permit:
    token: Address
    amount: int
    deadline: int
    signature: bytes


@dataclass(frozen=True)
class Attest:
    ref: Ref
    attestation: Attestation
    signers: int
    signatures: Signatures


@dataclass(frozen=True)
class AttestBatch:
    items: tuple[tuple[Ref, Attestation], ...]
    signers: int
    signatures: Signatures


@dataclass(frozen=True)
class Submit:
    ref: Ref
    evidence: bytes
    valid_until: int
    signature: bytes


@dataclass(frozen=True)
class Dispute:
    ref: Ref
    reason: bytes
    valid_until: int
    signature: bytes


@dataclass(frozen=True)
class Rule:
    ref: Ref
    split: Split
    reason: bytes
    valid_until: int
    signature: bytes


@dataclass(frozen=True)
class Resolve:
    ref: Ref
    split: Split
    valid_until: int
    buyer: bytes
    payee: bytes


@dataclass(frozen=True)
class Finalize:
    ref: Ref


@dataclass(frozen=True)
class Assign:
    ref: Ref
    assignee: Address
    valid_until: int
    signature: bytes


@dataclass(frozen=True)
class BuyReceivable:
    ref: Ref
    offer: Offer
    signature: bytes


@dataclass(frozen=True)
class Amend:
    deal: Deal
    amendment: Amendment
    signatures: Signatures

    @property
    def new(self) -> Deal:
        return Deal(self.deal.domain, self.amendment.terms, self.amendment.milestones)


@dataclass(frozen=True)
class Withdraw:
    token: Address
    account: Address
    at_most: int = 2**256 - 1


@dataclass(frozen=True)
class Multicall:
    acts: tuple[Act, ...]


Act: TypeAlias = (
    Open
    | Fund
    | FundWithAuthorization
    | Permit
    | Attest
    | AttestBatch
    | Submit
    | Dispute
    | Rule
    | Resolve
    | Finalize
    | Assign
    | BuyReceivable
    | Amend
    | Withdraw
    | Multicall
)


def _named(kind: type) -> str:
    return kind.__name__[0].lower() + kind.__name__[1:]


NAMES = frozenset(_named(kind) for kind in get_args(Act))
"""The functions of the contract that change anything."""


def function(act: Act) -> str:
    """The name of the contract's function."""
    return _named(type(act))


def arguments(act: Act) -> tuple[Any, ...]:
    """The function's arguments, ready for the ABI; those of a multicall are acts."""
    match act:
        case Open(deal, chosen, buyer, supplier):
            return deal.abi_terms, deal.abi_milestones, chosen, buyer, supplier
        case Fund(deal, chosen):
            return deal.abi_terms, deal.abi_milestones, chosen
        case FundWithAuthorization(deal, chosen, payer, after, before, signature):
            authorization = (payer, after, before, signature)
            return deal.abi_terms, deal.abi_milestones, chosen, authorization
        case Permit(token, amount, deadline, signature):
            return token, amount, deadline, signature[64], signature[:32], signature[32:64]
        case Attest(ref, attestation, signers, signatures):
            return *_at(ref), abi_attestation(attestation), signers, list(signatures)
        case AttestBatch(items, signers, signatures):
            batch = [(*_at(ref), abi_attestation(attestation)) for ref, attestation in items]
            return batch, signers, list(signatures)
        case Submit(ref, hash_, until, signature) | Dispute(ref, hash_, until, signature):
            return *_at(ref), hash_, until, signature
        case Rule(ref, split, reason, until, signature):
            return *_at(ref), split.to_payee, split.to_buyer, reason, until, signature
        case Resolve(ref, split, until, buyer, payee):
            return *_at(ref), split.to_payee, split.to_buyer, until, buyer, payee
        case Finalize(ref):
            return _at(ref)
        case Assign(ref, assignee, until, signature):
            return *_at(ref), assignee, until, signature
        case BuyReceivable(ref, offer, signature):
            return *_at(ref), abi_offer(offer), signature
        case Amend(deal, amendment, signatures):
            changed = abi_amendment(amendment, act.new)
            return deal.abi_terms, deal.abi_milestones, changed, list(signatures)
        case Withdraw(token, account, at_most):
            return token, account, at_most
        case Multicall(acts):
            return (acts,)


def parts(act: Act) -> Iterator[Act]:
    """The act itself, or what a multicall bundles."""
    if isinstance(act, Multicall):
        yield from act.acts
    else:
        yield act


def refs(act: Act) -> tuple[Ref, ...]:
    """The milestones that a single act is about; none where it is about an agreement."""
    if isinstance(act, AttestBatch):
        return tuple(ref for ref, _ in act.items)
    ref = getattr(act, "ref", None)
    return (ref,) if ref else ()


def deals(act: Act) -> tuple[Deal, ...]:
    """Every agreement that the act may change."""
    found = [ref.deal for part in parts(act) for ref in refs(part)]
    for part in parts(act):
        if isinstance(part, (Open, Fund, FundWithAuthorization, Amend)):
            found.append(part.deal)
        if isinstance(part, Amend):
            found.append(part.new)
    return tuple({deal.id: deal for deal in found}.values())


def authorization_nonce(deal: Deal, chosen: int) -> bytes:
    """What the nonce of an ERC-3009 authorization must be: it commits to what is funded."""
    return keccak(deal.id + chosen.to_bytes(32, "big"))


def _at(ref: Ref) -> tuple[Any, Any]:
    return ref.deal.abi_terms, ref.abi
