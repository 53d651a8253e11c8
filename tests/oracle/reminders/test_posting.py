"""Webhooks, to a web server in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from milestone_escrow.errors import UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.policies.http import Fetcher
from milestone_escrow.oracle.policies.webhook_signature import secret_bytes, sign
from milestone_escrow.oracle.reminders.delivery import Delivery, DeliveryError
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.posting import (
    SignatureError,
    WebhookChannel,
    payload,
    verify,
)

NOW = 1_800_000_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = {
    "at": NOW,
    "until": None,
    "subject": "'packed' is funded",
    "text": "36,000.00 USDC for 'packed' were paid in.",
    "agreement": {"id": "0x" + "ab" * 32, "reference": "PO-1", "title": "Teppiche"},
    "milestone": {"index": 2, "key": "packed"},
    "facts": {"amount": "36000000000"},
    "to": "",
}
DELIVERY = Delivery("hook:erp/milestone.funded/1", "milestone.funded", "", BODY)


@dataclass
class Sink:
    """An ERP's address: what came, and what it answers."""

    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hang_up: bool = False
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=escrow"


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.got.append((dict(self.headers), body))
            assert self.path == "/hooks?from=escrow"
            if sink.hang_up:
                self.close_connection = True
                return
            self.send_response(sink.status)
            self.send_header("Location", sink.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield sink
    server.shutdown()
    server.server_close()
    thread.join()


def hook(url: str, *kinds: str, private: bool = True, secret: str = SECRET) -> WebhookChannel:
    hosts = frozenset({"127.0.0.1"}) if private else frozenset()
    fetcher = Fetcher(seconds=5, plain=True, private=hosts)
    return WebhookChannel("erp", url, Secret("erp", secret), lambda: NOW, kinds, fetcher)


def test_the_body_is_signed_and_says_what_happened(sink: Sink) -> None:
    hook(sink.url).send(DELIVERY, lambda: None)
    ((headers, body),) = sink.got
    assert verify(SECRET, headers, body, NOW) == DELIVERY.id
    assert json.loads(body) == {
        "api": 1,
        "id": DELIVERY.id,
        "type": "milestone.funded",
        "at": NOW,
        "until": None,
        "subject": "'packed' is funded",
        "text": "36,000.00 USDC for 'packed' were paid in.",
        "agreement": BODY["agreement"],
        "milestone": BODY["milestone"],
        "facts": {"amount": "36000000000"},
    }


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of their own libraries."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    assert verify(SECRET, headers, body, 1614265330) == headers["webhook-id"]


@pytest.mark.parametrize("field_", ["id", "time", "body", "secret", "late", "missing"])
def test_a_changed_or_old_webhook_is_refused(field_: str) -> None:
    body = payload(DELIVERY)
    headers = {
        "Webhook-Id": DELIVERY.id,
        "Webhook-Timestamp": str(NOW),
        "Webhook-Signature": "v1,AAAA " + sign(secret_bytes(SECRET), DELIVERY.id, NOW, body),
    }
    assert verify(SECRET, headers, body, NOW + 299) == DELIVERY.id
    secret, now = SECRET, NOW
    if field_ == "id":
        headers["Webhook-Id"] = "rem_other"
    elif field_ == "time":
        headers["Webhook-Timestamp"] = str(NOW + 1)
    elif field_ == "body":
        body = body.replace(b"36000000000", b"36000000001")
    elif field_ == "secret":
        secret = "another secret, as long"
    elif field_ == "late":
        now = NOW + 301
    else:
        del headers["Webhook-Timestamp"]
    with pytest.raises(SignatureError):
        verify(secret, headers, body, now)


def test_every_attempt_has_the_same_id_and_body(sink: Sink) -> None:
    channel = hook(sink.url)
    for _ in range(2):
        channel.send(DELIVERY, lambda: None)
    (first, body), (second, again) = sink.got
    assert first["webhook-id"] == second["webhook-id"]
    assert body == again


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 503])
def test_any_other_answer_is_tried_again(sink: Sink, status: int) -> None:
    sink.status = status
    with pytest.raises(DeliveryError, match=f"erp answered {status}") as caught:
        hook(sink.url).send(DELIVERY, lambda: None)
    assert not caught.value.lasting
    assert len(sink.got) == 1, "a redirect is not followed"


def test_an_address_that_is_gone_for_good_is_not_asked_again(sink: Sink) -> None:
    sink.status = 410
    with pytest.raises(DeliveryError) as caught:
        hook(sink.url).send(DELIVERY, lambda: None)
    assert caught.value.lasting


def test_a_receiver_that_hangs_up_leaves_it_unsure(sink: Sink) -> None:
    sink.hang_up = True
    with pytest.raises(DeliveryError) as caught:
        hook(sink.url).send(DELIVERY, lambda: None)
    assert caught.value.unsure


def test_private_addresses_are_refused_unless_told_otherwise(sink: Sink) -> None:
    marks: list[bool] = []
    with pytest.raises(DeliveryError, match="not a public address") as caught:
        hook(sink.url, private=False).send(DELIVERY, lambda: marks.append(True))
    assert not caught.value.unsure
    assert not marks
    assert not sink.got


def test_an_address_chooses_what_it_wants_to_hear(sink: Sink) -> None:
    def wanted(kind: str, *kinds: str) -> bool:
        notice = Notice(kind, b"a" * 32, 0, "once", 0, "s", "t")
        return bool(hook(sink.url, *kinds).recipients(notice, None))

    assert wanted("milestone.funded")
    assert wanted("milestone.funded", "milestone")
    assert wanted("milestone.funded", "milestone.funded")
    assert not wanted("due", "milestone.funded")
    assert not wanted("milestones", "milestone")


def test_the_secret_shows_nowhere(sink: Sink) -> None:
    channel = hook(sink.url)
    assert SECRET not in repr(channel)
    channel.send(DELIVERY, lambda: None)
    ((headers, body),) = sink.got
    assert SECRET not in str(headers) + body.decode()


def test_a_name_too_long_for_its_column_is_refused() -> None:
    with pytest.raises(UsageError, match="too long a name"):
        WebhookChannel("a" * 30, "https://erp.example", Secret("erp", SECRET), lambda: NOW)


def test_a_secret_that_is_damaged_is_refused() -> None:
    with pytest.raises(UsageError, match="not base64"):
        verify("whsec_!", {"webhook-id": "a", "webhook-timestamp": "0"}, b"", 0)
