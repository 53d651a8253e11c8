"""Evidence handed in for a milestone, and checked as the oracle does before it signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.manifest import EvidenceFile, Manifest, manifest
from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.evaluation import Evaluation
from milestone_escrow.documents.requirements.facts import Facts, Statement, SuppliedFile
from milestone_escrow.documents.requirements.kinds import AllRequired, SomeRequired
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address

Cabinet: TypeAlias = Callable[[str], Sequence[Path]]
"""The evidence files that there are for a milestone."""


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A file as it arrived, and the roles that handed it in."""

    file: EvidenceFile
    by: frozenset[str]


@dataclass
class EvidenceDesk:
    """Where evidence arrives. What was handed in is remembered by hash and hashed again later."""

    agreement: Agreement
    cabinet: Cabinet
    handed_in: dict[str, dict[str, HandedIn]] = field(default_factory=dict)

    def take(self, key: str, names: Sequence[str], by: Iterable[str]) -> Manifest:
        """Take files of the cabinet, all of them where none is named; `by` are roles.

        Raises:
            UsageError: there is no such file, or none at all.
        """
        files, arrived = manifest(self._paths(key, names)), self.handed_in.setdefault(key, {})
        for file in files.files:
            before = arrived.get(file.name)
            earlier = before.by if before and before.file == file else frozenset()
            arrived[file.name] = HandedIn(file, earlier | frozenset(by))
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
            if file.name not in arrived or arrived[file.name].file != file:
                raise UsageError(f"'{file.name}' is not what was handed in for '{key}'")
        shown = [arrived[file.name] for file in files.files]
        facts = facts_of(self.agreement.people, shown, signing, settled)
        found = evaluate(self.agreement.milestone(key).requirements, facts, _NOW)
        return files, tuple(lacks(found))

    def _paths(self, key: str, names: Sequence[str]) -> tuple[Path, ...]:
        there = {path.name: path for path in self.cabinet(key)}
        for name in names:
            if name not in there:
                known = ", ".join(sorted(there)) or "no files"
                raise UsageError(
                    f"there is no evidence '{name}' for '{key}'", hint=f"there are {known}"
                )
        return tuple(there[name] for name in names or sorted(there))


def facts_of(
    people: Mapping[str, Address],
    files: Iterable[HandedIn],
    signing: Set[str],
    settled: Set[str],
) -> Facts:
    """What a verifier knows who signs now; `signing` are the roles whose verdict it is.

    Events and addresses cannot be looked at from here, so they count as missing.
    """
    return Facts(
        people=people,
        amount=_WHOLE,
        settled=dict.fromkeys(settled, _NOW),
        files=tuple(supplied for one in files for supplied in _supplied(one, people)),
        statements=tuple(
            Statement(people[role], Verdict.ACCEPTED, _WHOLE, _NOW, _NOW, _NOW)
            for role in signing & people.keys()
        ),
    )


def lacks(found: Evaluation) -> Iterator[str]:
    """What is not met, one sentence each; where some would do, all of them in one."""
    if found.is_met:
        return
    match found.requirement:
        case AllRequired():
            for item in found.items:
                yield from lacks(item)
        case SomeRequired():
            yield " or ".join(" and ".join(lacks(item)) for item in found.items if not item.is_met)
        case _:
            yield found.text


def _supplied(one: HandedIn, people: Mapping[str, Address]) -> Iterator[SuppliedFile]:
    """Of files that several hand in together, a story does not say whose each is."""
    file = one.file
    for role in sorted(one.by & people.keys()):
        yield SuppliedFile(
            file.name, file.kind, file.media_type, file.size, bytes.fromhex(file.sha256),
            people[role], role, _NOW,
        )  # fmt: skip


# What a story shows is judged at one moment, and a verdict on a part of the money still says what
# its verifier has seen.
_NOW = _WHOLE = 1
