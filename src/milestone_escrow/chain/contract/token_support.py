"""What a token lets its holders sign to pay in: read from the chain, never guessed.

A token's EIP-712 domain is what it says of itself (EIP-5267, or its name and version), and is used
only where its separator is the one that the token itself computes with, and where it names this
chain and this token: another domain would make a signature for somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from milestone_escrow.chain.contract.tokens import answer_of
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address, Domain, Struct
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.paying import AUTHORIZATION, PERMIT

Way: TypeAlias = Literal["allowance", "permit", "authorization"]
"""How money comes in: approved before, permitted by who sends, or authorized for anyone to send."""

WAYS: tuple[Way, ...] = ("allowance", "permit", "authorization")

# Name, version, chain and contract: the fields that EIP-5267 names with these bits.
_FIELDS = b"\x0f"
# Versions of tokens that have one but do not say which; the separator decides.
_VERSIONS = ("1", "2")
# Before the code of an account that signs by key all the same (EIP-7702).
_DELEGATED = "0xef0100"


@dataclass(frozen=True, slots=True)
class TokenSupport:
    """What a token takes; `domain` is its own, None where it could not be established."""

    token: Address
    domain: Domain | None
    permit: bool
    authorization: bool

    @property
    def ways(self) -> tuple[Way, ...]:
        """All that work with this token; an allowance always does."""
        found: list[Way] = ["allowance"]
        found += ["permit"] if self.permit else []
        found += ["authorization"] if self.authorization else []
        return tuple(found)


def read_support(node: Node, chain_id: int, token: Address, account: Address) -> TokenSupport:
    """What the token says about permits (EIP-2612) and authorizations (ERC-3009) of `account`."""
    domain = read_domain(node, chain_id, token)
    if domain is None:
        return TokenSupport(token, None, permit=False, authorization=False)
    nonce = answer_of(node, token, "nonces(address)", ("uint256",), account)
    used = answer_of(
        node, token, "authorizationState(address,bytes32)", ("bool",), account, ZERO_HASH
    )
    return TokenSupport(
        token,
        domain,
        permit=nonce is not None and _agrees(node, token, "PERMIT_TYPEHASH", PERMIT),
        authorization=used is not None
        and _agrees(node, token, "RECEIVE_WITH_AUTHORIZATION_TYPEHASH", AUTHORIZATION),
    )


def read_domain(node: Node, chain_id: int, token: Address) -> Domain | None:
    """The token's EIP-712 domain, None where it has none or another form of it."""
    answer = answer_of(node, token, "DOMAIN_SEPARATOR()", ("bytes32",))
    separator = answer[0] if answer else None
    described = _described(node, chain_id, token)
    if described is not None:
        return described if separator in (None, described.separator()) else None
    if separator is None:
        return None
    for domain in _candidates(node, chain_id, token):
        if domain.separator() == separator:
            return domain
    return None


def has_separator(node: Node, token: Address) -> bool:
    """Whether something can be signed for the token at all."""
    return answer_of(node, token, "DOMAIN_SEPARATOR()", ("bytes32",)) is not None


def read_nonce(node: Node, token: Address, owner: Address) -> int | None:
    """The nonce of the owner's next permit; None where the token knows no permits."""
    answer = answer_of(node, token, "nonces(address)", ("uint256",), owner)
    return int(answer[0]) if answer else None


def signs_by_key(node: Node, account: Address) -> bool:
    """Whether an account can sign a permit: contract wallets cannot, delegated accounts can."""
    code = str(node.request("eth_getCode", [account, "latest"]))
    return code in ("0x", "") or code.startswith(_DELEGATED)


def _described(node: Node, chain_id: int, token: Address) -> Domain | None:
    """As EIP-5267 describes it, if it is of the one form that can be signed here."""
    kinds = ("bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]")
    answer = answer_of(node, token, "eip712Domain()", kinds)
    if answer is None:
        return None
    fields, name, version, chain, contract, salt, extensions = answer
    if (fields, chain, salt, extensions) != (_FIELDS, chain_id, ZERO_HASH, ()):
        return None
    if contract.lower() != token.lower():
        return None
    return Domain(chain_id, token, name, version)


def _candidates(node: Node, chain_id: int, token: Address) -> Iterator[Domain]:
    name = answer_of(node, token, "name()", ("string",))
    if name is None:
        return
    version = answer_of(node, token, "version()", ("string",))
    for text in (version[0],) if version else _VERSIONS:
        yield Domain(chain_id, token, name[0], text)


def _agrees(node: Node, token: Address, constant: str, struct: Struct) -> bool:
    """Whether the token signs the same struct, where it says which."""
    answer = answer_of(node, token, f"{constant}()", ("bytes32",))
    return answer is None or answer[0] == keccak(struct.encoded_type.encode())
