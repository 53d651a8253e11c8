"""A small deal between the sandbox's people, and a command line with an empty state folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from milestone_escrow.cli import cli
from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.sandbox.world import World
from tests.cli.deal import DEAL, START

if TYPE_CHECKING:
    from tests.cli.running import Shared


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """What was printed, however it was wrapped."""
        return " ".join(self.out.split())


Run = Callable[..., Result]
Unchanged = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder, and a working folder to write files in."""
    folder = tmp_path / "state"
    monkeypatch.setenv("ESCROW_HOME", str(folder))
    monkeypatch.delenv("ESCROW_DEBUG", raising=False)
    # Parallel runs see another terminal than single ones.
    monkeypatch.setenv("COLUMNS", "100")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def escrow(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command line; `answers` are typed where it asks."""

    def run(*arguments: str, answers: str | None = None) -> Result:
        monkeypatch.setattr(shell_session, "has_terminal", lambda: answers is not None)
        done = CliRunner().invoke(cli, list(arguments), input=answers)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        assert "this should not happen" not in done.stderr
        return Result(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def deal(home: Path) -> Path:
    """The deal's file, in the working folder."""
    path = Path("shed.yaml").resolve()
    path.write_text(DEAL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def chain() -> World:
    """One chain for all tests, at the agreement's date; each test goes back to its start."""
    world = World.start(START)
    agreement = Agreement.loads(DEAL)
    token = world.escrow.token("USDC")
    for role in ("buyer", "supplier"):
        world.mint(agreement.people[role], token, 50_000 * 10**6)
    return world


@pytest.fixture
def world(chain: World, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A sandbox with test money, as if it ran in another terminal."""
    snapshot = chain.chain.snapshot()
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: chain.chain)
    yield chain
    assert chain.chain.revert(snapshot)


@pytest.fixture
def node(world: World, monkeypatch: pytest.MonkeyPatch) -> Shared:
    """The sandbox as an oracle's threads and the command line can share it."""
    from tests.cli.running import Shared

    shared = Shared(world)
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: shared)
    return shared


@pytest.fixture
def unchanged(world: World, home: Path) -> Unchanged:
    """Asserts that a block of commands sends nothing and leaves the state folder as it was."""

    def look() -> tuple[int, dict[Path, bytes]]:
        files = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
        return world.chain.head.number, files

    @contextmanager
    def watch() -> Iterator[None]:
        before = look()
        yield
        assert look() == before

    return watch


@pytest.fixture
def signed(escrow: Run, deal: Path, world: World) -> Path:
    """The deal, signed by both sides."""
    for role in ("buyer", "supplier"):
        assert escrow("agreement", "sign", str(deal), "--as", role, "--yes").status == 0
    return deal


@pytest.fixture
def opened(escrow: Run, signed: Path) -> Path:
    """The deal, open and with every milestone funded; foundation, walls and handover wait."""
    assert escrow("open", str(signed), "--fund", "all", "--yes").status == 0
    return signed
