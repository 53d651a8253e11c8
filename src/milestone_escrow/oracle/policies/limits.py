"""What the oracle may sign at all, whatever is shown: amounts, tokens, contracts, agreements.

Limits fail closed. What cannot be compared with a limit is refused, and real money is refused as
long as nobody has set one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from milestone_escrow.documents.money import Sum, format_amount, read_sum
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token

DAY = 86_400

_AGREEMENT = re.compile(r"0x[0-9a-f]{64}")
_AMOUNTS = ("per_release", "per_day", "per_payee_per_day")
_LISTS = ("tokens", "contracts", "agreements")


@dataclass(frozen=True, slots=True)
class ReleasedMoney:
    """Money that a signature lets go: to whom, how much in token units, when it was decided."""

    agreement_id: bytes
    milestone: int
    contract: Address
    token: Address
    payee: Address
    amount: int
    at: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one oracle. An empty list allows everything, an absent amount any amount,
    except where money is real.

    `known` are the network's own tokens. What an agreement says of its token is not asked: whoever
    writes it could call a dear token by a cheap one's name, or give it other decimals.
    """

    per_release: Mapping[str, Sum]
    per_day: Mapping[str, Sum]
    per_payee_per_day: Mapping[str, Sum]
    tokens: frozenset[Address] = frozenset()
    contracts: frozenset[Address] = frozenset()
    agreements: frozenset[bytes] = frozenset()
    known: Mapping[Address, Token] = field(default_factory=dict)
    real_money: bool = True

    @classmethod
    def parse(
        cls, mapping: Mapping[str, object], *, real_money: bool, tokens: Iterable[Token] = ()
    ) -> Limits:
        """Limits from the section `[limits]` of oracle.toml, all of its fields optional.

        `tokens` are those of the network's record, in which the amounts count. Amounts are text
        with a currency, or a list of such: "100,000.00 USDC".

        Raises:
            UsageError: an unknown field, or a value that makes no sense.
        """
        if unknown := set(mapping) - {*_AMOUNTS, *_LISTS}:
            raise UsageError(
                f"limits.{min(unknown)} is not a limit",
                hint=f"known are {', '.join((*_AMOUNTS, *_LISTS))}",
            )
        amounts = {name: _sums(name, mapping.get(name)) for name in _AMOUNTS}
        return cls(
            **amounts,
            tokens=frozenset(map(read_account, _texts("tokens", mapping.get("tokens")))),
            contracts=frozenset(map(read_account, _texts("contracts", mapping.get("contracts")))),
            agreements=frozenset(_ids(_texts("agreements", mapping.get("agreements")))),
            known={token.address: token for token in tokens},
            real_money=real_money,
        )


def allowed(
    limits: Limits, release: ReleasedMoney, past: Iterable[ReleasedMoney], now: int
) -> tuple[str, ...]:
    """Why a release may not be signed; empty where it may.

    `past` are the releases signed before. Those of the last 24 hours count; an earlier signature
    for the same milestone does not, because both can be paid only once.
    """
    reasons = list(_places(limits, release))
    if release.amount <= 0:
        reasons.append("it would release nothing")
    recent = [
        other
        for other in past
        if other.at > now - DAY
        and other.token == release.token
        and (other.agreement_id, other.milestone) != (release.agreement_id, release.milestone)
    ]
    to_payee = [other for other in recent if other.payee == release.payee]
    counted: tuple[tuple[str, Mapping[str, Sum], Sequence[ReleasedMoney], str], ...] = (
        ("per_release", limits.per_release, (), "in one release"),
        ("per_day", limits.per_day, recent, "in 24 hours"),
        ("per_payee_per_day", limits.per_payee_per_day, to_payee, "to one payee in 24 hours"),
    )
    for name, sums, others, words in counted:
        reasons += _amount(limits, name, sums, release, others, words)
    return tuple(reasons)


def _places(limits: Limits, release: ReleasedMoney) -> Iterable[str]:
    if limits.contracts and release.contract not in limits.contracts:
        yield f"the contract {release.contract} is not among those allowed in limits.contracts"
    if limits.tokens and release.token not in limits.tokens:
        yield f"the token {release.token} is not among those allowed in limits.tokens"
    if limits.agreements and release.agreement_id not in limits.agreements:
        yield "the agreement is not among those allowed in limits.agreements"


def _amount(
    limits: Limits,
    name: str,
    sums: Mapping[str, Sum],
    release: ReleasedMoney,
    others: Sequence[ReleasedMoney],
    words: str,
) -> Iterable[str]:
    if not sums:
        # A limit per payee is a refinement; without the two others anything could go out.
        if limits.real_money and name != "per_payee_per_day":
            yield f"no limits.{name} is set, and without one no real money is released"
        return
    token = limits.known.get(release.token)
    if token is None:
        yield f"limits.{name} cannot be compared: the network does not know {release.token}"
        return
    most = sums.get(token.symbol.upper())
    if most is None:
        yield f"limits.{name} says nothing about {token.symbol}"
        return
    total = release.amount + sum(other.amount for other in others)
    try:
        units = most.units(token)
    except UsageError as error:
        yield f"limits.{name} cannot be compared: {error.message}"
        return
    if total > units:
        so_far = total - release.amount
        before = f" after {format_amount(so_far, token)}" if so_far else ""
        yield (
            f"{format_amount(release.amount, token)}{before} is more than the "
            f"{format_amount(units, token)} allowed {words} (limits.{name})"
        )


def _sums(name: str, value: object) -> Mapping[str, Sum]:
    found: dict[str, Sum] = {}
    for text in _texts(name, value):
        try:
            read = read_sum(text)
        except UsageError as error:
            raise UsageError(f"limits.{name}: {error.message}", hint=error.hint) from error
        if not read.symbol:
            raise UsageError(
                f"limits.{name}: '{text}' names no currency", hint=f'write "{text} USDC"'
            )
        if read.symbol.upper() in found:
            raise UsageError(f"limits.{name} gives {read.symbol} twice", hint="keep one")
        found[read.symbol.upper()] = read
    return found


def _texts(name: str, value: object) -> Sequence[str]:
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise UsageError(f"limits.{name} must be text", hint="put it in quotes")
    return [str(item) for item in items]


def _ids(texts: Iterable[str]) -> Iterable[bytes]:
    for text in texts:
        if not _AGREEMENT.fullmatch(text.lower()):
            raise UsageError(
                f"limits.agreements: '{text}' is not an agreement's id",
                hint="write 0x and 64 hex digits",
            )
        yield bytes.fromhex(text[2:])
