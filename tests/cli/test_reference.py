"""The help of every command, and the page that is made from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from milestone_escrow.cli import COMMANDS, cli
from milestone_escrow.cli.reference import commands, help_of, page
from tests.cli.conftest import Run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
ALL = dict(commands())


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text("utf-8") == page(), (
        "write it anew with `python -m milestone_escrow.cli.reference > docs/cli.md`"
    )


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_documented_with_an_example(name: str):
    text = help_of(name, ALL[name])
    assert "Examples:" in text
    assert f"  {name}" in text.split("Examples:")[1]
    assert f"### {name}\n" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_does(name: str):
    options = [p for p in ALL[name].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", ALL)
def test_every_example_is_a_command_that_exists(name: str):
    for line in help_of(name, ALL[name]).split("Examples:")[1].splitlines():
        words = line.split()
        if words[:1] == ["escrow"]:
            assert any(line.strip().startswith(known) for known in ALL), line
            options = {word.split("=")[0] for word in words if word.startswith("--")}
            assert options <= _options(" ".join(words)), line


def _options(line: str) -> set[str]:
    name = max((known for known in ALL if line.startswith(known)), key=len)
    return {option for parameter in ALL[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_page_says_the_same_as_the_command(name: str):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.short_help == COMMANDS[name].help
    assert command.name == name


def test_help_names_every_command(escrow: Run):
    result = escrow("--help")
    assert result.status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.out


def test_help_imports_nothing_heavy():
    heavy = {"web3", "eth_abi", "eth_keys", "pydantic", "yaml", "rich", "eth_tester", "requests"}
    code = (
        "import sys\n"
        "from milestone_escrow.cli import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
