"""Offers of receivables that somebody wants to be reminded of before they expire.

An offer is a signed paper between a payee and a financier; the contract hears of it only when it is
taken. Whoever holds it may hand it in here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.book import AgreementView
from milestone_escrow.oracle.reminders.situations import OFFER
from milestone_escrow.oracle.store import audit
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.lifecycle import held
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.protocol.signatures import recover


def watch_offer(
    connection: Connection,
    domain: Domain,
    view: AgreementView,
    offer: Offer,
    signature: bytes,
    *,
    by: Address,
    now: int,
) -> bytes:
    """Remember an offer until it is taken, voided or expired; returns its digest.

    Handing the same one in again changes nothing. `now` is the contract's time.

    Raises:
        UsageError: it is not the payee's, or can no longer be taken.
    """
    stage = view.find(offer.milestone)
    digest = offer.typed_data(domain).digest()
    payee = view.payee(stage.index)
    if offer.agreement_id != view.id or recover(digest, signature) != payee:
        raise UsageError(
            f"this is no offer by {payee}, whom '{stage.key}' pays",
            hint="hand in the offer as its payee signed it",
        )
    rest = held(stage.milestone, stage.state)
    if (offer.held, offer.sequence) != (rest, stage.state.sequence) or now > offer.valid_until:
        raise UsageError(
            f"the offer of '{stage.key}' is void: it has expired, or something has happened since",
            hint="ask the payee for a new one",
        )
    row = {
        "agreement_id": view.id,
        "milestone": stage.index,
        "kind": OFFER,
        "source": by,
        "name": digest.hex(),
        "value": {
            "price": str(offer.price),
            "financier": offer.financier,
            "sequence": offer.sequence,
            "valid_until": offer.valid_until,
        },
        "met": True,
        "seen_at": now,
        "delivery": f"offer/{digest.hex()}",
    }
    if insert_new(connection, t.observations, row, "delivery"):
        subject = audit.subject_of(view.id, stage.index)
        audit.record(connection, now, by, "offer.watched", subject, digest="0x" + digest.hex())
    return digest
