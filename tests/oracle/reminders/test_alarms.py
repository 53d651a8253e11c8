"""What the relayer cannot settle by itself reaches the operator."""

from __future__ import annotations

from typing import cast

from milestone_escrow.chain.node.network import Network
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.relaying.context import Alert
from milestone_escrow.oracle.relaying.planning import Planned
from milestone_escrow.oracle.relaying.relayer import Relayer, RelayReport
from milestone_escrow.oracle.service import Service
from milestone_escrow.oracle.store.store import Store
from tests.oracle.reminders.chronicle import DAY, DOMAIN
from tests.oracle.reminders.conftest import Notebook

ACCOUNT = "0x" + "8" * 40


class PoorRelayer:
    """Has nearly nothing left for gas, and says so whenever it looks."""

    def step(self) -> RelayReport:
        alert = Alert("low_gas", ACCOUNT, f"{ACCOUNT} has 0.001 ETH left for gas; send it some")
        return RelayReport(Planned(), {}, 0, (alert,), True)


def test_low_gas_is_told_once_a_day_however_often_the_relayer_looks(
    store: Store, notebook: Notebook
) -> None:
    now = 1_800_000_000
    network = Network("local", "Local", DOMAIN.chain_id, local=True)
    relayer = cast(Relayer, PoorRelayer())
    for _ in range(2):
        service = Service(
            store,
            network,
            cast(Indexer, None),
            lambda: now,
            "one",
            relayer=relayer,
            channels=[notebook],
        )
        for _ in range(3):
            service.work()
            service.tell()
    assert notebook.kinds == ["low_gas"]
    assert notebook.got[0].body["text"].endswith("send it some")
    now += DAY
    service.work()
    service.tell()
    assert notebook.kinds == ["low_gas", "low_gas"]
