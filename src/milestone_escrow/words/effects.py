"""What an act that takes effect now means for a milestone, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from milestone_escrow.documents.files.signed_act import Act
from milestone_escrow.documents.when import format_duration
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.lifecycle import Split, fee, silence_split
from milestone_escrow.protocol.receivables import Assignment
from milestone_escrow.protocol.transitions import disputed
from milestone_escrow.words.standing import Standing, amount, person, split_words, when

Words = Mapping[str, object]


def effect(standing: Standing, act: Act, words: Words) -> list[str]:
    """What `act` leads to if the contract takes it now, one sentence each."""
    return _EFFECTS[type(act)](standing, act, words)


def split_effect(standing: Standing, result: Split) -> list[str]:
    """What a split that is sent now does."""
    lines = [f"'{standing.key}': {split_words(standing, result)} now, final"]
    if charge := fee(standing.terms, result.to_payee):
        lines.append(f"of which {amount(standing, charge)} is the fee")
    if rest := standing.held - result.total:
        lines.append(f"{amount(standing, rest)} stays in the contract and waits as before")
    return lines


def _submission(standing: Standing, act: Submission, words: Words) -> list[str]:
    period = standing.terms.review_period
    buyer, payee = (person(standing.bound, a) for a in (standing.terms.buyer, standing.payee))
    lines = [
        f"'{standing.key}': starts the review period of {format_duration(period)}",
        f"if {buyer} does not object, pays {amount(standing, standing.held)} to {payee} on "
        f"{when(standing, standing.now + period)}",
    ]
    files = words.get("files")
    if isinstance(files, list) and files:
        lines.append(f"commits to {len(files)} files: show them to {buyer}")
    return lines


def _dispute(standing: Standing, act: Dispute, words: Words) -> list[str]:
    """Who decides now, and what happens if they do not."""
    terms, milestone = standing.terms, standing.milestone
    state = disputed(terms, milestone, standing.state, standing.now)
    until = when(standing, state.clock)
    objects = f"'{standing.key}': objects, “{words.get('reason', '')}”"
    silent = split_words(standing, silence_split(terms, milestone, state))
    if not terms.has_arbiter:
        return [objects, f"unless both sides settle it or it is proven, on {until} {silent}"]
    arbiter = person(standing.bound, terms.arbiter)
    return [objects, f"{arbiter} has until {until} to decide; otherwise {silent}"]


def _ruling(standing: Standing, act: Ruling, words: Words) -> list[str]:
    result = Split(act.to_payee, act.to_buyer)
    return [*split_effect(standing, result), f"because: “{words.get('reason', '')}”"]


def _resolution(standing: Standing, act: Resolution, words: Words) -> list[str]:
    return split_effect(standing, Split(act.to_payee, act.to_buyer))


def _assignment(standing: Standing, act: Assignment, words: Words) -> list[str]:
    if act.assignee == standing.payee:
        return [f"'{standing.key}': takes back every offer of what it pays; nothing else changes"]
    payee, assignee = (person(standing.bound, a) for a in (standing.payee, act.assignee))
    return [
        f"'{standing.key}': from now on whatever it pays goes to {assignee} instead of {payee}",
        f"and {assignee}, not {payee}, submits, disputes and gives back; nothing is paid for it",
    ]


_EFFECTS: Mapping[type, Callable[[Standing, Any, Words], list[str]]] = {
    Submission: _submission,
    Dispute: _dispute,
    Ruling: _ruling,
    Resolution: _resolution,
    Assignment: _assignment,
}
