"""Every refusal as what was refused, and the way out."""

from __future__ import annotations

from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.errors import ContractError
from milestone_escrow.words.refusals.case import Case, Rule, Told
from milestone_escrow.words.refusals.contract import CONTRACT
from milestone_escrow.words.refusals.tokens import TOKENS

RULES: dict[str, Rule] = {**CONTRACT, **TOKENS}


def told(error: ContractError) -> Told | None:
    """None where the error itself says it best: nothing was tried, or nobody knows the error."""
    rule = RULES.get(error.name)
    if rule is None or not isinstance(error.attempt, Attempt):
        return None
    return rule(Case(error.values, error.attempt))
