"""What was tried when the contract refused: all that a sentence about it needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.protocol.token import Token


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried: the verb, about which milestone, by whom. Fields unknown stay empty."""

    verb: str
    sender: str = ""
    agreement: OpenAgreement | None = None
    token: Token | None = None
    index: int | None = None
    state: State | None = None
