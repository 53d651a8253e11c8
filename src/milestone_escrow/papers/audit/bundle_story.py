"""What the transactions of a bundle say: its events, and the verdicts behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import Event, MilestoneAttested, read_event
from milestone_escrow.chain.proofs.headers import Header
from milestone_escrow.chain.proofs.receipts import Log, decode_receipt
from milestone_escrow.chain.proofs.transactions import calldata_of
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.canonical import canonical_json
from milestone_escrow.papers.audit.bundle import ProvenTransaction, hexed
from milestone_escrow.protocol.acts import Attestation, Verdict, batch_typed_data
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.signatures import by_key

CONTRACT = "MilestoneEscrow"
# More calls of one kind than any transaction has gas for: who writes so many wants to keep us busy.
_MOST_CALLS = 1_000
# Logs are counted within their transaction here, so places only order them.
_LOGS = 1 << 20


@dataclass(frozen=True, slots=True)
class Signature:
    """One verifier's signature; `by_key` is False where only the chain could check it."""

    account: Address
    signature: bytes
    by_key: bool


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A verdict that took effect, as its verifiers signed it; empty where the transaction hides
    their signatures."""

    event: MilestoneAttested
    attestation: Attestation | None
    signatures: tuple[Signature, ...]


def events_of(sent: ProvenTransaction, header: Header, contract: Address) -> Iterator[Event]:
    """The contract's events in a transaction, in order."""
    for place, log in enumerate(decode_receipt(sent.receipt).logs):
        if log.address != bytes.fromhex(contract[2:]):
            continue
        event = read_event(_as_json(sent, log, place), header.time)
        if event is not None:
            yield event


def verdicts_of(
    sent: ProvenTransaction, events: Sequence[Event], bounds: Mapping[bytes, BoundAgreement]
) -> Iterator[Verdicts]:
    """The verdicts of a transaction, with whatever signed them."""
    signed = list(_signed(sent.raw))
    for event in events:
        if isinstance(event, MilestoneAttested) and event.agreement_id in bounds:
            yield _verdict(event, signed, bounds[event.agreement_id])


def attestation_files(
    found: Sequence[Verdicts], bounds: Mapping[bytes, BoundAgreement]
) -> dict[str, bytes]:
    """The verdicts as files for people, one each."""
    files: dict[str, bytes] = {}
    for number, verdict in enumerate(found, 1):
        agreement = bounds[verdict.event.agreement_id].agreement
        key = agreement.milestones[verdict.event.milestone].key
        files[f"attestations/{number:04d}-{key}.json"] = canonical_json(
            {
                "agreement": hexed(verdict.event.agreement_id),
                "milestone": key,
                "verdict": verdict.event.verdict.name.lower(),
                "amount": str(verdict.event.amount),
                "amount_text": agreement.amount(verdict.event.amount),
                "evidence_hash": hexed(verdict.event.evidence_hash),
                "issued_at": str(verdict.event.issued_at),
                "valid_until": str(verdict.attestation.valid_until) if verdict.attestation else "",
                "transaction": verdict.event.place.transaction,
                "signers": [
                    {
                        "role": agreement.roles(one.account)[0],
                        "name": agreement.name(agreement.roles(one.account)[0]),
                        "account": one.account,
                        "signature": hexed(one.signature),
                        "recovered": "yes" if one.by_key else "contract",
                    }
                    for one in verdict.signatures
                ],
            }
        )
    return files


@dataclass(frozen=True, slots=True)
class _Signed:
    """A call of `attest` or `attestBatch`, wherever it stands in a transaction."""

    attestations: tuple[Attestation, ...]
    is_batch: bool
    signatures: tuple[bytes, ...]

    def digest(self, attestation: Attestation, domain: Domain) -> bytes:
        if self.is_batch:
            return batch_typed_data(domain, self.attestations).digest()
        return attestation.typed_data(domain).digest()


def _signed(raw: bytes) -> Iterator[_Signed]:
    """A wallet, a relayer or `multicall` carries the call within its own; it is found by its
    selector, and what only looks like one fits no event."""
    _, data = calldata_of(raw)
    abi = interface(CONTRACT)
    for name in ("attest", "attestBatch"):
        selector, at = abi.functions[name].key, -1
        for _ in range(_MOST_CALLS):
            at = data.find(selector, at + 1)
            if at < 0:
                break
            values = abi.arguments(name, data[at:])
            if values is None:
                continue
            items = values["items"] if name == "attestBatch" else [values]
            attestations = [_attestation(item["attestation"]) for item in items]
            if all(attestations):
                kept = tuple(one for one in attestations if one)
                yield _Signed(kept, name == "attestBatch", tuple(values["signatures"]))


def _verdict(
    event: MilestoneAttested, signed: Sequence[_Signed], bound: BoundAgreement
) -> Verdicts:
    accounts = [bound.terms.verifiers[place] for place in event.signers]
    for call in signed:
        for attestation in call.attestations:
            if not _is_of(attestation, event) or len(call.signatures) != len(accounts):
                continue
            digest = call.digest(attestation, bound.domain)
            pairs = zip(accounts, call.signatures, strict=True)
            signatures = tuple(Signature(a, s, by_key(a, digest, s) is not None) for a, s in pairs)
            return Verdicts(event, attestation, signatures)
    return Verdicts(event, None, ())


def _is_of(attestation: Attestation, event: MilestoneAttested) -> bool:
    return (
        attestation.agreement_id == event.agreement_id
        and attestation.milestone == event.milestone
        and attestation.verdict is event.verdict
        and attestation.amount == event.amount
        and attestation.evidence_hash == event.evidence_hash
        and attestation.issued_at == event.issued_at
    )


def _attestation(values: Mapping[str, Any]) -> Attestation | None:
    if values["verdict"] not in list(Verdict):
        return None
    return Attestation(
        agreement_id=values["agreementId"],
        milestone=values["milestone"],
        verdict=Verdict(values["verdict"]),
        amount=values["amount"],
        evidence_hash=values["evidenceHash"],
        issued_at=values["issuedAt"],
        valid_until=values["validUntil"],
    )


def _as_json(sent: ProvenTransaction, log: Log, place: int) -> dict[str, object]:
    """As JSON-RPC would say it, for the reader of events."""
    return {
        "address": hexed(log.address),
        "topics": [hexed(topic) for topic in log.topics],
        "data": hexed(log.data),
        "blockNumber": hex(sent.block),
        "transactionHash": hexed(sent.hash),
        "logIndex": hex(sent.index * _LOGS + place),
    }
