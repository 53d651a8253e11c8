"""One notice on its way to one recipient, and what a channel is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Situation

MAX_NAME = 20


class DeliveryError(EscrowError):
    """A channel could not deliver. `lasting` = trying again cannot help; `unsure` = it may have
    arrived all the same."""

    def __init__(
        self, message: str, *, lasting: bool = False, unsure: bool = False, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint, lasting=lasting, unsure=unsure)
        self.lasting = lasting
        self.unsure = unsure


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `reminders` as a channel sends it.

    `id` is the same however often it is sent, so that whoever receives it knows it again. `again`
    is set where an instance died while sending: it may have gone out before.
    """

    key: str
    kind: str
    to: str
    body: Mapping[str, Any]
    again: bool = False

    @property
    def id(self) -> str:
        return delivery_id(self.key)


def delivery_id(key: str) -> str:
    return "rem_" + sha256(key.encode()).hexdigest()[:32]


Mark = Callable[[], None]
"""Called at the last moment from which on a delivery may have gone out; raises if it must not."""


class Channel(Protocol):
    """A way to tell. `name` is at most 20 characters and part of what makes a delivery unique."""

    @property
    def name(self) -> str: ...

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        """Whom to send it to, one delivery each; () where this channel is not concerned."""
        ...

    def send(self, delivery: Delivery, mark: Mark) -> None:
        """Deliver, having called `mark` before anything can have arrived.

        Raises:
            DeliveryError: it was not delivered.
        """
        ...


def row_key(channel: str, to: str, notice_key: str) -> str:
    """One row for each notice, channel and recipient; recipients are not in it readably."""
    who = f"+{sha256(to.encode()).hexdigest()[:12]}" if to else ""
    return f"{channel}{who}/{notice_key}"


def body_of(notice: Notice, seen: Situation | None, to: str, now: int) -> dict[str, Any]:
    """What a row holds: enough to send it without looking at anything else."""
    agreement = None
    if seen is not None:
        title = seen.document.title if seen.document else ""
        agreement = {
            "id": "0x" + seen.agreement_id.hex(),
            "reference": seen.reference,
            "title": title,
        }
    milestone = None
    if seen is not None and notice.milestone is not None:
        planned = seen.document.milestones[notice.milestone] if seen.document else None
        milestone = {
            "index": notice.milestone,
            "key": seen.key(notice.milestone),
            "title": planned.title if planned else "",
            "amount": str(seen.milestones[notice.milestone].amount),
            "amount_text": seen.names.amount(seen.milestones[notice.milestone].amount),
        }
    return {
        "notice": notice.key,
        "at": notice.at,
        "until": notice.until,
        "block": notice.block,
        "subject": notice.subject,
        "text": notice.text,
        "facts": dict(notice.facts),
        "agreement": agreement,
        "milestone": milestone,
        "to": to,
        "written_at": now,
    }
