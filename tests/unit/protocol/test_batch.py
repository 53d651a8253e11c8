"""Which attestations can be signed together, and how they stand in a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation, Verdict, batch_typed_data
from milestone_escrow.protocol.batch import batches
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.terms import Milestone, Terms

ADA, BOB, EVE = ("0x" + str(n) * 40 for n in (1, 2, 3))
ZERO = "0x" + "0" * 40


@dataclass(frozen=True)
class Deal:
    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]


def deal(number: int, verifiers: tuple[str, ...], *sets: tuple[int, int]) -> Deal:
    terms = Terms(
        "0x" + "7" * 40, "0x" + "8" * 40, "0x" + "9" * 40, ZERO, verifiers, 0, 0, 3 * 86_400, 0,
        ZERO, 0, bytes(32), number,
    )  # fmt: skip
    milestones = tuple(
        Milestone(100, 9_999, False, bits, quorum, bytes(32)) for bits, quorum in sets
    )
    return Deal(bytes([number]) * 32, terms, milestones)


def accepted(of: Deal, milestone: int, amount: int = 100, at: int = 50) -> Attestation:
    return Attestation(of.id, milestone, Verdict.ACCEPTED, amount, bytes(32), at, 999)


ONE = deal(2, (ADA, BOB), (0b11, 2), (0b11, 1), (0b01, 1))
TWO = deal(1, (ADA, BOB), (0b11, 1))
OTHER = deal(3, (ADA, EVE), (0b11, 1))


def test_a_batch_has_one_set_of_verifiers_and_one_order() -> None:
    items = [(ONE, accepted(ONE, 1)), (OTHER, accepted(OTHER, 0)), (TWO, accepted(TWO, 0)),
             (ONE, accepted(ONE, 0))]  # fmt: skip
    for given in (items, items[::-1]):
        found = batches(given)
        places = [[(a.id[0], what.milestone) for a, what in batch.items] for batch in found]
        assert places == [[(1, 0), (2, 0), (2, 1)], [(3, 0)]]
    first, second = found
    assert (first.verifiers, first.signers, first.quorum) == ((ADA, BOB), (ADA, BOB), 2)
    assert (second.verifiers, second.quorum) == ((ADA, EVE), 1)


def test_milestones_with_other_verifiers_are_signed_apart() -> None:
    found = batches([(ONE, accepted(ONE, 2)), (ONE, accepted(ONE, 1))])
    assert [batch.signers for batch in found] == [(ADA, BOB), (ADA,)]


def test_certificates_of_one_milestone_stand_in_the_order_of_time() -> None:
    early, late = accepted(ONE, 0, 30, 40), accepted(ONE, 0, 70, 50)
    (batch,) = batches([(ONE, late), (ONE, early)])
    assert batch.attestations == (early, late)


def test_what_is_signed_is_the_batch() -> None:
    (batch,) = batches([(TWO, accepted(TWO, 0))])
    domain = Domain(1, EVE)
    assert batch.typed_data(domain) == batch_typed_data(domain, batch.attestations)


def test_what_does_not_belong_is_refused() -> None:
    good = accepted(TWO, 0)
    for wrong, why in (
        ([], "is empty"),
        ([(TWO, good), (TWO, good)], "twice"),
        ([(ONE, good)], "another agreement"),
        ([(TWO, replace(good, milestone=1))], "not there"),
        ([(TWO, replace(good, verdict=Verdict.RETURNED, amount=0))], "rework"),
    ):
        with pytest.raises(UsageError, match=why):
            batches(wrong)
