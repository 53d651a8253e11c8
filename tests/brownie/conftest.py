"""Roles and an agreement of two milestones, for Brownie's own pytest."""

from __future__ import annotations

from typing import Any

import pytest

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.terms import DAY, Milestone, Terms

USDC = 10**6


@pytest.fixture(autouse=True)
def isolation(fn_isolation: None) -> None:
    """Each test starts on the chain that the module's fixtures left behind."""


@pytest.fixture(scope="module")
def deployer(accounts: Any) -> Any:
    return accounts[0]


@pytest.fixture(scope="module")
def buyer(accounts: Any) -> Any:
    return accounts[1]


@pytest.fixture(scope="module")
def supplier(accounts: Any) -> Any:
    """Added by key, since Anvil's own accounts do not sign typed data through Brownie."""
    return accounts.add("0x" + "51" * 32)


@pytest.fixture(scope="module")
def verifier(accounts: Any) -> Any:
    return accounts.add("0x" + "7e" * 32)


@pytest.fixture(scope="module")
def stranger(accounts: Any) -> Any:
    return accounts[9]


@pytest.fixture(scope="module")
def escrow(deployer: Any, MilestoneEscrow: Any) -> Any:  # noqa: N803 (Brownie's name for it)
    return deployer.deploy(MilestoneEscrow)


@pytest.fixture(scope="module")
def usdc(deployer: Any, buyer: Any, escrow: Any, TestUSDC: Any) -> Any:  # noqa: N803
    token = deployer.deploy(TestUSDC)
    token.mint(buyer, 1_000 * USDC, {"from": deployer})
    token.approve(escrow, 1_000 * USDC, {"from": buyer})
    return token


@pytest.fixture(scope="module")
def terms(buyer: Any, supplier: Any, verifier: Any, usdc: Any) -> Terms:
    return Terms(
        buyer=buyer.address,
        supplier=supplier.address,
        token=usdc.address,
        arbiter=ZERO_ADDRESS,
        verifiers=(verifier.address,),
        objection_period=0,
        review_period=0,
        arbitration_period=3 * DAY,
        default_payee_bps=5_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=b"\x11" * 32,
        salt=1,
    )


@pytest.fixture(scope="module")
def milestones(chain: Any) -> tuple[Milestone, ...]:
    deadline = chain.time() + 30 * DAY
    return tuple(
        Milestone(amount * USDC, deadline, False, 0b1, 1, b"\x22" * 32) for amount in (300, 700)
    )
