"""oracle.toml: everything that an operator may want otherwise. Nothing of it has to be written.

    [limits]
    per_release = "100,000.00 USDC"
    [webhooks.carrier]
    secret_file = "carrier.secret"
    [notify.erp]
    url = "https://erp.example/hooks"
    secret_file = "erp.secret"

Secrets are named by a file that only its owner can read, or by an environment variable.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from milestone_escrow.documents.source import suggest
from milestone_escrow.documents.values import read_account
from milestone_escrow.documents.when import parse_duration
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.keys.secrets import Secret

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

_EMPTY: Mapping[str, str] = {}
_OUR_OWN = {"folder", "environment"}
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def _duration(value: object) -> int:
    return parse_duration(str(value))


def _size(value: object) -> int:
    text = str(value).strip().lower()
    digits = text.rstrip("bkmg").strip()
    unit = text[len(digits) :].strip()
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS:
        raise UsageError(f"'{value}' is not a size", hint='write "20 MB"')
    return int(digits) * _UNITS[unit]


Seconds = Annotated[int, BeforeValidator(_duration)]
Bytes = Annotated[int, BeforeValidator(_size)]
Account = Annotated[str, BeforeValidator(lambda value: read_account(str(value)))]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSource(_Section):
    """Where a secret is: one of `secret_file` (relative to oracle.toml) and `secret_env`."""

    secret_file: Path | None = None
    secret_env: str | None = None


class Webhook(SecretSource):
    """Somebody whose signed events count as evidence."""

    window: Seconds = 300


class Notify(SecretSource):
    """An address of one's own that wants to be told, as an ERP; all events where none is named."""

    url: str
    events: tuple[str, ...] = ()


class Email(SecretSource):
    """`security` is "starttls", "tls" or "none"; `operators` hear about the service itself, and of
    everything where `copies` is set; `parties` are written to at their agreement's addresses."""

    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str
    user: str = ""
    security: str = "starttls"
    operators: tuple[str, ...] = ()
    parties: bool = True
    copies: bool = False


class LimitSettings(_Section):
    """What the oracle may sign. Amounts are text with their currency, "100,000.00 USDC"."""

    per_release: str | None = None
    per_day: str | None = None
    per_payee_per_day: str | None = None
    tokens: tuple[Account, ...] = ()
    contracts: tuple[Account, ...] = ()
    agreements: tuple[str, ...] = ()


class Relaying(_Section):
    """`max_fee` is gwei for a unit of gas; `low_balance` is in the network's coin."""

    max_fee: float | None = Field(default=None, gt=0)
    bump_after: Seconds = 60
    low_balance: str = "0.02"
    batch: int = Field(default=20, ge=1, le=50)


class Reminding(_Section):
    ahead: tuple[Seconds, ...] = (7 * 86_400, 86_400)


class EvidenceRules(_Section):
    """`where` is a folder or any fsspec address; `types` are media types, all where none is."""

    where: str | None = None
    max_size: Bytes = 50 * 10**6
    types: tuple[str, ...] = ()


class Http(_Section):
    """What `http` requirements may reach beyond public https addresses."""

    allow_hosts: tuple[str, ...] = ()
    timeout: Seconds = 10


class Api(_Section):
    """`public_url` is what people type; `trusted_proxies` may say who a request came from;
    `operator_token_file` (relative to oracle.toml) holds what lets the operator read everything."""

    public_url: str | None = None
    operator_token_file: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    session: Seconds = 12 * 3_600
    requests_per_minute: int = Field(default=600, ge=1)


class Indexing(_Section):
    """Only these agreements, or those of these parties, are followed, where any is named."""

    agreements: tuple[str, ...] = ()
    parties: tuple[Account, ...] = ()


class Settings(_Section):
    """The whole file. `folder` is where it lies, `environment` where secrets may be, too."""

    limits: LimitSettings = LimitSettings()
    relaying: Relaying = Relaying()
    webhooks: dict[str, Webhook] = {}
    notify: dict[str, Notify] = {}
    email: Email | None = None
    reminders: Reminding = Reminding()
    evidence: EvidenceRules = EvidenceRules()
    http: Http = Http()
    api: Api = Api()
    indexing: Indexing = Indexing()
    folder: Path = Field(default=Path(), exclude=True)
    environment: Mapping[str, str] = Field(default={}, exclude=True, repr=False)

    @classmethod
    def load(cls, path: Path | None, environment: Mapping[str, str] = _EMPTY) -> Settings:
        """Read oracle.toml; everything as usual without one.

        Raises:
            UsageError: it cannot be read, or a line of it makes no sense.
        """
        if path is None:
            return cls(environment=environment)
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise UsageError(f"{path} cannot be read ({reason})", hint="check --config") from None
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path} is not TOML: {error}", hint="correct that line") from None
        return cls.read(tree, path, environment)

    @classmethod
    def read(
        cls,
        tree: dict[str, Any],
        path: Path = Path("oracle.toml"),
        environment: Mapping[str, str] = _EMPTY,
    ) -> Settings:
        """The settings in a parsed file; see `load`."""
        for name in _OUR_OWN & set(tree):
            raise UsageError(f"{path}: '{name}' is not a setting", hint="remove it")
        try:
            return cls(**tree, folder=path.parent, environment=environment)
        except ValidationError as error:
            raise _sentence(error, path) from None
        except EscrowError as error:
            raise UsageError(f"{path}: {error.message}", hint=error.hint) from None

    def secret(self, name: str, source: SecretSource) -> Secret:
        """The secret that a section names.

        Raises:
            UsageError: none, or two.
            KeyFileError: it is not there, or others can read it.
        """
        if (source.secret_file is None) == (source.secret_env is None):
            raise UsageError(
                f"{name} needs one of secret_file and secret_env",
                hint="keep the secret in a file that only you can read, and name it",
            )
        if source.secret_file is not None:
            return Secret.from_file(name, self.folder / source.secret_file)
        return Secret.from_environment(name, str(source.secret_env), self.environment)

    def operator_token(self) -> bytes:
        """SHA-256 of the operator's token; empty where there is none.

        Raises:
            KeyFileError: its file is not there, others can read it, or it could be guessed.
        """
        file = self.api.operator_token_file
        return Secret.from_file("operator_token_file", self.folder / file).hashed() if file else b""


def _sentence(error: ValidationError, path: Path) -> UsageError:
    """pydantic's first complaint as one sentence."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        section: Any = Settings
        for step in first["loc"][:-1]:
            field = (
                section.model_fields.get(str(step)) if hasattr(section, "model_fields") else None
            )
            section = field.annotation if field else None
        known = sorted(getattr(section, "model_fields", {}))
        hint = suggest(str(first["loc"][-1]), [name for name in known if name not in _OUR_OWN])
        return UsageError(f"{path}: '{where}' is not a setting", hint=hint or "remove it")
    return UsageError(f"{path}: {where}: {first['msg']}", hint="see docs/oracle.md")
