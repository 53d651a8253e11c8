"""What was tried when the contract refused: all that a sentence about it needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.protocol.token import Token


@dataclass(frozen=True, slots=True)
class Stops:
    """What a token's issuer has stopped: everything, or single accounts, by a denylist."""

    everything: bool = False
    accounts: tuple[Address, ...] = ()

    def __bool__(self) -> bool:
        return self.everything or bool(self.accounts)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried: the verb, about which milestone, by whom. Fields unknown stay empty.

    `stops` is what the token said when it was the one that refused.
    """

    verb: str
    sender: str = ""
    agreement: OpenAgreement | None = None
    token: Token | None = None
    index: int | None = None
    state: State | None = None
    contract: Address = ""
    stops: Stops = Stops()
