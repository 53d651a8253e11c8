"""A house built in stages, open and funded, as a store knows it. No node takes part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, update

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.canonical import sha256
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.handing_in import hashed, record
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, Domain
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.token import Token
from tests.oracle.conftest import DOMAIN

USDC = Token("USDC", "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", 6)
NOW = 1_804_000_000

BUYER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
SUPPLIER = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
SURVEYOR = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69"
MACHINE = "0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718"
ARBITER = "0xE57bFE9F44b819898F47BF37E5AF72a0783e1141"
STRANGER = "0xe1AB8145F7E55DC933d51a18c793F901A3A0b276"

TEXT = """\
format: 1
title: A house, built in stages
reference: HOUSE-1
date: 2027-03-01
timezone: Europe/Berlin
parties:
  buyer: {name: Anna Bauer, account: "%(buyer)s"}
  supplier:
    name: Holz & Söhne
    account: "%(supplier)s"
    website: https://www.holz.example
    email: office@holz-mail.example
  verifiers:
    surveyor: {name: Vera Grün, account: "%(surveyor)s"}
    machine: {name: The oracle, account: "%(machine)s"}
  arbiter: {name: Dr. A. Brandt, account: "%(arbiter)s"}
payment: {network: sandbox, price: "10,000.00 USDC", fee: none}
rules:
  verified_by: machine
  objection_period: 2 days
  review_period: 7 days
  ruling_within: 30 days
  if_no_ruling: 50 %% to supplier
  if_nothing_proven: refund buyer
  refund_after: 30 days past due
milestones:
%(milestones)s
"""

HOUSE = """\
  - key: ground
    title: The ground floor stands
    pays: 30 %
    due: 2027-04-01
    requires: [survey_report from surveyor]
  - key: roof
    title: The roof is closed
    pays: 30 %
    due: 2027-05-01
    requires: ["photos from supplier, at least 2, as jpeg", after ground]
  - key: heating
    title: The heating runs
    pays: 20 %
    due: 2027-06-01
    supplier_evidence: is enough
    requires: [protocol from supplier]
  - key: handover
    title: Handed over with keys
    pays: rest
    due: 2027-07-01
    verified_by: 2 of surveyor, machine
    requires:
      - any:
          - statement of surveyor
          - webhook: {source: notary, event: handed-over}
          - http: {url: "https://city.example/permits/7", value: /state, equals: final}
"""


@dataclass(frozen=True, slots=True)
class Here:
    """The deployment that the house is bound to."""

    domain: Domain = DOMAIN

    def token(self, symbol: str) -> Token:
        return USDC


def agreement_text(milestones: str = HOUSE) -> str:
    return TEXT % {
        "buyer": BUYER, "supplier": SUPPLIER, "surveyor": SURVEYOR, "machine": MACHINE,
        "arbiter": ARBITER, "milestones": milestones,
    }  # fmt: skip


@dataclass(frozen=True)
class House:
    """The agreement in its store, and what happens to it."""

    store: Store
    signed: SignedAgreement

    @property
    def view(self) -> AgreementView:
        with self.store.reading() as connection:
            found = viewing.agreement(connection, self.signed.id)
        assert found is not None
        return found

    def set_state(self, index: int, **changes: object) -> None:
        """Let the chain have changed a milestone."""
        m = t.milestones
        with self.store.transaction() as connection:
            connection.execute(
                update(m)
                .where(m.c.agreement_id == self.signed.id, m.c.milestone == index)
                .values(changes)
            )

    def hand_in(
        self, index: int, name: str, by: Address, *, at: int = NOW - 100, content: str = ""
    ) -> None:
        """List a file by its hash, as its supplier says it."""
        digest = sha256((content or name).encode())
        offered = hashed(name, digest.hex(), 10)
        with self.store.transaction() as connection:
            record(connection, self.view, index, offered, by, at)

    def sign(
        self,
        index: int,
        who: Iterable[Address],
        *,
        verdict: Verdict = Verdict.ACCEPTED,
        amount: int | None = None,
        at: int = NOW - 50,
    ) -> Attestation:
        """Let verifiers have signed a verdict; the store believes who brought it in."""
        whole = self.signed.milestones[index].amount
        attestation = Attestation(
            self.signed.id, index, verdict, whole if amount is None else amount,
            bytes(32), at, at + 30 * 86_400,
        )  # fmt: skip
        digest = attestation.typed_data(DOMAIN).digest()
        with self.store.transaction() as connection:
            connection.execute(
                insert(t.attestations).values(
                    digest=digest, agreement_id=self.signed.id, milestone=index,
                    verdict=int(verdict), amount=attestation.amount, evidence_hash=bytes(32),
                    issued_at=at, valid_until=attestation.valid_until, received_at=at,
                    state="open", reason="",
                )
            )  # fmt: skip
            for account in who:
                connection.execute(
                    insert(t.signatures).values(
                        digest=digest, signer=account, signature=b"\1" * 65, received_at=at
                    )
                )
        return attestation


def build(store: Store, milestones: str = HOUSE, domain: Domain = DOMAIN) -> House:
    """Register the agreement, open it, and fund every milestone."""
    bound = Agreement.loads(agreement_text(milestones)).on(Here(domain))
    signed = SignedAgreement.start(bound)
    state = State(status=Status.FUNDED)
    with store.transaction() as connection:
        viewing.register(connection, signed, by="test", now=NOW - 1_000)
        connection.execute(
            insert(t.agreements).values(
                agreement_id=signed.id, buyer=BUYER, supplier=SUPPLIER, arbiter=ARBITER,
                token=USDC.address, terms=row_shapes.terms_data(signed.terms),
                milestones=row_shapes.milestones_data(signed.milestones), opened_block=5,
                opened_at=NOW - 1_000, replaced_by=None, amends=None,
            )
        )  # fmt: skip
        for index, milestone in enumerate(signed.milestones):
            connection.execute(
                insert(t.milestones).values(
                    agreement_id=signed.id, milestone=index, amount=milestone.amount,
                    deadline=milestone.deadline, status=int(state.status), assignee=ZERO_ADDRESS,
                    clock=0, issued_at=0, epoch=1, handover=0, pending=0, paid=0,
                    next_at=milestone.deadline, changed_block=5, changed_at=NOW - 900,
                )
            )  # fmt: skip
    return House(store, signed)
