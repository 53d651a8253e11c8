"""Kinds of requirements that other packages bring: the documented example, and broken ones."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from milestone_escrow.documents.requirements import plug_ins
from milestone_escrow.documents.requirements.evaluate import evaluate
from milestone_escrow.documents.requirements.evaluation import Evaluation, Fulfilment, Judgement
from milestone_escrow.documents.requirements.facts import Event, Facts
from milestone_escrow.documents.requirements.kinds import OtherRequired, requirements_hash
from milestone_escrow.documents.requirements.language import (
    KnownNames,
    RequirementError,
    read_requirements,
)
from milestone_escrow.errors import UsageError

PAGE = Path(__file__).resolve().parents[4] / "docs" / "requirements.md"
NAMES = KnownNames(("supplier",), (), ("a",))
TREE = [{"cold chain": {"logger": "truck-7", "at_most": "8.0"}}]
NOW = 1_000

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs packages that bring these objects, by the name of their kind."""

    def put(**objects: object) -> None:
        module = types.ModuleType("fresh_goods")
        for name, thing in objects.items():
            setattr(module, name, thing)
        monkeypatch.setitem(sys.modules, "fresh_goods", module)
        points = [EntryPoint(name, f"fresh_goods:{name}", plug_ins.GROUP) for name in objects]
        monkeypatch.setattr(plug_ins, "entry_points", lambda group: points)
        plug_ins._entries.cache_clear()
        plug_ins._load.cache_clear()

    yield put
    plug_ins._entries.cache_clear()
    plug_ins._load.cache_clear()


@pytest.fixture
def documented(install: Install) -> None:
    """The kind of docs/requirements.md, as written there."""
    text = PAGE.read_text("utf-8").split("## Kinds of your own")[1]
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    namespace: dict[str, object] = {}
    exec(code[1], namespace)  # noqa: S102
    install(cold_chain=namespace["ColdChain"])


def reading(celsius: object, at: int, name: str = "reading") -> Event:
    return Event("truck-7", name, {"celsius": celsius}, at)  # type: ignore[dict-item]


def found(*events: Event) -> Evaluation:
    facts = Facts(people={"supplier": "0x1"}, payees=frozenset({"0x1"}), events=events)
    (finding,) = evaluate(read_requirements(TREE, NAMES), facts, NOW).items
    return finding


@pytest.mark.usefixtures("documented")
def test_the_documented_kind_is_read_hashed_and_said_in_words() -> None:
    tree = read_requirements(TREE, NAMES)
    assert tree.items[0].words() == "no reading of truck-7 above 8.0 °C"
    assert tree.items[0].data() == {"cold_chain": {"at_most": "8.0", "logger": "truck-7"}}
    again = read_requirements([{"cold_chain": {"at_most": "8.0", "logger": "truck-7"}}], NAMES)
    assert requirements_hash(again) == requirements_hash(tree)
    other = read_requirements([{"cold_chain": {"at_most": "9.0", "logger": "truck-7"}}], NAMES)
    assert requirements_hash(other) != requirements_hash(tree)


@pytest.mark.usefixtures("documented")
def test_the_documented_kind_is_evaluated() -> None:
    cold, end = reading("7.99", 10), reading(None, 20, "end")
    assert (found().standing, found().text) == (
        Fulfilment.MISSING, "0 readings so far, all cold enough",
    )  # fmt: skip
    assert found(cold).standing is Fulfilment.MISSING
    done = found(cold, end)
    assert (done.standing, done.since, done.independent) == (Fulfilment.MET, 20, True)
    warm = found(cold, reading("8.01", 15), end)
    assert (warm.standing, warm.since, warm.text) == (
        Fulfilment.FAILED,
        15,
        "truck-7 was at 8.01 °C",
    )


@pytest.mark.usefixtures("documented")
def test_the_documented_kind_combines_with_the_others() -> None:
    tree = read_requirements([{"any": [*TREE, "after a"]}], NAMES)
    assert evaluate(tree, Facts(settled={"a": 5}), NOW).is_met


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"cold_chain": {"logger": "truck-7"}}, "cold_chain: needs logger and at_most"),
        ({"cold_chain": "truck-7"}, "needs fields"),
        ({"cold_chain": {"logger": ["a"], "at_most": "8"}}, "needs fields"),
        ({"warm_chain": {"logger": "a", "at_most": "8"}}, "not a kind of requirement"),
    ],
)
def test_wrong_fields_and_unknown_kinds_stay_errors(tree: object, says: str) -> None:
    with pytest.raises(RequirementError, match=says) as refused:
        read_requirements([tree], NAMES)  # type: ignore[list-item]
    assert refused.value.where == (0,)


def test_without_the_package_the_kind_is_unknown() -> None:
    with pytest.raises(RequirementError, match="not a kind of requirement"):
        read_requirements(TREE, NAMES)


class Usual:
    """A kind that is what it should be."""

    @staticmethod
    def read(fields):
        return fields

    @staticmethod
    def words(fields):
        return "something"

    @staticmethod
    def judge(fields, facts, now):
        return Judgement(Fulfilment.MET, "fine", 1)


class Breaking(Usual):
    @staticmethod
    def judge(fields, facts, now):
        raise ZeroDivisionError


class Mumbling(Usual):
    @staticmethod
    def judge(fields, facts, now):
        return True


class Mute:
    """It can be read and said, and not be judged."""

    read, words = Usual.read, Usual.words


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Breaking, "broke off (ZeroDivisionError)"),
        (Mumbling, "answered nothing usable"),
        (Mute, "cannot be evaluated"),
    ],
)
def test_a_broken_kind_fails_its_own_milestone_and_nothing_else(
    install: Install, kind: object, says: str
) -> None:
    install(odd=kind)
    tree = read_requirements([{"any": [{"odd": {"a": "b"}}, "after a"]}], NAMES)
    finding = evaluate(tree, Facts(settled={"a": 5}), NOW)
    assert finding.is_met
    (odd, _) = finding.items[0].items
    assert odd.standing is Fulfilment.FAILED
    assert says in odd.text


def test_a_kind_that_was_uninstalled_since_fails(install: Install) -> None:
    install(odd=Usual)
    tree = read_requirements([{"odd": {"a": "b"}}], NAMES)
    assert evaluate(tree, Facts(), NOW).is_met
    install()
    finding = evaluate(tree, Facts(), NOW)
    assert finding.standing is Fulfilment.FAILED
    assert "is not installed here" in finding.items[0].text


@pytest.mark.parametrize("name", ["webhook", "all", "after"])
def test_the_languages_own_words_cannot_be_taken(install: Install, name: str) -> None:
    install(**{name: Usual})
    with pytest.raises(UsageError, match="cannot be the name"):
        plug_ins.find_kind(name)


def test_an_object_that_is_no_kind_is_refused(install: Install) -> None:
    install(odd=7)
    with pytest.raises(UsageError, match="has no `read` and `words`"):
        read_requirements([{"odd": {"a": "b"}}], NAMES)


def test_a_package_that_cannot_be_imported_is_named(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(odd=Usual)
    monkeypatch.setitem(sys.modules, "fresh_goods", None)
    with pytest.raises(UsageError, match="cannot be loaded from fresh_goods:odd"):
        plug_ins.find_kind("odd")


def test_two_packages_for_one_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("odd", f"{name}:Odd", plug_ins.GROUP) for name in ("one", "two")]
    monkeypatch.setattr(plug_ins, "entry_points", lambda group: points)
    plug_ins._entries.cache_clear()
    try:
        with pytest.raises(UsageError, match="two packages"):
            plug_ins.find_kind("odd")
    finally:
        plug_ins._entries.cache_clear()


def test_what_a_kind_says_of_itself_decides_whether_the_payee_is_alone(install: Install) -> None:
    install(odd=Usual)
    tree = read_requirements([{"odd": {"a": "b"}}], NAMES)
    assert isinstance(tree.items[0], OtherRequired)
    assert not evaluate(tree, Facts(), NOW).independent
    assert replace(tree.items[0], text="") == tree.items[0]
