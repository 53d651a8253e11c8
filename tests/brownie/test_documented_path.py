"""docs/brownie.md, word for word, in an empty home, against an Anvil that looks like Sepolia."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.chain.contract.tokens import balance_of
from milestone_escrow.chain.node.rpc import Node
from tests.brownie.places import free_port
from tests.docs.console import ROOT, Step, matches
from tests.support.sepolia import SEPOLIA, USDC, give_coins, give_usdc, sepolia

PAGE = ROOT / "docs" / "brownie.md"
# The page's one word that is not as in the test: where the node is.
PUBLIC_NODE = "export SEPOLIA_RPC=https://ethereum-sepolia-rpc.publicnode.com"

_BLOCK = re.compile(r"^```shell-session\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Reader:
    """Somebody at a shell in the root of a clone, who follows the page."""

    environment: dict[str, str]
    memory: Path

    def type(self, command: str) -> str:
        """What a command prints; exported variables stay. Each question gets its answer."""
        script = (
            f'. "{self.memory}"\n{command}\nstatus=$?\nexport -p > "{self.memory}"\nexit $status'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=self.environment,
            input="a password\ny\n",
            capture_output=True,
            text=True,
            timeout=120,
            start_new_session=True,  # no terminal, so that passwords are read from the input
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return _COLOUR.sub("", done.stdout)


@pytest.fixture
def node(FiatToken: Any, FiatTokenProxy: Any) -> Iterator[Any]:  # noqa: N803
    code = {c._name: f"0x{c.bytecode}" for c in (FiatToken, FiatTokenProxy)}
    with sepolia(code) as anvil:
        yield anvil


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    home, memory = tmp_path / "home", tmp_path / "memory"
    home.mkdir()
    (home / ".solcx").symlink_to(Path.home() / ".solcx")  # `make brownie` was run
    memory.touch()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "COLUMNS": "110"}
    return Reader(environment, memory)


def test_from_an_empty_home_to_a_released_milestone(reader: Reader, node: Any) -> None:
    before = set(ROOT.iterdir())
    people: dict[str, str] = {}
    for step in steps():
        if step.command == PUBLIC_NODE:
            reader.type(f"export SEPOLIA_RPC={node.url}")
            continue
        if "brownie run" in step.command and not people:
            people = accounts_of(reader)
            ask_faucets(node.node, people)
        printed = reader.type(step.command)
        assert matches(step.expected, printed), f"$ {step.command}\n{printed}"

    assert balance_of(node.node, USDC, people["supplier"]) == 6_000_000
    assert balance_of(node.node, USDC, people["buyer"]) == 14_000_000
    assert set(ROOT.iterdir()) == before, "it left something in the clone"


def test_the_page_names_the_public_node_of_the_table() -> None:
    assert f"export SEPOLIA_RPC={SEPOLIA.rpc}" == PUBLIC_NODE
    assert PUBLIC_NODE in [step.command for step in steps()]


def test_deploys_on_the_development_network_as_the_page_says(reader: Reader) -> None:
    command = "brownie run scripts/deploy.py --network development"
    assert f"`{command}`" in PAGE.read_text(encoding="utf-8").replace("\n", " ")
    reader.type(f"brownie networks modify development port={free_port()}")
    assert "Checked on chain: the contract is at" in reader.type(f"ESCROW_YES=1 {command}")


def accounts_of(reader: Reader) -> dict[str, str]:
    return dict(re.findall(r"(\w+): (0x[0-9a-fA-F]{40})", reader.type("cat ~/accounts.txt")))


def ask_faucets(node: Node, people: dict[str, str]) -> None:
    for role in ("buyer", "editor"):
        give_coins(node, people[role])
    give_usdc(node, people["buyer"])


def steps() -> list[Step]:
    """The page's commands, those of several lines with `> ` before each further one."""
    found = []
    for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            more = [line for line in lines[1:] if line.startswith(">")]
            command = lines[0] + "".join(line[1:].removeprefix(" ") for line in more)
            found.append(Step(command.rstrip("\n"), "".join(lines[1 + len(more) :])))
    return found
