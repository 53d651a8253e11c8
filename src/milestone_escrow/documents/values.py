"""What people write in an agreement's fields, read into small typed values.

Every reader raises `UsageError` with what was written, what is allowed, and the fix; the place in
the file is added by whoever knows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias
from zoneinfo import ZoneInfo

from milestone_escrow.documents.money import read_percent
from milestone_escrow.documents.source import suggest
from milestone_escrow.documents.when import (
    NUMBER_WORDS,
    CalendarPeriod,
    end_of_day,
    read_date,
    read_period,
)
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.hashing import keccak

BPS = 10_000

_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_COUNT_OF = re.compile(r"(\w+)\s+of\s+(.+)")
_SPLIT = re.compile(r"\s*(?:,|\band\b|\bor\b)\s*")
_PAST_DUE = re.compile(r"(.+?)\s+(?:past|after)\s+(?:the\s+)?due(?:\s+date)?")
_SHARE_TO = re.compile(r"(.+?)\s+to\s+(?:the\s+)?(buyer|supplier)")
_FEE = re.compile(r"(.+?%)\s+to\s+(\S+)")

NOBODY = frozenset({"nobody", "none", "no verifiers", "off"})
RESERVED_KEYS = frozenset({"all", "any", "nobody", "none", "off"})


def checksum_address(text: str) -> Address:
    """The EIP-55 form of 40 hex digits."""
    digits = text[2:].lower()
    mask = keccak(digits.encode()).hex()
    return "0x" + "".join(
        c.upper() if m in "89abcdef" else c for c, m in zip(digits, mask, strict=False)
    )


def read_account(text: str) -> Address:
    """An account; mixed upper and lower case must be its EIP-55 checksum.

    Raises:
        UsageError: not an account, the zero account, or a checksum that does not match.
    """
    if not _ACCOUNT.fullmatch(text):
        hint = "write the full account, 0x and 40 hex digits"
        if text.endswith(".eth"):
            hint = "write the account that the name stands for, 0x and 40 hex digits"
        raise UsageError(f"'{text}' is not an account", hint=hint)
    checksummed = checksum_address(text)
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != checksummed:
        raise UsageError(
            f"{text} has a mistyped character: its checksum does not match",
            hint="copy the account again from the wallet",
        )
    if checksummed == ZERO_ADDRESS:
        raise UsageError("the zero account belongs to nobody", hint="write a person's account")
    return checksummed


def read_key(text: str) -> str:
    """A short name for a milestone or a verifier, used in commands.

    Raises:
        UsageError: not lower-case letters, digits, `-` and `_`.
    """
    if not _KEY.fullmatch(text) or text in RESERVED_KEYS:
        fixed = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        good = bool(_KEY.fullmatch(fixed)) and fixed not in RESERVED_KEYS
        raise UsageError(
            f"'{text}' cannot be a key",
            hint=f"write '{fixed}'" if good else "write a short lower-case word, as in delivered",
        )
    return text


@dataclass(frozen=True, slots=True)
class QuorumRule:
    """ "2 of forwarder, bank" as written; None stands for all there are."""

    needed: int | None
    names: tuple[str, ...] | None
    of: int | None = None

    def resolve(self, verifiers: Sequence[str]) -> tuple[tuple[str, ...], int]:
        """The verifiers meant, in the agreement's order, and how many of them must sign.

        Raises:
            UsageError: an unknown or repeated verifier, or a quorum above their number.
        """
        names = self.names if self.names is not None else tuple(verifiers)
        for name in names:
            if name not in verifiers:
                raise UsageError(
                    f"'{name}' is not one of the agreement's verifiers",
                    hint=suggest(name, verifiers) or "name them under parties.verifiers",
                )
            if names.count(name) > 1:
                raise UsageError(f"'{name}' is named twice", hint="each verifier counts once")
        count = len(names)
        if self.of is not None and self.of != count:
            hint = f"write {self.needed} of {count}"
            if count == 0:
                hint = "name the verifiers under parties.verifiers"
            elif self.needed and self.needed > count:
                hint = f"write at most {count} of {count}"
            raise UsageError(
                f"says of {self.of}, but the agreement has {count} verifiers", hint=hint
            )
        needed = count if self.needed is None else self.needed
        if needed > count or (needed == 0 and count):
            raise UsageError(
                f"{needed} signatures are asked of {count} verifiers",
                hint=f"write 1 to {count}" if count else "name verifiers under parties.verifiers",
            )
        return tuple(name for name in verifiers if name in names), needed


def read_quorum(text: str) -> QuorumRule:
    """Read "2 of 3", "inspector", "2 of forwarder, bank", "all", "all of a, b", "nobody".

    Raises:
        UsageError: not one of these.
    """
    words = " ".join(text.split())
    if words.lower() in NOBODY:
        return QuorumRule(0, ())
    if words.lower() in {"all", "all of them", "all verifiers"}:
        return QuorumRule(None, None)
    if match := _COUNT_OF.fullmatch(words):
        return _count_of(match[1].lower(), match[2], text)
    if _KEY.fullmatch(words):
        return QuorumRule(1, (words,))
    names = ", ".join(_SPLIT.split(words))
    raise UsageError(
        f"'{text}' does not say how many must sign",
        hint=f"write 'all of {names}' or '1 of {names}'"
        if "," in names
        else "write it as 2 of 3, inspector, 2 of forwarder, bank, or nobody",
    )


def _count_of(count: str, rest: str, text: str) -> QuorumRule:
    needed: int | None
    if count == "all":
        needed = None
    elif count == "any":
        needed = 1
    elif count.isdecimal():
        needed = int(count)
    elif count in NUMBER_WORDS:
        needed = NUMBER_WORDS[count]
    else:
        raise UsageError(f"'{text}' does not say how many must sign", hint="write it as 2 of 3")
    if needed == 0:
        raise UsageError("0 signatures would let nobody decide", hint="write 1 or more, or nobody")
    if rest.isdecimal():
        if needed is not None and needed > int(rest):
            raise UsageError(
                f"{needed} signatures are asked of {rest} verifiers",
                hint=f"write at most {rest} of {rest}",
            )
        return QuorumRule(needed, None, int(rest))
    names = tuple(name for name in _SPLIT.split(rest) if name)
    return QuorumRule(needed, names)


@dataclass(frozen=True, slots=True)
class PastDue:
    """A deadline some time after the due date."""

    period: CalendarPeriod

    def deadline(self, due: date, zone: ZoneInfo) -> int:
        """Unix seconds: the end of the day that lies the period after `due`."""
        return end_of_day(self.period.after(due), zone) + self.period.seconds


@dataclass(frozen=True, slots=True)
class OnDate:
    """A deadline at the end of a fixed date."""

    day: date

    def deadline(self, due: date | None, zone: ZoneInfo) -> int:
        return end_of_day(self.day, zone)


DeadlineRule: TypeAlias = PastDue | OnDate


def read_deadline(text: str) -> DeadlineRule:
    """Read "30 days past due", "due", "on the due date" or a date.

    Raises:
        UsageError: none of these.
    """
    words = " ".join(text.lower().split())
    if words in {"due", "on due", "due date", "the due date", "on the due date", "at once"}:
        return PastDue(CalendarPeriod())
    if match := _PAST_DUE.fullmatch(words):
        return PastDue(read_period(match[1]))
    if words[:2].isdecimal() and "-" in words:
        return OnDate(read_date(words))
    raise UsageError(
        f"'{text}' does not say when", hint="write 30 days past due, on the due date, or a date"
    )


def read_enough(text: str) -> bool:
    """Whether what the supplier alone shows is enough: "is enough" or "is not enough".

    Raises:
        UsageError: neither. Nothing shorter will do, because it lets the payee prove its own work.
    """
    words = " ".join(text.lower().split())
    if words in ("is enough", "is not enough"):
        return words == "is enough"
    raise UsageError(
        f"'{text}' does not say whether it is enough", hint="write is enough, or leave it out"
    )


def read_silence(text: str) -> bool:
    """Whether silence pays the supplier: "refund buyer" or "pay supplier".

    Raises:
        UsageError: neither.
    """
    words = text.lower().replace(" the ", " ").split()
    if words in (["refund", "buyer"], ["refund"]):
        return False
    if words in (["pay", "supplier"], ["pay"]):
        return True
    raise UsageError(
        f"'{text}' does not say who is paid", hint="write refund buyer or pay supplier"
    )


def read_no_ruling(text: str) -> int:
    """The supplier's share in basis points: "50 % to supplier", "refund buyer", "pay supplier".

    Raises:
        UsageError: none of these, or finer than 0.01 %.
    """
    words = " ".join(text.lower().split())
    if match := _SHARE_TO.fullmatch(words):
        share = {"all": "100 %", "everything": "100 %", "half": "50 %"}.get(match[1], match[1])
        bps = _bps(share)
        return bps if match[2] == "supplier" else BPS - bps
    try:
        return BPS if read_silence(text) else 0
    except UsageError:
        raise UsageError(
            f"'{text}' does not say who gets what",
            hint="write 50 % to supplier, refund buyer or pay supplier",
        ) from None


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee on payouts: basis points, and who receives it."""

    bps: int
    recipient: Address


def read_fee(text: str) -> Fee:
    """Read "none" or "0.5 % to 0x…".

    Raises:
        UsageError: neither, above 10 %, or finer than 0.01 %.
    """
    words = " ".join(text.split())
    if words.lower() in {"none", "off", "no fee"}:
        return Fee(0, ZERO_ADDRESS)
    match = _FEE.fullmatch(words)
    if not match:
        raise UsageError(f"'{text}' is not a fee", hint="write none, or 0.5 % to 0x… (an account)")
    bps = _bps(match[1])
    if not 1 <= bps <= 1_000:
        raise UsageError(
            f"a fee of {match[1]} is not allowed", hint="write 0.01 % to 10 %, or none"
        )
    return Fee(bps, read_account(match[2]))


def _bps(text: str) -> int:
    bps = read_percent(text).value * BPS
    if bps.denominator != 1:
        raise UsageError(f"'{text}' is finer than 0.01 %", hint="write at most two decimals")
    return int(bps)
