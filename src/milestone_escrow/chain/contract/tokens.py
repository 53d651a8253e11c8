"""ERC-20 tokens: read balances, build the calls that pay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.chain.refusals.attempts import Attempt, Stops
from milestone_escrow.chain.refusals.decoding import explain, may_be_stopped
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.token import Token

# The test token is an ordinary ERC-20 with a mint that anybody may use.
CONTRACT = "TestUSDC"

# What the contract gives a token to pay one account, and what reaching the token takes.
PUSH_GAS = 300_000
CALL_GAS = 25_000

# How tokens say whether their issuer has denylisted an account: Circle, Tether, Paxos, others.
DENIES = ("isBlacklisted", "isBlackListed", "isFrozen", "isBlocked", "isDenylisted")


def read_token(node: Node, address: Address) -> Token:
    """What a token says about itself.

    Raises:
        ChainError: there is no token at that address, or its symbol cannot be read.
    """
    try:
        decimals = int(_ask(node, address, "decimals"))
    except ChainError:
        raise ChainError(
            f"there is no token at {address}", hint="check the address and the network"
        ) from None
    symbol = _symbol(node, address)
    if not symbol.isprintable() or not symbol.strip():
        raise ChainError(
            f"the token at {address} has no symbol that can be read",
            hint="check the address, or name it by hand in your networks.toml",
        )
    return Token(symbol, address, decimals)


def _symbol(node: Node, address: Address) -> str:
    """A text or, of the first tokens, the letters in one word; "" where it is neither."""
    text = answer_of(node, address, "symbol()", ("string",))
    if text:
        return str(text[0])
    word = answer_of(node, address, "symbol()", ("bytes32",))
    return word[0].rstrip(b"\0").decode("utf-8", "replace") if word else ""


def balance_of(node: Node, token: Address, account: Address) -> int:
    """Token units of an account."""
    return int(_ask(node, token, "balanceOf", account))


def allowance_of(node: Node, token: Address, owner: Address, spender: Address) -> int:
    """Token units that `spender` may take from `owner`."""
    return int(_ask(node, token, "allowance", owner, spender))


def approve_call(spender: Address, amount: int) -> bytes:
    return interface(CONTRACT).call("approve", spender, amount)


def transfer_call(to: Address, amount: int) -> bytes:
    return interface(CONTRACT).call("transfer", to, amount)


def permit_call(
    owner: Address, spender: Address, amount: int, deadline: int, v: int, r: bytes, s: bytes
) -> bytes:
    """What anybody may send to a token that knows permits (EIP-2612)."""
    return interface(CONTRACT).call("permit", owner, spender, amount, deadline, v, r, s)


def mint_call(to: Address, amount: int) -> bytes:
    """Test tokens only: theirs can be minted by anyone."""
    return interface(CONTRACT).call("mint", to, amount)


def denylist_call(account: Address, denied: bool) -> bytes:
    """Test tokens only: what an issuer does to an account, here by anyone."""
    return interface(CONTRACT).call("setDenylisted", account, denied)


def read_stops(node: Node, token: Address, accounts: Iterable[Address]) -> Stops:
    """What the token's issuer has stopped, of everything and of these accounts; nothing of tokens
    that have no such functions."""
    paused = answer_of(node, token, "paused()", ("bool",))
    denied: list[Address] = []
    names: tuple[str, ...] = DENIES
    for account in accounts:
        for name in names:
            answer = answer_of(node, token, f"{name}(address)", ("bool",), account)
            if answer is not None:
                names = (name,)
                denied += [account] if answer[0] else []
                break
        else:
            names = ()
    return Stops(bool(paused and paused[0]), tuple(denied))


def read_refusal(node: Node, token: Address, account: Address) -> str:
    """With which words of its issuer the token would refuse to be moved by an account, "" where it
    would not: a transfer of nothing is simulated, and believed only where it speaks of a stop."""
    call = {"from": account, "to": token, "data": hexed(transfer_call(account, 0))}
    try:
        node.request("eth_call", [call, "latest"])
    except RpcError as error:
        found = explain(error.data, Attempt("transfer"))
        if found.name == "Error" and may_be_stopped(found):
            return str(found.values["text"])
    return ""


def push_refusal(
    node: Node, token: Address, contract: Address, account: Address, units: int, *, withdraws: bool
) -> str | None:
    """Why a payout from the contract would not arrive at an account now, in the token's words, ""
    where it has none; None where it would arrive.

    It is asked as the contract asks: a payout with as much gas, a withdrawal with all there is, and
    anything but true is a no. What is not in the contract yet, as of a deposit, cannot be moved:
    then as much as there is.
    """
    with suppress(ChainError):
        units = min(units, balance_of(node, token, contract))
    call = {
        "from": contract,
        "to": token,
        "data": hexed(transfer_call(account, units)),
    }
    if not withdraws:
        call["gas"] = hex(PUSH_GAS + CALL_GAS)
    try:
        output = bytes.fromhex(node.request("eth_call", [call, "latest"])[2:])
    except RpcError as error:
        found = explain(error.data, Attempt("transfer"))
        if not error.data:
            return "" if "revert" in error.message else error.message
        return str(found.values["text"]) if found.name == "Error" else found.name
    says_yes = len(output) >= 32 and int.from_bytes(output[:32], "big") == 1
    return None if says_yes or not output else ""


def answer_of(
    node: Node, token: Address, signature: str, returns: Sequence[str], *values: object
) -> tuple[Any, ...] | None:
    """What any function of a token answers, by its signature ("nonces(address)"); None where it
    refuses, does not exist, or answers something else than `returns`."""
    from eth_abi.abi import decode, encode
    from eth_abi.exceptions import DecodingError

    taken = signature[signature.index("(") + 1 : -1]
    data = keccak(signature.encode())[:4] + encode(taken.split(",") if taken else [], values)
    try:
        output = node.request("eth_call", [{"to": token, "data": hexed(data)}, "latest"])
        return tuple(decode(list(returns), bytes.fromhex(output[2:])))
    except (RpcError, DecodingError, OverflowError, ValueError):
        return None


def _ask(node: Node, token: Address, function: str, *values: object) -> Any:
    data = interface(CONTRACT).call(function, *values)
    call = {"to": token, "data": hexed(data)}
    try:
        output = bytes.fromhex(node.request("eth_call", [call, "latest"])[2:])
    except RpcError as error:
        raise ChainError(
            f"the token at {token} does not answer {function}: {error.message}",
            hint="check the address and the network",
        ) from None
    return interface(CONTRACT).answer(function, output)[0]
