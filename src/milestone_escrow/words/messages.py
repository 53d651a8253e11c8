"""The one way in which a sentence for people is made: a whole message with named parts.

A message is written in place, in English, and is its own key in the catalogue of another language:
a translation may put its parts in any order, so a sentence is never glued from pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations

ENGLISH = NullTranslations()

_catalogue = ContextVar("catalogue", default=ENGLISH)


def say(message: str, /, **parts: object) -> str:
    """`say("{payer} pays {amount}", payer="the buyer", amount="3.00 USDC")`, as it reads here."""
    return _catalogue.get().gettext(message).format(**parts)


def say_count(one: str, many: str, count: int, /, **parts: object) -> str:
    """The message that goes with a number, which both know as {count}."""
    return _catalogue.get().ngettext(one, many, count).format(count=count, **parts)


def sentences(*said: str) -> str:
    """Sentences after each other, each complete by itself; those that are "" stay away."""
    return " ".join(filter(None, said))


def read_by(teller: object, values: Mapping[str, object]) -> dict[str, _Part]:
    """Parts whose messages say how they are read: `{asked:amount}` is what `teller.amount` makes
    of `asked`."""
    return {name: _Part(value, teller) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class _Part:
    value: object
    teller: object

    def __format__(self, kind: str) -> str:
        return str(getattr(self.teller, kind)(self.value) if kind else self.value)


@contextmanager
def speaking(catalogue: NullTranslations) -> Iterator[None]:
    """Within it, everything is said in the language of a catalogue."""
    token = _catalogue.set(catalogue)
    try:
        yield
    finally:
        _catalogue.reset(token)
