"""What `Escrow` sends takes, and says of itself, what its preparation does."""

from __future__ import annotations

from inspect import signature

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.verbs import Verbs

SENT = (
    "attest", "attest_batch", "submit", "dispute", "rule", "approve", "refund", "settle",
    "finalize", "assign", "perform", "fund_authorized",
)  # fmt: skip


@pytest.mark.parametrize("verb", SENT)
def test_a_sent_verb_is_its_preparation_but_for_the_receipt(verb: str) -> None:
    sent, prepared = getattr(Escrow, verb), getattr(Verbs, verb)
    assert signature(sent).parameters == signature(prepared).parameters
    assert signature(sent).return_annotation == "Receipt"
    assert (sent.__name__, sent.__doc__) == (verb, prepared.__doc__)
