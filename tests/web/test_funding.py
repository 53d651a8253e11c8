"""A buyer funds with the wallet they already have."""

from __future__ import annotations

import pytest

from milestone_escrow.protocol.lifecycle import Status
from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.stage import Stage


@pytest.mark.parametrize("way", ["permit", "authorization", "allowance"])
def test_opens_and_funds(scene: Stage, visit: Visit, way: str) -> None:
    signed = scene.agreement(DEAL)
    page, _ = visit("buyer", scene.page(signed, "fund"))
    page.get_by_label("How the money is taken").select_option(way)
    page.get_by_role("button", name="Show what my wallet will be asked").click()
    first = {"permit": "permit", "authorization": "authorization", "allowance": "allowance"}[way]
    page.locator(f"[data-go='{first}']").click()
    page.locator("[data-go='fund']").click()
    page.get_by_role("heading", name="Done", exact=True).wait_for()
    scene.seen(lambda: scene.view(signed) is not None)
    statuses = [state.status for state in scene.view(signed).states]
    assert statuses == [Status.SETTLED, Status.FUNDED, Status.FUNDED, Status.FUNDED]
