"""Brownie's accounts as signers: found by name, unlocked, and signing what they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from brownie import accounts, web3
from eth_account import Account

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.protocol.acts import Appointment
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import recover
from scripts.here import account
from scripts.signer import BrownieSigner

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Brownie's own folder, empty, and nobody at the keyboard."""
    monkeypatch.setattr("brownie.network.account._get_data_folder", lambda: tmp_path)
    (tmp_path / "accounts").mkdir()
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("ESCROW_PASSWORD_FILE", str(file))
    return tmp_path


def kept(name: str, key: int) -> str:
    """An account that rests in Brownie's folder and is not loaded."""
    made = accounts.add(key.to_bytes(32, "big"))
    made.save(name, password=PASSWORD)
    accounts.remove(made)
    return str(made.address)


def test_is_found_by_its_name() -> None:
    address = kept("buyer", 7)
    assert account("buyer").address == address


def test_a_wrong_password_is_said_to_be_wrong(folder: Path) -> None:
    kept("buyer", 7)
    (folder / "password").write_text("wrong\n", encoding="utf-8")
    with pytest.raises(KeyFileError, match="the password of 'buyer' is wrong"):
        account("buyer")


def test_a_password_that_others_can_read_is_refused(folder: Path) -> None:
    kept("buyer", 7)
    (folder / "password").chmod(0o644)
    with pytest.raises(KeyFileError, match="can be read by others"):
        account("buyer")


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    kept("buyer", 7)
    kept("editor", 8)
    with pytest.raises(UsageError, match="no Brownie account 'byer'; choose from buyer, editor"):
        account("byer")


def test_on_brownies_own_chain_a_number_names_its_account() -> None:
    assert account().address == accounts[0].address
    assert account("3").address == accounts[3].address
    with pytest.raises(UsageError, match="there is no account 99; choose from 0 to"):
        account("99")


@pytest.mark.parametrize("holder", ["brownie", "node"])
def test_signs_typed_data_and_transactions(holder: str, chain: Any) -> None:
    held = accounts.add("0x" + "5a" * 32) if holder == "brownie" else accounts[4]
    signer = BrownieSigner(held)
    data = Appointment(b"\x01" * 32, "editor", signer.address).typed_data(
        Domain(web3.eth.chain_id, accounts[0].address)
    )
    assert recover(data.digest(), signer.sign_typed_data(data)) == held.address

    fields = {
        "type": 2,
        "chainId": web3.eth.chain_id,
        "nonce": held.nonce,
        "to": accounts[0].address,
        "value": 0,
        "data": b"\x01\x02",
        "gas": 50_000,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 0,
    }
    assert Account.recover_transaction(signer.sign_transaction(fields)) == held.address


def test_does_not_print_its_key() -> None:
    held = accounts.add("0x" + "5a" * 32)
    assert "5a5a" not in repr(BrownieSigner(held))
