"""A real browser, a wallet of test keys in it, and an oracle's page to use them on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from tests.cli.deal import START
from tests.web.support.chromium import ARGUMENTS, chromium, environment
from tests.web.support.stage import PEOPLE, Stage, stage
from tests.web.support.wallet import Wallet

Visit = Callable[..., tuple[Page, Wallet]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(chromium()), args=ARGUMENTS, env=environment()
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sandbox and an oracle for the tests of one module."""
    with stage(tmp_path_factory.mktemp("oracle"), START) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, scene: Stage) -> Iterator[Visit]:
    """Opens a page as somebody with a wallet, signed in unless told otherwise."""
    contexts = []

    def opens(
        role: str | None,
        address: str = "",
        *,
        signed_in: bool = True,
        width: int = 1280,
        scheme: str = "light",
        wallet: Wallet | None = None,
    ) -> tuple[Page, Wallet]:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
            timezone_id="Asia/Kolkata",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda said: troubles.append(said.text) if "Content Security" in said.text else None,
        )
        page.on("request", lambda asked: _require_own(scene, asked.url, troubles))
        page.troubles = troubles  # type: ignore[attr-defined]
        keys = [PEOPLE[role]] if role else []
        wallet = wallet or Wallet(scene.escrow.node, keys, SANDBOX_CHAIN_ID)
        if wallet.accounts:
            wallet.into(page)
        if wallet.accounts and signed_in:
            page.goto(scene.url + "/portfolio")
            page.get_by_role("button", name="Sign in with wallet").first.click()
            page.get_by_role("button", name="Sign out").wait_for()
        if address:
            page.goto(address)
        return page, wallet

    yield opens
    for context in contexts:
        for page in context.pages:
            assert page.troubles == [], page.troubles  # type: ignore[attr-defined]
        context.close()


def _require_own(scene: Stage, url: str, troubles: list[str]) -> None:
    if not url.startswith((scene.url, "data:")):
        troubles.append(f"asked another host: {url}")


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots for the documentation are."""
    return Path(__file__).resolve().parents[2] / "docs" / "images"
