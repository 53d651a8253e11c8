"""What every request passes: headers, limits, the log, and refusals of one shape."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import pytest

from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.throttle import RATES, Buckets, Rate, caller_address, networks
from tests.oracle.api.world import World


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/agreements", "/v1/agreements/x", "/nowhere", "/v1/openapi.json"]
)
def test_every_answer_forbids_framing_sniffing_and_caching(world: World, path: str) -> None:
    headers = world.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert headers["x-request-id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_a_path_does_not_know_is_refused_with_those_it_knows(
    world: World, method: str
) -> None:
    answer = world.client.request(method, world.url)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.headers["content-type"] == "application/problem+json"
    several = world.client.request("PUT", "/v1/session")
    assert several.headers["allow"] == "DELETE, GET"
    below = world.client.request("PUT", f"{world.url}/milestones/1/evidence")
    assert below.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/agreements/", "/docs", "/redoc", "/openapi.json"]
)
def test_there_is_nothing_else(world: World, path: str) -> None:
    answer = world.get(path)
    assert answer.status_code == 404
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    "path", ["/v1/login/nonce", "/v1/login", "/v1/agreements", "/v1/hooks/carrier"]
)
def test_json_is_asked_for(world: World, path: str) -> None:
    for given in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = world.post(path, "buyer", content=b"{}", headers={"Content-Type": given})
        assert answer.status_code == 415
        assert answer.headers["accept-post"] == "application/json"


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'])
def test_a_body_that_is_no_json_is_refused(world: World, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = world.post("/v1/login", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_brackets_without_end_do_not_bring_the_process_down(world: World) -> None:
    """Other libraries raise Python's limit of recursion; then the parser would use up the stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        headers = {"Content-Type": "application/json"}
        for content in (b"[" * 200_000, b'{"a":' * 40_000):
            for path in ("/v1/login", "/v1/agreements", f"{world.url}/milestones/1/attestations"):
                answer = world.post(path, "buyer", content=content, headers=headers)
                assert answer.status_code == 400, path
            evidence = f"{world.url}/milestones/1/evidence"
            answer = world.post(evidence, "buyer", content=content, headers=headers)
            assert answer.status_code == 400
    finally:
        sys.setrecursionlimit(before)


def test_a_field_that_is_given_twice_is_refused(world: World) -> None:
    headers = {"Content-Type": "application/json"}
    content = b'{"account": null, "account": null}'
    assert world.post("/v1/login/nonce", content=content, headers=headers).status_code == 400


def test_a_refusal_does_not_repeat_what_was_sent(world: World) -> None:
    body = {"message": 5, "signature": "my secret seed words"}
    answer = world.client.post("/v1/login", json=body)
    assert answer.status_code == 422
    assert "seed words" not in answer.text
    wheres = {complaint["where"] for complaint in answer.json()["errors"]}
    assert {"body.message", "body.signature"} <= wheres


def test_a_large_body_is_refused_by_what_it_declares_and_by_what_it_is(world: World) -> None:
    large = b'{"message": "' + b"x" * 300_000 + b'"}'
    headers = {"Content-Type": "application/json"}
    declared = world.client.post("/v1/login", content=large, headers=headers)
    counted = world.client.post("/v1/login", content=iter([large]), headers=headers)
    for answer in (declared, counted):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"


def test_what_the_page_takes_may_be_as_large_as_a_document(world: World) -> None:
    assert world.client.post("/web/drafts", content=b"x" * 2_000_000).status_code == 404
    assert world.client.post("/web/drafts", content=b"x" * 7_000_000).status_code == 413


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 40])
def test_a_length_that_is_none_is_refused(world: World, length: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": length}
    answer = world.client.post("/v1/login", content=b"{}", headers=headers)
    assert answer.status_code in (400, 413)


def test_one_caller_too_often_waits_as_long_as_it_is_told(make: Callable[..., World]) -> None:
    world = make(rates={**RATES, "login": Rate(2, 0.1)})
    codes = [world.client.post("/v1/login/nonce", json={}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    refused = world.client.post("/v1/login/nonce", json={})
    wait = int(refused.headers["retry-after"])
    assert refused.json()["type"].endswith("too-many-requests")
    world.clock.now += wait
    assert world.client.post("/v1/login/nonce", json={}).status_code == 200


def test_an_account_is_counted_wherever_it_comes_from(make: Callable[..., World]) -> None:
    world = make(rates={"write": Rate(1, 0.01)}, trusted_proxies=("0.0.0.0/0",))
    headers = world.as_("buyer")
    codes = [
        world.client.post(
            f"{world.url}/links", json={}, headers={**headers, "X-Forwarded-For": f"9.9.9.{n}"}
        ).status_code
        for n in range(2)
    ]
    assert codes == [201, 429]
    other = world.client.post(f"{world.url}/links", json={}, headers=world.as_("supplier"))
    assert other.status_code == 201


def test_health_is_told_however_often_it_is_asked(make: Callable[..., World]) -> None:
    world = make(rates={"any": Rate(1, 0.001)})
    for probe in ("/healthz", "/readyz"):
        assert [world.get(probe).status_code for _ in range(3)] == [200] * 3
    assert [world.get("/v1/session").status_code for _ in range(2)] == [200, 429]


def test_buckets_fill_again_and_never_above_their_rim() -> None:
    now = 0.0
    buckets = Buckets({"x": Rate(2, 1)}, lambda: now)
    buckets.take("x", "anna")
    buckets.take("x", "anna")
    with pytest.raises(Problem):
        buckets.take("x", "anna")
    buckets.take("x", "otto")
    now = 100.0
    buckets.take("x", "anna")
    buckets.take("x", "anna")
    with pytest.raises(Problem):
        buckets.take("x", "anna")
    now = 50.0
    with pytest.raises(Problem):
        buckets.take("x", "anna")


def test_callers_beyond_count_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milestone_escrow.oracle.api.throttle.MAX_CALLERS", 10)
    buckets = Buckets({"x": Rate(1, 0.001)}, lambda: 0.0)
    for number in range(100):
        buckets.take("x", str(number))
    assert len(buckets._left) == 10


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "caller"),
    [
        ("1.2.3.4", "9.9.9.9", (), "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9", ("10.0.0.0/8",), "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2", ("10.0.0.0/8",), "9.9.9.9"),
        ("1.2.3.4", "9.9.9.9", ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", "nonsense", ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", "", ("10.0.0.0/8",), "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", (), "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "", (), "1.2.3.4"),
        ("testclient", "", (), "testclient"),
        ("", "", (), "unknown"),
    ],
)
def test_a_caller_is_known_by_the_nearest_address_that_is_not_a_trusted_proxys(
    peer: str, forwarded: str, trusted: tuple[str, ...], caller: str
) -> None:
    assert caller_address(peer, forwarded, networks(trusted)) == caller


def test_the_log_names_no_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    headers = world.as_("buyer")
    token = world.post(f"{world.url}/links", "buyer", json={}).json()["token"]
    world.client.get(world.url, params={"link": token})
    world.client.get("/v1/agreements", headers={"Authorization": "Bearer escrow_s_guessed"})
    text = " ".join(
        str(record.__dict__) for record in caplog.records if record.name.startswith("milestone")
    )
    assert world.url in text
    for secret in (token, headers["Authorization"].split()[1], "escrow_s_guessed", "?link"):
        assert secret not in text


def test_a_failure_of_ours_says_nothing_of_its_inside(make: Callable[..., World]) -> None:
    def broken() -> str:
        raise RuntimeError("the password is swordfish")

    world = make(chain_problem=broken)
    answer = world.get("/readyz")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "swordfish" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["hint"]
