"""What an oracle answers, read into types. All of it is treated as hostile.

Nothing that counts is believed because an oracle says it: the manifest is put together here and
its hash computed again, attestations are rebuilt from their fields, texts are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.files.signed_act import reason_hash
from milestone_escrow.documents.manifest import EvidenceFile, Manifest
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle.signing.attestation_json import (
    read_account,
    read_attestation,
    read_hash,
    read_whole,
)
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address

MAX_ANSWER = 4 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A file's own name: no folder, nothing hidden, nothing that a system reads otherwise.
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|.][^\x00-\x1f\x7f/\\:*?\"<>|]{0,254}")

_T = TypeVar("_T")


class OracleStrangeError(EscrowError):
    """The oracle answers what makes no sense or does not fit together: nobody should go on."""


@dataclass(frozen=True, slots=True)
class EvidenceAnswer:
    """One piece of evidence; `stored` is false where only its hash is known."""

    file: EvidenceFile
    supplied_by: Address
    role: str
    added_at: int
    stored: bool


@dataclass(frozen=True, slots=True)
class MilestoneEvidence:
    """A milestone's evidence, and the manifest that it makes."""

    items: tuple[EvidenceAnswer, ...]

    @property
    def manifest(self) -> Manifest:
        files = sorted((item.file for item in self.items), key=lambda file: file.name)
        return Manifest(tuple(files))

    @property
    def hash(self) -> bytes:
        """What an attestation on all of it commits to; zero where there is none."""
        return self.manifest.hash if self.items else ZERO_HASH


@dataclass(frozen=True, slots=True)
class RequirementAnswer:
    """What a requirement comes to: `state` is "met", "missing" or "failed"."""

    requirement: str
    state: str
    text: str
    items: tuple[RequirementAnswer, ...]

    def lines(self, depth: int = 0) -> Iterator[tuple[int, RequirementAnswer]]:
        """This one and those within it, with how deep they are."""
        yield depth, self
        for item in self.items:
            yield from item.lines(depth + 1)


@dataclass(frozen=True, slots=True)
class Proposed:
    """An attestation that others have signed; `words` are what its evidence hash means, as they
    say: compare the hash. `batches` are those that hold it."""

    attestation: Attestation
    stage: str
    signers: tuple[Address, ...]
    words: Mapping[str, object]
    batches: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedBatch:
    """Attestations that others have signed at once, in their order, each with its words: compare
    their hashes, and the digest of the whole."""

    digest: bytes
    stage: str
    signers: tuple[Address, ...]
    items: tuple[tuple[Attestation, Mapping[str, object]], ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an attestation, or a batch of them, that was posted."""

    digest: bytes
    stage: str
    signers: tuple[Address, ...]
    quorum: int
    is_complete: bool
    refused: tuple[str, ...]


def read(reading: Callable[[], _T]) -> _T:
    """A value of an answer; what makes no sense is the oracle's fault, not the user's.

    Raises:
        OracleStrangeError: it does not fit.
    """
    try:
        return reading()
    except UsageError as error:
        raise strange(error.message) from None


def parsed(raw: bytes) -> Mapping[str, Any]:
    try:
        return mapping(parse_json(raw, limit=MAX_ANSWER))
    except (ValueError, RecursionError):
        raise strange("it does not answer in JSON") from None


def read_found(entry: Mapping[str, Any]) -> RequirementAnswer:
    state = plain(entry.get("state"), 20)
    if state not in ("met", "missing", "failed"):
        raise strange("a requirement is neither met, missing nor failed")
    return RequirementAnswer(
        plain(entry.get("requirement"), 1_000),
        state,
        plain(entry.get("text"), 2_000),
        tuple(read_found(mapping(item)) for item in entries(entry, "items")),
    )


def read_item(value: object) -> EvidenceAnswer:
    entry = mapping(value)
    name, digest = entry.get("name"), entry.get("sha256")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise strange("it lists a file whose name is none")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise strange(f"it lists '{name}' without its SHA-256")
    kind, media_type = plain(entry.get("kind"), 80), plain(entry.get("media_type"), 120)
    size = read(lambda: read_whole(entry.get("size"), "size", 2**53))
    added = part(entry, "added_at").get("unix")
    return EvidenceAnswer(
        EvidenceFile(name, kind, media_type, size, digest),
        read(lambda: read_account(entry.get("supplied_by"))),
        plain(entry.get("role"), 80),
        read(lambda: read_whole(added, "added_at", 2**53)),
        isinstance(entry.get("download"), str),
    )


def read_proposed(value: object) -> Proposed:
    entry = mapping(value)
    words = entry.get("words") or {}
    return Proposed(
        read(lambda: read_attestation(entry.get("attestation"))),
        plain(entry.get("state"), 20),
        _signers(entry),
        mapping(words),
        _hashes(entry, "batches"),
    )


def read_batch(entry: Mapping[str, Any]) -> ProposedBatch:
    return ProposedBatch(
        read(lambda: read_hash(entry.get("digest"), "digest")),
        plain(entry.get("state"), 20),
        _signers(entry),
        tuple(map(_batch_item, entries(entry, "items"))),
    )


def _batch_item(value: object) -> tuple[Attestation, Mapping[str, object]]:
    entry = mapping(value)
    attestation = read(lambda: read_attestation(entry.get("attestation")))
    return attestation, mapping(entry.get("words") or {})


def _hashes(entry: Mapping[str, Any], name: str) -> tuple[bytes, ...]:
    return tuple(read(partial(read_hash, one, name)) for one in entries({name: [], **entry}, name))


def _signers(entry: Mapping[str, Any]) -> tuple[Address, ...]:
    return read_accounts([mapping(one).get("account") for one in entries(entry, "signers")])


def read_taken(entry: Mapping[str, Any]) -> Taken:
    return Taken(
        read(lambda: read_hash(entry.get("digest"), "digest")),
        plain(entry.get("state"), 20),
        read_accounts(entry.get("signers")),
        read(lambda: read_whole(entry.get("quorum"), "quorum", 32)),
        entry.get("is_complete") is True,
        # Of a batch nothing is refused without the rest.
        tuple(plain(mapping(one).get("reason"), 500) for one in entries(entry, "refused"))
        if "refused" in entry
        else (),
    )


def read_reason(value: object) -> str:
    """The text behind a hash on chain, whole and unchanged; empty where it is not known."""
    entry = mapping(value)
    text, digest = entry.get("reason") or "", entry.get("reason_hash")
    if not isinstance(text, str) or len(text) > 10_000:
        raise strange("a reason is no text")
    if text and reason_hash(text) != read(lambda: read_hash(digest, "reason_hash")):
        raise strange("a reason is not what its hash says")
    return text


def read_accounts(value: object) -> tuple[Address, ...]:
    if not isinstance(value, list):
        raise strange("it lists no accounts where they belong")
    return tuple(read(partial(read_account, one)) for one in value)


def part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return mapping(entry.get(name))


def mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise strange("something is missing in its answer")
    return value


def entries(entry: Mapping[str, Any], name: str) -> Sequence[object]:
    value = entry.get(name)
    if not isinstance(value, list) or len(value) > 10_000:
        raise strange(f"its answer has no list of {name}")
    return value


def plain(value: object, limit: int) -> str:
    """Text that is shown: bounded, and without what would steer a terminal."""
    if not isinstance(value, str):
        raise strange("something is missing in its answer")
    return "".join(c if c.isprintable() else " " for c in value[:limit])


def strange(why: str) -> OracleStrangeError:
    return OracleStrangeError(
        f"the oracle's answer cannot be used: {why}",
        hint="do not rely on it; `--oracle none` goes on without it",
    )
