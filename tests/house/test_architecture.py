"""docs/architecture.md is the house as it stands: its picture, the ways through it, its names."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tools import draw_house, house

PAGE = draw_house.PAGE.read_text(encoding="utf-8")
WAYS = ("an attestation", "an agreement file", "a log")


def passed() -> list[str]:
    """The functions that the ways pass."""
    found = []
    for way in WAYS:
        _, _, rest = PAGE.partition(f"## The way of {way}\n")
        section, _, _ = rest.partition("\n## ")
        steps = re.findall(r"`((?:[a-z_]+\.)+(?:[A-Z]\w+\.)?[a-z_]+)`", section)
        assert len(steps) > 5, way
        found += steps
    return found


def test_the_page_is_what_the_code_draws() -> None:
    assert draw_house.drawn(PAGE) == PAGE, "run `python -m tools.draw_house`"


@pytest.mark.parametrize("name", passed())
def test_every_function_on_a_way_exists(name: str) -> None:
    module, _, function = name.rpartition(".")
    if module.rpartition(".")[2][:1].isupper():
        module, _, owner = module.rpartition(".")
        assert hasattr(getattr(import_module(f"{house.PACKAGE}.{module}"), owner), function)
    else:
        assert hasattr(import_module(f"{house.PACKAGE}.{module}"), function)


def test_arrows_go_down() -> None:
    arrows = list(draw_house.arrows())
    assert ("cli", "web") in arrows
    assert all(house.FLOOR_OF[low] < house.FLOOR_OF[high] for high, low in arrows)


@pytest.mark.parametrize("table", [draw_house.classes(), draw_house.files()], ids=["class", "file"])
def test_whatever_shares_its_name_says_what_it_is(table: str) -> None:
    places = draw_house.twice(table)
    assert places
    assert [place for place, meaning in places if len(meaning) < 10] == []


def test_readers_find_the_page() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "docs/architecture.md" in (house.ROOT / page).read_text(encoding="utf-8")
