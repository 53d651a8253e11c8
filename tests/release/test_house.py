"""What newcomers and machines are told to run exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def jobs() -> dict[str, Any]:
    return dict(yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"])


def test_the_workflow_runs_what_has_to_pass() -> None:
    runs = [step["run"] for job in jobs().values() for step in job["steps"] if "run" in step]
    assert ".ci/run" in runs
    for command in runs:
        if command.startswith("make "):
            asked = {word for word in command.split()[1:] if "=" not in word}
            assert asked <= TARGETS


def test_the_workflow_covers_every_python_that_the_package_names() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"Python :: (3\.\d+)", text))
    ran = {str(job["strategy"]["matrix"]["python"]) for job in jobs().values() if "strategy" in job}
    others = {
        step["with"]["python-version"]
        for job in jobs().values()
        for step in job["steps"]
        if "python-version" in step.get("with", {})
    }
    assert named == {name for name in named if any(name in found for found in ran | others)}


def test_the_local_check_is_lint_and_test() -> None:
    assert "make lint test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {
        word for found in re.findall(r"make ((?:[a-z-]+ ?)+)`", text) for word in found.split()
    }
    assert named
    assert named <= TARGETS


@pytest.mark.parametrize("form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[bi]*.yml")))
def test_every_issue_form_is_one(form: Path) -> None:
    body = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert body["name"]
    assert body["description"]
    assert [item["type"] for item in body["body"]]
    ids = [item["id"] for item in body["body"] if item["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    if form.stem == "bug":
        assert "private key" in body["body"][0]["attributes"]["value"]
