"""What plans of every kind share: where calls go, and when something is begun again."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.relaying import intents
from milestone_escrow.oracle.relaying.intents import Intent, IntentStage
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address

# A plan looks at so many at a time; the rest waits for the next one.
AT_ONCE = 500


def revive(connection: Connection, now: int, intent: Intent) -> bool:
    """Take up again what is possible: a reorganisation has undone it, or it has failed a while ago
    and may work by now. What fails again and again is taken up ever more rarely."""
    if not is_open(intent, now):
        return False
    why = (
        "its effect is gone again"
        if intent.stage is IntentStage.DROPPED
        else "it is tried once more"
    )
    return intents.move(connection, now, intent, IntentStage.PENDING, why)


def is_open(intent: Intent | None, now: int) -> bool:
    """Whether there may be something to begin, or to begin again."""
    if intent is None:
        return True
    return intent.stage in (IntentStage.DROPPED, IntentStage.FAILED) and intent.not_before <= now


def views_of(connection: Connection, ids: Iterable[bytes]) -> dict[bytes, AgreementView]:
    """Agreements by id; those that are not open are left out."""
    return {view.id: view for view in viewing.agreements(connection, dict.fromkeys(ids))}


def contract_of(connection: Connection) -> Address:
    """Where calls go.

    Raises:
        StoreError: nobody has said.
    """
    found = connection.execute(select(t.meta.c.value).where(t.meta.c.key == "contract")).scalar()
    if found is None:
        raise StoreError(
            "the store belongs to no contract yet", hint="start it with `escrow oracle run`"
        )
    return str(found)
