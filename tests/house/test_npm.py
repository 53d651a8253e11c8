"""A test that needs what npm brings says so where it is missing, and fails where changes land."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import npm
from tests.support.anvil import Anvil


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Node."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(npm, "PACKAGES", tmp_path / "node_modules")


@pytest.mark.usefixtures("bare")
def test_a_missing_program_skips_and_says_how_to_get_it() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"anvil is not installed.*`npm ci`"):
        Anvil()
    with pytest.raises(pytest.skip.Exception, match="axe-core is not installed"):
        npm.package("axe-core")


@pytest.mark.usefixtures("bare")
def test_where_changes_land_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="cast is not installed"):
        npm.program("cast")
