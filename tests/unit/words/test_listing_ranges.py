"""Ranges of milestones: only what follows each other stands for what lies between."""

from __future__ import annotations

import pytest

from milestone_escrow.words.listing import ranged


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((), ""),
        (("deposit",), "deposit"),
        (("week-1", "week-2"), "week-1, week-2"),
        (("deposit", "week-01", "week-02", "week-03", "rest"), "deposit, week-01 … week-03, rest"),
        (("week-9", "week-10", "week-11"), "week-9 … week-11"),
        (("week-1", "week-3", "week-5", "month-6"), "week-1, week-3, week-5, month-6"),
        (("1", "2", "3"), "1 … 3"),
        (("a", "a", "a"), "a, a, a"),
    ],
)
def test_ranges_hide_nothing(keys: tuple[str, ...], words: str) -> None:
    assert ranged(keys) == words
