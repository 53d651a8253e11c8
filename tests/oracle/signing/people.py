"""An agreement with three verifiers of whom two decide, as a store knows it once it is funded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import insert, update

from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.oracle.viewing import agreement as read_agreement
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, ZERO_HASH, Address, Domain
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import DAY, Milestone, Terms, agreement_id
from tests.oracle.conftest import DOMAIN

NOW = 1_800_000_000
AMOUNT = 1_000_000


def key(number: int) -> LocalSigner:
    """A key of its own for every number."""
    return LocalSigner(number.to_bytes(32, "big"))


VERIFIERS = tuple(sorted(map(key, (5, 6, 7)), key=lambda signer: signer.address.lower()))
INSPECTOR, SURVEYOR, FORWARDER = VERIFIERS
STRANGER = key(9)


@dataclass(frozen=True)
class Deal:
    """One agreement and its place in a store."""

    id: bytes
    terms: Terms
    milestones: tuple[Milestone, ...]

    @property
    def indexes(self) -> range:
        return range(len(self.milestones))

    def attestation(self, **changes: object) -> Attestation:
        """The first milestone accepted in full, a minute ago, unless told otherwise."""
        usual = Attestation(
            self.id, 0, Verdict.ACCEPTED, AMOUNT, ZERO_HASH, NOW - 60, NOW + 30 * DAY
        )
        return replace(usual, **changes)  # type: ignore[arg-type]

    def set_state(
        self, store: Store, index: int = 0, *, block: int = 10, **changes: object
    ) -> None:
        """Let the chain have changed a milestone."""
        with store.transaction() as connection:
            connection.execute(
                update(t.milestones)
                .where(t.milestones.c.agreement_id == self.id, t.milestones.c.milestone == index)
                .values({**changes, "changed_block": block})
            )

    def view(self, store: Store) -> AgreementView:
        with store.reading() as connection:
            found = read_agreement(connection, self.id)
        assert found is not None
        return found


def sign(
    attestation: Attestation, *signers: LocalSigner, domain: Domain = DOMAIN
) -> dict[Address, bytes]:
    """Their signatures, by account."""
    return {s.address: s.sign_typed_data(attestation.typed_data(domain)) for s in signers}


def make_deal(
    salt: int = 1, *, quorum: int = 2, milestones: int = 2, objection: int = 0, amount: int = AMOUNT
) -> Deal:
    terms = Terms(
        buyer=key(1).address,
        supplier=key(2).address,
        token="0x" + "aa" * 20,
        arbiter=key(3).address,
        verifiers=tuple(v.address for v in VERIFIERS),
        objection_period=objection,
        review_period=0,
        arbitration_period=3 * DAY,
        default_payee_bps=5_000,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=b"\x0d" * 32,
        salt=salt,
    )
    stages = tuple(
        Milestone(amount, NOW + 90 * DAY, False, 0b111, quorum, b"\x0e" * 32)
        for _ in range(milestones)
    )
    return Deal(agreement_id(DOMAIN, terms, stages), terms, stages)


def put(store: Store, *deals: Deal, status: Status = Status.FUNDED, block: int = 5) -> None:
    """Let the store have seen these deals opened and funded."""
    state = State(status=status)
    with store.transaction() as connection:
        for deal in deals:
            connection.execute(insert(t.agreements), _agreement_row(deal, block))
            connection.execute(
                insert(t.milestones),
                [
                    _milestone_row(deal, index, state, block)
                    for index in range(len(deal.milestones))
                ],
            )


def set_head(store: Store, *, time: int = NOW, number: int = 20, final: int = 20) -> None:
    with store.transaction() as connection:
        connection.execute(t.cursor.delete())
        connection.execute(
            insert(t.cursor).values(
                id=1,
                number=number,
                hash=b"\x01" * 32,
                time=time,
                final_number=final,
                final_hash=b"\x01" * 32,
            )
        )


def _agreement_row(deal: Deal, block: int) -> dict[str, object]:
    return {
        "agreement_id": deal.id,
        "buyer": deal.terms.buyer,
        "supplier": deal.terms.supplier,
        "arbiter": deal.terms.arbiter,
        "token": deal.terms.token,
        "terms": row_shapes.terms_data(deal.terms),
        "milestones": row_shapes.milestones_data(deal.milestones),
        "opened_block": block,
        "opened_at": NOW - DAY,
        "replaced_by": None,
        "amends": None,
    }


def _milestone_row(deal: Deal, index: int, state: State, block: int) -> dict[str, object]:
    milestone = deal.milestones[index]
    return {
        "agreement_id": deal.id,
        "milestone": index,
        "amount": milestone.amount,
        "deadline": milestone.deadline,
        "status": int(state.status),
        "assignee": state.assignee,
        "clock": state.clock,
        "issued_at": state.issued_at,
        "epoch": state.epoch,
        "handover": state.handover,
        "pending": state.pending,
        "paid": state.paid,
        "next_at": milestone.deadline,
        "changed_block": block,
        "changed_at": NOW - DAY,
    }
