"""`escrow agreement sign`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from milestone_escrow.documents.files.signed_agreement import SignedAgreement, signed_path
from milestone_escrow.documents.shelf import Shelf
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged


def test_signs_beside_the_file_and_on_the_shelf(escrow: Run, deal: Path, home: Path):
    result = escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    assert result.status == 0
    assert "10,000.00 USDC in 4 milestones" in result.words
    assert f"escrow agreement sign {signed_path(deal)} --as supplier" in result.out
    signed = SignedAgreement.load(signed_path(deal))
    assert set(signed.signatures) == {"buyer"}
    assert Shelf(home / "agreements").find("SHED-7").id == signed.id


def test_the_other_side_continues_the_same_file(escrow: Run, deal: Path):
    escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    file = signed_path(deal)
    result = escrow("agreement", "sign", str(file), "--as", "supplier", "--yes", "--json")
    assert result.json["complete"] is True
    assert SignedAgreement.load(file).is_complete


def test_a_verifier_confirms_a_role(escrow: Run, deal: Path):
    result = escrow("agreement", "sign", str(deal), "--as", "surveyor", "--yes")
    assert result.status == 0
    assert "take the role of surveyor" in result.words
    assert set(SignedAgreement.load(signed_path(deal)).signatures) == {"surveyor"}


def test_asks_before_it_signs(escrow: Run, deal: Path):
    result = escrow("agreement", "sign", str(deal), "--as", "buyer", answers="n\n")
    assert result.status == 130
    assert "nothing was sent" in result.err
    assert not signed_path(deal).exists()


def test_asks_which_key_where_several_could_sign(escrow: Run, deal: Path):
    result = escrow("agreement", "sign", str(deal), "--yes")
    assert result.status == 2
    assert "say which: --as buyer or --as supplier" in result.err


def test_refuses_a_second_signature(escrow: Run, signed: Path, unchanged: Unchanged):
    with unchanged():
        result = escrow("agreement", "sign", str(signed), "--as", "buyer", "--yes")
    assert result.status == 1
    assert "buyer has signed SHED-7 already" in result.err
    (known,) = re.findall(r"already; (\S+) has all signatures", result.err)
    assert "buyer" in SignedAgreement.load(Path(known)).signatures


def test_refuses_an_agreement_with_errors(escrow: Run, deal: Path, world: World):
    world.travel(world.now + 400 * 86_400)
    result = escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    assert result.status == 1
    assert "must not be signed like this" in result.err
    assert not signed_path(deal).exists()


def test_needs_no_node(escrow: Run, deal: Path):
    assert escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes").status == 0


@pytest.mark.parametrize("network", ["anvil", "sepolia"])
def test_refuses_a_network_without_a_contract(escrow: Run, deal: Path, network: str):
    result = escrow("agreement", "sign", str(deal), "--network", network, "--as", "buyer", "--yes")
    assert result.status == 2
    assert result.err.count("\n") == 1


def test_refuses_main_networks_unless_they_are_asked_for(escrow: Run, deal: Path):
    result = escrow("agreement", "sign", str(deal), "--network", "base", "--as", "buyer", "--yes")
    assert result.status == 2
    assert "--mainnet" in result.err


@pytest.mark.parametrize("place", ["shed.yaml", "other.txt"])
def test_signatures_never_take_the_place_of_the_words(escrow: Run, deal: Path, place: str):
    before, sign = deal.read_bytes(), ("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    done = escrow(*sign, "-o", place, "--force")
    assert done.status == 2
    assert f"{place} would not be read as signatures" in done.err
    assert deal.read_bytes() == before
    assert not Path("other.txt").exists()


def test_what_was_printed_is_not_told_as_a_file(escrow: Run, deal: Path):
    done = escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes", "-o", "-")
    assert done.status == 0
    assert "signatures are in" not in done.out + done.err
    assert "agreement sign -" not in done.out + done.err
