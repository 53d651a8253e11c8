"""For the operator's own tools: is it alive, can it work, how much does it do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from milestone_escrow.documents.when import format_duration
from milestone_escrow.errors import StoreError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.bodies.operations import Check, Health, Readiness
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.metrics import Metrics
from milestone_escrow.oracle.api.problems import documented
from milestone_escrow.oracle.api.routes.common import OPEN
from milestone_escrow.oracle.api.viewers import Deps
from milestone_escrow.oracle.store import aside

router = APIRouter(tags=["operations"], route_class=CarefulRoute)


@router.get("/healthz", summary="Is the process alive", responses=documented(), openapi_extra=OPEN)
def healthz() -> Health:
    """It answers, so it is."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can it work",
    response_model=Readiness,
    responses={**documented(), 503: {"model": Readiness, "description": "It cannot, and why"}},
    openapi_extra=OPEN,
)
def readyz(request: Request, deps: Deps) -> Response:
    """The store answers, the node is there and on the right chain, the index is up to date, and
    every loop has come through lately. Records that are set aside are counted: they stop nothing
    else."""
    checks = readiness(deps, request.app.state.node())
    # What is set aside stops nothing else.
    ready = all(check.ok for check in checks if check.name != RECORDS)
    body = Readiness(ready=ready, checks=checks)
    return Response(
        body.model_dump_json(), 200 if body.ready else 503, media_type="application/json"
    )


RECORDS = "records"
"""The check that tells what is set aside."""


class Remembered:
    """An answer that is asked for at most every few seconds, however often it is wanted: what
    anybody may ask here must not become a flood of questions to the node."""

    def __init__(self, ask: Callable[[], str], seconds: float = 3.0) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._until = 0.0
        self._answer = ""

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                self._answer = self._ask()
                self._until = time.monotonic() + self._seconds
            return self._answer


def readiness(deps: ApiDeps, problem: str) -> list[Check]:
    """Everything that has to be in order; `problem` is the node's, "" where it has none."""
    node = Check(name="node", ok=not problem, text=problem or "on the right chain")
    loops = [Check(name=one.name, ok=one.ok, text=one.text) for one in deps.loops()]
    try:
        with deps.store.reading() as connection:
            head = viewing.head(connection)
    except (SQLAlchemyError, StoreError):
        return [Check(name="store", ok=False, text="does not answer"), node, *loops]
    # What is set aside is named in the log and by the doctor; whose it is, is not for everybody.
    count = len(aside.everything())
    named = f"{count} set aside; the log and `escrow oracle doctor` name them"
    records = Check(name=RECORDS, ok=not count, text=named if count else "all can be read")
    store = Check(name="store", ok=True, text="answers")
    if head is None:
        no_block = Check(name="index", ok=False, text="no block yet")
        return [store, node, no_block, *loops, records]
    lag = max(0, deps.now() - head.time)
    # The blocks of a local chain come when somebody does something.
    late = lag > deps.settings.max_lag and not deps.settings.network.local
    text = f"at block {head.number}, {format_duration(lag) if lag else '0 seconds'} behind"
    return [store, node, Check(name="index", ok=not late, text=text), *loops, records]


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(),
    },
    openapi_extra=OPEN,
)
def metrics(request: Request) -> Response:
    """Requests, the index, transactions, attestations and reminders, in Prometheus' format."""
    figures: Metrics = request.app.state.metrics
    return Response(figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
