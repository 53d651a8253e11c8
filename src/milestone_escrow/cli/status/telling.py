"""What `escrow history` tells."""

from __future__ import annotations

from functools import partial

from milestone_escrow.cli.shell.desk import look
from milestone_escrow.cli.shell.output import dim, table
from milestone_escrow.cli.shell.records import recall_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.documents.when import format_time
from milestone_escrow.words.telling import Teller, version_of


def show_history(session: Session, name: str, key: str | None) -> None:
    """All events in order, or those of one milestone."""
    desk = look(session, name)
    desk.require_open()
    versions = {version.bound.id: version.bound for version in (*desk.earlier, desk)}
    if key and all(m.key != key for v in versions.values() for m in v.agreement.milestones):
        milestone_index(desk.bound, key)
    # Credits belong to no agreement; they are told with the version at hand.
    events = desk.escrow.history(desk.bound)
    recall = partial(recall_words, session.home)
    tellers = {i: Teller(bound, events, recall) for i, bound in versions.items()}
    told = [
        (event, teller, teller.tell(event))
        for event in events
        for teller in [tellers.get(version_of(event), tellers[desk.bound.id])]
        if version_of(event) in (*versions, b"") and (key is None or teller.is_about(event, key))
    ]
    zone = desk.bound.agreement.timezone
    rows = [
        (format_time(event.place.time, zone), dim(event.place.transaction[:10] + "…"), who, text)
        for event, _, (who, text) in told
    ]
    session.say(table(rows))
    session.emit(
        {
            "agreement": "0x" + desk.bound.id.hex(),
            "reference": desk.bound.agreement.reference,
            "network": desk.network.name,
            "events": [
                {
                    "event": type(event).__name__,
                    "time": event.place.time,
                    "block": event.place.block,
                    "transaction": event.place.transaction,
                    "milestone": teller.key(event),
                    "who": who,
                    "text": text,
                }
                for event, teller, (who, text) in told
            ],
        }
    )
