"""Figures for Prometheus: what this process counts as it comes, and what the store says when asked.

Of several instances on one store each counts its own work, and all say the same of the store.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Column, Select, func, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.store import aside
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.lifecycle import Status

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """All figures of one process, in the one registry that it publishes."""

    def __init__(self, deps: ApiDeps) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "escrow_http_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "escrow_http_request_duration_seconds",
            "How long requests took",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        for counter in deps.counters:
            self._registry.register(counter)
        self._registry.register(_StoreFigures(deps))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        # A method may be any word that a stranger sends.
        known = method if method in _METHODS else "OTHER"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _StoreFigures(Collector):
    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry would read the store once more to learn the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        with self._deps.store.reading() as connection:
            head = viewing.head(connection)
            counts = {
                "escrow_intents": ("Transactions wanted, by state", _by(t.intents.c.state)),
                "escrow_attestations": (
                    "Attestations taken in, by state",
                    _by(t.attestations.c.state),
                ),
                "escrow_reminders": ("Reminders, by state", _by(t.reminders.c.state)),
                "escrow_milestones": ("Milestones watched, by status", _by(t.milestones.c.status)),
            }
            found = {
                name: (text, connection.execute(query).all())
                for name, (text, query) in counts.items()
            }
            waiting = None
            # A sum of which a part cannot be read is none.
            with aside.apart("the payouts that could not be delivered"):
                waiting = viewing.waiting_credits(connection)
        if head is not None:
            yield _gauge("escrow_head_block", "The newest block indexed", head.number)
            yield _gauge("escrow_final_block", "The newest final block", head.final_number)
            yield _gauge("escrow_head_timestamp_seconds", "That block's time", head.time)
        text = "Records and files that cannot be read here"
        yield _gauge("escrow_records_set_aside", text, len(aside.everything()))
        text = "Whether each loop has come through lately, 1 or 0"
        loops = GaugeMetricFamily("escrow_loop_ok", text, labels=["loop"])
        for loop in self._deps.loops():
            loops.add_metric([loop.name], int(loop.ok))
        yield loops
        balance = self._deps.balance()
        if balance is not None:
            yield _gauge("escrow_relayer_balance_wei", "What is left to pay for gas", balance)
        for name, (text, rows) in found.items():
            label = "status" if name == "escrow_milestones" else "state"
            family = GaugeMetricFamily(name, text, labels=[label])
            for value, count in rows:
                family.add_metric([_status(value) if label == "status" else value], count)
            yield family
        if waiting is None:
            return
        text = "Token units that were paid, could not be delivered and wait for withdraw"
        family = GaugeMetricFamily("escrow_undelivered_units", text, labels=["token"])
        totals = collections.Counter[str]()
        for (token, _), units in waiting.items():
            totals[token] += units
        for token, units in totals.items():
            family.add_metric([token], units)
        yield family


def _by(column: Column[Any]) -> Select[Any]:
    return select(column, func.count()).group_by(column)


def _status(value: int) -> str:
    return Status(value).name.lower() if value in _STATUSES else "unknown"


_STATUSES = frozenset(map(int, Status))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
