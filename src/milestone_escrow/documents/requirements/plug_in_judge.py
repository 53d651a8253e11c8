"""Requirements of kinds that other packages bring: asked, and never trusted with more than that.

The package's object has, besides what agreement files need (`plug_ins.PlugIn`),
`judge(fields, facts, now) -> Judgement`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from milestone_escrow.documents.requirements.evaluation import Fulfilment, Judgement
from milestone_escrow.documents.requirements.facts import Facts
from milestone_escrow.documents.requirements.kinds import OtherRequired
from milestone_escrow.documents.requirements.plug_ins import find_kind
from milestone_escrow.errors import EscrowError

logger = logging.getLogger("milestone_escrow.documents.requirements")


@runtime_checkable
class JudgingPlugIn(Protocol):
    """A further kind that the oracle can evaluate."""

    def judge(self, fields: Mapping[str, str], facts: Facts, now: int) -> Judgement:
        """What the requirement comes to; from its arguments alone, without looking elsewhere."""
        ...


def other(required: OtherRequired, facts: Facts, now: int) -> Judgement:
    """What the kind's own package says; failed where that cannot be asked."""
    try:
        kind: object = find_kind(required.kind)
    except EscrowError as error:
        return Judgement(Fulfilment.FAILED, error.message)
    if not isinstance(kind, JudgingPlugIn):
        return _failed(required, "is not installed here" if kind is None else "cannot be evaluated")
    try:
        judged: object = kind.judge(dict(required.fields), facts, now)
    # A mistake in somebody else's package must stop this one milestone, and nothing else.
    except Exception as error:
        logger.exception("A kind of requirement failed", extra={"fields": {"kind": required.kind}})
        return _failed(required, f"broke off ({type(error).__name__})")
    if not isinstance(judged, Judgement):
        return _failed(required, "answered nothing usable")
    return judged


def _failed(required: OtherRequired, why: str) -> Judgement:
    return Judgement(Fulfilment.FAILED, f"{required.words()}: '{required.kind}' {why}")
