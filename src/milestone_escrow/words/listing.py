"""Lists of words, and verbs and things in the number that goes with them."""

from __future__ import annotations

from collections.abc import Sequence


def listed(words: Sequence[str]) -> str:
    """ "one", "one and two", "one, two and three"; no "and" where a name has its own."""
    if len(words) < 2 or any(" and " in word for word in words):
        return ", ".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def ranged(keys: Sequence[str]) -> str:
    """Keys of milestones, those that follow each other as a range: "deposit, week-01 … week-60"."""
    runs: list[list[str]] = []
    for key in keys:
        if runs and follows(runs[-1][-1], key):
            runs[-1].append(key)
        else:
            runs.append([key])
    shown = [[f"{run[0]} … {run[-1]}"] if len(run) > 2 else run for run in runs]
    return ", ".join(piece for run in shown for piece in run)


def follows(one: str, other: str) -> bool:
    """Whether a key is the next number of the same series."""
    (name, number), (next_name, next_number) = _numbered(one), _numbered(other)
    both = name == next_name and bool(number and next_number)
    return both and int(next_number) == int(number) + 1


def _numbered(key: str) -> tuple[str, str]:
    name = key.rstrip("0123456789")
    return name, key[len(name) :]


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
