"""What people see: their agreements, evidence, links for readers; on any screen, for everybody."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import requests

from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.looks import require_fit
from tests.web.support.stage import Stage


def test_evidence_is_handed_in_and_seen_live(scene: Stage, visit: Visit, tmp_path: Path) -> None:
    signed = scene.opened(DEAL)
    photo = tmp_path / "photos-01.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    verifier, _ = visit("surveyor", scene.page(signed))
    page, _ = visit("supplier", scene.page(signed))
    stage = page.get_by_role("listitem").filter(has_text="Foundation poured").last
    stage.get_by_text("Hand in evidence").click()
    stage.get_by_label("A file").set_input_files(photo)
    stage.get_by_role("button", name="Hand in").click()
    page.get_by_text("photos-01.png is handed in.").wait_for()
    seen = verifier.get_by_text("1 file, 1 of 1 requirements shown")
    seen.wait_for(timeout=20_000)
    seen.click()
    with verifier.expect_download() as download:
        verifier.get_by_role("link", name="photos-01.png").click()
    assert Path(download.value.path()).read_bytes() == photo.read_bytes()


def test_only_a_hash_is_handed_in(scene: Stage, visit: Visit, tmp_path: Path) -> None:
    signed = scene.opened(DEAL)
    secret = tmp_path / "photos-02.png"
    secret.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    page, _ = visit("supplier", scene.page(signed))
    stage = page.get_by_role("listitem").filter(has_text="Walls and roof stand").last
    stage.get_by_text("Hand in evidence").click()
    stage.get_by_label("A file").set_input_files(secret)
    stage.get_by_label("Only its hash").check()
    stage.get_by_role("button", name="Hand in").click()
    page.get_by_text("photos-02.png is handed in.").wait_for()
    page.reload()
    page.get_by_text("1 file").last.click()
    page.get_by_text("(only its hash is here)").wait_for()


def test_a_link_lets_an_auditor_read_and_nothing_else(scene: Stage, visit: Visit) -> None:
    signed = scene.opened(DEAL)
    page, _ = visit("buyer", scene.page(signed))
    page.get_by_label("For whom").fill("Hausbank")
    page.get_by_role("button", name="Make a link").click()
    shown = page.get_by_label("The link, shown this once")
    shown.wait_for()
    link = shown.input_value()
    auditor, _ = visit(None, link)
    auditor.get_by_role("heading", name="A garden shed").wait_for()
    auditor.locator('time[datetime="2027-05-01T21:59:00.000Z"]').first.wait_for(state="attached")
    ends = "1 May 2027, 23:59 UTC+02:00 (2 May 2027, 03:29 for you)"
    assert ends in auditor.locator("main").text_content()
    assert auditor.get_by_role("link", name="Go on").count() == 0
    assert auditor.get_by_text("Hand in evidence").count() == 0
    answer = requests.get(link.replace("escrow_l_", "escrow_l_x"), timeout=10)
    assert answer.status_code == 401


def test_the_portfolio_shows_what_needs_me(scene: Stage, visit: Visit) -> None:
    scene.opened(DEAL)
    page, _ = visit("surveyor", scene.url + "/portfolio")
    page.get_by_role("heading", name="What needs you now").wait_for()
    assert "Look at the evidence and sign a verdict" in page.inner_text("main")
    page.get_by_label("Search").fill("no such thing")
    assert page.locator("[data-row]:visible").count() == 0
    page.get_by_label("Search").fill("garden")
    assert page.locator("[data-row]:visible").count() > 0
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    answer = requests.get(scene.url + "/portfolio.csv", cookies=cookies, timeout=10)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["amount"] for row in rows} >= {"1000.00", "3000.00", "4000.00", "2000.00"}
    assert requests.get(scene.url + "/portfolio.csv", timeout=10).status_code == 401


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_accessible_and_fits(
    scene: Stage, visit: Visit, width: int, scheme: str
) -> None:
    signed = scene.opened(DEAL)
    draft = scene.agreement(DEAL)
    page, _ = visit("buyer", width=width, scheme=scheme)
    addresses = {
        "home": scene.url + "/",
        "portfolio": scene.url + "/portfolio",
        "new": scene.url + "/new",
        "agreement": scene.page(signed),
        "fund": scene.page(draft, "fund"),
        "approve": scene.page(signed, 3, "approve"),
    }
    for name, address in addresses.items():
        page.goto(address)
        require_fit(page, name, width)


def test_the_keyboard_is_enough(scene: Stage, visit: Visit) -> None:
    signed = scene.agreement(DEAL)
    page, _ = visit("buyer", scene.page(signed, "fund"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.get_by_role("button", name="Show what my wallet will be asked").focus()
    page.keyboard.press("Enter")
    page.locator("[data-go='permit']").focus()
    page.keyboard.press("Enter")
    page.locator("[data-go='fund']").wait_for()
