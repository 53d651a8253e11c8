"""Lists and verbs in the number of who acts."""

from __future__ import annotations

from milestone_escrow.words.listing import does, listed


def test_lists_and_verbs_agree_with_who_acts() -> None:
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["Elena and Marcus", "Cedar"]) == "Elena and Marcus, Cedar"
    assert does(["Indus"], "dispute") == "disputes"
    assert does(["Indus"], "hand in") == "hands in"
    assert does(["Studio"], "finish it") == "finishes it"
    assert does(["Elena and Marcus"], "fund") == "fund"
    assert does(["a", "b"], "settle") == "settle"
