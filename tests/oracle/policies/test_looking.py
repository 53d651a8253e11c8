"""Asking addresses now and then: what is asked, what is kept, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from sqlalchemy import func, select

from milestone_escrow.documents.requirements.facts import JsonValue
from milestone_escrow.oracle.policies.gather import gather
from milestone_escrow.oracle.policies.http import Fetcher, FetchError
from milestone_escrow.oracle.policies.looking import Looking
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.policies.world import NOW, House, build

HANDOVER = 3
URL = "https://city.example/permits/7"


@dataclass(frozen=True)
class Answers(Fetcher):
    """The internet: answers what it is told to, and remembers what it was asked."""

    says: dict[str, JsonValue | Exception] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def value(self, url: str, pointer: str) -> JsonValue:
        self.asked.append((url, pointer))
        answer = self.says[url]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def answers() -> Answers:
    return Answers(says={URL: "pending"})


def shown(house: House) -> tuple[JsonValue, str, int]:
    with house.store.reading() as connection:
        (look,) = gather(connection, house.view, HANDOVER).looks
    return look.value, look.error, look.since


def test_asks_again_only_after_a_while(any_store: Store, answers: Answers) -> None:
    build(any_store)
    looking = Looking(any_store, answers, every=300)
    assert [looking.round(NOW, NOW + wait) for wait in (0, 1, 299, 300, 301)] == [1, 0, 0, 1, 0]
    assert answers.asked == [(URL, "/state")] * 2
    assert Looking(any_store, answers).round(NOW, NOW + 301) == 0


def test_keeps_one_answer_and_since_when_it_is_the_same(house: House, answers: Answers) -> None:
    looking = Looking(house.store, answers, every=0)
    for moment, answer in enumerate(["pending", "pending", "final", "final"]):
        answers.says[URL] = answer
        looking.round(NOW + moment, NOW + moment)
    assert shown(house) == ("final", "", NOW + 2)
    with house.store.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(t.observations)).scalar_one()
        entries = [e for e in audit_log.entries(connection) if e.action == "address.looked"]
    assert rows == 1
    assert [entry.data["value"]["text"] for entry in entries] == ["pending", "final"]


def test_an_address_that_fails_takes_back_what_it_said(house: House, answers: Answers) -> None:
    looking = Looking(house.store, answers, every=0)
    answers.says[URL] = "final"
    looking.round(NOW, NOW)
    answers.says[URL] = FetchError("it answered 500")
    looking.round(NOW + 1, NOW + 1)
    assert shown(house) == (None, "it answered 500", NOW + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": int(Status.UNFUNDED)}, {"status": int(Status.SETTLED)},
        {"deadline": NOW}, {"status": int(Status.RELEASE_PENDING), "clock": NOW + 9},
    ],
)  # fmt: skip
def test_does_not_ask_what_no_longer_matters(
    house: House, answers: Answers, changes: dict[str, int]
) -> None:
    changes.pop("deadline", None)
    now = house.signed.milestones[HANDOVER].deadline if not changes else NOW
    if changes:
        house.set_state(HANDOVER, **changes)
    assert Looking(house.store, answers).round(now, now) == 0
    assert answers.asked == []


def test_a_number_is_kept_digit_by_digit(house: House, answers: Answers) -> None:
    from decimal import Decimal

    answers.says[URL] = Decimal("0.10000000000000000001")
    Looking(house.store, answers).round(NOW, NOW)
    assert shown(house)[0] == Decimal("0.10000000000000000001")


def test_a_crash_between_asking_and_keeping_only_asks_again(house: House, answers: Answers) -> None:
    from milestone_escrow.oracle.store import failpoints

    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        if name == "policies.looked":
            raise Killed

    failpoints.set_hook(kill)
    with pytest.raises(Killed):
        Looking(house.store, answers).round(NOW, NOW)
    failpoints.set_hook(None)
    assert Looking(house.store, answers).round(NOW, NOW) == 1
    assert shown(house)[0] == "pending"
