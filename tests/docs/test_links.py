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


def test_every_test_that_security_names_exists() -> None:
    page = ROOT / "docs" / "security.md"
    named = [
        (name, page.parent / target)
        for name, target, _ in _LINK.findall(page.read_text(encoding="utf-8"))
        if name.startswith("test_")
    ]
    assert len(named) > 20
    for name, file in named:
        assert f"def {name}(" in file.read_text(encoding="utf-8"), f"{name} is not in {file.name}"
