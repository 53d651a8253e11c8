"""Letters over SMTP, to a mail server in this process."""

from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from milestone_escrow.errors import UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.reminders.delivery import Delivery, DeliveryError
from milestone_escrow.oracle.reminders.dispatch import LEASE_SECONDS, send_due
from milestone_escrow.oracle.reminders.mail import MailChannel, MailSettings
from milestone_escrow.oracle.reminders.mail_text import letter, one_line, read_address
from milestone_escrow.oracle.reminders.planner import Planner
from milestone_escrow.oracle.reminders.worth_telling import alarm
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store.store import Store
from tests.oracle.reminders.certificate import self_signed
from tests.oracle.reminders.chronicle import Chronicle

PASSWORD = "correct horse battery staple"


class Mailbox:
    """What a mail server took, and what it shall answer instead."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.answer = "250 OK"
        self.refused: set[str] = set()
        self.encrypted: list[bool] = []

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
            message = email.message_from_bytes(envelope.content, policy=default)
            self.taken.append(message)  # type: ignore[arg-type]
            self.recipients.append(list(envelope.rcpt_tos))
            self.encrypted.append(session.ssl is not None)
        return self.answer


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    """A mail server without encryption."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free())
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def channel(port: int) -> MailChannel:
    return MailChannel(_settings(port))


def _settings(port: int, **more: Any) -> MailSettings:
    return MailSettings(
        "127.0.0.1",
        "oracle@escrow.example",
        port,
        **{"security": "none", "operators": ("ops@escrow.example",), **more},
    )


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _delivery(**body: Any) -> Delivery:
    full = {
        "subject": "'packed' is due on 29 Mar 2027, 23:59 UTC+02:00",
        "text": "'packed' is due. It pays 36,000.00 USDC to Rajwada Exports.",
        "agreement": {"id": "0x" + "ab" * 32, "reference": "PO-1", "title": "Teppiche für Köln"},
        "milestone": None,
        "facts": {},
        "written_at": 1_800_000_000,
    }
    return Delivery("email+x/due/1", "due", "einkauf@nordlicht.example", {**full, **body})


def test_a_letter_says_what_is_due_in_plain_words(
    store: Store, chronicle: Chronicle, channel: MailChannel, mailbox: Mailbox
) -> None:
    _tell_of_funding(store, chronicle, channel)
    assert sorted(mailbox.recipients) == [
        ["accounts@rajwada.example"],
        ["einkauf@nordlicht.example"],
    ]
    message = mailbox.taken[0]
    assert message["Subject"] == "[PO-2027-0114] 'manufactured' is funded"
    text = message.get_content()
    assert "72,000.00 USDC for 'manufactured' were paid in by Nordlicht Teppiche." in text
    assert "Agreement: PO-2027-0114, 1,200 hand-knotted carpets, Jaipur to Hamburg" in text
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@escrow.example>")


def test_two_people_get_two_letters_with_two_ids(
    store: Store, chronicle: Chronicle, channel: MailChannel, mailbox: Mailbox
) -> None:
    _tell_of_funding(store, chronicle, channel)
    assert len({message["Message-ID"] for message in mailbox.taken}) == 2
    assert all(len(recipients) == 1 for recipients in mailbox.recipients)


def test_the_operator_is_written_to_about_the_service(channel: MailChannel) -> None:
    notice = alarm("low_gas", "0x" + "1" * 40, "it has 0.01 ETH left", 0)
    assert channel.recipients(notice, None) == ("ops@escrow.example",)


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nBcc: thief@evil.example",
        "x\nX-Header: 1",
        "x\x00y",
        "x\u2028y",
        "a" * 5_000,
        "\u202eoslaf",
    ],
)
def test_what_others_wrote_starts_no_header(
    channel: MailChannel, mailbox: Mailbox, evil: str
) -> None:
    agreement = {"id": "0x" + "ab" * 32, "reference": evil, "title": evil}
    channel.send(_delivery(subject=evil, agreement=agreement), lambda: None)
    (message,) = mailbox.taken
    assert set(message.keys()) >= {"From", "To", "Subject", "Message-ID", "Date"}
    assert message["Bcc"] is None
    assert message["X-Header"] is None
    assert mailbox.recipients == [["einkauf@nordlicht.example"]]
    assert "\u202e" not in message["Subject"]


@pytest.mark.parametrize(
    "evil",
    [
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "a@b.example, c@d.example",
        "<a@b.example>",
        "a b@c.example",
        "nobody",
        "ä@b.example",
        "a@b..example",
        "a@" + "b" * 300,
    ],
)
def test_only_a_plain_address_is_written_to(evil: str) -> None:
    with pytest.raises(UsageError, match="is not an e-mail address"):
        read_address(evil)


def test_a_line_of_one_dot_does_not_end_the_letter(channel: MailChannel, mailbox: Mailbox) -> None:
    from milestone_escrow.oracle.reminders.mail import _stuffed

    assert _stuffed(b"a\n.\n..b\r\nc") == b"a\r\n..\r\n...b\r\nc\r\n"
    channel.send(_delivery(text=". " + "x" * 200), lambda: None)
    assert mailbox.taken[0].get_content().startswith(". xxx")


def test_the_same_delivery_is_the_same_letter(channel: MailChannel) -> None:
    one = letter(_delivery(), "oracle@escrow.example", signature="s").as_bytes()
    assert one == letter(_delivery(), "oracle@escrow.example", signature="s").as_bytes()


def test_nothing_can_have_arrived_before_the_mark(channel: MailChannel, mailbox: Mailbox) -> None:
    class StopError(Exception):
        pass

    def mark() -> None:
        raise StopError

    with pytest.raises(StopError):
        channel.send(_delivery(), mark)
    channel.send(_delivery(), lambda: None)
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize(("answer", "lasting"), [("451 later", False), ("554 never", True)])
def test_a_refusal_says_whether_it_lasts(
    channel: MailChannel, mailbox: Mailbox, answer: str, lasting: bool
) -> None:
    mailbox.answer = answer
    with pytest.raises(DeliveryError, match="refused the message") as caught:
        channel.send(_delivery(), lambda: None)
    assert (caught.value.lasting, caught.value.unsure) == (lasting, False)


def test_a_mailbox_that_does_not_exist_lasts(channel: MailChannel, mailbox: Mailbox) -> None:
    mailbox.refused = {"einkauf@nordlicht.example"}
    marks: list[bool] = []
    with pytest.raises(DeliveryError, match="550 no such mailbox") as caught:
        channel.send(_delivery(), lambda: marks.append(True))
    assert caught.value.lasting
    assert not marks


def test_a_server_that_is_away_is_tried_later() -> None:
    channel = MailChannel(_settings(_free()))
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        channel.send(_delivery(), lambda: None)
    assert not caught.value.lasting
    assert not caught.value.unsure


def test_a_server_that_dies_before_it_confirms_leaves_it_unsure() -> None:
    with _half_server() as port, pytest.raises(DeliveryError, match="did not confirm") as caught:
        MailChannel(_settings(port)).send(_delivery(), lambda: None)
    assert caught.value.unsure


def test_killed_after_the_server_took_it_the_second_letter_has_the_same_id(
    store: Store, chronicle: Chronicle, channel: MailChannel, mailbox: Mailbox
) -> None:
    class Killed(BaseException):
        pass

    def hook(step: str) -> None:
        if step == "reminders.accepted":
            failpoints.set_hook(None)
            raise Killed

    failpoints.set_hook(hook)
    with pytest.raises(Killed):
        _tell_of_funding(store, chronicle, channel)
    wall = chronicle.time + LEASE_SECONDS + 1
    send_due(store, [channel], "two", lambda: wall, now=chronicle.time)
    ids = [message["Message-ID"] for message in mailbox.taken]
    assert len(ids) == 3
    assert len(set(ids)) == 2
    again = [m for m in mailbox.taken if "may have reached you before" in m.get_content()]
    assert len(again) == 1


def test_starttls_and_the_password_protect_the_letter(tmp_path: Path, mailbox: Mailbox) -> None:
    certificate, context = self_signed(tmp_path)
    seen: list[object] = []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=_free(),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    try:
        trusting = ssl.create_default_context(cafile=str(certificate))
        for password, fails in ((PASSWORD, False), ("wrong", True)):
            settings = _settings(
                controller.port,
                security="starttls",
                username="oracle",
                password=Secret("email", password),
            )
            channel = MailChannel(settings, context=trusting)
            if fails:
                with pytest.raises(DeliveryError, match="refused the password of oracle") as caught:
                    channel.send(_delivery(), lambda: None)
                assert "wrong" not in str(caught.value)
            else:
                channel.send(_delivery(), lambda: None)
    finally:
        controller.stop()
    assert seen[0] == (b"oracle", PASSWORD.encode())
    assert mailbox.encrypted == [True]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, mailbox: Mailbox) -> None:
    _, context = self_signed(tmp_path)
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free(), tls_context=context)
    controller.start()
    try:
        channel = MailChannel(_settings(controller.port, security="starttls"))
        with pytest.raises(DeliveryError, match="cannot be reached"):
            channel.send(_delivery(), lambda: None)
    finally:
        controller.stop()
    assert not mailbox.taken


def test_a_password_is_never_sent_in_the_clear() -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        _settings(25, password=Secret("email", PASSWORD))


def test_settings_do_not_show_the_password() -> None:
    settings = _settings(25, security="tls", password=Secret("email", PASSWORD))
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in str(MailChannel(settings))


def test_one_line_keeps_people_s_letters() -> None:
    assert one_line("Köln\r\n–  東京") == "Köln – 東京"


def _tell_of_funding(store: Store, chronicle: Chronicle, channel: MailChannel) -> None:
    planner = Planner(store, [channel])
    chronicle.opened()
    chronicle.finalize_all()
    chronicle.write(store)
    chronicle.time += 7_201
    planner.round(chronicle.time, chronicle.time)
    chronicle.funded(1)
    chronicle.finalize_all()
    chronicle.write(store)
    planner.round(chronicle.time, chronicle.time)
    send_due(store, [channel], "one", lambda: chronicle.time)


class _half_server:  # noqa: N801
    """Takes everything and hangs up instead of confirming."""

    def __enter__(self) -> int:
        import threading

        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self.listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _serve(self) -> None:
        peer, _ = self.listener.accept()
        with peer, peer.makefile("rb") as lines:
            peer.sendall(b"220 hello\r\n")
            for line in lines:
                if line.lower().startswith(b"data"):
                    peer.sendall(b"354 go on\r\n")
                elif line == b".\r\n":
                    return
                elif line[:4].lower() in (b"ehlo", b"helo", b"mail", b"rcpt"):
                    peer.sendall(b"250 OK\r\n")
