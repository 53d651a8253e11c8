"""What cannot work is said in one sentence, and nothing is sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import attest_and_release, open_and_fund, status, verify_deployment
from tests.brownie.deal import write_deal
from tests.brownie.places import Place, refuses

pytestmark = pytest.mark.parametrize("place", ["sepolia"], indirect=True)


@pytest.fixture(autouse=True)
def nothing_is_sent(place: Place, people: dict[str, str], request: Any) -> Iterator[None]:
    # Asked for by name, so that they have sent what they send before the counting starts.
    for fixture in ("deployed", "opened", "signed_by_supplier"):
        if fixture in request.fixturenames:
            request.getfixturevalue(fixture)
    before = {role: place.nonce(account) for role, account in people.items()}
    yield
    assert before == {role: place.nonce(account) for role, account in people.items()}


@pytest.fixture
def signed_by_supplier(file: str, people: dict[str, str]) -> str:
    open_and_fund.sign(file, people["supplier"])
    return file


def test_the_contract_is_missing(
    home: Path, place: Place, people: dict[str, str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("ESCROW_HOME", str(tmp_path))
    for script, *arguments in (
        (open_and_fund.main, "deal.yaml", people["buyer"]),
        (attest_and_release.main, "deal.yaml", "draft", people["editor"]),
        (status.main, "deal.yaml"),
    ):
        refuses("no contract is recorded on", script, *arguments)


def test_there_is_no_code_where_it_is_said_to_be(people: dict[str, str], home: Path) -> None:
    refuses("there is no contract at", verify_deployment.main, people["buyer"])


def test_there_is_no_such_account(signed_by_supplier: str) -> None:
    refuses(
        "there is no Brownie account 'nobody'", open_and_fund.main, signed_by_supplier, "nobody"
    )
    refuses(
        "there is no Brownie account 'nobody'", open_and_fund.sign, signed_by_supplier, "nobody"
    )


def test_the_agreement_is_for_another_network(
    deployed: Any, people: dict[str, str], tmp_path: Path, client: Any
) -> None:
    file = write_deal(tmp_path, network="base-sepolia", people=people, now=client.now())
    refuses("is for base-sepolia, and Brownie is connected to", open_and_fund.main, file)
    refuses("choose the right one with --network", status.main, file)


def test_there_is_no_such_agreement(deployed: Any) -> None:
    refuses("deal.yaml does not exist", status.main, "deal.yaml")
    refuses("there is no agreement 'PO-1' here", open_and_fund.main, "PO-1")


def test_the_supplier_has_not_signed(file: str, people: dict[str, str]) -> None:
    refuses("the supplier, Quill & Co, has not signed", open_and_fund.main, file, people["buyer"])


def test_a_stranger_cannot_sign(file: str, people: dict[str, str]) -> None:
    refuses("is not a party of this agreement", open_and_fund.sign, file, people["editor"])


def test_the_account_is_not_the_buyers(signed_by_supplier: str, people: dict[str, str]) -> None:
    refuses("is not the buyer of", open_and_fund.main, signed_by_supplier, people["supplier"])


def test_the_buyer_has_too_little_usdc(
    client: Any, place: Place, people: dict[str, str], tmp_path: Path
) -> None:
    poor = {**people, "buyer": people["printer"], "printer": people["buyer"]}
    file = write_deal(tmp_path, network=place.network, people=poor, now=client.now())
    open_and_fund.sign(file, people["supplier"])
    refuses(
        "the buyer has 0.00 USDC, and 15.00 USDC is needed",
        open_and_fund.main,
        file,
        poor["buyer"],
        "all",
    )


def test_there_is_no_such_milestone(
    signed_by_supplier: str, opened: str, people: dict[str, str]
) -> None:
    refuses("'cover' is not a milestone", open_and_fund.main, signed_by_supplier, "", "cover")
    refuses("'cover' is not a milestone", attest_and_release.main, opened, "cover")


def test_everything_is_funded_already(opened: str, people: dict[str, str]) -> None:
    refuses("funded", open_and_fund.main, opened, people["buyer"], "all")
    refuses("cannot be funded", open_and_fund.main, opened, people["buyer"], "draft")


def test_the_agreement_is_not_open(file: str, people: dict[str, str]) -> None:
    refuses("is not open on", attest_and_release.main, file, "draft", people["editor"])


def test_only_its_verifiers_attest_a_milestone(opened: str, people: dict[str, str]) -> None:
    refuses("is not a verifier", attest_and_release.main, opened, "draft", people["supplier"])


def test_too_few_verifiers_are_named(opened: str, people: dict[str, str]) -> None:
    twice = f"{people['editor']},{people['editor']}"
    refuses("2 verifiers must sign 'printed'", attest_and_release.main, opened, "printed", twice)


def test_a_part_larger_than_the_whole(opened: str, people: dict[str, str]) -> None:
    refuses(
        "'60.00 USDC' is 60.00 USDC",
        attest_and_release.main,
        opened,
        "draft",
        people["editor"],
        "60.00 USDC",
    )


def test_the_answer_is_no(
    opened: str, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESCROW_YES")
    for answer, sentence in (("\n", "not confirmed"), ("no\n", "not confirmed"), ("", "nobody")):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        refuses(sentence, attest_and_release.main, opened, "draft", people["editor"])


def test_arguments_that_do_not_fit_are_answered_with_the_usage(deployed: Any) -> None:
    usage = "run it as `brownie run scripts/attest_and_release.py main AGREEMENT MILESTONE"
    refuses(usage, attest_and_release.main, "deal.yaml")
    refuses("`brownie run scripts/status.py main AGREEMENT`", status.main)
