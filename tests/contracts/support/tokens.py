"""A token that misbehaves on demand."""

from __future__ import annotations

from tests.contracts.support.contract import Contract
from tests.contracts.support.world import World

MODES = (
    "Honest",
    "Silent",
    "Refuse",
    "Deny",
    "AnswerTwo",
    "AnswerShort",
    "AnswerHuge",
    "Revert",
    "RevertHuge",
    "BurnGas",
    "Tax",
    "Reenter",
    "Expensive",
    "TooExpensive",
)


def hostile_token(world: World, decimals: int = 6) -> Contract:
    """Honest until told otherwise; the buyer has plenty of it."""
    return world.add_token(world.deploy("HostileToken", decimals))


def behave(token: Contract, transfer: str = "Honest", transfer_from: str = "Honest") -> None:
    token.send("behave", MODES.index(transfer), MODES.index(transfer_from))
