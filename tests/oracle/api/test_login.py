"""Signing in and out, and what a browser must not be made to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from milestone_escrow.oracle.api import sessions
from milestone_escrow.oracle.store import tables as t
from tests.oracle.api.world import OPERATOR, ORIGIN, World, agreement, sign, signer
from tests.oracle.wallets import Accepting

SAME_SITE = {"X-Escrow-Request": "1", "Origin": ORIGIN}


def test_a_wallet_signs_in_and_gets_a_token(world: World) -> None:
    found = world.login("buyer")
    assert found["account"] == signer("buyer").address
    assert found["expires_at"]["unix"] == int(world.clock.now) + sessions.SESSION_SECONDS
    me = world.get("/v1/session", "buyer").json()
    assert (me["account"], me["token"]) == (signer("buyer").address, None)
    assert "set-cookie" not in world.get("/v1/session", "buyer").headers


def test_the_store_holds_no_token(world: World) -> None:
    token = world.login("buyer")["token"]
    with world.store.reading() as connection:
        (stored,) = connection.execute(select(t.sessions.c.token_hash)).scalars()
    assert stored == sessions.hashed(token)
    assert token.encode() not in stored


def test_a_nonce_works_once(world: World) -> None:
    message = world.message("buyer")
    body = {"message": message, "signature": sign("buyer", message)}
    assert world.client.post("/v1/login", json=body).status_code == 200
    again = world.client.post("/v1/login", json=body)
    assert again.status_code == 401
    assert "nonce" in again.json()["detail"]


def test_a_failed_attempt_uses_up_the_nonce(world: World) -> None:
    message = world.message("buyer")
    wrong = {"message": message, "signature": sign("stranger", message)}
    assert world.client.post("/v1/login", json=wrong).status_code == 401
    right = {"message": message, "signature": sign("buyer", message)}
    assert world.client.post("/v1/login", json=right).status_code == 401


@pytest.mark.parametrize("seconds", [600, 3_000])
def test_an_old_nonce_is_refused(world: World, seconds: int) -> None:
    message = world.message("buyer")
    text = message.replace("Expiration Time: 2027", "Expiration Time: 2028")
    world.clock.now += seconds
    answer = world.client.post(
        "/v1/login", json={"message": text, "signature": sign("buyer", text)}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("oracle.example wants", "evil.example wants"),
        ("URI: http://oracle.example", "URI: http://evil.example"),
        ("Chain ID: 1296388931", "Chain ID: 1"),
        ("Version: 1", "Version: 2"),
        ("Expiration Time: 2027", "Expiration Time: 2026"),
    ],
)
def test_a_message_for_something_else_is_refused(world: World, old: str, new: str) -> None:
    text = world.message("buyer").replace(old, new)
    assert new in text
    answer = world.client.post(
        "/v1/login", json={"message": text, "signature": sign("buyer", text)}
    )
    assert answer.status_code == 422


def test_a_nonce_that_was_never_given_is_refused(world: World) -> None:
    text = world.message("buyer")
    nonce = text.split("Nonce: ")[1].split("\n")[0]
    text = text.replace(nonce, "0" * 24)
    answer = world.client.post(
        "/v1/login", json={"message": text, "signature": sign("buyer", text)}
    )
    assert answer.status_code == 401


def test_a_contract_wallet_signs_in_through_its_chain(make: Callable[..., World]) -> None:
    world = make(wallets=Accepting(b"safe"))
    message = world.message("buyer")
    body = {"message": message, "signature": "0x" + b"safe".hex()}
    assert world.client.post("/v1/login", json=body).status_code == 200


def test_a_wallet_that_is_not_deployed_yet_is_told_to_be(make: Callable[..., World]) -> None:
    world = make(wallets=Accepting(b"safe"))
    body = {"message": world.message("buyer"), "signature": "0x" + "6492" * 16}
    answer = world.client.post("/v1/login", json=body)
    assert answer.status_code == 401
    assert "deploy the wallet first, then give this again" in answer.json()["detail"]


def test_a_session_ends_by_itself(world: World) -> None:
    headers = world.as_("buyer")
    world.clock.now += sessions.SESSION_SECONDS
    answer = world.client.get("/v1/session", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_signing_out_ends_the_session(world: World) -> None:
    headers = world.as_("buyer")
    assert world.client.delete("/v1/session", headers=headers).status_code == 204
    assert world.client.get("/v1/session", headers=headers).status_code == 401


def test_signing_out_everywhere_ends_all_of_the_accounts_sessions(world: World) -> None:
    tokens = [world.login("buyer")["token"] for _ in range(2)]
    other = world.as_("supplier")
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    answer = world.client.delete("/v1/session?everywhere=true", headers=headers[0])
    assert answer.status_code == 204
    assert [world.client.get("/v1/session", headers=h).status_code for h in headers] == [401, 401]
    assert world.client.get("/v1/session", headers=other).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer nonsense", "Bearer ", "Basic YTpi", "Bearer escrow_l_x", "Bearer escrow_s_x", "x"],
)
def test_a_wrong_token_is_refused_and_not_ignored(world: World, header: str) -> None:
    answer = world.client.get("/v1/agreements", headers={"Authorization": header})
    assert answer.status_code == 401


def test_the_operators_token_opens_what_nobody_else_reads(world: World) -> None:
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    assert world.client.get("/v1/session", headers=headers).json()["is_operator"]
    assert world.client.get(world.url, headers=headers).json()["document"]


def test_no_operators_token_opens_anything_where_none_is_set(make: Callable[..., World]) -> None:
    world = make(operator_token=b"")
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    assert world.client.get("/v1/session", headers=headers).status_code == 401


def cookie_of(world: World, role: str = "buyer") -> str:
    world.login(role, "cookie", **SAME_SITE)
    (cookie,) = world.client.cookies.jar
    return str(cookie.value)


def test_a_browser_gets_a_cookie_that_scripts_and_other_sites_do_not_see(world: World) -> None:
    message = world.message("buyer")
    body = {"message": message, "signature": sign("buyer", message), "session": "cookie"}
    answer = world.client.post("/v1/login", json=body, headers=SAME_SITE)
    assert answer.json()["token"] is None
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("escrow_session=escrow_s_")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(
    make: Callable[..., World],
) -> None:
    world = make(origin="https://oracle.example")
    message = world.message("buyer")
    body = {"message": message, "signature": sign("buyer", message), "session": "cookie"}
    headers = {"X-Escrow-Request": "1", "Origin": "https://oracle.example"}
    answer = world.client.post("/v1/login", json=body, headers=headers)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-escrow=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "strict-transport-security" in answer.headers


def test_signing_in_gives_a_new_token_and_ends_the_old_session(world: World) -> None:
    """What somebody planted in the browser before never becomes a session."""
    world.client.cookies.set("escrow_session", "escrow_s_planted", domain="oracle.example")
    first = cookie_of(world)
    assert first != "escrow_s_planted"
    second = cookie_of(world)
    assert second != first
    world.client.cookies.clear()
    old = world.client.get("/v1/session", headers={"Authorization": f"Bearer {first}"})
    assert old.status_code == 401


def test_an_expired_cookie_is_nobody(world: World) -> None:
    cookie_of(world)
    world.clock.now += sessions.SESSION_SECONDS
    answer = world.client.get("/v1/session")
    assert (answer.status_code, answer.json()["account"]) == (200, None)


def test_signing_out_takes_the_cookie_away(world: World) -> None:
    token = cookie_of(world)
    answer = world.client.delete("/v1/session", headers=SAME_SITE)
    assert answer.status_code == 204
    assert 'escrow_session=""' in answer.headers["set-cookie"]
    headers = {"Authorization": f"Bearer {token}"}
    assert world.client.get("/v1/session", headers=headers).status_code == 401


CROSS_SITE: dict[str, dict[str, str]] = {
    "no header of ours": {"Origin": ORIGIN},
    "another origin": {**SAME_SITE, "Origin": "http://evil.example"},
    "our host on another port": {**SAME_SITE, "Origin": ORIGIN + ":8080"},
    "an opaque origin": {**SAME_SITE, "Origin": "null"},
    "another site, says the browser": {**SAME_SITE, "Sec-Fetch-Site": "cross-site"},
    "a sister domain, says the browser": {**SAME_SITE, "Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", CROSS_SITE.values(), ids=CROSS_SITE.keys())
def test_another_site_cannot_act_with_the_cookie(world: World, headers: dict[str, str]) -> None:
    cookie_of(world)
    body: dict[str, Any] = agreement("SHED-8").to_json()
    refused = world.client.post("/v1/agreements", json=body, headers=headers)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("cross-site")
    assert world.client.post("/v1/agreements", json=body, headers=SAME_SITE).status_code == 201


@pytest.mark.parametrize("headers", CROSS_SITE.values(), ids=CROSS_SITE.keys())
def test_another_site_cannot_sign_its_own_account_in(world: World, headers: dict[str, str]) -> None:
    message = world.message("stranger")
    body = {"message": message, "signature": sign("stranger", message), "session": "cookie"}
    answer = world.client.post("/v1/login", json=body, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_reading_with_a_cookie_needs_no_header(world: World) -> None:
    cookie_of(world)
    assert world.client.get("/v1/session").json()["account"] == signer("buyer").address
    assert world.client.get(world.url).json()["document"]


def test_a_token_needs_no_header_since_browsers_never_send_it_by_themselves(world: World) -> None:
    answer = world.post("/v1/agreements", "buyer", json=agreement("SHED-9").to_json())
    assert answer.status_code == 201
