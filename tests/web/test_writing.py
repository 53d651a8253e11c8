"""Nobody needs Python to begin a deal: written, checked, agreed and signed on the page."""

from __future__ import annotations

from pathlib import Path

import openpyxl

from milestone_escrow.protocol.lifecycle import Status
from tests.cli.deal import DEAL
from tests.web.conftest import Visit
from tests.web.support.stage import Stage


def test_from_a_file_to_an_open_agreement(scene: Stage, visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "shed.yaml"
    file.write_text(DEAL.replace("SHED-7", "SHED-W"), encoding="utf-8")
    buyer, _ = visit("buyer", scene.url + "/new")
    buyer.get_by_label("An agreement file (YAML)").set_input_files(file)
    buyer.get_by_text("It may be signed").wait_for()
    link = buyer.url
    text = buyer.get_by_label("Text; every line is checked as you type")
    text.fill(file.read_text("utf-8").replace("10,000.00 USDC", "12,000.00 USDC"))
    buyer.get_by_text("12,000.00 USDC").first.wait_for()
    buyer.get_by_role("button", name="Save").click()
    buyer.get_by_text("Saved as version 2.").wait_for()

    supplier, _ = visit("supplier", link)
    supplier.get_by_role("link", name="What changed").click()
    supplier.get_by_role("cell", name="12,000.00 USDC").first.wait_for()
    supplier.goto(link)
    supplier.get_by_role("button", name="Make it final, to be signed").click()
    supplier.get_by_role("link", name="Sign", exact=True).click()
    supplier.get_by_role("button", name="Show what my wallet will be asked").click()
    supplier.locator("[data-go='supplier']").click()
    supplier.get_by_text("It still needs the signature of the buyer.").wait_for()
    page = supplier.url.removesuffix("/sign")

    buyer.goto(page)
    buyer.get_by_role("link", name="Open and fund").click()
    buyer.get_by_role("button", name="Show what my wallet will be asked").click()
    buyer.locator("[data-go='permit']").click()
    buyer.locator("[data-go='fund']").click()
    buyer.get_by_role("heading", name="Done", exact=True).wait_for()
    opened = bytes.fromhex(page.rsplit("0x", 1)[1])
    scene.seen(lambda: scene.escrow.is_open(opened))
    states = scene.escrow.states(scene.escrow.find(opened))
    assert [state.status for state in states] == [Status.SETTLED] + 3 * [Status.FUNDED]


def test_says_where_a_text_is_wrong(scene: Stage, visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "shed.yaml"
    file.write_text(DEAL.replace("pays: 40 %", "pays: 41 %"), encoding="utf-8")
    page, _ = visit(None, scene.url + "/new")
    page.get_by_label("An agreement file (YAML)").set_input_files(file)
    page.get_by_text("Not an agreement yet").wait_for()
    assert "100.00 USDC (1 %) is too much" in page.locator("[data-findings]").inner_text()


def test_starts_from_an_example(scene: Stage, visit: Visit) -> None:
    page, _ = visit(None, scene.url + "/new")
    page.get_by_role("listitem").filter(has_text="carpets").get_by_role("button").click()
    page.get_by_text("It may be signed").wait_for()
    findings = page.locator("[data-findings]").inner_text()
    assert "240,000.00 USDC" in findings
    assert "verifiers cannot correct what they decided" in findings


def test_takes_milestones_from_a_spreadsheet(scene: Stage, visit: Visit, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Milestone", "Amount", "Due", "Verified by", "Requires"])
    sheet.append(["Foundation poured", 0.6, "2027-04-01", "surveyor", "photos from supplier"])
    sheet.append(["Walls stand", 0.4, "2027-05-01", "surveyor", "photos from supplier"])
    for row in ("B2", "B3"):
        sheet[row].number_format = "0%"
    book.save(tmp_path / "stages.xlsx")
    file = tmp_path / "shed.yaml"
    file.write_text(DEAL, encoding="utf-8")
    page, _ = visit(None, scene.url + "/new")
    page.get_by_label("An agreement file (YAML)").set_input_files(file)
    page.get_by_text("It may be signed").wait_for()
    page.get_by_label("Take the milestones from a spreadsheet").set_input_files(
        tmp_path / "stages.xlsx"
    )
    page.get_by_text("walls_stand: 40 %, due 2027-05-01").wait_for()
    page.get_by_label("What column A means").select_option("not used")
    page.get_by_text("has no column 'title'").wait_for()
    assert page.get_by_role("button", name="Take these milestones").is_disabled()
    page.get_by_label("What column A means").select_option("title")
    page.get_by_role("button", name="Take these milestones").click()
    page.get_by_text("Walls stand: 4,000.00 USDC, due 1 May 2027").wait_for()
