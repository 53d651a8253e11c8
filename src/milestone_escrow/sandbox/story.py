"""What happens in a deal, as a small script beside its agreement: `examples/NAME/story.yaml`.

    title: A late container and an honest ruling
    story:
      - fund: all
      - accept: manufactured
        by: inspector
        when: 5 days before due
      - dispute: packed
        by: buyer
        reason: Two cartons are wet.
      - rule: packed
        supplier: 90 %
        buyer: rest

One verb to a step. What time alone decides needs no step: whoever looks after the chain finalizes
what falls due. A story is read like an agreement file: text only, no anchors, every complaint
with file, line, field and fix.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from milestone_escrow.documents.money import Part, read_part
from milestone_escrow.documents.source import (
    Source,
    Tree,
    Where,
    parse_source,
    read_source,
    suggest,
)
from milestone_escrow.documents.values import read_key
from milestone_escrow.sandbox.moments import Later, Moment, TimeUp, read_moment

MAX_STEPS = 200
MAX_LINE = 300
ANYONE = "anyone"
ALL = "all"


class Verb(str, Enum):
    """What a step does."""

    FUND = "fund"
    EVIDENCE = "evidence"
    ACCEPT = "accept"
    RETURN = "return"
    REJECT = "reject"
    SUBMIT = "submit"
    DISPUTE = "dispute"
    RULE = "rule"
    APPROVE = "approve"
    REFUND = "refund"
    SETTLE = "settle"
    FINALIZE = "finalize"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    Attributes:
        milestones: keys; empty for a wait, and for `fund: all`.
        by: who does it, by role: the verifiers who sign, the party who disputes, who finalizes.
        when: None follows the step before on the same day.
        amount: of an acceptance, approval or refund; None is all of it.
        supplier, buyer: how a ruling or settlement splits what is held.
        evidence: the milestone's evidence files, by name; empty stands for all of them.
    """

    verb: Verb
    milestones: tuple[str, ...]
    by: tuple[str, ...]
    when: Moment | None
    amount: Part | None
    supplier: Part | None
    buyer: Part | None
    evidence: tuple[str, ...]
    reason: str
    note: str
    line: int


@dataclass(frozen=True, slots=True)
class Story:
    """A whole story, in order."""

    title: str
    steps: tuple[Step, ...]
    file: str


@dataclass(frozen=True, slots=True)
class _Fields:
    """Which fields a verb needs and which it may have, and who acts where nobody is named."""

    needs: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    by: tuple[str, ...] = ()


_BUYER, _SUPPLIER = ("buyer",), ("supplier",)
_VERBS = {
    Verb.FUND: _Fields(may=frozenset({"by"}), by=_BUYER),
    Verb.EVIDENCE: _Fields(may=frozenset({"by", "files"}), by=_SUPPLIER),
    Verb.ACCEPT: _Fields(needs=frozenset({"by"}), may=frozenset({"amount", "with"})),
    Verb.RETURN: _Fields(needs=frozenset({"by", "reason"}), may=frozenset({"with"})),
    Verb.REJECT: _Fields(needs=frozenset({"by", "reason"}), may=frozenset({"with"})),
    Verb.SUBMIT: _Fields(may=frozenset({"with"}), by=_SUPPLIER),
    Verb.DISPUTE: _Fields(needs=frozenset({"by", "reason"})),
    Verb.RULE: _Fields(needs=frozenset({"supplier", "buyer", "reason"}), by=("arbiter",)),
    Verb.APPROVE: _Fields(may=frozenset({"amount"}), by=_BUYER),
    Verb.REFUND: _Fields(may=frozenset({"amount"}), by=_SUPPLIER),
    Verb.SETTLE: _Fields(needs=frozenset({"supplier", "buyer"}), by=(*_BUYER, *_SUPPLIER)),
    Verb.FINALIZE: _Fields(may=frozenset({"by"}), by=(ANYONE,)),
    Verb.WAIT: _Fields(),
}
_ALWAYS = frozenset({"note", "when"})


def load_story(path: str | Path) -> Story:
    """Read a story.

    Raises:
        DocumentError: with file, line, field and fix.
    """
    return _story(read_source(Path(path)))


def parse_story(text: str, *, file: str = "story.yaml") -> Story:
    """Read the text of a story; see `load_story`."""
    return _story(parse_source(text, file=file))


def _story(source: Source) -> Story:
    for name in source.tree:
        if name not in ("title", "story"):
            raise source.error((name,), "is not a known field", suggest(name, ["title", "story"]))
    title = _line(source, ("title",), source.tree.get("title", ""))
    steps = source.tree.get("story")
    if not isinstance(steps, list) or not steps:
        raise source.error(("story",), "is missing", "add a list of steps, the first `- fund: all`")
    if len(steps) > MAX_STEPS:
        raise source.error(("story",), f"has {len(steps)} steps", f"write at most {MAX_STEPS}")
    read = tuple(_step(source, ("story", index), step) for index, step in enumerate(steps))
    return Story(title, read, source.file)


def _step(source: Source, where: Where, tree: Tree) -> Step:
    if not isinstance(tree, dict):
        raise source.error(where, "is not a step", "write a verb and a milestone, `- fund: all`")
    verb = _verb(source, where, tree)
    known = _VERBS[verb]
    allowed = known.needs | known.may | (_ALWAYS if verb is not Verb.WAIT else {"note"})
    for name in tree:
        if name != verb.value and name not in allowed:
            hint = f"{verb.value} takes {', '.join(sorted(allowed))}"
            raise source.error((*where, name), f"does not belong to {verb.value}", hint)
    for name in sorted(known.needs - set(tree)):
        raise source.error(where, f"{verb.value} does not say `{name}`", f"add `{name}: …`")
    files = _names(source, where, tree, "files" if verb is Verb.EVIDENCE else "with")
    return Step(
        verb=verb,
        milestones=_milestones(source, where, tree, verb),
        by=_names(source, where, tree, "by") or known.by,
        when=_when(source, where, tree, verb),
        amount=_part(source, where, tree, "amount"),
        supplier=_part(source, where, tree, "supplier"),
        buyer=_part(source, where, tree, "buyer"),
        evidence=files,
        reason=_optional_line(source, where, tree, "reason"),
        note=_optional_line(source, where, tree, "note"),
        line=source.line(where),
    )


def _verb(source: Source, where: Where, tree: dict[str, Tree]) -> Verb:
    verbs = {verb.value: verb for verb in Verb}
    found = [name for name in tree if name in verbs]
    if len(found) == 1:
        return verbs[found[0]]
    if found:
        raise source.error(where, f"does two things: {', '.join(found)}", "make it two steps")
    first = next(iter(tree), "")
    raise source.error(where, f"'{first}' is not something that happens", suggest(first, verbs))


def _milestones(source: Source, where: Where, tree: dict[str, Tree], verb: Verb) -> tuple[str, ...]:
    if verb is Verb.WAIT:
        return ()
    keys = _names(source, where, tree, verb.value)
    if verb is Verb.FUND:
        return () if keys == (ALL,) else _keys(source, where, verb, keys)
    if len(keys) != 1:
        raise source.error((*where, verb.value), f"names {len(keys)} milestones", "name one")
    return _keys(source, where, verb, keys)


def _keys(source: Source, where: Where, verb: Verb, keys: tuple[str, ...]) -> tuple[str, ...]:
    with source.at((*where, verb.value)):
        return tuple(read_key(key) for key in keys)


def _when(source: Source, where: Where, tree: dict[str, Tree], verb: Verb) -> Moment | None:
    name = verb.value if verb is Verb.WAIT else "when"
    if name not in tree:
        return TimeUp() if verb is Verb.FINALIZE else None
    text = _line(source, (*where, name), tree[name])
    with source.at((*where, name)):
        moment = read_moment(text)
    own = not isinstance(moment, Later) and not moment.milestone
    if verb is Verb.WAIT and own:
        raise source.error((*where, name), "does not say which milestone", "name it: packed is due")
    return moment


def _optional_line(source: Source, where: Where, tree: dict[str, Tree], name: str) -> str:
    return _line(source, (*where, name), tree[name]) if name in tree else ""


def _part(source: Source, where: Where, tree: dict[str, Tree], name: str) -> Part | None:
    if name not in tree:
        return None
    text = _line(source, (*where, name), tree[name])
    with source.at((*where, name)):
        return read_part(text)


def _names(source: Source, where: Where, tree: dict[str, Tree], name: str) -> tuple[str, ...]:
    """One name, names with commas between them, or a list of names."""
    value = tree.get(name, [])
    items = value if isinstance(value, list) else [value]
    lines = [_line(source, (*where, name), item) for item in items]
    names = tuple(part.strip() for line in lines for part in line.split(",") if part.strip())
    if name in tree and not names:
        raise source.error((*where, name), "is empty", "fill it in, or remove the field")
    if len(set(names)) < len(names):
        raise source.error((*where, name), "names somebody or something twice", "keep one")
    return names


def _line(source: Source, where: Where, value: Tree) -> str:
    if not isinstance(value, str):
        raise source.error(where, "must be text", "write it on one line")
    text = " ".join(value.split())
    if not text:
        raise source.error(where, "is empty", "fill it in, or remove the field")
    if len(text) > MAX_LINE or not text.isprintable():
        raise source.error(where, "is not one readable line", f"write at most {MAX_LINE} letters")
    return text
