"""Every script, on Brownie's own chain and on one that looks like Sepolia."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.chain.deploy.deploying import contract_address
from milestone_escrow.chain.node.networks import network
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from scripts import attest_and_release, deploy, open_and_fund, status, verify_deployment
from tests.brownie.deal import write_deal
from tests.brownie.places import Place
from tests.support.sepolia import USDC, deny, pass_time

UNIT = 10**6


def balance(client: Any, account: str) -> int:
    return int(client.balance(client.token("USDC"), account))


def test_deploys_to_the_one_address_of_every_network(deployed: Any, place: Place) -> None:
    assert deployed.address == contract_address(network("sepolia"))
    assert place.node.request("eth_getCode", [deployed.address, "latest"]) != "0x"


def test_a_second_deployment_finds_the_first_and_sends_nothing(
    deployed: Any, place: Place, people: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = place.nonce(people["buyer"])
    assert deploy.main(people["buyer"]) == deployed
    assert place.nonce(people["buyer"]) == before
    assert "nothing to send" in capsys.readouterr().out


def test_a_deployment_whose_record_is_lost_is_recorded_again(
    deployed: Any, home: Path, place: Place, people: dict[str, str]
) -> None:
    (home / "deployments" / f"{place.network}.json").unlink()
    again = deploy.main("nobody")  # nor is an account needed
    assert (again.address, again.block) == (deployed.address, deployed.block)


def test_verifies_what_was_deployed(deployed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_deployment.main() == deployed.address
    assert f"deployed in block {deployed.block:,}" in capsys.readouterr().out


def test_other_code_is_not_verified(deployed: Any) -> None:
    with pytest.raises(SystemExit, match="is not the escrow contract of this version"):
        verify_deployment.main(USDC)


def test_opens_with_the_suppliers_signature_and_pays_the_next_milestone_in(
    file: str, client: Any, people: dict[str, str]
) -> None:
    open_and_fund.sign(file, people["supplier"])
    signed = open_and_fund.main(file, people["buyer"])
    assert client.is_open(signed.id)
    assert balance(client, client.contract) == 6 * UNIT
    assert balance(client, people["buyer"]) == 14 * UNIT


def test_an_open_agreement_is_only_funded(file: str, client: Any, people: dict[str, str]) -> None:
    open_and_fund.sign(file, people["supplier"])
    open_and_fund.main(file, people["buyer"])
    open_and_fund.main(file, people["buyer"], "printed, final")
    assert balance(client, client.contract) == 15 * UNIT


def test_the_buyer_may_sign_beforehand_and_is_not_asked_twice(
    file: str, client: Any, people: dict[str, str]
) -> None:
    open_and_fund.sign(file, people["supplier"])
    signed = open_and_fund.sign(file, people["buyer"])
    assert signed.is_complete
    assert client.is_open(open_and_fund.main(file, people["buyer"]).id)


def test_the_verifiers_signature_pays_the_supplier(
    opened: str, client: Any, people: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    after = attest_and_release.main(opened, "draft", people["editor"])
    assert after.state.status is Status.SETTLED
    assert balance(client, people["supplier"]) == 6 * UNIT
    assert "Paid 6.00 USDC to Quill & Co." in capsys.readouterr().out


def test_a_part_is_paid_and_the_rest_stays(
    opened: str, client: Any, people: dict[str, str], tmp_path: Path
) -> None:
    text = tmp_path / "german.txt"
    text.write_text("Willkommen", encoding="utf-8")
    after = attest_and_release.main(opened, "draft", people["editor"], "50%", str(text))
    assert (after.state.status, after.held) == (Status.FUNDED, 3 * UNIT)
    assert balance(client, people["supplier"]) == 3 * UNIT


def test_two_verifiers_sign_where_two_must(
    opened: str, client: Any, people: dict[str, str]
) -> None:
    both = f"{people['printer']}, {people['editor']}"
    after = attest_and_release.main(opened, "printed", both)
    assert after.state.status is Status.SETTLED
    assert balance(client, people["supplier"]) == 5 * UNIT


def test_after_the_objection_period_a_second_run_releases(
    client: Any, place: Place, people: dict[str, str], tmp_path: Path
) -> None:
    file = write_deal(
        tmp_path,
        network=place.network,
        people=people,
        now=client.now(),
        objection_period="3 days",
    )
    open_and_fund.sign(file, people["supplier"])
    open_and_fund.main(file, people["buyer"])
    run = (file, "draft", people["editor"])
    assert attest_and_release.main(*run).state.status is Status.RELEASE_PENDING
    sent = place.nonce(people["editor"])
    assert attest_and_release.main(*run).state.status is Status.RELEASE_PENDING
    assert place.nonce(people["editor"]) == sent

    pass_time(place.node, 3 * DAY)
    assert attest_and_release.main(*run).state.status is Status.SETTLED
    assert balance(client, people["supplier"]) == 6 * UNIT


def test_a_denied_suppliers_money_waits_for_them(
    opened: str, client: Any, place: Place, people: dict[str, str]
) -> None:
    deny(place.node, people["supplier"])
    after = attest_and_release.main(opened, "draft", people["editor"])
    assert after.state.status is Status.SETTLED
    assert client.credit(client.token("USDC"), people["supplier"]) == 6 * UNIT


def test_status_tells_where_everything_stands(
    opened: str, people: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    attest_and_release.main(opened, "draft", people["editor"])
    capsys.readouterr()
    draft, final, _ = status.main(opened)
    assert (draft.held, final.held) == (0, 4 * UNIT)
    told = capsys.readouterr().out
    assert "Held by the contract for it: 9.00 USDC" in told
    assert "Vera Stone can `attest`" in told


def test_status_tells_who_has_not_signed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main(file) == ()
    assert "Not open. Not signed by buyer and supplier." in capsys.readouterr().out
