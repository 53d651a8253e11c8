"""The situation of an agreement, out of the store."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from milestone_escrow.oracle import proposals, viewing
from milestone_escrow.oracle.reminders.situation import (
    OpenOffer,
    Returned,
    Situation,
    UnsentAttestation,
)
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.given_signatures import signatures_of
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import end
from milestone_escrow.protocol.receivables import Offer, price


def situation(connection: Connection, agreement_id: bytes, final_block: int) -> Situation | None:
    """One agreement with all that reminders need; None where it is not open.

    Raises:
        StoreError: it is, and cannot be read here.
    """
    view = viewing.agreement(connection, agreement_id)
    if view is None:
        # What cannot be read has not been undone by the chain.
        viewing.require_readable(connection, agreement_id)
        return None
    signers = _signers(connection, agreement_id)
    rows = connection.execute(
        select(t.attestations)
        .where(t.attestations.c.agreement_id == agreement_id)
        .order_by(t.attestations.c.received_at, t.attestations.c.digest)
    ).all()
    waiting, returned = [], []
    for row in rows:
        signed = signers.get(row.digest, ())
        if row.verdict == Verdict.RETURNED:
            reasons = (row.reason,) if row.reason else ()
            at = row.received_at
            returned.append(Returned(row.digest, row.milestone, at, signed, reasons))
        elif row.state in ("open", "complete"):
            complete = row.state == "complete"
            waiting.append(
                UnsentAttestation(
                    row.digest, row.milestone, row.received_at, row.valid_until, signed, complete
                )
            )
    return Situation(
        agreement_id=agreement_id,
        terms=view.terms,
        milestones=view.milestones,
        states=view.states,
        since=tuple(stage.changed_at for stage in view.views),
        opened_at=view.opened_at,
        final_block=final_block,
        events=tuple(viewing.events(connection, view)),
        document=view.agreement,
        waiting=tuple(waiting),
        returned=tuple(returned),
        offers=tuple(_offers(connection, view)),
    )


def _signers(connection: Connection, agreement_id: bytes) -> dict[bytes, tuple[Address, ...]]:
    about = t.attestations.c.agreement_id == agreement_id
    rows = connection.execute(signatures_of(about, t.attestations.c.digest).order_by("signer"))
    found: dict[bytes, tuple[Address, ...]] = {}
    for digest, signer, _ in rows:
        # Who has signed both alone and in a batch is told of once.
        if signer not in found.get(digest, ()):
            found[digest] = (*found.get(digest, ()), signer)
    return found


def _offers(connection: Connection, view: AgreementView) -> Iterator[OpenOffer]:
    for at, signed in proposals.offers_of(connection, view):
        offer = signed.act
        assert isinstance(offer, Offer)
        stage = view.find(offer.milestone)
        yield OpenOffer(
            digest=signed.typed_data.digest(),
            milestone=offer.milestone,
            at=at,
            price=price(offer, stage.held),
            financier=offer.financier,
            valid_until=min(offer.valid_until, end(stage.milestone, stage.state)),
        )
