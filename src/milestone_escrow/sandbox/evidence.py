"""Evidence handed in for a milestone, and checked as a verifier does before signing."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.manifest import EvidenceFile, Manifest, manifest
from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    DocumentRequired,
    Requirement,
    SomeRequired,
    StatementRequired,
)
from milestone_escrow.errors import UsageError

Cabinet: TypeAlias = Callable[[str], Sequence[Path]]
"""The evidence files that there are for a milestone."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is there to be looked at: files, who signs what they saw, what is settled."""

    files: Manifest
    signing: Set[str]
    settled: Set[str]


@dataclass
class Desk:
    """Where evidence arrives. What was handed in is remembered by hash and hashed again later."""

    agreement: Agreement
    cabinet: Cabinet
    handed_in: dict[str, dict[str, EvidenceFile]] = field(default_factory=dict)

    def take(self, key: str, names: Sequence[str]) -> Manifest:
        """Take files of the cabinet, all of them where none is named.

        Raises:
            UsageError: there is no such file, or none at all.
        """
        files = manifest(self._paths(key, names))
        self.handed_in.setdefault(key, {}).update({file.name: file for file in files.files})
        return files

    def check(
        self, key: str, names: Sequence[str], signing: Set[str], settled: Set[str]
    ) -> tuple[Manifest, tuple[str, ...]]:
        """The files of a verdict, by default all that arrived, and what they still lack.

        Raises:
            UsageError: a file is not there, or no longer what was handed in.
        """
        arrived = self.handed_in.get(key, {})
        chosen = names or tuple(arrived)
        files = manifest(self._paths(key, chosen)) if chosen else Manifest(())
        for file in files.files:
            if arrived.get(file.name) != file:
                raise UsageError(f"'{file.name}' is not what was handed in for '{key}'")
        requirements = self.agreement.milestone(key).requirements
        return files, missing(requirements, Shown(files, signing, settled))

    def _paths(self, key: str, names: Sequence[str]) -> tuple[Path, ...]:
        there = {path.name: path for path in self.cabinet(key)}
        for name in names:
            if name not in there:
                known = ", ".join(sorted(there)) or "no files"
                raise UsageError(
                    f"there is no evidence '{name}' for '{key}'", hint=f"there are {known}"
                )
        return tuple(there[name] for name in names or sorted(there))


def missing(requirement: Requirement, shown: Shown) -> tuple[str, ...]:
    """What a requirement still asks for, in words; empty when it is met.

    Events and addresses cannot be looked at from a file, so they count as missing.
    """
    if isinstance(requirement, AllRequired):
        return tuple(word for item in requirement.items for word in missing(item, shown))
    if isinstance(requirement, SomeRequired):
        met = sum(not missing(item, shown) for item in requirement.items)
        return () if met >= requirement.at_least else (requirement.words(),)
    if isinstance(requirement, DocumentRequired):
        return _documents(requirement, shown.files)
    met_by = _MET.get(type(requirement))
    return () if met_by and met_by(requirement, shown) else (requirement.words(),)


def _documents(required: DocumentRequired, files: Manifest) -> tuple[str, ...]:
    found = sum(
        file.kind == required.kind and required.media_type in ("", file.media_type)
        for file in files.files
    )
    if found >= required.at_least:
        return ()
    return (required.words() + (f" ({found} there)" if found else ""),)


def _settled(requirement: Requirement, shown: Shown) -> bool:
    return isinstance(requirement, AfterRequired) and requirement.milestone in shown.settled


def _signed(requirement: Requirement, shown: Shown) -> bool:
    return isinstance(requirement, StatementRequired) and requirement.source in shown.signing


_MET: dict[type, Callable[[Requirement, Shown], bool]] = {
    AfterRequired: _settled,
    StatementRequired: _signed,
}
