"""The page keeps to itself what is hostile, and to its people what is theirs."""

from __future__ import annotations

import requests

from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.stage import Stage

SCRIPT = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"


def test_a_title_that_is_a_script_stays_a_title(scene: Stage, visit: Visit) -> None:
    quoted = SCRIPT.replace("'", "''")
    text = DEAL.replace("A garden shed, built in three stages", f"'{quoted}'")
    signed = scene.opened(text)
    page, _ = visit("buyer", scene.page(signed))
    assert page.get_by_role("heading", level=1).inner_text() == SCRIPT
    assert page.title() != "taken"
    assert page.locator("img[src='x']").count() == 0
    page.goto(scene.url + "/portfolio")
    page.get_by_text(SCRIPT).first.wait_for()


def test_strangers_see_no_names(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    for role in (None, "financier"):
        page, _ = visit(role, scene.page(signed))
        text = page.inner_text("body")
        assert "garden shed" not in text
        assert "Anna Bauer" not in text


def test_pages_carry_a_strict_policy(scene: Stage) -> None:
    for path in ("/", "/new", "/portfolio"):
        answer = requests.get(scene.url + path, timeout=10)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_another_site_cannot_use_a_visitors_session(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    page, _ = visit("buyer", scene.url + "/portfolio")
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    body = {"verb": "approve", "account": signed.agreement.people["buyer"], "milestone": 3}
    path = f"{scene.url}/web/a/0x{signed.id.hex()}/step"
    foreign = {"Origin": "https://evil.example", "X-Escrow-Request": "1"}
    for headers in (foreign, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = requests.post(path, json=body, cookies=cookies, headers=headers, timeout=10)
        assert answer.status_code == 403, headers


def test_signing_in_gives_a_new_session(scene: Stage, visit: Visit) -> None:
    """Who plants a cookie beforehand does not get into the visitor's session."""
    page, _ = visit("buyer", signed_in=False)
    page.context.add_cookies(
        [{"name": "escrow_session", "value": "escrow_s_planted", "url": scene.url}]
    )
    page.goto(scene.url + "/portfolio")
    page.get_by_role("button", name="Sign in with wallet").first.click()
    page.get_by_role("button", name="Sign out").wait_for()
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "escrow_session"]
    assert cookie["value"] != "escrow_s_planted"
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    answer = requests.get(
        scene.url + "/v1/session", cookies={"escrow_session": "escrow_s_planted"}, timeout=10
    )
    assert answer.json()["account"] is None


def test_signing_out_ends_it(scene: Stage, visit: Visit) -> None:
    page, _ = visit("buyer", scene.url + "/portfolio")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "escrow_session"]
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with wallet").first.wait_for()
    answer = requests.get(
        scene.url + "/v1/session", cookies={"escrow_session": cookie["value"]}, timeout=10
    )
    assert answer.json()["account"] is None
