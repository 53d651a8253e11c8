"""`escrow key`, and acting with a key of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_escrow.keys import DevSigner, Keystore
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import DEAL

PASSWORD = "correct horse"
SECRET = "00" * 31 + "09"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key derivation that costs nothing: a second for each key is for burglars, not tests."""
    monkeypatch.setattr("milestone_escrow.keys.keystore.COST", 2)
    monkeypatch.setattr(Keystore.__init__, "__kwdefaults__", {"cost": 2})


@pytest.fixture
def password_file(home: Path) -> str:
    path = Path("password").resolve()
    path.write_text(PASSWORD + "\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def test_a_new_key_is_encrypted_and_listed(escrow: Run, home: Path, password_file: str):
    made = escrow("key", "new", "treasury", "--password-file", password_file, "--json").json
    listed = escrow("key", "list", "--json").json["keys"]
    assert listed == [made]
    path = Path(made["file"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text("utf-8"))["crypto"]["cipher"] == "aes-128-ctr"
    assert made["account"] in escrow("key", "list").out


def test_an_empty_list_says_how_to_make_one(escrow: Run):
    result = escrow("key", "list")
    assert result.status == 0
    assert "escrow key new NAME" in result.out


def test_asks_for_the_password_twice(escrow: Run):
    result = escrow("key", "new", "treasury", answers=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.status == 0
    assert PASSWORD not in result.out + result.err


def test_needs_somebody_to_ask(escrow: Run, home: Path):
    result = escrow("key", "new", "treasury")
    assert result.status == 2
    assert "--password-file" in result.err
    assert not (home / "keys").exists()


def test_imports_a_private_key_from_the_prompt_without_showing_it(escrow: Run):
    result = escrow("key", "import", "mine", answers=f"{SECRET}\n{PASSWORD}\n{PASSWORD}\n")
    assert result.status == 0
    assert DevSigner(9).address in result.out
    assert SECRET not in result.out + result.err


def test_imports_from_a_file_or_standard_input(escrow: Run, password_file: str):
    Path("secret").write_text(SECRET, encoding="utf-8")
    options = ("--password-file", password_file, "--json")
    first = escrow("key", "import", "one", "secret", *options).json
    result = escrow("key", "import", "two", "-", *options, answers=SECRET)
    assert result.json["account"] == first["account"] == DevSigner(9).address
    again = escrow("key", "import", "three", first["file"], *options)
    assert again.json["account"] == first["account"]


def test_refuses_what_is_no_key(escrow: Run, home: Path, password_file: str):
    Path("secret").write_text("hello", encoding="utf-8")
    result = escrow("key", "import", "mine", "secret", "--password-file", password_file)
    assert result.status == 1
    assert "this is not a private key" in result.err
    assert not (home / "keys").exists()


def test_replaces_no_key(escrow: Run, password_file: str):
    options = ("--password-file", password_file)
    escrow("key", "new", "mine", *options)
    result = escrow("key", "new", "mine", *options)
    assert result.status == 1
    assert "there is already a key 'mine'" in result.err


@pytest.fixture
def own_key(escrow: Run, deal: Path, password_file: str) -> str:
    """The deal's buyer acts with an imported key."""
    Path("secret").write_text(SECRET, encoding="utf-8")
    options = ("--password-file", password_file)
    assert escrow("key", "import", "treasury", "secret", *options).status == 0
    deal.write_text(DEAL.replace(DevSigner(1).address, DevSigner(9).address), encoding="utf-8")
    return "treasury"


def test_acts_with_an_own_key(escrow: Run, deal: Path, own_key: str, password_file: str):
    line = ("agreement", "sign", str(deal), "--as", own_key, "--yes", "--json")
    assert escrow(*line, "--password-file", password_file).json["role"] == "buyer"


def test_refuses_a_wrong_password(escrow: Run, deal: Path, own_key: str, unchanged: Unchanged):
    wrong = Path("wrong").resolve()
    wrong.write_text("guess\n", encoding="utf-8")
    wrong.chmod(0o600)
    line = ("agreement", "sign", str(deal), "--as", own_key, "--yes")
    with unchanged():
        result = escrow(*line, "--password-file", str(wrong))
    assert (result.status, result.out) == (1, "")
    assert result.err == "Error: this is not the password of key 'treasury'; try again\n"


def test_refuses_a_password_that_others_can_read(
    escrow: Run, deal: Path, own_key: str, password_file: str
):
    Path(password_file).chmod(0o644)
    line = ("agreement", "sign", str(deal), "--as", own_key, "--yes")
    result = escrow(*line, "--password-file", password_file)
    assert result.status == 1
    assert f"chmod 600 {password_file}" in result.err


def test_needs_a_password_from_somewhere(escrow: Run, deal: Path, own_key: str):
    result = escrow("agreement", "sign", str(deal), "--as", own_key, "--yes")
    assert result.status == 1
    assert "--password-file" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("key", "import", SECRET),
        ("key", "import", "mine", "0x" + SECRET),
        ("open", "deal.yaml", f"--as={SECRET}"),
        ("dispute", "SHED-7", "walls", "--reason", f"my key is {SECRET}"),
        ("--json", SECRET),
    ],
)
def test_a_private_key_on_the_command_line_is_refused_unseen(
    escrow: Run, home: Path, arguments: tuple[str, ...]
):
    result = escrow(*arguments)
    assert (result.status, result.out) == (2, "")
    assert "looks like a private key" in result.err
    assert SECRET not in result.err
    assert not home.exists()


def test_the_id_of_a_known_agreement_is_no_private_key(escrow: Run, signed: Path):
    agreement_id = escrow("agreement", "show", "SHED-7", "--json").json["agreement_id"]
    assert escrow("agreement", "show", agreement_id).status == 0
    assert escrow("status", agreement_id[2:]).status == 0


def test_an_account_is_printed_alone(escrow: Run, home: Path, own_key: str):
    listed = escrow("key", "list", "--json").json["keys"]
    account = next(key["account"] for key in listed if key["name"] == own_key)
    assert escrow("key", "address", own_key).out == f"{account}\n"
    missing = escrow("key", "address", "nobody")
    assert missing.status == 2
    assert "there is no key 'nobody' here; see `escrow key list`" in missing.err
