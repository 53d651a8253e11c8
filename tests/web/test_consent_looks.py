"""The pages of splits, sales, change orders and codes fit every screen and serve everybody."""

from __future__ import annotations

import pytest

from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.acting import go, show
from tests.web.support.looks import require_fit
from tests.web.support.stage import Stage

HANDOVER = 3


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_every_page_is_accessible_and_fits(
    scene: Stage, visit: Visit, width: int, scheme: str
) -> None:
    signed, draft = scene.opened(DEAL), scene.agreement(DEAL)
    supplier, _ = visit("supplier", scene.page(signed, HANDOVER, "settle"))
    supplier.get_by_label("To the payee").fill("1,500.00")
    show(supplier)
    go(supplier, "resolution")
    supplier.get_by_role("heading", name="Proposed", exact=True).wait_for()
    supplier.goto(scene.page(signed, HANDOVER, "offer"))
    supplier.get_by_label("Price").fill("1,900.00")
    show(supplier)
    go(supplier, "offer")
    supplier.get_by_role("heading", name="Offered", exact=True).wait_for()
    supplier.goto(scene.page(signed, "amend"))
    area = supplier.get_by_label("What it changes is shown as you type")
    area.fill(area.input_value().replace("due: 2027-05-01", "due: 2027-05-15"))
    supplier.get_by_role("button", name="Write the change order").click()
    supplier.get_by_role("heading", name="Change order", exact=True).wait_for()
    page, _ = visit("buyer", width=width, scheme=scheme)
    addresses = {
        "agreement": scene.page(signed),
        "settle": scene.page(signed, HANDOVER, "settle"),
        "buy": scene.page(signed, HANDOVER, "buy"),
        "amend": scene.page(signed, "amend"),
        "change": supplier.url,
        "fund": scene.page(draft, "fund"),
    }
    for name, address in addresses.items():
        page.goto(address)
        if name == "fund":
            page.get_by_text("With a wallet on a phone").click()
        require_fit(page, name, width)
