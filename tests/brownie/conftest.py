"""Roles and an agreement of two milestones, for Brownie's own pytest; and where scripts run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brownie import accounts as brownie_accounts

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.terms import DAY, Milestone, Terms
from scripts import deploy, open_and_fund
from scripts.here import contract
from tests.brownie.deal import write_deal
from tests.brownie.places import PLACES, Place, use_a_port_of_ones_own
from tests.support.sepolia import USDC as CIRCLE_USDC
from tests.support.sepolia import give_coins, give_usdc

USDC = 10**6

use_a_port_of_ones_own()


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


# Where scripts run


@pytest.fixture(scope="module", params=PLACES)
def place(request: Any, FiatToken: Any, FiatTokenProxy: Any) -> Iterator[Place]:  # noqa: N803
    code = {c._name: f"0x{c.bytecode}" for c in (FiatToken, FiatTokenProxy)}
    with PLACES[request.param](code) as found:
        yield found


@pytest.fixture(scope="module")
def home(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of its own, whose table knows the token on Brownie's chain."""
    folder = tmp_path_factory.mktemp(place.network)
    table = f'[anvil]\ntokens.USDC = "{CIRCLE_USDC}"\n'
    (folder / "networks.toml").write_text(table, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESCROW_HOME", str(folder))
        patch.setenv("ESCROW_YES", "1")
        yield folder


@pytest.fixture(scope="module")
def people(place: Place) -> dict[str, str]:
    """Accounts by role, with coins for gas, and 20 USDC for the buyer."""
    roles = ("buyer", "supplier", "editor", "printer")
    found = {
        role: brownie_accounts.add(f"0x{number:02x}" + "61" * 31).address
        for number, role in enumerate(roles, start=1)
    }
    if place.network == "anvil":
        found["buyer"] = brownie_accounts[1].address  # for which only the node can sign
    for account in found.values():
        give_coins(place.node, account, 10**18)
    give_usdc(place.node, found["buyer"])
    return found


@pytest.fixture(scope="module")
def deployed(home: Path, people: dict[str, str]) -> Any:
    return deploy.main(people["buyer"])


@pytest.fixture
def client(deployed: Any) -> Any:
    """The contract as the package sees it through Brownie."""
    return contract()


@pytest.fixture
def file(client: Any, place: Place, people: dict[str, str], tmp_path: Path) -> str:
    """An agreement file that nobody has signed."""
    return write_deal(tmp_path, network=place.network, people=people, now=client.now())


@pytest.fixture
def opened(file: str, people: dict[str, str]) -> str:
    """An agreement file, signed, opened and funded by the scripts."""
    open_and_fund.sign(file, people["supplier"])
    open_and_fund.main(file, people["buyer"], "all")
    return file
