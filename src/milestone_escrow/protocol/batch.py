"""Many attestations signed once: which fit into one batch, in which order, and who may sign it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Generic, TypeVar

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict, batch_typed_data
from milestone_escrow.protocol.eip712 import Address, Domain, TypedData
from milestone_escrow.protocol.open_agreement import OpenAgreement
from milestone_escrow.protocol.terms import numbered

A = TypeVar("A", bound=OpenAgreement)
A_co = TypeVar("A_co", bound=OpenAgreement, covariant=True)


@dataclass(frozen=True, slots=True)
class Batch(Generic[A_co]):
    """Attestations of agreements with the same verifiers, in the order in which they are signed."""

    items: tuple[tuple[A_co, Attestation], ...]

    @property
    def verifiers(self) -> tuple[Address, ...]:
        """Those of the agreements, in the contract's order."""
        return self.items[0][0].terms.verifiers

    @property
    def attestations(self) -> tuple[Attestation, ...]:
        return tuple(attestation for _, attestation in self.items)

    @property
    def signers(self) -> tuple[Address, ...]:
        """Who verifies every one of the milestones: only they can sign the batch."""
        sets = [a.milestones[what.milestone].verifier_set for a, what in self.items]
        shared = reduce(lambda one, other: one & other, sets)
        return tuple(v for i, v in enumerate(self.verifiers) if shared >> i & 1)

    @property
    def quorum(self) -> int:
        """How many must sign: as many as the most demanding milestone asks."""
        return max(a.milestones[what.milestone].quorum for a, what in self.items)

    def typed_data(self, domain: Domain) -> TypedData:
        """What each verifier signs, once for all."""
        return batch_typed_data(domain, self.attestations)


def batches(items: Iterable[tuple[A, Attestation]]) -> tuple[Batch[A], ...]:
    """The fewest batches that a quorum can sign: same verifiers, same verifiers of the milestone.

    Within a batch, items stand by agreement, milestone and time, so that everybody who puts the
    same attestations together signs the same bytes.

    Raises:
        UsageError: there is none, one stands there twice, is about another agreement or
            milestone, or only asks for rework.
    """
    groups: dict[tuple[tuple[Address, ...], int], list[tuple[A, Attestation]]] = {}
    for agreement, attestation in sorted(items, key=lambda item: _place(item[1])):
        _require_sendable(agreement, attestation)
        verifier_set = agreement.milestones[attestation.milestone].verifier_set
        group = groups.setdefault((agreement.terms.verifiers, verifier_set), [])
        if any(attestation == other for _, other in group):
            raise UsageError("an attestation stands in the batch twice", hint="name it once")
        group.append((agreement, attestation))
    if not groups:
        raise UsageError("the batch is empty", hint="name at least one milestone to attest")
    return tuple(Batch(tuple(group)) for group in groups.values())


def _place(attestation: Attestation) -> tuple[bytes, int, int, int]:
    return (
        attestation.agreement_id,
        attestation.milestone,
        attestation.issued_at,
        attestation.amount,
    )


def _require_sendable(agreement: OpenAgreement, attestation: Attestation) -> None:
    if attestation.agreement_id != agreement.id:
        raise UsageError("an attestation of the batch is about another agreement than it says")
    if not 0 <= attestation.milestone < len(agreement.milestones):
        raise UsageError(f"the batch attests {numbered(attestation.milestone)}, which is not there")
    if attestation.verdict is Verdict.RETURNED:
        raise UsageError(
            "a return for rework changes nothing on chain, so it has no place in a batch",
            hint="send it to the payee as a file",
        )
