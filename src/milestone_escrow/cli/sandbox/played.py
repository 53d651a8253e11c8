"""An example that `escrow demo` has played, and its one JSON object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.when import day_of

if TYPE_CHECKING:
    from milestone_escrow.sandbox.player import Player
    from milestone_escrow.sandbox.timeline import Beat, Outcome


@dataclass(frozen=True, slots=True)
class Played:
    """One example that was played to its end."""

    name: str
    player: Player
    outcome: Outcome
    seconds: float

    @property
    def agreement(self) -> Agreement:
        return self.player.agreement

    @property
    def days(self) -> int:
        return (self.outcome.ended - self.outcome.started) // 86_400


def as_json(played: Played) -> dict[str, object]:
    """The whole demo for machines: token units as text, times as Unix seconds."""
    outcome, agreement = played.outcome, played.agreement
    return {
        "example": played.name,
        "title": agreement.title,
        "reference": agreement.reference,
        "agreement_id": "0x" + outcome.agreement_id.hex(),
        "token": agreement.token_symbol,
        "price": str(agreement.price),
        "timeline": [_beat_json(agreement, beat) for beat in played.player.beats],
        "milestones": [
            {
                "milestone": share.milestone,
                "title": share.title,
                "amount": str(share.amount),
                "to_payee": str(share.net),
                "fee": str(share.fee),
                "to_buyer": str(share.to_buyer),
                "decided_by": share.decided_by,
            }
            for share in outcome.shares
        ],
        "accounts": [
            {
                "role": account.role,
                "name": account.name,
                "address": account.address,
                "before": str(account.before),
                "paid": str(account.paid),
                "received": str(account.received),
                "after": str(account.after),
            }
            for account in outcome.accounts
        ],
        "funded": str(outcome.funded),
        "to_payee": str(outcome.to_payee),
        "fees": str(outcome.fees),
        "to_buyer": str(outcome.to_buyer),
        "contract_balance": str(outcome.contract_balance),
        "transactions": outcome.transactions,
        "gas": outcome.gas,
        "events": outcome.events,
        "ok": not outcome.problems,
        "problems": list(outcome.problems),
        "seconds": round(played.seconds, 3),
    }


def _beat_json(agreement: Agreement, beat: Beat) -> dict[str, object]:
    return {
        "at": beat.at,
        "date": str(day_of(beat.at, agreement.timezone)),
        "who": beat.who,
        "what": beat.what,
        "milestone": beat.milestone,
        "money": [
            {
                "units": str(movement.units),
                "text": agreement.amount(movement.units),
                "into_contract": movement.into,
                "whose": movement.name,
            }
            for movement in beat.movements
        ],
        "gas": beat.gas,
        "transaction": beat.transaction,
        "note": beat.note,
    }
