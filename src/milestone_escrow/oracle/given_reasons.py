"""Why somebody disputed or ruled: on chain is a hash, and here is the text that it stands for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from milestone_escrow.chain.contract.events import MilestoneDisputed, MilestoneRuled
from milestone_escrow.documents.files.signed_act import reason_hash, reason_words
from milestone_escrow.errors import LifecycleError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.signing.counting import words_behind
from milestone_escrow.oracle.store import audit_log, row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView

_EVENTS = (MilestoneDisputed, MilestoneRuled)


@dataclass(frozen=True, slots=True)
class Reason:
    """A dispute or a ruling on chain; `text` is empty where nobody has handed it in."""

    event: MilestoneDisputed | MilestoneRuled
    text: str


def given(connection: Connection, view: AgreementView, index: int) -> list[Reason]:
    """The disputes and rulings of a milestone, oldest first, with their reasons."""
    rows = connection.execute(
        select(t.events)
        .where(t.events.c.agreement_id == view.id, t.events.c.milestone == index)
        .where(t.events.c.name.in_([kind.__name__ for kind in _EVENTS]))
        .order_by(t.events.c.block, t.events.c.log_index)
    ).mappings()
    events = [event for event in map(row_shapes.read_event, rows) if isinstance(event, _EVENTS)]
    known = words_behind(connection, {event.reason_hash for event in events})
    return [Reason(one, str(known.get(one.reason_hash, {}).get("reason", ""))) for one in events]


def hand_in(
    connection: Connection, view: AgreementView, index: int, text: str, by: str, now: int
) -> bool:
    """Keep a reason by its hash; whether it was not known already.

    Raises:
        LifecycleError: nobody has disputed or ruled for it.
    """
    digest = reason_hash(text)
    asked = [one for one in given(connection, view, index) if one.event.reason_hash == digest]
    if not asked:
        raise LifecycleError(
            f"no dispute or ruling about '{view.find(index).key}' is known here that was made for "
            "this reason",
            hint="hand it in word for word, once the dispute or ruling is on chain",
        )
    if asked[0].text:
        return False
    viewing.keep_words(connection, digest, reason_words(text), now)
    subject = audit_log.subject_of(view.id, index)
    audit_log.record(connection, now, by, "reason.added", subject, reason_hash=digest)
    return True
