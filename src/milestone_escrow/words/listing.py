"""Lists of words, and verbs and things in the number that goes with them."""

from __future__ import annotations

from collections.abc import Sequence


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
