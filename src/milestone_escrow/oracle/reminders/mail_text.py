"""A delivery as a letter in plain words."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.reminders.delivery import Delivery

MAX_SUBJECT = 150

# Plain ASCII addresses only: anything else could hide a second recipient or a header.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def read_address(text: str) -> str:
    """An e-mail address that a letter may be sent to.

    Raises:
        UsageError: it is not a plain address.
    """
    if len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise UsageError(
            f"'{text[:80]}' is not an e-mail address", hint="write it as name@company.example"
        )
    return text


def one_line(text: str) -> str:
    """Text as one line: what others wrote starts no header and turns no direction of writing."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def letter(delivery: Delivery, sender: str, *, signature: str) -> EmailMessage:
    """The message to send; the same bytes each time, but for a note where it may be a second one.

    `signature` says who watches what, in one line.
    """
    body = delivery.body
    agreement = body["agreement"]
    name = f"[{agreement['reference']}] " if agreement else ""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = read_address(delivery.to)
    message["Subject"] = one_line(f"{name}{body['subject']}")[:MAX_SUBJECT]
    message["Date"] = formatdate(body["written_at"])
    message["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(_lines(delivery, signature)), cte="quoted-printable")
    return message


def _lines(delivery: Delivery, signature: str) -> list[str]:
    body = delivery.body
    lines = [one_line(body["text"]), ""]
    if delivery.again:
        lines += ["This letter may have reached you before: sending it was interrupted.", ""]
    if agreement := body["agreement"]:
        title = f", {one_line(agreement['title'])}" if agreement["title"] else ""
        lines.append(f"Agreement: {one_line(agreement['reference'])}{title}")
    if milestone := body["milestone"]:
        title = f", {one_line(milestone['title'])}" if milestone["title"] else ""
        lines.append(f"Milestone: {milestone['key']}{title}, {milestone['amount_text']}")
    chain = body["facts"].get("chain")
    if isinstance(chain, dict):
        lines.append(f"Transaction: {chain['transaction']}")
    if agreement:
        lines.append(f"Id: {agreement['id']}")
    return [*lines, "", "-- ", one_line(signature)]
