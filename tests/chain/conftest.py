"""The contract on the embedded chain, with a deal between sandbox accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.terms import (
    DAY,
    Milestone,
    Terms,
    agreement_id,
    agreement_typed_data,
)
from tests.support.contracts import compiled

START = 1_799_884_800
AMOUNT = 72_000_000_000


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    """Test contracts too, which the package does not ship."""
    return compiled()


@pytest.fixture(scope="session")
def fresh() -> Escrow:
    """The contract and a buyer with money; branched for each test, never changed."""
    escrow = Escrow.embedded(DevSigner(1), start=START)
    escrow.mint("USDC", DevSigner(1).address, 10**15)
    escrow.allow("USDC", 10**15)
    return escrow


@pytest.fixture
def escrow(fresh: Escrow) -> Iterator[Escrow]:
    snapshot = fresh.chain.snapshot()
    yield fresh.acting_as(None)
    fresh.chain.revert(snapshot)


@pytest.fixture
def buyer() -> DevSigner:
    return DevSigner(1)


@pytest.fixture
def supplier() -> DevSigner:
    return DevSigner(2)


@pytest.fixture
def inspector() -> DevSigner:
    return DevSigner(3)


@pytest.fixture
def forwarder() -> DevSigner:
    return DevSigner(4)


@pytest.fixture
def arbiter() -> DevSigner:
    return DevSigner(6)


@pytest.fixture
def stranger() -> DevSigner:
    return DevSigner(7)


@pytest.fixture
def deal(escrow: Escrow) -> OpenedAgreement:
    return five_milestones(escrow)


def five_milestones(escrow: Escrow) -> OpenedAgreement:
    """A deposit, one checked by one, two by two of two, one by nobody."""
    verifiers = tuple(sorted((DevSigner(n).address for n in (3, 4)), key=str.lower))
    terms = Terms(
        buyer=DevSigner(1).address,
        supplier=DevSigner(2).address,
        token=escrow.token("USDC").address,
        arbiter=DevSigner(6).address,
        verifiers=verifiers,
        objection_period=2 * DAY,
        review_period=14 * DAY,
        arbitration_period=30 * DAY,
        default_payee_bps=5_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=b"\1" * 32,
        salt=1,
    )
    one = 1 << verifiers.index(DevSigner(3).address)
    due = START + 90 * DAY
    milestones = (
        Milestone(24_000_000_000, 0, True, 0, 0, b"\2" * 32),
        Milestone(AMOUNT, due, False, one, 1, b"\2" * 32),
        Milestone(AMOUNT, due, False, 3, 2, b"\2" * 32),
        Milestone(AMOUNT, due, False, 3, 2, b"\2" * 32),
        Milestone(AMOUNT, due, True, 0, 0, b"\2" * 32),
    )
    return OpenedAgreement(agreement_id(escrow.domain, terms, milestones), terms, milestones)


@pytest.fixture
def signatures(escrow: Escrow, deal: OpenedAgreement) -> Mapping[Address, bytes]:
    """Both parties'."""
    data = agreement_typed_data(escrow.domain, deal.terms, deal.milestones)
    return {signer.address: signer.sign_typed_data(data) for signer in (DevSigner(1), DevSigner(2))}


@pytest.fixture
def funded(
    escrow: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes]
) -> OpenedAgreement:
    """The deal, open, all of it funded."""
    escrow.acting_as(DevSigner(1)).open(deal, signatures, fund=range(5))
    return deal
