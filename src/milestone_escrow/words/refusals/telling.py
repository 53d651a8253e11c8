"""Every refusal as what was refused, and the way out."""

from __future__ import annotations

from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.errors import ContractError
from milestone_escrow.words.refusals.case import Case, Rule, Told
from milestone_escrow.words.refusals.contract import CONTRACT
from milestone_escrow.words.refusals.tokens import TOKENS, stopped

RULES: dict[str, Rule] = {**CONTRACT, **TOKENS}


def told(error: ContractError) -> Told | None:
    """None where the error itself says it best: nothing was tried, or nobody knows the error."""
    if not isinstance(error.attempt, Attempt):
        return None
    rule = stopped if error.attempt.stops else RULES.get(error.name)
    return rule(Case(error.values, error.attempt)) if rule else None
