"""Links lead somewhere, and a claim that names a test has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.console import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_exists(page: Path) -> None:
    for _, target, _ in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(("name", "least"), [("security.md", 20), ("protocol.md", 3)])
def test_every_test_that_a_claim_names_exists(name: str, least: int) -> None:
    page = ROOT / "docs" / name
    named = [
        (test, page.parent / target)
        for test, target, _ in _LINK.findall(page.read_text(encoding="utf-8"))
        if test.startswith("test_")
    ]
    assert len(named) >= least
    for test, file in named:
        assert f"def {test}(" in file.read_text(encoding="utf-8"), f"{test} is not in {file.name}"
