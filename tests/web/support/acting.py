"""What visitors do on a page of acts."""

from __future__ import annotations

from playwright.sync_api import Page

SHOW = "Show what my wallet will be asked"


def show(page: Page) -> None:
    """Ask for the first step."""
    page.get_by_role("button", name=SHOW).click()


def go(page: Page, name: str = "act") -> None:
    """Take the step that is shown, with the wallet."""
    page.locator(f"[data-go='{name}']").click()


def done(page: Page) -> None:
    page.get_by_role("heading", name="Done", exact=True).wait_for()


def told(page: Page, text: str) -> str:
    """What the page has to say, once it says this."""
    notice = page.locator("[data-notice]").filter(has_text=text)
    notice.wait_for()
    return notice.inner_text()
