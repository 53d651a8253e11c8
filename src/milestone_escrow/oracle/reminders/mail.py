"""Reminders by e-mail, over SMTP."""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage

from milestone_escrow.errors import UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.reminders.delivery import Delivery, DeliveryError, Mark
from milestone_escrow.oracle.reminders.mail_text import letter, read_address
from milestone_escrow.oracle.reminders.notices import OPERATOR, Notice
from milestone_escrow.oracle.reminders.situation import Situation

TIMEOUT = 20
SECURITY = ("starttls", "tls", "none")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How to send letters. `security` is "starttls", "tls" from the start, or "none".

    `operators` are written to about the service itself, and are sent a copy of everything where
    `copies` is set. Parties are written to at the addresses in their agreement, if `parties`.
    """

    host: str
    sender: str
    port: int = 587
    username: str = ""
    password: Secret | None = None
    security: str = "starttls"
    operators: tuple[str, ...] = ()
    parties: bool = True
    copies: bool = False

    def __post_init__(self) -> None:
        for address in (self.sender, *self.operators):
            read_address(address)
        if self.security not in SECURITY:
            raise UsageError(
                f"'{self.security}' is no way to secure mail", hint=f"one of {', '.join(SECURITY)}"
            )
        if self.password and self.security == "none":
            raise UsageError(
                "a password would be sent to the mail server unencrypted",
                hint='set security = "starttls" or "tls"',
            )


class MailChannel:
    """One letter for each person concerned, each with a connection of its own."""

    name = "email"

    def __init__(
        self,
        settings: MailSettings,
        *,
        signature: str = "Sent by the oracle of milestone-escrow.",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self.signature = signature
        self.context = context

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        found: list[str] = []
        if seen is not None and seen.document is not None and self.settings.parties:
            for role in notice.audience:
                party = seen.document.parties.get(role)
                if party is not None and party.email and _is_address(party.email):
                    found.append(party.email)
        if notice.audience and (self.settings.copies or OPERATOR in notice.audience):
            found += self.settings.operators
        return tuple(dict.fromkeys(found))

    def send(self, delivery: Delivery, mark: Mark) -> None:
        message = letter(delivery, self.settings.sender, signature=self.signature)
        try:
            connection = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise self._error("cannot be reached", error) from None
        try:
            self._hand_over(connection, message, delivery.to, mark)
        finally:
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        settings = self.settings
        context = self.context or ssl.create_default_context()
        connection: smtplib.SMTP
        if settings.security == "tls":
            connection = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=TIMEOUT, context=context
            )
        else:
            connection = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
        try:
            if settings.security == "starttls":
                connection.starttls(context=context)
            if settings.password is not None:
                connection.login(settings.username, settings.password.reveal())
            connection.ehlo_or_helo_if_needed()
        except BaseException:
            connection.close()
            raise
        return connection

    def _hand_over(
        self, connection: smtplib.SMTP, message: EmailMessage, to: str, mark: Mark
    ) -> None:
        """SMTP takes a message with the dot behind it, so everything before that is no risk."""
        try:
            self._expect(connection.mail(self.settings.sender), 250, "the sender")
            self._expect(connection.rcpt(to), 250, "the recipient")
            self._expect(connection.docmd("data"), 354, "a message")
            connection.send(_stuffed(message.as_bytes()))
        except (OSError, smtplib.SMTPException) as error:
            raise self._error("broke off", error) from None
        mark()
        try:
            connection.send(b".\r\n")
            answer = connection.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise self._error("did not confirm", error, unsure=True) from None
        self._expect(answer, 250, "the message")
        try:
            connection.quit()
        except (OSError, smtplib.SMTPException):
            return  # it has confirmed the message; how it says goodbye is its own affair

    def _expect(self, answer: tuple[int, bytes], wanted: int, what: str) -> None:
        code, text = answer
        if code == wanted or (wanted == 250 and code == 251):
            return
        said = re.sub(r"[^\x20-\x7e]+", " ", text.decode("utf-8", "replace"))[:200]
        raise DeliveryError(
            f"the mail server {self.settings.host} refused {what}: {code} {said}",
            lasting=code >= 500,
        )

    def _error(self, what: str, error: Exception, *, unsure: bool = False) -> DeliveryError:
        reason = type(error).__name__
        if isinstance(error, smtplib.SMTPAuthenticationError):
            reason = f"it refused the password of {self.settings.username}"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        return DeliveryError(
            f"the mail server {self.settings.host}:{self.settings.port} {what} ({reason})",
            unsure=unsure,
            hint="see [reminders.email] in the settings",
        )


def _stuffed(message: bytes) -> bytes:
    """Lines that begin with a dot get a second one, so that none ends the message early."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)


def _is_address(text: str) -> bool:
    try:
        read_address(text)
    except UsageError:
        return False
    return True
