"""One instance of the oracle as a process of its own, until it is killed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from milestone_escrow import Escrow
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.reminders.delivery import Delivery, Mark
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.oracle.service import Pauses
from milestone_escrow.oracle.store.store import Store
from tests.oracle.simulation.instance import Watcher, build

# So many seconds pass for leases and retries in one of the wall's.
HASTE = 20
# One thing at a time, so that there is something left for the others.
SETTINGS = RelayingSettings(joined=1, claimed=1)
PAUSES = Pauses(follow=0.3, work=0.3, tell=0.5)


@dataclass(frozen=True)
class FileChannel:
    """A recipient in another process: each delivery is one line, appended at once."""

    path: Path
    name: str = "recipient"

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        return ("",)

    def send(self, delivery: Delivery, mark: Mark) -> None:
        mark()
        line = json.dumps(
            {
                "id": delivery.id,
                "kind": delivery.kind,
                "again": delivery.again,
                "notice": delivery.body["notice"],
            }
        )
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{line}\n".encode())
        os.close(file)


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("store", "rpc", "told", "began", "account"):
        parser.add_argument(f"--{name}", required=True)
    chosen = parser.parse_args()
    began = float(chosen.began)
    escrow = Escrow.connect("sandbox", rpc=chosen.rpc)
    store = Store.open(chosen.store, escrow.domain)
    service = build(
        store,
        escrow.node,
        replace(escrow.network, local=True),
        escrow.domain,
        int(chosen.account),
        lambda: int(began + (time.time() - began) * HASTE),
        Watcher(),
        FileChannel(Path(chosen.told)),
        f"process {os.getpid()}",
        SETTINGS,
    )
    service.pauses = PAUSES
    service.start()
    print("running", flush=True)
    service.wait()
    print(service.fatal, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
