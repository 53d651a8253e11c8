"""The statuses that an error names."""

from __future__ import annotations

from milestone_escrow.errors import assert_never
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.words.messages import say


def status_words(status: Status) -> str:
    match status:
        case Status.UNFUNDED:
            return say("not funded")
        case Status.FUNDED:
            return say("funded")
        case Status.SUBMITTED:
            return say("submitted for review")
        case Status.RELEASE_PENDING:
            return say("accepted, in its objection period")
        case Status.REFUND_PENDING:
            return say("rejected, in its objection period")
        case Status.DISPUTED_BEFORE_VERDICT:
            return say("disputed")
        case Status.DISPUTED_OVER_VERDICT:
            return say("disputed over a verdict")
        case Status.SETTLED:
            return say("settled")
    assert_never(status)


def statuses_words(bits: int) -> str:
    """ "funded, submitted for review or disputed", of a bitmap of statuses."""
    words = [status_words(status) for status in Status if bits >> status & 1]
    if not words:
        return say("never")
    if len(words) == 1:
        return words[0]
    return say("{first} or {last}", first=", ".join(words[:-1]), last=words[-1])
