"""Audit bundles from the command line: written, checked offline and on the chain, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.cli.deal import START


@pytest.fixture
def bundle(escrow: Run, opened: Path) -> Path:
    """The deal with a certified milestone, whose evidence lies in a folder."""
    folder = Path("evidence")
    folder.mkdir()
    (folder / "photos-01.jpeg").write_bytes(b"a photo of a foundation")
    line = ("attest", "SHED-7", "foundation", "--accept", "--evidence", "evidence", "--yes")
    assert escrow(*line).status == 0
    result = escrow("audit", "export", "SHED-7", "--with-files", "evidence")
    assert result.status == 0
    assert "Written SHED-7.audit.zip" in result.out
    return Path("SHED-7.audit.zip")


def test_verifies_offline_without_a_state_folder(
    escrow: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ESCROW_HOME", str(tmp_path / "stranger"))
    result = escrow("audit", "verify", str(bundle))
    assert result.status == 0
    assert result.out.count("✓") == 13
    assert "10,000.00 USDC in = 4,000.00 USDC paid + 6,000.00 USDC held" in result.words
    assert "Everything that was claimed holds." in result.out


def test_verifies_against_the_chain(escrow: Run, bundle: Path, world: World) -> None:
    result = escrow("audit", "verify", str(bundle), "--network", "sandbox")
    assert result.status == 0
    assert result.out.count("✓") == 16
    escrow("approve", "SHED-7", "walls", "--yes")
    later = escrow("audit", "verify", str(bundle), "--network", "sandbox", "--json")
    assert later.status == 0
    assert later.json["holds"] is True
    assert later.json["claims"][-1]["holds"] is None
    assert "have happened since" in later.json["claims"][-1]["why"]


def test_says_what_was_changed_and_fails(escrow: Run, bundle: Path) -> None:
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    result = escrow("audit", "verify", str(bundle))
    assert result.status == 1
    assert "✗ The file is whole" in result.out
    assert "do not rely on it" in result.out


def test_the_same_block_gives_the_same_file(escrow: Run, bundle: Path) -> None:
    escrow("audit", "export", "SHED-7", "--with-files", "evidence", "-o", "again.zip")
    assert Path("again.zip").read_bytes() == bundle.read_bytes()


def test_another_chain_is_told_apart(
    escrow: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = World.start(START).chain
    monkeypatch.setattr(shell_session, "running_sandbox", lambda home: other)
    result = escrow("audit", "verify", str(bundle), "--network", "sandbox")
    assert result.status == 1
    assert "✗ The blocks are the chain's" in result.out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("audit", "export", "SHED-7", "-o", "no/such/place.zip"), "cannot be written"),
        (("audit", "verify", "shed.yaml"), ""),
    ],
)
def test_what_cannot_be_done_says_so(
    escrow: Run, opened: Path, line: tuple[str, ...], words: str
) -> None:
    result = escrow(*line)
    assert result.status == 1
    assert words in result.err


def test_nothing_is_exported_before_it_is_open(escrow: Run, signed: Path) -> None:
    result = escrow("audit", "export", "SHED-7")
    assert result.status == 1
    assert "is not open" in result.err
