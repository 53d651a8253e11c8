"""Kinds of requirements that other packages bring, by entry point.

A package names an object under the entry point group `milestone_escrow.requirements`; its name
there is the kind's name in agreement files. The object reads the kind's fields and says them in
words; the oracle asks it whether they are met (see `oracle.policies`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, runtime_checkable

from milestone_escrow.errors import UsageError

GROUP = "milestone_escrow.requirements"

# What the language itself says, now or one day.
RESERVED = frozenset(
    {"all", "any", "at_least", "of", "not", "document", "statement", "after", "webhook", "http"}
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@runtime_checkable
class PlugIn(Protocol):
    """One further kind of requirement."""

    def read(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """The fields in their one normal form, which is what both parties sign.

        Raises:
            UsageError: a field is missing, unknown or makes no sense; `hint` says what to write.
        """
        ...

    def words(self, fields: Mapping[str, str]) -> str:
        """The requirement as a short sentence, from fields in normal form."""
        ...


def kind_name(written: str) -> str:
    """ "Cold chain" in a file is the kind `cold_chain`."""
    return "_".join(written.lower().split())


def registered() -> tuple[str, ...]:
    """The names of all further kinds, sorted."""
    return tuple(sorted(_entries()))


def find_kind(name: str) -> PlugIn | None:
    """The kind of that name; None where no installed package brings it.

    Raises:
        UsageError: a package brings it, and it cannot be used.
    """
    entry = _entries().get(name)
    return None if entry is None else _load(entry)


def is_here(name: str) -> bool:
    """Whether a package brings the kind of that name, and it can be used."""
    try:
        return find_kind(name) is not None
    except UsageError:
        return False


@lru_cache
def _entries() -> Mapping[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if entry.name in found and entry.value != found[entry.name].value:
            raise UsageError(
                f"two packages bring the requirement '{entry.name}' ({found[entry.name].value} "
                f"and {entry.value})",
                hint="uninstall one of them",
            )
        found[entry.name] = entry
    return found


@lru_cache
def _load(entry: EntryPoint) -> PlugIn:
    if entry.name in RESERVED or not _NAME.fullmatch(entry.name):
        raise UsageError(
            f"'{entry.name}' ({entry.value}) cannot be the name of a kind of requirement",
            hint="its package must choose another",
        )
    try:
        kind = entry.load()
    # Whatever somebody else's package does at import is their mistake, told as ours to report.
    except Exception as error:
        raise UsageError(
            f"the requirement '{entry.name}' cannot be loaded from {entry.value} "
            f"({type(error).__name__})",
            hint="repair or uninstall the package that brings it",
        ) from error
    if not isinstance(kind, PlugIn):
        raise UsageError(
            f"the requirement '{entry.name}' of {entry.value} has no `read` and `words`",
            hint="repair or uninstall the package that brings it",
        )
    return kind
