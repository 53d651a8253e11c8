"""Every command's --json is one object that parses, whatever else it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from milestone_escrow.cli.reference import commands
from tests.cli.conftest import Run, Unchanged

READING = [
    ("agreement", "new", "software", "-o", "software.yaml"),
    ("agreement", "new", "--list"),
    ("agreement", "check", "shed.yaml"),
    ("agreement", "show", "shed.yaml"),
    ("agreement", "show", "SHED-7"),
    ("key", "list"),
    ("status",),
    ("status", "SHED-7"),
    ("history", "SHED-7"),
    ("history", "SHED-7", "walls"),
]
SENDING = [
    ("attest", "SHED-7", "foundation", "--accept"),
    ("attest", "SHED-7", "foundation", "--reject", "It cracks"),
    ("attest", "SHED-7", "walls", "--accept", "--as", "surveyor"),
    ("attest", "SHED-7", "walls", "--return", "Not yet", "--as", "surveyor"),
    ("attest", "SHED-7", "foundation", "--accept", "--sign-only", "f.json"),
    ("submit", "SHED-7", "handover"),
    ("dispute", "SHED-7", "walls", "--reason", "They stand"),
    ("approve", "SHED-7", "walls"),
    ("refund", "SHED-7", "walls"),
    ("settle", "SHED-7", "walls", "--to-supplier", "all"),
    ("settle", "SHED-7", "walls", "--to-supplier", "all", "--sign-only", "s.json", "--as", "buyer"),
]


@pytest.mark.parametrize("line", READING, ids=" ".join)
def test_reading_commands(escrow: Run, opened: Path, line: tuple[str, ...]):
    result = escrow(*line, "--json")
    assert result.status == 0
    assert isinstance(result.json, dict)


@pytest.mark.parametrize("line", SENDING, ids=" ".join)
def test_sending_commands(escrow: Run, opened: Path, line: tuple[str, ...]):
    result = escrow(*line, "--yes", "--json")
    assert result.status == 0
    assert isinstance(result.json, dict)


@pytest.mark.parametrize(
    "line", [line for line in SENDING if "--sign-only" not in line], ids=" ".join
)
def test_dry_runs_say_what_would_happen(
    escrow: Run, opened: Path, unchanged: Unchanged, line: tuple[str, ...]
):
    with unchanged():
        result = escrow(*line, "--dry-run", "--json")
    assert result.status == 0
    assert result.json["sent"] is False
    with unchanged():
        assert escrow(*line, "--dry-run").status == 0


def test_amounts_are_token_units_and_text(escrow: Run, opened: Path):
    sent = escrow("approve", "SHED-7", "walls", "--yes", "--json").json
    (milestone,) = sent["milestones"]
    assert milestone["to_payee"] == {"units": "4000000000", "text": "4,000.00 USDC"}
    assert sent["will"] == ["'walls': pays 4,000.00 USDC to Holz & Söhne now, final"]
    (transaction,) = sent["transactions"]
    assert transaction["gas_used"] > 21_000


def test_every_command_that_is_no_group_has_it():
    for name, command in commands():
        options = {option for parameter in command.params for option in parameter.opts}
        is_group = hasattr(command, "commands")
        assert is_group or "--json" in options, name
