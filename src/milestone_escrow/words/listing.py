"""Names of people and lists of words, for one line of text."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.protocol.eip712 import Address

# Longer forms first: "Co. Ltd" would otherwise leave its "Co." behind.
_FORMS = (
    "Pvt Ltd", "Pte Ltd", "Co. Ltd", "Ltd", "GmbH", "Inc.", "Inc", "LLC", "AG", "OÜ", "Oy", "SA",
)  # fmt: skip


def short(name: str) -> str:
    """ "Nordlicht Teppiche" of "Nordlicht Teppiche GmbH, Hamburg"."""
    first = name.split(",")[0].strip()
    for form in _FORMS:
        if first.endswith(f" {form}"):
            return first.removesuffix(form).strip()
    return first or name


def person(agreement: Agreement, account: Address) -> str:
    """The short name behind an account, or the account itself."""
    roles = agreement.roles(account)
    return short(agreement.name(roles[0])) if roles else account


def listed(words: Sequence[str]) -> str:
    """ "one", "one and two", "one, two and three"; no "and" where a name has its own."""
    if len(words) < 2 or any(" and " in word for word in words):
        return ", ".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def does(names: Sequence[str], verb: str) -> str:
    """The verb as these people take it: "Indus Survey accepts", "Elena and Marcus fund"."""
    if len(names) > 1 or any(" and " in name for name in names):
        return verb
    first, *rest = verb.split(" ")
    ending = "es" if first.endswith(("s", "sh", "ch", "x")) else "s"
    return " ".join([first + ending, *rest])


def counted(number: int, thing: str) -> str:
    """ "1 file", "13 files"."""
    return f"{number} {thing}" if number == 1 else f"{number:,} {thing}s"
