"""Signing something for another to answer: what both the split and the offer have in common."""

from __future__ import annotations

from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.receivables import Offer, stands
from milestone_escrow.web.steps.visit import Visit


def keep(visit: Visit, act: Resolution | Offer, name: str) -> None:
    """Keep what the wallet has signed, for whoever answers it.

    Raises:
        UsageError: the account did not sign this.
        EscrowError: the milestone has changed since.
    """
    if not stands(act, visit.here.held, visit.here.state):
        raise EscrowError("something has happened since this was signed", hint="start again")
    signed = SignedAct(visit.bound, act, {}, {})
    signed = signed.add(visit.account, visit.answers[name], visit.web.api.wallets)
    api = visit.web.api
    with api.store.transaction() as connection:
        proposals.keep(connection, signed, visit.account, api.chain_now(connection))
