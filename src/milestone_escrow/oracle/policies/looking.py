"""Asking the addresses that `http` requirements name, now and then, as long as it matters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from milestone_escrow.documents.requirements.kinds import HttpRequired, leaves
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.policies.gather import packed
from milestone_escrow.oracle.policies.http import Fetcher, FetchError
from milestone_escrow.oracle.policies.would_sign import DECIDABLE
from milestone_escrow.oracle.store import aside, audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.store import Store, upsert
from milestone_escrow.oracle.store.types import Unreadable
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.lifecycle import Status

EVERY = 300
AT_ONCE = 8
A_ROUND = 64
READ_AT_ONCE = 200
ACTOR = "http"

_Result = tuple[Mapping[str, str], str]


@dataclass(frozen=True, slots=True)
class Question:
    """One value at one address, for one milestone."""

    agreement_id: bytes
    milestone: int
    url: str
    pointer: str

    @property
    def key(self) -> str:
        """What makes the row in the store its own; each question has one, with the last answer."""
        text = f"{self.agreement_id.hex()}/{self.milestone}/{self.pointer}/{self.url}"
        return f"http:{hashlib.sha256(text.encode()).hexdigest()}"


class Looking:
    """One per process; several instances only ask a little more often."""

    def __init__(self, store: Store, fetcher: Fetcher, *, every: int = EVERY) -> None:
        self._store = store
        self._fetcher = fetcher
        self._every = every
        # Documents do not change, so each is read once.
        self._known: dict[bytes, Sequence[Question]] = {}

    def round(self, now: int, wall: int) -> int:
        """Ask what was not asked for a while; how many addresses were. `now` is the contract's
        time, `wall` the clock's. Nobody waits for a server with a transaction open."""
        with self._store.reading() as connection:
            questions = self._due(connection, now, wall)
        if not questions:
            return 0
        with ThreadPoolExecutor(AT_ONCE, "look") as pool:
            results = list(pool.map(self._ask, questions))
        failpoint("policies.looked")
        with self._store.transaction() as connection:
            for question, (value, error) in zip(questions, results, strict=True):
                with aside.apart(aside.about(question.agreement_id, "questions")):
                    note(connection, question, value, error, now, wall)
        return len(questions)

    def _ask(self, question: Question) -> _Result:
        try:
            return packed(self._fetcher.value(question.url, question.pointer)), ""
        except FetchError as error:
            return packed(None), error.message

    def _due(self, connection: Connection, now: int, wall: int) -> Sequence[Question]:
        asked = {
            row.delivery: row.seen_at
            for row in connection.execute(
                select(t.observations.c.delivery, t.observations.c.seen_at).where(
                    t.observations.c.kind == "http"
                )
            )
        }
        questions = [
            (asked.get(question.key, 0), question)
            for agreement_id, milestone in self._open(connection, now)
            for question in self._known[agreement_id]
            if question.milestone == milestone
        ]
        due = [(at, q) for at, q in questions if at + self._every <= wall]
        return [question for _, question in sorted(due, key=lambda pair: pair[0])[:A_ROUND]]

    def _open(self, connection: Connection, now: int) -> Sequence[tuple[bytes, int]]:
        """Milestones that a verdict could decide, of agreements whose document is here."""
        m, d = t.milestones, t.documents
        funded = m.c.status == Status.FUNDED.value
        # As `lifecycle.attest_until` has it.
        may_speak = or_(m.c.deadline > now, and_(~funded, m.c.issued_at == 0))
        rows = connection.execute(
            select(m.c.agreement_id, m.c.milestone)
            .join(d, d.c.agreement_id == m.c.agreement_id)
            .where(m.c.status.in_(sorted(DECIDABLE)), may_speak, or_(funded, m.c.clock > now))
        )
        places = [(row.agreement_id, row.milestone) for row in rows]
        fresh = sorted({place[0] for place in places} - self._known.keys())
        for start in range(0, len(fresh), READ_AT_ONCE):
            for view in viewing.agreements(connection, fresh[start : start + READ_AT_ONCE]):
                if view.signed is not None:
                    with aside.apart(aside.about(view.id, "questions")):
                        self._known[view.id] = tuple(_questions(view))
        return [place for place in places if self._known.get(place[0])]


def _questions(view: AgreementView) -> Iterable[Question]:
    """What an agreement wants to know from addresses."""
    for stage in view.views:
        if stage.planned is None or not stage.milestone.quorum:
            continue
        for leaf in leaves(stage.planned.requirements):
            if isinstance(leaf, HttpRequired):
                yield Question(view.id, stage.index, leaf.url, leaf.value)


def note(
    connection: Connection,
    question: Question,
    value: Mapping[str, str],
    error: str,
    now: int,
    wall: int,
) -> None:
    """Keep the answer to a question; only one that says something new is worth the log."""
    o = t.observations
    known = connection.execute(select(o.c.value).where(o.c.delivery == question.key)).scalar()
    if isinstance(known, Unreadable):
        known = None  # it is only the last answer, and here is a newer one
    is_same = known is not None and (known["value"], known["error"]) == (dict(value), error)
    row = {
        "agreement_id": question.agreement_id,
        "milestone": question.milestone,
        "kind": "http",
        "source": question.url,
        "name": question.pointer,
        "value": {
            "value": dict(value),
            "error": error,
            "since": known["since"] if is_same and known is not None else now,
        },
        "met": not error,
        "seen_at": wall,
        "delivery": question.key,
    }
    upsert(connection, o, row, "delivery")
    if not is_same:
        audit_log.record(
            connection, wall, ACTOR, "address.looked",
            audit_log.subject_of(question.agreement_id, question.milestone),
            url=question.url, pointer=question.pointer, value=dict(value), error=error,
        )  # fmt: skip
