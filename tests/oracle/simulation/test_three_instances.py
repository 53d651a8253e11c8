"""Three processes on one PostgreSQL, one of them killed midway and never started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.events import MilestonePaid
from milestone_escrow.chain.embedded.server import RpcServer
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.evidence.entries import manifest
from milestone_escrow.oracle.evidence.handing_in import IntakeRules, add
from milestone_escrow.oracle.evidence.manifests import manifest_hash
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.oracle.simulation.deal import (
    BUYER,
    EVIDENCE,
    FORWARDER,
    INSPECTOR,
    RELAYERS,
    START,
    SUPPLIER,
    agreement,
)

COUNT = 4
PATIENCE = 200


@dataclass
class House:
    """The chain in this process, the store in PostgreSQL, and three oracles besides."""

    escrow: Escrow
    server: RpcServer
    store: Store
    address: str
    folder: Path
    deals: list[BoundAgreement] = field(default_factory=list)
    oracles: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def told(self) -> Path:
        return self.folder / "told.jsonl"

    def start(self, account: int, began: float) -> None:
        options = {
            "store": self.address,
            "rpc": self.server.url,
            "told": str(self.told),
            "began": str(began),
            "account": str(account),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        log = (self.folder / f"oracle-{account}.log").open("w")
        self.oracles.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.oracle.simulation.worker", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).resolve().parents[3],
            )
        )
        log.close()

    def await_start(self) -> None:
        for one in self.oracles:
            assert one.stdout is not None
            assert one.stdout.readline() == "running\n", self.logs()

    def logs(self) -> str:
        return "\n".join(path.read_text()[-2_000:] for path in self.folder.glob("*.log"))

    def until(self, what: Callable[[], bool], why: str) -> None:
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, f"{why}\n{self.logs()}"
            time.sleep(0.3)

    def senders(self) -> Counter[str]:
        """How many transactions each account has signed."""
        with self.store.reading() as connection:
            rows = connection.execute(
                select(t.attempts.c.sender, func.count()).group_by(t.attempts.c.sender)
            )
            return Counter({row[0]: row[1] for row in rows})

    def statuses(self) -> list[Status]:
        with self.server.using():
            return [state.status for deal in self.deals for state in self.escrow.states(deal)]


@pytest.fixture
def house(postgres: str, tmp_path: Path) -> Iterator[House]:
    buyer = DevSigner(BUYER)
    escrow = Escrow.embedded(buyer, start=START)
    escrow.mint("USDC", buyer.address, 10**12)
    escrow.allow("USDC", 10**12)
    store = Store.open(postgres, escrow.domain)
    with RpcServer(escrow.chain, port=0) as server:
        house = House(escrow, server, store, postgres, tmp_path)
        for number in range(COUNT):
            deal = agreement(f"SIM-{number}", "off").on(escrow)
            signatures = {s.address: deal.sign(s) for s in (buyer, DevSigner(SUPPLIER))}
            with server.using():
                escrow.open(deal, signatures, fund=range(3))
            with store.transaction() as connection:
                signed = SignedAgreement.start(deal)
                viewing.register(connection, signed, by="test", now=START)
            house.deals.append(deal)
        yield house
        for oracle in house.oracles:
            oracle.kill()
            oracle.wait()
            assert oracle.stdout is not None
            oracle.stdout.close()
    store.close()


def prove(house: House, deal: BoundAgreement) -> None:
    """All evidence arrives, and everybody signs, as their requests reach some instance's API."""
    blobs = Folder(house.folder / "evidence")
    domain = house.escrow.domain
    with house.server.using():
        now = house.escrow.now()
    for index, (name, who) in EVIDENCE.items():
        with house.store.reading() as connection:
            view = viewing.agreement(connection, deal.id)
        assert view is not None
        content = [f"{name} of {deal.agreement.reference}".encode()]
        supplier = DevSigner(who).address
        add(house.store, blobs, IntakeRules(), view, index, name, content, supplier, now)
        with house.store.reading() as connection:
            evidence = manifest_hash(manifest(connection, deal.id, index))
        attestation = Attestation(
            deal.id, index, Verdict.ACCEPTED, deal.milestones[index].amount, evidence, now,
            now + 30 * DAY,
        )  # fmt: skip
        signers = {0: (), 1: (INSPECTOR,), 2: (INSPECTOR, FORWARDER)}[index]
        data = attestation.typed_data(domain)
        signatures = {
            DevSigner(one).address: DevSigner(one).sign_typed_data(data) for one in signers
        }
        if signatures:
            take_many(house.store, domain, [Post(attestation, signatures)], now)


@pytest.mark.slow
def test_nothing_is_lost_or_done_twice_when_one_of_three_dies(house: House) -> None:
    began = time.time()
    for account in RELAYERS:
        house.start(account, began)
    house.await_start()
    house.until(lambda: _known(house) == COUNT, "the agreements were not indexed")
    for place, deal in enumerate(house.deals):
        if place == 1:
            house.until(lambda: bool(house.senders()), "nobody sends anything")
            (first, *_) = house.senders()
            victim = house.oracles[[DevSigner(one).address for one in RELAYERS].index(first)]
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        prove(house, deal)
    house.until(lambda: set(house.statuses()) == {Status.SETTLED}, "not everything was settled")
    house.until(lambda: _settled_told(house) == 3 * COUNT, "not everything was told")
    house.until(lambda: not _under_way(house), "intents or reminders are left")

    for deal in house.deals:
        with house.server.using():
            events = house.escrow.events(deal)
        paid = [event for event in events if isinstance(event, MilestonePaid)]
        assert sorted(event.milestone for event in paid) == [0, 1, 2]
        assert all(event.to_buyer == 0 for event in paid)
    sent = house.senders()
    assert all(sent[DevSigner(account).address] for account in RELAYERS), f"not spread: {sent}"
    lines = [json.loads(line) for line in house.told.read_text().splitlines()]
    sure = Counter(line["notice"] for line in lines if not line["again"])
    assert max(sure.values()) == 1, "the same thing was told twice"
    with house.store.reading() as connection:
        audit_log.verify(connection)
        decided = connection.execute(
            select(t.decisions.c.milestone, t.decisions.c.verdict, t.decisions.c.amount).distinct()
        ).all()
    milestones = house.deals[0].milestones
    assert sorted(decided) == [(at, Verdict.ACCEPTED, milestones[at].amount) for at in (0, 1)]


def _known(house: House) -> int:
    with house.store.reading() as connection:
        return len(viewing.ids_of(connection))


def _settled_told(house: House) -> int:
    if not house.told.exists():
        return 0
    lines = [json.loads(line) for line in house.told.read_text().splitlines()]
    return len({line["notice"] for line in lines if line["kind"] == "milestone.settled"})


def _under_way(house: House) -> int:
    with house.store.reading() as connection:
        intents = select(func.count()).where(t.intents.c.state.in_(["pending", "sent", "mined"]))
        rows = select(func.count()).where(t.reminders.c.state.in_(["due", "sending"]))
        return sum(connection.execute(query).scalar_one() for query in (intents, rows))
