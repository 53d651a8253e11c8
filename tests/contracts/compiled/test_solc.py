"""A compiler is found, downloaded, or borrowed from npm; never waited for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from milestone_escrow.chain.deploy import solc
from milestone_escrow.chain.deploy.solc import SOLC_VERSION, CompilerError, ensure_solc, run_solc
from tests.support.npm import ROOT, package

NAME = f"solc-v{SOLC_VERSION}"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where py-solc-x keeps compilers; empty, and the download host out of reach."""
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(tmp_path))
    monkeypatch.setattr(solc, "_reachable", lambda: False)
    package("solc")
    return tmp_path


def test_npms_compiler_stands_in_where_none_can_be_downloaded(shelf: Path) -> None:
    assert ensure_solc(ROOT) == shelf / NAME
    version = subprocess.run(
        [shelf / NAME, "--version"], capture_output=True, text=True, check=True
    )
    assert f"Version: {SOLC_VERSION}+commit." in version.stdout


def test_a_stand_in_of_a_repository_that_has_gone_is_replaced(shelf: Path) -> None:
    (shelf / NAME).write_text("#!/bin/sh\nexec node /nowhere/solc.cjs\n", encoding="utf-8")
    (shelf / NAME).chmod(0o755)
    assert str(ROOT) in ensure_solc(ROOT).read_text(encoding="utf-8")


def test_without_any_compiler_the_error_says_what_to_run(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match="npm ci"):
        ensure_solc(tmp_path / "no-repository")
    assert not (shelf / NAME).exists()


def test_the_stand_in_reads_imports_that_the_input_lacks(shelf: Path, tmp_path: Path) -> None:
    """As Brownie needs it, which sends only a project's own sources."""
    (tmp_path / "Base.sol").write_text(
        "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.30;\ncontract Base {}\n",
        encoding="utf-8",
    )
    source = '// SPDX-License-Identifier: MIT\npragma solidity ^0.8.30;\nimport "./Base.sol";\n'
    request = {
        "language": "Solidity",
        "sources": {"Top.sol": {"content": source + "contract Top is Base {}\n"}},
        "settings": {"outputSelection": {"*": {"*": ["abi"]}}},
    }
    command = [ensure_solc(ROOT), "--standard-json", "--base-path", tmp_path]
    run = subprocess.run(
        command, input=json.dumps(request), capture_output=True, text=True, check=True
    )
    assert set(json.loads(run.stdout)["contracts"]) == {"Base.sol", "Top.sol"}


def test_an_error_in_a_source_is_shown(shelf: Path) -> None:
    request = {"language": "Solidity", "sources": {"Bad.sol": {"content": "contract {"}}}
    with pytest.raises(CompilerError, match=r"Bad\.sol:1:10"):
        run_solc(ensure_solc(ROOT), request)
