"""A command that is known by name before its module is imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: the module that holds it, its name there, and its line in the help."""

    module: str
    attribute: str
    help: str
