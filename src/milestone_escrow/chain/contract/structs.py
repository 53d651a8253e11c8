"""The protocol's records in the shapes that the contract takes and returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import snake
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.open_agreement import OpenAgreement as OpenAgreement
from milestone_escrow.protocol.terms import TERMS, Milestone, Terms


@dataclass(frozen=True, slots=True)
class OpenedAgreement:
    """An agreement as the chain knows it, without its document."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]


def milestone_index(agreement: OpenAgreement, milestone: int | str) -> int:
    """The index of a milestone, given as one or, where the agreement has a document, as its key.

    Raises:
        UsageError: there is no such milestone.
    """
    if isinstance(milestone, str):
        document = getattr(agreement, "agreement", None)
        if document is None:
            raise UsageError(
                f"without its document this agreement has no milestone '{milestone}'",
                hint=f"name an index from 0 to {len(agreement.milestones) - 1}",
            )
        return int(document.index(milestone))
    if not 0 <= milestone < len(agreement.milestones):
        raise UsageError(
            f"there is no milestone with index {milestone}",
            hint=f"indices go from 0 to {len(agreement.milestones) - 1}",
        )
    return milestone


def terms_tuple(terms: Terms) -> tuple[object, ...]:
    """`Terms` for the ABI encoder, in the order of the Solidity struct."""
    return tuple(TERMS.of(terms).values())


def milestone_tuple(milestone: Milestone) -> tuple[object, ...]:
    return tuple(milestone.message().values())


def milestone_tuples(milestones: Iterable[Milestone]) -> list[tuple[object, ...]]:
    return [milestone_tuple(milestone) for milestone in milestones]


def reference_tuple(agreement: OpenAgreement, index: int) -> tuple[object, ...]:
    """`MilestoneRef`: the one milestone whole, of the others only their hashes."""
    hashes = [
        bytes(32) if at == index else milestone.hash()
        for at, milestone in enumerate(agreement.milestones)
    ]
    return (hashes, index, milestone_tuple(agreement.milestones[index]))


def attestation_tuple(attestation: Attestation) -> tuple[object, ...]:
    return tuple(attestation.message().values())


def read_state(values: Mapping[str, Any]) -> State:
    """`MilestoneState` out of a decoded answer."""
    fields = {snake(name): value for name, value in values.items()}
    return State(**fields | {"status": Status(values["status"])})


def bitmap(indices: Iterable[int]) -> int:
    """A bit for each index."""
    return sum(1 << index for index in set(indices))


def indices(bits: int) -> tuple[int, ...]:
    """The places of the bits that are set, in ascending order."""
    return tuple(index for index in range(bits.bit_length()) if bits >> index & 1)
