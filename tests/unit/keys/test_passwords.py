"""Passwords come from a private file, the keyring, or a person."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from milestone_escrow.errors import KeyFileError
from milestone_escrow.keys.passwords import find_password, read_password_file, remember_password


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_the_first_line_of_a_private_file_is_the_password(file: Path) -> None:
    assert read_password_file(file) == "correct horse"
    assert find_password("anna", file=file) == "correct horse"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o620])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600") as refusal:
        read_password_file(file)
    assert "correct" not in str(refusal.value)


def test_what_an_editor_writes_before_the_first_line_is_no_part_of_it(file: Path) -> None:
    file.write_bytes("geheim\r\n".encode("utf-8-sig"))
    assert read_password_file(file) == "geheim"


def test_an_empty_or_missing_file_is_refused(file: Path) -> None:
    file.write_text("\nnot this")
    with pytest.raises(KeyFileError, match="is empty"):
        read_password_file(file)
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_password_file(file.with_name("nothing"))
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_password_file(file.parent)


@pytest.mark.usefixtures("no_keyring")
def test_without_a_keyring_a_person_is_asked() -> None:
    assert find_password("anna", ask=lambda name: f"{name}'s") == "anna's"


@pytest.mark.usefixtures("no_keyring")
def test_without_anybody_to_ask_the_way_out_is_named() -> None:
    with pytest.raises(KeyFileError, match="--password-file"):
        find_password("anna")
    with pytest.raises(KeyFileError, match="keyring"):
        remember_password("anna", "secret")


def test_the_keyring_is_asked_before_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}
    keyring = SimpleNamespace(
        set_password=lambda service, name, password: kept.update({(service, name): password}),
        get_password=lambda service, name: kept.get((service, name)),
    )
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    remember_password("anna", "from the keyring")
    assert find_password("anna", ask=lambda _: "typed") == "from the keyring"
    assert find_password("bert", ask=lambda _: "typed") == "typed"


def test_a_keyring_that_fails_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("no backend")

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=fail))
    assert find_password("anna", ask=lambda _: "typed") == "typed"
