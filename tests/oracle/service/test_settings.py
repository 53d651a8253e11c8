"""oracle.toml is read whole or refused with the line that is wrong."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.settings import Settings, Webhook

WHOLE = """
[limits]
per_release = "100,000.00 USDC"
per_day = "250,000.00 USDC"
agreements = ["PO-2027-0114"]
[relaying]
max_fee = 80.5
bump_after = "2 minutes"
[webhooks.carrier]
secret_file = "carrier.secret"
window = "5 minutes"
[notify.erp]
url = "https://erp.example/hooks"
secret_env = "ERP_SECRET"
events = ["released"]
[email]
host = "mail.example"
sender = "escrow@example.com"
user = "escrow"
secret_file = "mail.secret"
[reminders]
ahead = ["7 days", "1 day"]
[evidence]
where = "s3://bucket/evidence"
max_size = "20 MB"
types = ["application/pdf"]
[http]
allow_hosts = ["build.internal"]
[api]
public_url = "https://escrow.example"
trusted_proxies = ["127.0.0.1"]
[indexing]
parties = ["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "oracle.toml"
    path.write_text(WHOLE)
    return path


def test_reads_every_section(file: Path) -> None:
    settings = Settings.load(file)
    assert settings.relaying.bump_after == 120
    assert settings.evidence.max_size == 20_000_000
    assert settings.reminders.ahead == (604_800, 86_400)
    assert settings.webhooks["carrier"].window == 300
    assert settings.notify["erp"].events == ("released",)


def test_nothing_has_to_be_written() -> None:
    assert Settings.load(None) == Settings()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[limit]\nx = 1", "'limit' is not a setting; did you mean 'limits'?"),
        ("[limits]\nper_relase = '1'", "did you mean 'per_release'"),
        ("[relaying]\nbatch = 0", "relaying.batch"),
        ("[relaying]\nbump_after = 'soon'", "'soon' is not a duration"),
        ("[evidence]\nmax_size = 'big'", "'big' is not a size"),
        ("[indexing]\nparties = ['0x12']", "'0x12' is not an account"),
        ("folder = 'x'", "'folder' is not a setting"),
        ("[limits", "is not TOML"),
    ],
)
def test_refuses_what_makes_no_sense(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "oracle.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        Settings.load(path)
    assert complaint in str(refused.value)
    assert "oracle.toml" in str(refused.value)


def test_says_when_the_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Settings.load(tmp_path / "none.toml")


def test_takes_a_secret_from_a_private_file_beside_it(file: Path) -> None:
    settings = Settings.load(file)
    path = file.parent / "carrier.secret"
    path.write_text("hush\n")
    path.chmod(0o600)
    secret = settings.secret("carrier", settings.webhooks["carrier"])
    assert secret.reveal() == "hush"
    assert "hush" not in repr(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_refuses_a_secret_that_others_can_read(file: Path) -> None:
    settings = Settings.load(file)
    path = file.parent / "carrier.secret"
    path.write_text("hush\n")
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="can be read by others"):
        settings.secret("carrier", settings.webhooks["carrier"])


def test_takes_a_secret_from_the_environment(file: Path) -> None:
    settings = Settings.load(file)
    with pytest.raises(KeyFileError, match="ERP_SECRET"):
        settings.secret("erp", settings.notify["erp"])
    settings = Settings.load(file, {"ERP_SECRET": "hush"})
    assert "hush" not in repr(settings)
    assert settings.secret("erp", settings.notify["erp"]).reveal() == "hush"


def test_a_secret_has_one_source() -> None:
    with pytest.raises(UsageError, match="one of secret_file and secret_env"):
        Settings().secret("carrier", Webhook())


def token_in(folder: Path, text: str, mode: int = 0o600) -> Settings:
    path = folder / "operator.token"
    path.write_text(text)
    path.chmod(mode)
    return Settings.read({"api": {"operator_token_file": "operator.token"}}, folder / "oracle.toml")


def test_only_the_hash_of_the_operators_token_is_kept(tmp_path: Path) -> None:
    token = "0123456789abcdef" * 2
    settings = token_in(tmp_path, token + "\n")
    assert settings.operator_token() == hashlib.sha256(token.encode()).digest()
    assert token not in repr(settings)
    assert Settings().operator_token() == b""


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        ("x" * 31, 0o600, "needs at least 32 letters, digits or signs"),
        ("x" * 20 + " " + "x" * 20, 0o600, "and no spaces; make one with `openssl rand -hex 32`"),
        ("x" * 32, 0o640, r"operator.token can be read by others; run `chmod 600"),
        ("", 0o600, "is empty"),
    ],
)
def test_refuses_a_token_that_is_not_safe(
    tmp_path: Path, text: str, mode: int, complaint: str
) -> None:
    with pytest.raises(KeyFileError, match=complaint) as refused:
        token_in(tmp_path, text, mode).operator_token()
    assert "operator_token_file" in str(refused.value)
    assert "xxx" not in str(refused.value)


def test_says_that_the_file_of_the_token_is_missing(tmp_path: Path) -> None:
    token_in(tmp_path, "x" * 32)
    (tmp_path / "operator.token").unlink()
    settings = Settings.read(
        {"api": {"operator_token_file": "operator.token"}}, tmp_path / "oracle.toml"
    )
    with pytest.raises(KeyFileError, match=r"operator.token cannot be read"):
        settings.operator_token()


def test_an_empty_secret_is_none() -> None:
    with pytest.raises(KeyFileError, match="empty"):
        Secret("carrier", "")
