"""`escrow history`: what has happened to an agreement."""

from __future__ import annotations

from functools import partial

import click

from milestone_escrow.cli.shell.desk import look
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.output import dim, table
from milestone_escrow.cli.shell.records import recall_words
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.table import milestone_index
from milestone_escrow.documents.when import format_time
from milestone_escrow.words.telling import Teller, version_of


@click.command(short_help="Show what has happened to an agreement.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@reads
def history(session: Session, agreement: str, milestone: str | None) -> None:
    """Show what has happened to an agreement, or to one milestone, as the chain recorded it:
    date, who, what, and the transaction.

    Reasons and evidence lists stand there as hashes; those that this machine knows are shown in
    words.

    \b
    Examples:
      escrow history PO-2027-0114
      escrow history PO-2027-0114 manufactured
      escrow history PO-2027-0114 --json
    """
    desk = look(session, agreement)
    desk.require_open()
    versions = {version.bound.id: version.bound for version in (*desk.earlier, desk)}
    if milestone and all(
        m.key != milestone for v in versions.values() for m in v.agreement.milestones
    ):
        milestone_index(desk.bound, milestone)
    # Credits belong to no agreement; they are told with the version at hand.
    events = desk.escrow.history(desk.bound)
    recall = partial(recall_words, session.home)
    tellers = {i: Teller(bound, events, recall) for i, bound in versions.items()}
    told = [
        (event, teller, teller.tell(event))
        for event in events
        for teller in [tellers.get(version_of(event), tellers[desk.bound.id])]
        if version_of(event) in (*versions, b"")
        and (milestone is None or teller.is_about(event, milestone))
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
