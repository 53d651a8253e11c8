"""What a token says of itself is believed only where it fits: no signature for somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from milestone_escrow.chain.contract.token_support import read_domain, read_support, signs_by_key
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.protocol.eip712 import ZERO_HASH, Domain
from milestone_escrow.protocol.paying import AUTHORIZATION, PERMIT

TOKEN, OTHER, ACCOUNT = ("0x" + str(n) * 40 for n in (3, 4, 5))
CHAIN = 11155111
OWN = Domain(CHAIN, TOKEN, "Euro", "1")


@dataclass(frozen=True)
class FakeToken:
    """A node behind which one token answers some functions, and refuses all others."""

    answers: Mapping[str, bytes]
    code: str = "0x"

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_getCode":
            return self.code
        asked = bytes.fromhex(params[0]["data"][2:])[:4]
        for signature, answer in self.answers.items():
            if keccak(signature.encode())[:4] == asked:
                return "0x" + answer.hex()
        raise RpcError("execution reverted", code=3)


def described(
    domain: Domain, fields: bytes = b"\x0f", salt: bytes = ZERO_HASH, more: Sequence[int] = ()
) -> bytes:
    kinds = ("bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]")
    values = (fields, domain.name, domain.version, domain.chain_id, domain.verifying_contract)
    return encode(kinds, (*values, salt, more))


def text(value: str) -> bytes:
    return encode(["string"], [value])


ZERO_WORD = bytes(32)
PERMITS = {"nonces(address)": ZERO_WORD}
AUTHORIZES = {"authorizationState(address,bytes32)": ZERO_WORD}
SEPARATOR = {"DOMAIN_SEPARATOR()": OWN.separator()}
DESCRIBED = {"eip712Domain()": described(OWN)}
NAMED = {"name()": text("Euro")}


@pytest.mark.parametrize(
    "answers",
    [
        DESCRIBED,
        {**DESCRIBED, **SEPARATOR},
        {**NAMED, **SEPARATOR, "version()": text("1")},
        {**NAMED, **SEPARATOR},
    ],
)
def test_a_domain_is_established(answers: Mapping[str, bytes]) -> None:
    assert read_domain(FakeToken(answers), CHAIN, TOKEN) == OWN


def test_a_version_that_is_not_said_is_found_by_the_separator() -> None:
    second = Domain(CHAIN, TOKEN, "Euro", "2")
    answers = {**NAMED, "DOMAIN_SEPARATOR()": second.separator()}
    assert read_domain(FakeToken(answers), CHAIN, TOKEN) == second


ELSEWHERE = Domain(CHAIN, OTHER, "Euro", "1")
FORKED = Domain(1, TOKEN, "Euro", "1")


@pytest.mark.parametrize(
    "answers",
    [
        {},
        NAMED,
        {**NAMED, "version()": text("1")},
        {"eip712Domain()": described(ELSEWHERE)},
        {"eip712Domain()": described(FORKED)},
        {"eip712Domain()": described(OWN, fields=b"\x1f")},
        {"eip712Domain()": described(OWN, salt=b"\1" * 32)},
        {"eip712Domain()": described(OWN, more=[1])},
        {"eip712Domain()": b"\1"},
        {**DESCRIBED, "DOMAIN_SEPARATOR()": ELSEWHERE.separator()},
        {**NAMED, "DOMAIN_SEPARATOR()": ELSEWHERE.separator()},
        {**NAMED, "DOMAIN_SEPARATOR()": FORKED.separator()},
        {**NAMED, **SEPARATOR, "version()": text("9")},
        {**SEPARATOR, "name()": b"Euro".ljust(32, b"\0")},
    ],
)
def test_a_domain_that_does_not_fit_is_none(answers: Mapping[str, bytes]) -> None:
    node = FakeToken({**answers, **PERMITS, **AUTHORIZES})
    assert read_domain(node, CHAIN, TOKEN) is None
    assert read_support(node, CHAIN, TOKEN, ACCOUNT).ways == ("allowance",)


@pytest.mark.parametrize(
    ("answers", "ways"),
    [
        ({}, ()),
        (PERMITS, ("permit",)),
        (AUTHORIZES, ("authorization",)),
        ({**PERMITS, "PERMIT_TYPEHASH()": PERMIT.type_hash}, ("permit",)),
        # As one old stablecoin has it, whose permit lets everything or nothing be taken.
        ({**PERMITS, "PERMIT_TYPEHASH()": keccak(b"Permit(address holder,...)")}, ()),
        (
            {**AUTHORIZES, "RECEIVE_WITH_AUTHORIZATION_TYPEHASH()": AUTHORIZATION.type_hash},
            ("authorization",),
        ),
        ({**AUTHORIZES, "RECEIVE_WITH_AUTHORIZATION_TYPEHASH()": keccak(b"other")}, ()),
        # A fallback that answers everything with nothing.
        ({"nonces(address)": b"", "authorizationState(address,bytes32)": b""}, ()),
    ],
)
def test_support_is_what_answers(answers: Mapping[str, bytes], ways: tuple[str, ...]) -> None:
    support = read_support(FakeToken({**DESCRIBED, **answers}), CHAIN, TOKEN, ACCOUNT)
    assert support.ways == ("allowance", *ways)


@pytest.mark.parametrize(
    ("code", "signs"),
    [("0x", True), ("0xef0100" + "11" * 20, True), ("0x6000", False)],
)
def test_contract_wallets_do_not_sign_by_key(code: str, signs: bool) -> None:
    assert signs_by_key(FakeToken({}, code), ACCOUNT) is signs
