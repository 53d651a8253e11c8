"""What a call reverted with, decoded; its sentence for people is made in `words.refusals`."""

from __future__ import annotations

from milestone_escrow.chain.contract.codec import Values, interface
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.errors import ContractError

_STOPS = ("paus", "blacklist", "denylist", "block", "frozen", "froze", "sanction")


def explain(data: bytes, attempt: Attempt) -> ContractError:
    """The error for what a call reverted with, decoded as far as it can be."""
    name, values = decode(data)
    facts = (f"{field} {_shown(value)}" for field, value in values.items())
    reason = ", ".join((name or "no reason given", *facts))
    message = f"the contract refused to {attempt.verb}: {reason}"
    return ContractError(message, name=name, values=values, attempt=attempt)


def decode(data: bytes) -> tuple[str, Values]:
    """The name and values of an error; "" where there is none, its selector where unknown."""
    for contract in ("MilestoneEscrow", "TestUSDC"):
        found = interface(contract).error(data)
        if found:
            return found
    if data[:4] == bytes.fromhex("08c379a0"):
        from eth_abi.abi import decode as decode_abi
        from eth_abi.exceptions import DecodingError

        try:
            return "Error", {"text": decode_abi(["string"], data[4:])[0]}
        except (DecodingError, OverflowError):
            return "Error", {"text": "unreadable"}
    if data[:4] == bytes.fromhex("4e487b71") and len(data) == 36:
        return "Panic", {"code": int.from_bytes(data[4:], "big")}
    return (f"unknown error 0x{data[:4].hex()}" if data else ""), {}


def may_be_stopped(error: ContractError) -> bool:
    """Whether a token may have refused because its issuer stopped it, or somebody: its words say
    so, or it gave no reason that is known."""
    if error.name == "Error":
        return any(word in str(error.values["text"]).lower() for word in _STOPS)
    known = error.name in ("", "SafeERC20FailedOperation", "Denylisted")
    return known or error.name.startswith("unknown")


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
