"""docs/testnets.md, word for word, in an empty home, against an Anvil that looks like Sepolia."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.chain.contract.tokens import balance_of
from milestone_escrow.chain.node.networks import network
from tests.docs.console import ROOT, matches, run, steps
from tests.support.anvil import Anvil
from tests.support.contracts import compiled
from tests.support.sepolia import SEPOLIA, USDC, give_coins, give_usdc, sepolia

PAGE = ROOT / "docs" / "testnets.md"
# After this command the page sends its reader to the faucets.
BEFORE_THE_FAUCETS = "escrow key list"


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    code = {name: made.bytecode for name, made in compiled().items()}
    with sepolia(code) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, anvil: Anvil) -> Path:
    """An empty one, but for where the node is."""
    state = tmp_path / "you" / ".milestone-escrow"
    state.mkdir(parents=True)
    (state / "networks.toml").write_text(f'[sepolia]\nrpc = "{anvil.url}"\n', encoding="utf-8")
    return state.parent


def ask_faucets(anvil: Anvil, home: Path) -> dict[str, str]:
    """What the page tells its reader to do in a browser; returns the accounts."""
    keys = (home / ".milestone-escrow" / "keys").glob("*.json")
    people = {key.stem: "0x" + json.loads(key.read_text("utf-8"))["address"][-40:] for key in keys}
    give_coins(anvil.node, people["buyer"], 5 * 10**16)
    give_coins(anvil.node, people["inspector"], 10**16)
    give_usdc(anvil.node, people["buyer"], 20_000_000)
    return people


@pytest.mark.slow
def test_from_an_empty_home_to_a_released_milestone(
    anvil: Anvil, home: Path, tmp_path: Path
) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "COLUMNS": "118"}
    folder = tmp_path / "work"
    folder.mkdir()
    people: dict[str, str] = {}
    for step in steps(PAGE):
        printed = run(step, folder, environment).replace(anvil.url, SEPOLIA.rpc)
        printed = printed.replace(str(home), "/home/you")
        assert matches(step.expected, printed), f"$ {step.command}\n{printed}"
        if step.command == BEFORE_THE_FAUCETS:
            people = ask_faucets(anvil, home)

    assert balance_of(anvil.node, USDC, people["supplier"]) == 4_000_000
    assert balance_of(anvil.node, USDC, people["buyer"]) == 16_000_000
    record = json.loads(
        (home / ".milestone-escrow" / "deployments" / "sepolia.json").read_text("utf-8")
    )
    assert record["chain_id"] == network("sepolia").chain_id
    assert record["transaction"].startswith("0x")
