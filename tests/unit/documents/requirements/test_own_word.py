"""The gate against paying on the payee's own word, compared with its definition.

Definition: among the smallest sets of shown things that meet the requirements, at least one holds
something that somebody other than the payee has shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.facts import Event, Facts
from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    Requirement,
    SomeRequired,
    WebhookRequired,
    leaves,
)

# What proves nothing by itself, what the payee says, and what others say.
NEUTRAL = [AfterRequired(name) for name in "ab"]
PAYEES = [WebhookRequired("supplier", name) for name in "cd"]
OTHERS = [WebhookRequired("carrier", name) for name in "ef"]
EVERYTHING: list[Requirement] = [*NEUTRAL, *PAYEES, *OTHERS]


def _combined(items: list[Requirement]) -> st.SearchStrategy[Requirement]:
    some = st.integers(1, len(items)).map(lambda n: SomeRequired(n, tuple(items)))
    return st.one_of(some, st.just(AllRequired(tuple(items))))


TREES = st.recursive(
    st.sampled_from(EVERYTHING),
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(_combined),
    max_leaves=7,
)
SHOWN = st.sets(st.sampled_from(EVERYTHING)).map(frozenset)


def facts(shown: frozenset[Requirement]) -> Facts:
    """The world in which just these are met."""
    return Facts(
        settled={one.milestone: 1 for one in shown if isinstance(one, AfterRequired)},
        events=tuple(
            Event(one.source, one.event, {}, 1) for one in shown if isinstance(one, WebhookRequired)
        ),
    )


def is_met(tree: Requirement, shown: frozenset[Requirement]) -> bool:
    return evaluate(tree, facts(shown), 1).is_met


def smallest(tree: Requirement, shown: frozenset[Requirement]) -> Iterator[frozenset[Requirement]]:
    """Sets that meet the tree, and of which nothing can be left out."""
    useful = [one for one in dict.fromkeys(leaves(tree)) if one in shown]
    for size in range(len(useful) + 1):
        for chosen in map(frozenset, combinations(useful, size)):
            if is_met(tree, chosen) and not any(is_met(tree, chosen - {one}) for one in chosen):
                yield chosen


def distinct(tree: Requirement) -> bool:
    """Whether no requirement stands in two places of the tree."""
    found = list(leaves(tree))
    return len(found) == len(set(found))


@settings(max_examples=150)
@given(TREES.filter(distinct), SHOWN)
def test_the_gate_is_its_definition(tree: Requirement, shown: frozenset[Requirement]) -> None:
    wanted = any(chosen & set(OTHERS) for chosen in smallest(tree, shown))
    assert evaluate(tree, facts(shown), 1).independent is wanted


@settings(max_examples=100)
@given(TREES, SHOWN)
def test_without_others_the_gate_stays_shut(
    tree: Requirement, shown: frozenset[Requirement]
) -> None:
    assert not evaluate(tree, facts(shown - set(OTHERS)), 1).independent
