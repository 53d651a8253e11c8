"""The house holds: imports go down only, each danger stays in its room, help starts quickly."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires

import pytest

from tools import house
from tools.house import FLOOR_OF, PACKAGE, room_of

# What only some rooms may import, as prefixes of module names below the package.
DANGERS: dict[str, tuple[str, ...]] = {
    "web3": ("chain.",),
    "eth_tester": ("chain.",),
    "eth": ("chain.",),
    "solcx": ("chain.deploy.solc",),
    "eth_account": ("keys.", "chain."),
    "eth_keyfile": ("keys.",),
    "click": ("cli.",),
    "rich": ("cli.",),
    "sqlalchemy": ("oracle.", "web.showing."),
    "alembic": ("oracle.store.",),
    "fastapi": ("oracle.api.", "web."),
    "jinja2": ("web.",),
}
ENVIRONMENT = "cli.shell.home"

# What only whoever works on the package installs; other extras are for users.
DEVELOPMENT = re.compile(r"extra == ['\"](dev|brownie)['\"]")

# Imported when a command runs, not when it is found: each costs more than `escrow --help` may.
HEAVY = (
    "eth", "eth_account", "eth_tester", "fastapi", "jinja2", "pydantic", "requests", "rich",
    "solcx", "sqlalchemy", "web3",
)  # fmt: skip

FILES = house.files()


@pytest.mark.parametrize("module", FILES)
def test_imports_go_down_only(module: str) -> None:
    own = room_of(module)
    for name in names(module):
        head, _, rest = name.partition(".")
        if head != PACKAGE or room_of(rest) == own or rest == "__version__":
            continue
        room = room_of(rest)
        assert FLOOR_OF[room] < FLOOR_OF[own], f"{module} ({own}) imports {name} ({room})"


@pytest.mark.parametrize("module", FILES)
def test_dangers_stay_in_their_rooms(module: str) -> None:
    for name in names(module):
        allowed = DANGERS.get(name.split(".")[0])
        assert allowed is None or f"{module}.".startswith(allowed), f"{module} imports {name}"


def test_only_one_module_reads_the_environment() -> None:
    pattern = re.compile(r"\bos\.(environ|getenv)\b|\bfrom os import .*\b(environ|getenv)\b")
    readers = [m for m, path in FILES.items() if pattern.search(path.read_text(encoding="utf-8"))]
    assert readers == [ENVIRONMENT]


def test_every_imported_distribution_is_declared() -> None:
    lines = [line for line in requires("milestone-escrow") or () if not DEVELOPMENT.search(line)]
    declared = {normal(re.split(r"[^\w.-]", line)[0]) for line in lines}
    owners = packages_distributions()
    for module in FILES:
        for name in names(module):
            head = name.split(".")[0]
            if head == PACKAGE or head in sys.stdlib_module_names:
                continue
            distributions = {normal(owner) for owner in owners.get(head, [head])}
            assert distributions & declared, f"{module} imports {head}, which is not declared"


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import atexit, sys; sys.argv = ['escrow', '--help'];"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
        "from milestone_escrow.cli import main; main()"
    )
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage" in run.stdout
    assert not set(HEAVY) & set(run.stderr.split())


def names(module: str) -> list[str]:
    """What a file imports, for type checkers as well."""
    return [item.name for item in house.imports(FILES[module])]


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
