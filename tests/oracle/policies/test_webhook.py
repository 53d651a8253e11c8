"""Events that others send: signed as agreed, fresh, counted once, about something known."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from milestone_escrow.errors import UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.policies.gather import gather
from milestone_escrow.oracle.policies.webhook import MAX_BODY, Hook, HookError, Received, receive
from milestone_escrow.oracle.policies.webhook_signature import is_signed, secret_bytes, sign
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from tests.oracle.conftest import DOMAIN
from tests.oracle.policies.world import NOW, House, build

SECRET = "0123456789abcdef0123456789abcdef"
HOOKS = {"notary": Hook(Secret("notary", SECRET))}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that nothing ever happens to: what is refused leaves no trace."""
    store = Store.open(tmp_path_factory.mktemp("quiet") / "oracle.db", DOMAIN)
    yield build(store)
    assert count(store) == 0
    store.close()


def headers(
    body: bytes, *, delivery: str = "d-1", at: int = NOW, secret: str = SECRET
) -> dict[str, str]:
    return {
        "Webhook-Id": delivery,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": sign(secret_bytes(secret), delivery, at, body),
    }


def event(house: House, **changes: object) -> bytes:
    fields = {
        "event": "handed-over", "agreement": "0x" + house.signed.id.hex(), "milestone": "handover",
        "weight": 12.50, "count": 3,
    }  # fmt: skip
    return json.dumps({**fields, **changes}).encode()


def send(
    house: House, body: bytes, given: dict[str, str], *, now: int = NOW, source: str = "notary"
) -> Received:
    with house.store.transaction() as connection:
        return receive(connection, HOOKS, source, given, body, now)


def count(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(t.observations)).scalar_one()


def test_signs_as_the_published_example_does() -> None:
    """The example of the Standard Webhooks libraries, which they all reproduce."""
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    delivery, at, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, delivery, at, body) == signature
    assert is_signed(secret, delivery, at, body, signature)


def test_the_signature_covers_id_time_and_body() -> None:
    raw = secret_bytes(SECRET)
    by_hand = hmac.new(SECRET.encode(), b"d-1.5.{}", hashlib.sha256).digest()
    assert sign(raw, "d-1", 5, b"{}") == "v1," + base64.b64encode(by_hand).decode()
    made = sign(raw, "d-1", 5, b"{}")
    assert not is_signed(raw, "d-2", 5, b"{}", made)
    assert not is_signed(raw, "d-1", 6, b"{}", made)
    assert not is_signed(raw, "d-1", 5, b"{ }", made)
    assert not is_signed(raw[1:], "d-1", 5, b"{}", made)
    assert not is_signed(raw, "d-1", 5, b"{}", "")
    assert not is_signed(raw, "d-1", 5, b"{}", "v1,é")


def test_one_of_several_signatures_is_enough_while_a_secret_changes() -> None:
    old, new = secret_bytes("o" * 32), secret_bytes("n" * 32)
    both = f"{sign(old, 'd', 1, b'x')} {sign(new, 'd', 1, b'x')}"
    assert is_signed(old, "d", 1, b"x", both)
    assert is_signed(new, "d", 1, b"x", both)


@pytest.mark.parametrize("secret", ["short", "whsec_c2hvcnQ=", "whsec_not base64!"])
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(UsageError):
        secret_bytes(secret)


def test_an_event_becomes_a_fact_and_is_recorded(any_store: Store) -> None:
    house = build(any_store)
    body = event(house)
    received = send(house, body, headers(body))
    assert received == Received("notary", "handed-over", house.signed.id, 3, is_new=True)
    with house.store.reading() as connection:
        (fact,) = gather(connection, house.view, 3).events
        assert gather(connection, house.view, 2).events == ()
        entry = list(audit_log.entries(connection))[-1]
    assert (fact.source, fact.name, fact.seen_at) == ("notary", "handed-over", NOW)
    assert fact.data == {"weight": "12.5", "count": 3}
    assert (entry.action, entry.actor) == ("event.received", "webhook notary")
    assert SECRET not in json.dumps(entry.data)


def test_the_same_delivery_counts_once_and_is_answered_alike(any_store: Store) -> None:
    house = build(any_store)
    body = event(house)
    assert send(house, body, headers(body)).is_new
    later = headers(body, at=NOW + 60)
    assert not send(house, body, later, now=NOW + 60).is_new
    assert count(house.store) == 1


def test_another_event_under_the_same_id_is_refused(house: House) -> None:
    body, other = event(house), event(house, event="returned")
    send(house, body, headers(body))
    with pytest.raises(HookError, match="with another content") as refused:
        send(house, other, headers(other))
    assert refused.value.status == 409
    assert count(house.store) == 1


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301, 0, NOW * 1000])
def test_an_event_that_is_not_fresh_is_refused(quiet: House, at: int) -> None:
    body = event(quiet)
    with pytest.raises(HookError) as refused:
        send(quiet, body, headers(body, at=at))
    assert refused.value.status == 401
    assert count(quiet.store) == 0


@pytest.mark.parametrize("at", [NOW - 300, NOW, NOW + 300])
def test_an_event_within_the_window_is_taken(house: House, at: int) -> None:
    body = event(house)
    assert send(house, body, headers(body, at=at)).is_new


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Webhook-Signature": ""}, 401),
        ({"Webhook-Signature": "v1,AAAA"}, 401),
        ({"Webhook-Id": ""}, 401),
        ({"Webhook-Id": "d 1"}, 401),
        ({"Webhook-Id": "d" * 101}, 401),
        ({"Webhook-Id": "d-2"}, 401),
        ({"Webhook-Timestamp": "now"}, 401),
        ({"Webhook-Timestamp": "-5"}, 401),
        ({"Webhook-Timestamp": str(NOW + 1)}, 401),
    ],
)
def test_headers_that_do_not_fit_are_refused(
    quiet: House, changes: dict[str, str], status: int
) -> None:
    body = event(quiet)
    with pytest.raises(HookError) as refused:
        send(quiet, body, {**headers(body), **changes})
    assert refused.value.status == status
    assert count(quiet.store) == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"{}", 400), (b"\xff", 400),
        (b"[" * 10_000, 400), (b"{" + b" " * MAX_BODY + b"}", 413),
    ],
)  # fmt: skip
def test_bodies_that_are_no_event_are_refused(quiet: House, body: bytes, status: int) -> None:
    with pytest.raises(HookError) as refused:
        send(quiet, body, headers(body))
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"agreement": "HOUSE-1"}, 404), ({"agreement": "0x" + "00" * 32}, 404),
        ({"milestone": "attic"}, 404), ({"milestone": 9}, 404), ({"milestone": ""}, 400),
        ({"milestone": "0"}, 404), ({"milestone": True}, 400),
        ({"event": ["x"]}, 400), ({"event": None}, 400),
    ],
)  # fmt: skip
def test_events_about_nothing_known_are_refused(
    quiet: House, changes: dict[str, object], status: int
) -> None:
    body = event(quiet, **changes)
    with pytest.raises(HookError) as refused:
        send(quiet, body, headers(body))
    assert refused.value.status == status


def test_an_unknown_sender_is_refused(quiet: House) -> None:
    body = event(quiet)
    with pytest.raises(HookError) as refused:
        send(quiet, body, headers(body), source="stranger")
    assert refused.value.status == 404


def test_the_example_of_the_page_signs_with_openssl(tmp_path: Path) -> None:
    """What docs/requirements.md tells a carrier to run, up to the sending."""
    page = Path(__file__).resolve().parents[3] / "docs" / "requirements.md"
    script = re.search(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert script
    lines = script[1].replace("$(cat carrier.secret)", SECRET)
    signing = lines.split("curl ")[0]
    done = subprocess.run(
        ["bash", "-euc", signing + '\nprintf "%s\\n%s\\n%s" "$id" "$time" "$signature"'],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    delivery, moment, signature = done.stdout.split("\n")
    body = re.search(r"body='(.*?)'\n", lines, re.DOTALL)
    assert body
    assert is_signed(
        secret_bytes(SECRET), delivery, int(moment), body[1].encode(), f"v1,{signature}"
    )
    assert "webhook-signature: v1,$signature" in lines
