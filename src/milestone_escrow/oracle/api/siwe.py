"""Sign-In with Ethereum (EIP-4361): the message, read and written strictly by its grammar.

What is accepted here is exactly what the grammar can produce, so that no two readers of one
message can disagree on its account, its domain or its nonce.

Not by the library siwe: it wants web3 below 8 and eth-account below 0.14.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from milestone_escrow.documents.values import checksum_address
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol import signatures
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import Wallets, text_digest

MAX_BYTES = 4_000
# Wallets and servers disagree on the time by this much without anybody's fault.
SKEW = 300

_URI_CHARS = r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})"
_URI = rf"[A-Za-z][A-Za-z0-9+.\-]*:{_URI_CHARS}*"
_TIME = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})"
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)"
_MESSAGE = re.compile(
    rf"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://)?"
    rf"(?P<domain>{_HOST}(?::\d{{0,5}})?) wants you to sign in with your Ethereum account:\n"
    r"(?P<account>0x[0-9A-Fa-f]{40})\n"
    r"\n"
    r"(?:(?P<statement>[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;= ]+)\n)?"
    r"\n"
    rf"URI: (?P<uri>{_URI})\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>0|[1-9]\d{0,77})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,64})\n"
    rf"Issued At: (?P<issued_at>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expiration_time>{_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_TIME}))?"
    r"(?:\nRequest ID: (?P<request_id>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*))?"
    rf"(?P<resources>\nResources:(?:\n- {_URI})*)?",
    re.ASCII,
)


class SignInError(UsageError):
    """A sign-in that is refused, with the reason."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The message's fields; times are the text that was signed. None where a field is left out."""

    domain: str
    account: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: str
    statement: str | None = None
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None
    scheme: str | None = None

    def text(self) -> str:
        """What the wallet shows and signs."""
        scheme = f"{self.scheme}://" if self.scheme is not None else ""
        statement = f"{self.statement}\n" if self.statement is not None else ""
        lines = [
            f"{scheme}{self.domain} wants you to sign in with your Ethereum account:",
            self.account,
            "",
            f"{statement}",
            f"URI: {self.uri}",
            "Version: 1",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {self.issued_at}",
        ]
        optional = (
            ("Expiration Time", self.expiration_time),
            ("Not Before", self.not_before),
            ("Request ID", self.request_id),
        )
        lines += [f"{name}: {value}" for name, value in optional if value is not None]
        if self.resources is not None:
            lines += ["Resources:", *(f"- {resource}" for resource in self.resources)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a message to this service must say: `origin` is its public address, "https://host"."""

    origin: str
    chain_id: int

    @property
    def scheme(self) -> str:
        return urlsplit(self.origin).scheme

    @property
    def domain(self) -> str:
        return urlsplit(self.origin).netloc


def parse(text: str) -> SignIn:
    """Read a message by the grammar of EIP-4361.

    Raises:
        SignInError: it does not follow the grammar, or the account's checksum is wrong.
    """
    match = _MESSAGE.fullmatch(text) if len(text) <= MAX_BYTES else None
    if match is None:
        raise SignInError(
            "the message does not follow EIP-4361",
            hint="ask for a nonce and sign the message that comes with it, unchanged",
        )
    fields: dict[str, Any] = match.groupdict()
    if fields["account"] != checksum_address(fields["account"]):
        raise SignInError("the account in the message is not in its checksummed form (EIP-55)")
    for name in ("issued_at", "expiration_time", "not_before"):
        if fields[name] is not None:
            seconds(fields[name])
    listed = fields.pop("resources")
    resources = None if listed is None else tuple(listed.split("\n- ")[1:])
    return SignIn(**{**fields, "chain_id": int(fields["chain_id"])}, resources=resources)


def seconds(moment: str) -> int:
    """Unix seconds of an RFC 3339 time; fractions are cut off.

    Raises:
        SignInError: there is no such time.
    """
    whole = re.sub(r"\.\d+", "", moment.upper()).replace("Z", "+00:00")
    try:
        return int(datetime.fromisoformat(whole).timestamp())
    except (ValueError, OverflowError) as error:
        raise SignInError(f"there is no time {moment}") from error


def timestamp(moment: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def require_for(message: SignIn, expected: Expected, now: int) -> None:
    """Refuse a message that is for another service, another chain or another time.

    Raises:
        SignInError: with what it says and what it should say.
    """
    if message.domain.lower() != expected.domain.lower():
        raise SignInError(
            f"the message signs in to {message.domain}, this is {expected.domain}",
            hint="sign a message for this service",
        )
    if message.scheme is not None and message.scheme.lower() != expected.scheme:
        raise SignInError(f"the message is for {message.scheme}, this is {expected.scheme}")
    uri = urlsplit(message.uri)
    if f"{uri.scheme}://{uri.netloc}".lower() != expected.origin.lower():
        raise SignInError(f"the message's URI is {message.uri}, this is {expected.origin}")
    if message.chain_id != expected.chain_id:
        raise SignInError(
            f"the message is for chain {message.chain_id}, this is chain {expected.chain_id}",
            hint="switch the wallet's network",
        )
    if seconds(message.issued_at) > now + SKEW:
        raise SignInError(f"the message was issued at {message.issued_at}, which is to come")
    if message.not_before is not None and now < seconds(message.not_before):
        raise SignInError(f"the message is not valid before {message.not_before}")
    if message.expiration_time is not None and now >= seconds(message.expiration_time):
        raise SignInError(f"the message expired at {message.expiration_time}")


def is_signed(message: SignIn, signature: bytes, wallets: Wallets | None = None) -> bool:
    """Whether the account signed: by its key, or as a contract, where one can be asked."""
    digest = text_digest(message.text())
    return signatures.is_signed(message.chain_id, message.account, digest, signature, wallets)
