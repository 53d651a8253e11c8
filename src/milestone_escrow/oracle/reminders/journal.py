"""Reminders as lines of the service's own log: where nothing else is set up, and beside it."""

from __future__ import annotations

import logging

from milestone_escrow.oracle.reminders.delivery import Delivery, Mark
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Situation

log = logging.getLogger("milestone_escrow.oracle.reminders")


class LogChannel:
    """One line for each notice, with its id."""

    name = "log"

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        return ("",)

    def send(self, delivery: Delivery, mark: Mark) -> None:
        agreement = delivery.body["agreement"]
        milestone = delivery.body["milestone"]
        mark()
        log.info(
            delivery.body["text"],
            extra={
                "fields": {
                    "id": delivery.id,
                    "kind": delivery.kind,
                    "agreement": agreement["reference"] if agreement else None,
                    "milestone": milestone["key"] if milestone else None,
                }
            },
        )
