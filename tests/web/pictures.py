"""The pictures of the page in docs/images, taken anew: `python -m tests.web.pictures`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from milestone_escrow.documents import examples
from milestone_escrow.documents.when import read_date, start_of_day
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from tests.web.support.acting import SHOW
from tests.web.support.chromium import ARGUMENTS, chromium, environment
from tests.web.support.stage import PEOPLE, Stage, stage
from tests.web.support.wallet import Wallet

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
WIDTHS = {"desktop": 1180, "phone": 390}


def main() -> None:
    text = examples.starting_draft("carpets", read_date("2027-01-14"))
    start = start_of_day(read_date("2027-01-14"), _berlin()) + 9 * 3600
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), start) as scene:
        signed = scene.drafted(text.replace("network: sepolia", "network: sandbox"))
        scene.open(signed)
        inspector = scene.escrow.acting_as(scene.signer("verifier-1"))
        attestation = inspector.attestation(signed, "manufactured")
        signature = inspector.signer.sign_typed_data(attestation.typed_data(signed.domain))
        inspector.attest(signed, attestation, {inspector.signer.address: signature})
        scene.seen(lambda: scene.view(signed).states[1].pending > 0)
        waiting = scene.drafted(text.replace("PO-2027-0114", "PO-2027-0115"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(chromium()), args=ARGUMENTS, env=environment()
            )
            for kind, width in WIDTHS.items():
                context = browser.new_context(
                    viewport={"width": width, "height": 1300}, color_scheme="light"
                )
                page = context.new_page()
                Wallet(scene.escrow.node, [PEOPLE["buyer"]], SANDBOX_CHAIN_ID).into(page)
                _sign_in(scene, page)
                for name, address in {
                    "portfolio": f"{scene.url}/portfolio",
                    "agreement": scene.page(signed),
                    "new": f"{scene.url}/new",
                }.items():
                    _take(page, address, f"page-{name}-{kind}")
                page.goto(scene.page(waiting, "fund"))
                page.get_by_role("button", name=SHOW).click()
                page.locator("[data-go='permit']").wait_for()
                _save(page, f"page-fund-{kind}", whole=True)
                page.goto(f"{scene.url}/new")
                page.get_by_role("listitem").filter(has_text="carpets").get_by_role(
                    "button"
                ).click()
                page.get_by_text("It may be signed").wait_for()
                _save(page, f"page-draft-{kind}", whole=False)
                context.close()
            browser.close()


def _sign_in(scene: Stage, page: Page) -> None:
    page.goto(scene.url + "/portfolio")
    page.get_by_role("button", name="Sign in with wallet").first.click()
    page.get_by_role("button", name="Sign out").wait_for()


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_timeout(300)
    _save(page, name, whole="agreement" not in name)


def _save(page: Page, name: str, *, whole: bool) -> None:
    """With few colours, which is all that a page has."""
    content = page.screenshot(full_page=whole)
    picture = Image.open(io.BytesIO(content)).convert("RGB").quantize(64)
    picture.save(IMAGES / f"{name}.png", optimize=True)


def _berlin():  # type: ignore[no-untyped-def]
    from zoneinfo import ZoneInfo

    return ZoneInfo("Europe/Berlin")


if __name__ == "__main__":
    main()
