"""The signing history of keys as a file, so that a key can move to another machine.

Each decision carries the hash of itself and of the one before it, and the file ends with the last:
damage and gaps are noticed, though not a file that somebody wrote anew as a whole. A digest is
always computed again from its fields. What comes in is added to what is known; nothing is ever
taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, select, update

from milestone_escrow.errors import EscrowError, TypedDataError, UsageError
from milestone_escrow.oracle.signing import protection
from milestone_escrow.oracle.signing.attestation_json import (
    attestation_data,
    read_account,
    read_attestation,
    read_fields,
    read_hash,
    read_whole,
)
from milestone_escrow.oracle.signing.protection import ACTOR, Decided
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new, serialize
from milestone_escrow.oracle.store.types import dumps
from milestone_escrow.protocol.eip712 import Address, Domain

FORMAT = "milestone-escrow signing history 1"
_MOMENT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """All that one key has decided since `begins`, in the order of its decisions."""

    signer: Address
    begins: int
    decided: tuple[Decided, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to; `conflicts` are decisions of a moment for which another is known:
    the key has contradicted itself on two machines."""

    signers: tuple[Address, ...]
    added: int
    known: int
    conflicts: tuple[Decided, ...]


def export(connection: Connection, domain: Domain, signer: Address = "") -> dict[str, object]:
    """The history of all keys of the store, or of one.

    Raises:
        UsageError: there is none.
    """
    query = select(t.signers).order_by(t.signers.c.signer)
    if signer:
        query = query.where(t.signers.c.signer == signer)
    found = [
        KeyHistory(row.signer, row.started_at, tuple(_decided(connection, row.signer)))
        for row in connection.execute(query)
    ]
    if not found:
        raise UsageError(
            f"no key{f' {signer}' if signer else ''} has a signing history here",
            hint="name the store in which it signed with --store",
        )
    return to_json(domain, found)


def to_json(domain: Domain, histories: Sequence[KeyHistory]) -> dict[str, object]:
    """What the file holds."""
    head = _genesis(domain)
    signers: list[object] = []
    for one in histories:
        head = _link(head, {"signer": one.signer, "begins": one.begins})
        decisions: list[object] = []
        for decided in one.decided:
            entry = {
                **attestation_data(decided.attestation),
                "digest": "0x" + decided.digest.hex(),
                "decided_at": decided.at,
            }
            head = _link(head, entry)
            decisions.append({**entry, "hash": "0x" + head.hex()})
        signers.append({"signer": one.signer, "begins": one.begins, "decisions": decisions})
    return {
        "format": FORMAT,
        "chain_id": str(domain.chain_id),
        "contract": domain.verifying_contract,
        "signers": signers,
        "hash": "0x" + head.hex(),
    }


def read(body: object, domain: Domain) -> tuple[KeyHistory, ...]:
    """The histories in a file, verified.

    Raises:
        UsageError: it is damaged, or about another contract.
    """
    fields = read_fields(body, "the file", {"format", "chain_id", "contract", "signers", "hash"})
    if fields["format"] != FORMAT:
        raise UsageError("this is not a signing history", hint="make one with `export`")
    chain, contract = fields["chain_id"], fields["contract"]
    if (chain, contract) != (str(domain.chain_id), domain.verifying_contract):
        raise UsageError(
            f"this history is of contract {contract} on chain {chain}, the store of "
            f"{domain.verifying_contract} on chain {domain.chain_id}",
            hint="name the store of that contract with --store",
        )
    head, found = _genesis(domain), []
    for item in _listed(fields["signers"], "signers"):
        signer = read_fields(item, "a signer", {"signer", "begins", "decisions"})
        address = read_account(signer["signer"])
        begins = read_whole(signer["begins"], "begins", _MOMENT)
        head = _link(head, {"signer": address, "begins": begins})
        decided = []
        for entry in _listed(signer["decisions"], "decisions"):
            one, head = _read_decision(entry, domain, head)
            decided.append(one)
        found.append(KeyHistory(address, begins, tuple(decided)))
    if read_hash(fields["hash"], "hash") != head:
        raise _damaged()
    return tuple(found)


def import_(connection: Connection, histories: Sequence[KeyHistory], now: int) -> Imported:
    """Add histories to what is known; afterwards their keys may sign here, and never more freely
    than before. `connection` must be a write transaction."""
    added = known = 0
    conflicts: list[Decided] = []
    for one in histories:
        serialize(connection, f"signer {one.signer}")
        _begin(connection, one)
        for decided in one.decided:
            before = _count(connection, one.signer)
            if not protection.keep(connection, one.signer, decided):
                conflicts.append(decided)
            elif _count(connection, one.signer) > before:
                added += 1
            else:
                known += 1
    signers = tuple(one.signer for one in histories)
    audit_log.record(
        connection,
        now,
        ACTOR,
        "history.imported",
        ", ".join(signers)[:200],
        added=added,
        known=known,
        conflicts=[decided.digest for decided in conflicts],
    )
    return Imported(signers, added, known, tuple(conflicts))


def _begin(connection: Connection, one: KeyHistory) -> None:
    row = {"signer": one.signer, "started_at": one.begins, "declared_new": False}
    if not insert_new(connection, t.signers, row, "signer"):
        # What is known since later is known of less: the stricter of the two holds.
        connection.execute(
            update(t.signers)
            .where(t.signers.c.signer == one.signer, t.signers.c.started_at < one.begins)
            .values(started_at=one.begins)
        )


def _count(connection: Connection, signer: Address) -> int:
    query = select(t.decisions.c.id).where(t.decisions.c.signer == signer)
    return len(connection.execute(query).all())


def _decided(connection: Connection, signer: Address) -> Iterator[Decided]:
    query = select(t.decisions).where(t.decisions.c.signer == signer).order_by(t.decisions.c.id)
    for row in connection.execute(query):
        yield protection.read_decided(row)


def _read_decision(entry: object, domain: Domain, head: bytes) -> tuple[Decided, bytes]:
    extra = {"digest", "decided_at", "hash"}
    fields = dict(read_fields(entry, "a decision", _ATTESTATION | extra))
    mark = read_hash(fields.pop("hash"), "hash")
    head = _link(head, fields)
    digest = read_hash(fields.pop("digest"), "digest")
    at = read_whole(fields.pop("decided_at"), "decided_at", _MOMENT)
    attestation = read_attestation(fields)
    try:
        computed = attestation.typed_data(domain).digest()
    except TypedDataError as error:
        raise _damaged() from error
    if mark != head or digest != computed:
        raise _damaged()
    return Decided(digest, attestation, at), head


_ATTESTATION = frozenset(
    {"agreement_id", "milestone", "verdict", "amount", "evidence_hash", "issued_at", "valid_until"}
)


def _genesis(domain: Domain) -> bytes:
    return sha256(
        dumps([FORMAT, str(domain.chain_id), domain.verifying_contract]).encode()
    ).digest()


def _link(head: bytes, entry: Mapping[str, object]) -> bytes:
    return sha256(head + dumps(dict(entry)).encode("utf-8", "surrogatepass")).digest()


def _listed(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise UsageError(f"{name} is not a list")
    return value


def _damaged() -> EscrowError:
    return UsageError(
        "this history is damaged: something in it was changed or left out",
        hint="export it again from the machine that signed",
    )
