"""What must be so of every page, on every screen."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.support.npm import package

CHECK = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


def require_fit(page: Page, name: str, width: int) -> None:
    """Axe finds nothing serious, and nothing is wider than the screen."""
    page.evaluate((package("axe-core") / "axe.min.js").read_text("utf-8"))
    found = page.evaluate(CHECK)
    serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], f"{name}: {[(one['id'], one['nodes'][0]['html']) for one in found]}"
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, f"{name} is {overflow} px wider than a screen of {width} px"
