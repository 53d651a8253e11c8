"""`escrow doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.keys import Keystore
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run


@pytest.fixture
def anvil(home: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedChain:
    """An empty chain under Anvil's id."""
    chain = EmbeddedChain(chain_id=31_337)
    monkeypatch.setattr(Session, "endpoint", lambda self, network: chain)
    return chain


@pytest.fixture
def password(home: Path) -> Path:
    Keystore(home / "keys", cost=2).import_key("rich", "00" * 31 + "09", "secret")
    Keystore(home / "keys", cost=2).import_key("poor", "77" * 32, "secret")
    file = home / "password"
    file.write_text("secret\n", encoding="utf-8")
    file.chmod(0o600)
    return file


def test_from_nothing_to_all_right(escrow: Run, anvil: EmbeddedChain, home: Path):
    first = escrow("doctor", "--network", "anvil")
    assert first.status == 1
    for text in ("`escrow deploy --network anvil`", "no USDC is known", "`escrow key new NAME`"):
        assert text in first.words
    assert "3 things are not right yet" in first.out


def test_what_it_advises_puts_it_right(
    escrow: Run, anvil: EmbeddedChain, home: Path, password: Path
):
    line = ("--network", "anvil", "--as", "rich")
    deploy = ("deploy", *line, "--test-token", "--password-file", str(password), "--yes")
    assert escrow(*deploy).status == 0
    result = escrow("doctor", *line)
    assert result.status == 0, result.out
    assert "ok key rich: has 10,000,000.00 USDC" in result.words
    assert "Everything is right." in result.out
    both = escrow("doctor", "--network", "anvil")
    assert both.status == 1
    assert "no key poor:" in both.words
    assert "send it at least" in both.words


def test_no_password_is_asked_for(escrow: Run, anvil: EmbeddedChain, home: Path, password: Path):
    result = escrow("doctor", "--network", "anvil", "--json")
    assert result.status == 1
    assert {one["what"] for one in result.json["findings"]} >= {"key rich", "key poor"}


def test_an_unknown_key_is_refused(escrow: Run, anvil: EmbeddedChain, home: Path):
    result = escrow("doctor", "--network", "anvil", "--as", "nobody")
    assert result.status == 2
    assert "there is no key 'nobody' here" in result.err


def test_the_sandbox_is_all_right(escrow: Run, world: World):
    result = escrow("doctor")
    assert result.status == 0, result.out
    assert "it has a time of its own" in result.out


def test_without_a_sandbox_it_says_how_to_start_one(escrow: Run, home: Path):
    result = escrow("doctor")
    assert result.status == 2
    assert "start one with `escrow sandbox`" in result.err


def test_main_networks_must_be_meant(escrow: Run, home: Path):
    assert "say --mainnet" in escrow("doctor", "--network", "ethereum").err
