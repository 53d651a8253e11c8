"""Requirements against facts: a pure function, with a reason for everything it says.

`all` is met when each item is; `at least n of` when n are. Both have failed when what has failed
leaves them no way to be met. Both are independent when one of the items that meet them is: a
payment must rest at least in part on somebody who is not paid by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.documents.requirements.evaluation import Evaluation, Fulfilment, Judgement
from milestone_escrow.documents.requirements.facts import Facts
from milestone_escrow.documents.requirements.judges import (
    after,
    document,
    http,
    statement,
    webhook,
)
from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    DocumentRequired,
    HttpRequired,
    Leaf,
    OtherRequired,
    Requirement,
    SomeRequired,
    StatementRequired,
    WebhookRequired,
)
from milestone_escrow.documents.requirements.plug_in_judge import other
from milestone_escrow.errors import assert_never


def evaluate(requirement: Requirement, facts: Facts, now: int) -> Evaluation:
    """What `requirement` comes to at `now`, Unix seconds. Reads nothing but its arguments."""
    if isinstance(requirement, (AllRequired, SomeRequired)):
        items = tuple(evaluate(item, facts, now) for item in requirement.items)
        needed = len(items) if isinstance(requirement, AllRequired) else requirement.at_least
        return _combined(requirement, items, needed)
    judged = _judge(requirement, facts, now)
    return Evaluation(requirement, judged.standing, judged.text, judged.since, judged.independent)


def _judge(requirement: Leaf, facts: Facts, now: int) -> Judgement:
    match requirement:
        case DocumentRequired():
            return document(requirement, facts)
        case StatementRequired():
            return statement(requirement, facts, now)
        case AfterRequired():
            return after(requirement, facts)
        case WebhookRequired():
            return webhook(requirement, facts)
        case HttpRequired():
            return http(requirement, facts)
        case OtherRequired():
            return other(requirement, facts, now)
        case _:
            assert_never(requirement)


def _combined(requirement: Requirement, items: Sequence[Evaluation], needed: int) -> Evaluation:
    met = sorted(item.since for item in items if item.is_met)
    failed = sorted(item.since for item in items if item.standing is Fulfilment.FAILED)
    allowed_to_fail = len(items) - needed
    if len(met) >= needed:
        standing, since = Fulfilment.MET, met[needed - 1] if needed else 0
    elif len(failed) > allowed_to_fail:
        standing, since = Fulfilment.FAILED, failed[allowed_to_fail]
    else:
        standing, since = Fulfilment.MISSING, 0
    # All that is met counts: of n items that suffice, an independent one can be among them.
    independent = standing is Fulfilment.MET and any(i.is_met and i.independent for i in items)
    text = _count(len(met), len(items), needed)
    return Evaluation(requirement, standing, text, since, independent, tuple(items))


def _count(met: int, total: int, needed: int) -> str:
    if not total:
        return "nothing is required"
    if needed == total:
        return f"{met} of {total} met"
    return f"{met} of {total} met, {needed} needed"
