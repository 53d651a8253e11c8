"""What stands in for Sepolia is taken for it, and its USDC behaves as the issuer's does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.contract.token_support import Way
from milestone_escrow.chain.contract.tokens import read_token
from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.errors import ContractError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain
from milestone_escrow.protocol.terms import (
    DAY,
    Milestone,
    Terms,
    agreement_id,
    agreement_typed_data,
)
from tests.support.anvil import Anvil
from tests.support.sepolia import (
    SEPOLIA,
    USDC,
    allow_again,
    deny,
    give_coins,
    give_usdc,
    pass_time,
    sepolia,
)

UNIT = 10**6
BUYER, SUPPLIER = LocalSigner(b"\x0a" * 32), LocalSigner(b"\x0b" * 32)


@pytest.fixture(scope="module")
def anvil(artifacts: Mapping[str, Artifact]) -> Iterator[Anvil]:
    with sepolia({name: artifact.bytecode for name, artifact in artifacts.items()}) as running:
        give_coins(running.node, BUYER.address, 10**18)
        give_usdc(running.node, BUYER.address)
        yield running


@pytest.fixture(scope="module")
def fresh(anvil: Anvil) -> Escrow:
    return Escrow.deploy("sepolia", BUYER, rpc=anvil.url)


@pytest.fixture
def escrow(fresh: Escrow) -> Iterator[Escrow]:
    snapshot = fresh.node.request("evm_snapshot")
    yield fresh
    fresh.node.request("evm_revert", [snapshot])


@pytest.fixture
def deal(escrow: Escrow) -> OpenedAgreement:
    """One milestone of 5 USDC, for the buyer to approve."""
    terms = Terms(
        buyer=BUYER.address,
        supplier=SUPPLIER.address,
        token=USDC,
        arbiter=ZERO_ADDRESS,
        verifiers=(),
        objection_period=0,
        review_period=7 * DAY,
        arbitration_period=7 * DAY,
        default_payee_bps=5_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=b"\1" * 32,
        salt=1,
    )
    milestones = (Milestone(5 * UNIT, escrow.now() + 30 * DAY, False, 0, 0, b"\2" * 32),)
    return OpenedAgreement(agreement_id(escrow.domain, terms, milestones), terms, milestones)


def opened(escrow: Escrow, deal: OpenedAgreement, how: Way) -> None:
    data = agreement_typed_data(escrow.domain, deal.terms, deal.milestones)
    consents = {SUPPLIER.address: SUPPLIER.sign_typed_data(data)}
    escrow.open(deal, consents, fund=[0], how=how, allow=True)


def test_usdc_says_what_the_issuers_says(escrow: Escrow) -> None:
    assert read_token(escrow.node, USDC) == SEPOLIA.token("USDC")
    support = escrow.token_support(USDC)
    assert support.ways == ("allowance", "permit", "authorization")
    assert support.domain == Domain(SEPOLIA.chain_id, USDC, "USDC", "2")


@pytest.mark.parametrize("how", ["allowance", "permit", "authorization"])
def test_each_way_of_paying_in_works(escrow: Escrow, deal: OpenedAgreement, how: Way) -> None:
    opened(escrow, deal, how)
    assert escrow.balance(SEPOLIA.token("USDC"), escrow.contract) == 5 * UNIT
    escrow.approve(deal, 0)
    assert escrow.balance(SEPOLIA.token("USDC"), SUPPLIER.address) == 5 * UNIT


def test_a_denied_payees_money_waits_until_they_are_allowed_again(
    escrow: Escrow, deal: OpenedAgreement
) -> None:
    opened(escrow, deal, "allowance")
    deny(escrow.node, SUPPLIER.address)
    escrow.approve(deal, 0)
    assert escrow.credit(SEPOLIA.token("USDC"), SUPPLIER.address) == 5 * UNIT
    with pytest.raises(ContractError):
        escrow.withdraw("USDC", SUPPLIER.address)
    allow_again(escrow.node, SUPPLIER.address)
    escrow.withdraw("USDC", SUPPLIER.address)
    assert escrow.balance(SEPOLIA.token("USDC"), SUPPLIER.address) == 5 * UNIT


def test_nobody_mints_what_is_like_real_money(escrow: Escrow) -> None:
    with pytest.raises(ContractError, match="not a minter"):
        escrow.mint("USDC", BUYER.address, UNIT)


def test_blocks_come_by_themselves_and_time_can_run_ahead(escrow: Escrow) -> None:
    before = escrow.now()
    pass_time(escrow.node, DAY)
    assert before + DAY <= escrow.now() < before + DAY + 60
