"""Paying in without an approval first: permits, authorizations, several calls at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from milestone_escrow.protocol.eip712 import Domain, Field, Struct, TypedData
from tests.contracts.support.contract import Contract, Outcome
from tests.contracts.support.deal import FOREVER, Deal
from tests.contracts.support.evm import GAS
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account

AUTHORIZATION = Struct(
    "ReceiveWithAuthorization",
    (
        Field("address", "from"),
        Field("address", "to"),
        Field("uint256", "value"),
        Field("uint256", "validAfter"),
        Field("uint256", "validBefore"),
        Field("bytes32", "nonce"),
    ),
)
PERMIT = Struct(
    "Permit",
    (
        Field("address", "owner"),
        Field("address", "spender"),
        Field("uint256", "value"),
        Field("uint256", "nonce"),
        Field("uint256", "deadline"),
    ),
)


def token_domain(token: Contract) -> Domain:
    """The token's own domain, read from it."""
    _, name, version, chain_id, contract, *_ = token.call("eip712Domain")
    return Domain(chain_id, contract, name, version)


def nonce_of(deal: Deal, chosen: int) -> bytes:
    """What the contract asks an authorization's nonce to be."""
    return bytes(keccak(encode(["bytes32", "uint256"], [deal.id, chosen])))


@dataclass(frozen=True, slots=True)
class Authorization:
    """An ERC-3009 authorization to receive, as its account signs it."""

    payer: str
    to: str
    value: int
    nonce: bytes
    valid_after: int = 0
    valid_before: int = FOREVER

    def typed_data(self, domain: Domain) -> TypedData:
        message = {
            "from": account(self.payer),
            "to": self.to,
            "value": self.value,
            "validAfter": self.valid_after,
            "validBefore": self.valid_before,
            "nonce": self.nonce,
        }
        return TypedData(domain, AUTHORIZATION, message)


def authorization(
    world: World, deal: Deal, chosen: int, payer: str = "buyer", **changes: Any
) -> Authorization:
    """For exactly what the chosen milestones cost."""
    value = sum(m.amount for i, m in enumerate(deal.milestones) if chosen >> i & 1)
    made = Authorization(payer, world.escrow.address, value, nonce_of(deal, chosen))
    return replace(made, **changes)


def fund_with_authorization(
    world: World,
    deal: Deal,
    chosen: int,
    given: Authorization | None = None,
    *,
    signature: bytes | None = None,
    token: Contract | None = None,
    by: str = "stranger",
    gas: int = GAS,
) -> Outcome:
    """Signed by the payer, unless a signature is given."""
    given = given or authorization(world, deal, chosen)
    if signature is None:
        domain = token_domain(token or world.token)
        signature = person(given.payer).sign(given.typed_data(domain))
    values = (account(given.payer), given.valid_after, given.valid_before, signature)
    return world.escrow.send(
        "fundWithAuthorization",
        deal.abi_terms,
        deal.abi_milestones,
        chosen,
        values,
        by=account(by),
        gas=gas,
    )


def permit_arguments(
    world: World, owner: str, value: int, deadline: int = FOREVER, token: Contract | None = None
) -> tuple[Any, ...]:
    """What `permit` of the escrow takes, signed for the token's present nonce."""
    token = token or world.token
    message = {
        "owner": account(owner),
        "spender": world.escrow.address,
        "value": value,
        "nonce": token.call("nonces", account(owner)),
        "deadline": deadline,
    }
    signed = person(owner).sign(TypedData(token_domain(token), PERMIT, message))
    return (token.address, value, deadline, signed[64], signed[:32], signed[32:64])


def use_permit(world: World, owner: str, arguments: tuple[Any, ...], by: str) -> Outcome:
    """Uses a permit at the token itself, as anyone may."""
    token = world.tokens[arguments[0]]
    return token.send(
        "permit", account(owner), world.escrow.address, *arguments[1:], by=account(by)
    )


def multicall(world: World, *calls: bytes, by: str = "buyer", gas: int = GAS) -> Outcome:
    return world.escrow.send("multicall", list(calls), by=account(by), gas=gas)
