"""Two small agreements on a chain of their own, from which every run of the simulation starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

from milestone_escrow import Escrow
from milestone_escrow.chain.node.network import Network
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.store.store import Store

START = 1_799_928_000  # 14 January 2027, 12:00 UTC
BUYER, SUPPLIER, INSPECTOR, FORWARDER, WATCHER, ARBITER = range(1, 7)
RELAYERS = (8, 9, 10)

TEXT = """\
format: 1
title: A small machine, built, packed and shipped
reference: {reference}
date: 2027-01-14
timezone: Europe/Berlin
parties:
  buyer: {{name: Nordlicht GmbH, account: "{buyer}"}}
  supplier: {{name: Rajwada Ltd, account: "{supplier}"}}
  verifiers:
    inspector: {{name: Indus Survey, account: "{inspector}"}}
    forwarder: {{name: Elbe Logistik, account: "{forwarder}"}}
    watcher: {{name: The oracle, account: "{watcher}"}}
  arbiter: {{name: Dr. Brandt, account: "{arbiter}"}}
payment: {{network: sandbox, price: "6.00 USDC", fee: none}}
rules:
  verified_by: 2 of 3
  objection_period: {objection}
  review_period: off
  ruling_within: 3 days
  if_no_ruling: 50 % to supplier
  if_nothing_proven: refund buyer
  refund_after: 5 days past due
milestones:
  - key: built
    title: The machine is built
    pays: 3.00 USDC
    due: 2027-02-01
    responsible: supplier
    verified_by: watcher
    requires: [report from inspector]
  - key: packed
    title: The machine is packed
    pays: 2.00 USDC
    due: 2027-02-02
    responsible: supplier
    verified_by: 2 of inspector, watcher
    requires: [packing_list from forwarder]
  - key: shipped
    title: The machine is on board
    pays: 1.00 USDC
    due: 2027-02-03
    responsible: supplier
    verified_by: 2 of inspector, forwarder
    requires: [bill_of_lading from forwarder]
"""

EVIDENCE = {
    0: ("report.txt", INSPECTOR),
    1: ("packing_list.txt", FORWARDER),
    2: ("bill_of_lading.txt", FORWARDER),
}
"""The one file that each milestone waits for, and who hands it in."""


@dataclass(frozen=True)
class Deal:
    """An agreement that is open and waits for its money; `funding` is the call that brings it."""

    bound: BoundAgreement
    funding: bytes


@dataclass(frozen=True)
class Ground:
    """What all runs in this process start from; nobody changes it."""

    escrow: Escrow
    network: Network
    deals: dict[str, Deal]
    store: Path


@lru_cache(maxsize=1)
def ground() -> Ground:
    """Deployed, agreed and signed once for the process."""
    from dataclasses import replace

    buyer = DevSigner(BUYER)
    escrow = Escrow.embedded(buyer, start=START)
    escrow.mint("USDC", buyer.address, 10**12)
    escrow.allow("USDC", 10**12)
    deals = {}
    for reference, objection in (("SIM-AT-ONCE", "off"), ("SIM-LATER", "2 days")):
        bound = agreement(reference, objection).on(escrow)
        signatures = {s.address: bound.sign(s) for s in (buyer, DevSigner(SUPPLIER))}
        escrow.open(bound, signatures)
        keys = [milestone.key for milestone in bound.agreement.milestones]
        prepared = escrow.prepare.fund(bound, keys)
        deals[reference] = Deal(bound, bytes.fromhex(str(prepared.to_json()["data"])[2:]))
    store = Path(mkdtemp(prefix="simulation-")) / "empty.db"
    made = Store.open(store, escrow.domain)
    with made.transaction() as connection:
        for deal in deals.values():
            signed = SignedAgreement.start(deal.bound)
            viewing.register(connection, signed, by="simulation", now=START)
    made.close()
    # Twelve blocks may be undone; the node itself says what is final.
    network = replace(escrow.network, local=False, confirmations=13)
    return Ground(escrow.acting_as(None), network, deals, store)


def agreement(reference: str, objection: str) -> Agreement:
    names = ("buyer", "supplier", "inspector", "forwarder", "watcher", "arbiter")
    accounts = {name: DevSigner(number).address for number, name in enumerate(names, start=1)}
    return Agreement.loads(TEXT.format(reference=reference, objection=objection, **accounts))
