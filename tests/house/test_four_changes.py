"""What a newcomer changes is where CONTRIBUTING says, and no verb lacks one of its places."""

from __future__ import annotations

import re

import pytest

from milestone_escrow import Escrow
from tools.house import ROOT

INTERFACE = (ROOT / "contracts/interfaces/IMilestoneEscrow.sol").read_text(encoding="utf-8")
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

# What sends those that are not sent by their own name.
SENT_BY = {
    "fund_with_authorization": "fund",
    "permit": "fund",
    "resolve": "approve",
}


def verbs() -> list[str]:
    """The functions of the contract that change something."""
    found = re.findall(r"function (\w+)\(([^;]*);", INTERFACE)
    return [name for name, rest in found if not re.search(r"\b(view|pure)\b", rest)]


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def test_every_file_that_the_changes_name_exists() -> None:
    _, _, rest = PAGE.partition("## A newcomer's four changes")
    changes, _, _ = rest.partition("\n## ")
    named = set(re.findall(r"`((?:src|tests|docs|contracts)/[^`]+|CHANGELOG\.md)`", changes))
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("verb", verbs())
def test_a_verb_has_all_its_places(verb: str) -> None:
    name = snake(verb)
    assert (ROOT / f"tests/contracts/verbs/test_{name}.py").is_file(), "no tests of the contract"
    protocol = (ROOT / "docs/protocol.md").read_text("utf-8")
    assert re.search(rf"\b{verb}\b", protocol), "not in the protocol"
    sender = SENT_BY.get(name, name)
    assert hasattr(Escrow, sender), "nothing in the library sends it"
    assert f"{sender}(" in (ROOT / "docs/python.md").read_text("utf-8"), "the library hides it"
