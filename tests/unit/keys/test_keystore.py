"""Keys rest encrypted, in files that only their owner reads."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from milestone_escrow.errors import EscrowError, KeyFileError, UsageError
from milestone_escrow.keys import Keystore

SECRET = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
PASSWORD = "correct horse"


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    # A cost that no person should use, so that the tests take no second per key.
    return Keystore(tmp_path / "keys", cost=2)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_key_can_be_unlocked(keystore: Keystore) -> None:
    entry = keystore.create("anna", PASSWORD)
    assert keystore.unlock("anna", PASSWORD).address == entry.address


def test_two_new_keys_differ(keystore: Keystore) -> None:
    assert keystore.create("a", PASSWORD).address != keystore.create("b", PASSWORD).address


@pytest.mark.parametrize("text", [SECRET, "0x" + SECRET, f" {SECRET.upper()}\n"])
def test_an_existing_key_is_imported(keystore: Keystore, text: str) -> None:
    assert keystore.import_key("anna", text, PASSWORD).address == ADDRESS
    assert keystore.unlock("anna", PASSWORD).address == ADDRESS


def test_an_encrypted_key_file_is_imported(keystore: Keystore) -> None:
    text = keystore.import_key("anna", SECRET, PASSWORD).path.read_text()
    assert keystore.import_key("copy", text, PASSWORD).address == ADDRESS
    with pytest.raises(KeyFileError, match="not the password"):
        keystore.import_key("other", text, "wrong")


def test_files_and_folder_are_private(keystore: Keystore) -> None:
    keystore.folder.mkdir(mode=0o755)
    entry = keystore.create("anna", PASSWORD)
    assert mode(entry.path) == 0o600
    assert mode(keystore.folder) == 0o700
    assert [path.name for path in keystore.folder.iterdir()] == ["anna.json"]


def test_the_file_is_web3_secret_storage_without_the_secret(keystore: Keystore) -> None:
    text = keystore.import_key("anna", SECRET, PASSWORD).path.read_text()
    body = json.loads(text)
    assert body["version"] == 3
    assert body["crypto"]["kdf"] == "scrypt"
    assert SECRET not in text.lower()
    assert PASSWORD not in text


def test_people_get_the_strong_cost(tmp_path: Path) -> None:
    entry = Keystore(tmp_path).create("anna", PASSWORD)
    assert json.loads(entry.path.read_text())["crypto"]["kdfparams"]["n"] == 262_144


def test_a_wrong_password_is_one_sentence_and_changes_nothing(keystore: Keystore) -> None:
    before = keystore.create("anna", PASSWORD).path.read_bytes()
    with pytest.raises(KeyFileError) as refusal:
        keystore.unlock("anna", "wrong")
    assert str(refusal.value) == "this is not the password of key 'anna'; try again"
    assert keystore.entry("anna").path.read_bytes() == before


def test_a_key_is_never_overwritten(keystore: Keystore) -> None:
    before = keystore.create("anna", PASSWORD)
    for again in (
        lambda: keystore.create("anna", PASSWORD),
        lambda: keystore.import_key("anna", SECRET, PASSWORD),
    ):
        with pytest.raises(KeyFileError, match="already a key 'anna'"):
            again()
    assert keystore.entry("anna") == before


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../anna", "a/b", "/etc/passwd", "a.json", "-rf", "a b", "a\0", "é"]
)
def test_a_name_cannot_lead_out_of_the_folder(keystore: Keystore, name: str) -> None:
    for use in (
        lambda: keystore.create(name, PASSWORD),
        lambda: keystore.import_key(name, SECRET, PASSWORD),
        lambda: keystore.unlock(name, PASSWORD),
    ):
        with pytest.raises(UsageError, match="cannot be a key's name"):
            use()


@pytest.mark.parametrize("text", ["", "abc", SECRET[:-1], SECRET + "0", "0" * 64, "{", "{}"])
def test_what_is_no_key_is_not_imported_and_not_repeated(keystore: Keystore, text: str) -> None:
    with pytest.raises(KeyFileError) as refusal:
        keystore.import_key("anna", text, PASSWORD)
    assert len(text) < 60 or text[:60] not in str(refusal.value)
    assert keystore.list() == ()


def test_an_empty_password_is_refused(keystore: Keystore) -> None:
    with pytest.raises(UsageError, match="password"):
        keystore.create("anna", "")


def test_a_missing_key_names_the_ones_that_are_there(keystore: Keystore) -> None:
    keystore.create("anna", PASSWORD)
    with pytest.raises(KeyFileError, match="keys here: anna"):
        keystore.unlock("bert", PASSWORD)


def test_keys_are_listed_by_name_and_other_files_passed_over(keystore: Keystore) -> None:
    second, first = keystore.create("b", PASSWORD), keystore.create("a", PASSWORD)
    (keystore.folder / "notes.json").write_text("[]")
    (keystore.folder / "broken.json").write_text("{")
    assert keystore.list() == (first, second)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"address": "0x12"}', '{"address": 5}'])
def test_a_damaged_file_is_one_sentence(keystore: Keystore, content: str) -> None:
    keystore.create("anna", PASSWORD).path.write_text(content)
    with pytest.raises(EscrowError) as refusal:
        keystore.unlock("anna", PASSWORD)
    assert "\n" not in str(refusal.value)


def test_a_file_whose_address_was_swapped_is_refused(keystore: Keystore) -> None:
    path = keystore.import_key("anna", SECRET, PASSWORD).path
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"address": "11" * 20}))
    with pytest.raises(KeyFileError, match="holds another key"):
        keystore.unlock("anna", PASSWORD)
