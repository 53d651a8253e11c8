"""What one relayer has done since its process started, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter
from prometheus_client.registry import Collector


class Figures:
    """Counters that belong to no registry: whoever publishes them registers `collectors`."""

    def __init__(self) -> None:
        self.alerts = Counter(
            "escrow_relayer_alerts",
            "What this process could not settle by itself, by kind",
            ["kind"],
            registry=None,
        )
        self.stages = Counter(
            "escrow_relayer_stages",
            "Stages that this process brought transactions to",
            ["stage"],
            registry=None,
        )
        self.broadcasts = Counter(
            "escrow_relayer_broadcasts",
            "Transactions that this process handed to a node, replacements too",
            registry=None,
        )

    @property
    def collectors(self) -> tuple[Collector, ...]:
        return (self.alerts, self.stages, self.broadcasts)
