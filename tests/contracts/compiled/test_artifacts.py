"""The artifacts that the package ships are what the sources compile to."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from milestone_escrow.chain.deploy import compiler
from milestone_escrow.chain.deploy.compiler import ARTIFACTS, OPTIMIZER_RUNS, SHIPPED
from milestone_escrow.chain.deploy.solc import SOLC_VERSION, CompilerError
from tests.support.npm import ROOT, package


def test_shipped_artifacts_are_what_the_sources_compile_to() -> None:
    package("@openzeppelin/contracts")
    assert compiler.stale_artifacts(ROOT) == [], "run `make contracts`"


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Compiled anew in another folder, from nothing but the sources."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    (tmp_path / "node_modules").symlink_to(package("@openzeppelin/contracts").parents[1])
    written = compiler.write_artifacts(tmp_path)
    assert len(written) == 2 * len(SHIPPED)
    for file in written:
        shipped = ROOT / file.relative_to(tmp_path)
        assert file.read_bytes() == shipped.read_bytes(), f"{shipped.name}: run `make contracts`"


def test_an_edited_artifact_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package("@openzeppelin/contracts")
    shipped = compiler.compile_shipped(ROOT)
    monkeypatch.setattr(compiler, "compile_shipped", lambda root: shipped)
    for file in compiler.write_artifacts(tmp_path):
        assert file.is_file()
    assert compiler.stale_artifacts(tmp_path) == []

    forged = replace(shipped["MilestoneEscrow"], bytecode="0x00")
    path = tmp_path / ARTIFACTS / "MilestoneEscrow.json"
    path.write_text(json.dumps(forged.to_json()), encoding="utf-8")

    assert compiler.stale_artifacts(tmp_path) == [ARTIFACTS / "MilestoneEscrow.json"]


def test_all_compiler_settings_agree() -> None:
    brownie = yaml.safe_load((ROOT / "brownie-config.yaml").read_text(encoding="utf-8"))
    solc = brownie["compiler"]["solc"]
    npm = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    foundry = (ROOT / "foundry.toml").read_text(encoding="utf-8")

    assert solc["version"] == npm["solc"] == SOLC_VERSION
    assert solc["optimizer"] == {"enabled": True, "runs": OPTIMIZER_RUNS}
    assert solc["viaIR"] is True
    assert solc["evm_version"] == compiler.EVM_VERSION
    assert f'solc_version = "{SOLC_VERSION}"' in foundry
    assert f"optimizer_runs = {OPTIMIZER_RUNS}\n" in foundry
    assert f'evm_version = "{compiler.EVM_VERSION}"' in foundry


@pytest.mark.parametrize("name", SHIPPED)
def test_the_saved_input_is_complete_for_an_explorer(name: str) -> None:
    file = ROOT / ARTIFACTS / f"{name}.standard-input.json"
    sources = json.loads(file.read_text(encoding="utf-8"))["sources"]
    for unit, source in sources.items():
        for imported in compiler.imports_of(unit, source["content"]):
            assert imported in sources, f"{unit} imports {imported}"


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match=r"contracts/Nowhere\.sol cannot be read"):
        compiler.standard_input(tmp_path, ["contracts/Nowhere.sol"])
