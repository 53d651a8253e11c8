"""A small complete agreement, and people who sign with well-known keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_keys.datatypes import PrivateKey

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.errors import DocumentError
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.token import Token

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
USDC = "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238"

PLAIN = """\
format: 1
title: Forty oak tables for a school
reference: T-40
date: 2027-01-14
timezone: Europe/Berlin

parties:
  buyer:
    name: Schulamt Nord, Kiel
    account: 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf
  supplier:
    name: Tischlerei Holm, Husum
    account: 0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF
  verifiers:
    inspector: {name: Indus Survey, account: 0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69}
    forwarder: {name: Elbe Logistik, account: 0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718}
    bank: {name: Hansa Trade Desk, account: 0xe1AB8145F7E55DC933d51a18c793F901A3A0b276}
  arbiter: {name: Dr. A. Brandt, account: 0xE57bFE9F44b819898F47BF37E5AF72a0783e1141}

payment:
  network: sandbox
  price: "10,000.00 USDC"
  fee: none

rules:
  verified_by: 2 of 3
  objection_period: 2 days
  review_period: off
  ruling_within: 30 days
  if_no_ruling: 50 % to supplier
  if_nothing_proven: refund buyer
  refund_after: 30 days past due

milestones:
  - deposit: 10 %
  - key: built
    title: Forty tables built and oiled
    pays: 50 %
    due: 2027-03-15
    responsible: supplier
    verified_by: inspector
    requires: [inspection_report from inspector]
  - key: delivered
    title: Forty tables delivered to the school
    pays: 40 %
    due: 2027-04-10
    responsible: forwarder
    requires: [delivery_note from forwarder, after built]

clauses:
  law: German law
"""


@dataclass(frozen=True)
class KeySigner:
    """Signs with a known private key, as a wallet would."""

    key: int

    @property
    def _private(self) -> PrivateKey:
        return PrivateKey(self.key.to_bytes(32, "big"))

    @property
    def address(self) -> str:
        return self._private.public_key.to_checksum_address()

    def sign_typed_data(self, data: TypedData) -> bytes:
        raw = self._private.sign_msg_hash(data.digest()).to_bytes()
        return raw[:64] + bytes([raw[64] + 27])

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        raise AssertionError("documents never send transactions")


@dataclass(frozen=True)
class FakeDeployment:
    domain: Domain

    def token(self, symbol: str) -> Token:
        return Token(symbol, USDC, 6)


@pytest.fixture
def plain() -> str:
    return PLAIN


@pytest.fixture
def edited() -> Callable[..., str]:
    """The small agreement with some of its text replaced."""

    def edit(*replacements: tuple[str, str]) -> str:
        text = PLAIN
        for old, new in replacements:
            assert old in text, f"the small agreement has no {old!r}"
            text = text.replace(old, new, 1)
        return text

    return edit


@pytest.fixture
def load(edited: Callable[..., str], tmp_path: Path) -> Callable[..., Agreement]:
    """Load the small agreement, some of its text replaced."""

    def loaded(*replacements: tuple[str, str]) -> Agreement:
        return Agreement.loads(edited(*replacements), file="deal.yaml", base=tmp_path)

    return loaded


@pytest.fixture
def refusal(load: Callable[..., Agreement]) -> Callable[..., DocumentError]:
    """The error that loading the small agreement so edited ends in."""

    def refused(*replacements: tuple[str, str]) -> DocumentError:
        with pytest.raises(DocumentError) as caught:
            load(*replacements)
        return caught.value

    return refused


@pytest.fixture
def agreement(load: Callable[..., Agreement]) -> Agreement:
    return load()


@pytest.fixture
def deployment() -> FakeDeployment:
    return FakeDeployment(Domain(31337, CONTRACT))


@pytest.fixture
def buyer() -> KeySigner:
    return KeySigner(1)


@pytest.fixture
def supplier() -> KeySigner:
    return KeySigner(2)


@pytest.fixture
def inspector() -> KeySigner:
    return KeySigner(3)


@pytest.fixture
def arbiter() -> KeySigner:
    return KeySigner(6)


@pytest.fixture
def stranger() -> KeySigner:
    return KeySigner(13)
