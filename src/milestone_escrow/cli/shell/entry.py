"""Commands that are known by name before their modules are imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: the module that holds it, its name there, and its line in the help."""

    module: str
    attribute: str
    help: str


class EntryGroup(click.Group):
    """A group that imports a command only when that command runs."""

    entries: ClassVar[Mapping[str, Entry]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(f"milestone_escrow.cli.{entry.module}"), entry.attribute)
        assert isinstance(command, click.Command)
        return command
