"""What is released: complete, the same bytes every time, and enough by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "milestone_escrow"

pytestmark = pytest.mark.slow


def build(source: Path, target: Path) -> Path:
    """What `make dist` does; returns the folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def sdist(dist: Path) -> Path:
    return next(dist.glob("*.tar.gz"))


def test_make_dist_is_what_is_tested_here() -> None:
    assert "-m hatchling build -d dist" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_wheel_has_artifacts_networks_records_and_examples(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("MilestoneEscrow", "TestUSDC"):
        assert f"{PACKAGE}/chain/artifacts/{name}.json" in names
        assert f"{PACKAGE}/chain/artifacts/{name}.standard-input.json" in names
    assert f"{PACKAGE}/chain/networks.toml" in names
    assert f"{PACKAGE}/py.typed" in names
    folders = {"examples": "examples", "deployments": "deployments", f"src/{PACKAGE}": ""}
    for folder, inside in folders.items():
        for file in tracked(folder):
            path = f"{PACKAGE}/{inside}/{file}".replace("//", "/")
            assert path in names, f"{folder}/{file} is missing"


def test_the_wheel_carries_no_tests_and_no_tools(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top.partition("-")[0] for top in tops} == {PACKAGE}


def test_the_readme_is_the_packages_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
    assert "Description-Content-Type: text/markdown" in metadata
    assert "Pay for work in stages" in metadata


def test_the_same_sources_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    again = build(ROOT, tmp_path)
    for file in dist.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_sdist_has_the_sources_and_gives_the_same_wheel(
    sdist: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    root = next(tmp_path.iterdir())
    for file in ("contracts/MilestoneEscrow.sol", "LICENSE", "README.md", "SECURITY.md"):
        assert (root / file).is_file(), file
    assert not (root / "node_modules").exists()
    again = build(root, tmp_path / "dist")
    assert (again / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment with nothing in it, and no compiler or Node on the PATH."""
    place = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
    return place


def test_the_wheel_alone_runs_the_demo(wheel: Path, empty: Path, tmp_path: Path) -> None:
    tools = empty / "bin"
    # Nothing may be compiled: not while installing, not while running.
    install = [str(tools / "pip"), "install", "--quiet", "--only-binary=:all:"]
    install += ["--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    environment = {**os.environ, "PATH": str(tools)}
    done = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    bare = {"PATH": str(tools), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    demo = subprocess.run(
        [str(tools / "escrow"), "demo", "--json"],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout)
    where = subprocess.run(
        [str(tools / "python"), "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)"],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(empty)), "the installed one, not the source tree"


def tracked(folder: str) -> list[str]:
    """The files of a folder that belong to the product, relative to it."""
    base = ROOT / folder
    return sorted(
        path.relative_to(base).as_posix()
        for path in base.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
