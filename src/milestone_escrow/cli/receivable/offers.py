"""Offers as files: read one against the chain, keep copies of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.cli.receivable import factoring
from milestone_escrow.cli.shell.desk import Desk, desk_of
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.letters import agreement_of
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.receivables import price_now, require_stands
from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts, load_acts
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.assessment import Assessment
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.words.standing import Standing, amount


@dataclass(frozen=True, slots=True)
class Offered:
    """A signed offer and the milestone that it sells, as it is now."""

    file: Path
    standing: Standing
    signed: SignedAct

    @property
    def offer(self) -> Offer:
        assert isinstance(self.signed.act, Offer)
        return self.signed.act

    @property
    def price(self) -> int:
        """What it costs now, token units."""
        return price_now(self.standing, self.offer)

    @property
    def signature(self) -> bytes:
        return self.signed.signatures[self.standing.payee]

    def as_json(self, found: Assessment) -> dict[str, object]:
        """For machines: the rate as a number, 0.38 for 38 % a year."""
        cost = factoring.cost_of(self.standing, found, self.offer)
        price = self.price
        return {
            "file": str(self.file),
            "price": {"units": str(price), "text": amount(self.standing, price)},
            "financier": None if self.offer.financier == ZERO_ADDRESS else self.offer.financier,
            "valid_until": self.offer.valid_until,
            "days": cost.days if cost else None,
            "yearly_rate": round(float(cost.yearly_rate), 4) if cost else None,
        }


def read_offer(session: Session, file: Path) -> tuple[Desk, Offered]:
    """An offer that still stands.

    Raises:
        DocumentError: the file is none, or forged.
        EscrowError: it has expired, or the milestone has changed since.
    """
    agreement = agreement_of(session, file)
    found = load_acts(file, agreement.bound, session.wallets)
    if len(found) != 1 or not isinstance(found[0].act, Offer):
        raise UsageError(f"{file} is not an offer", hint=f"look at it with `escrow send {file}`")
    desk = desk_of(session, agreement)
    desk.require_open()
    offered = Offered(file, desk.standings()[found[0].act.milestone], found[0])
    require_stands(offered.standing, offered.signed)
    return desk, offered


def keep_offer(session: Session, signed: SignedAct) -> Path:
    """A copy for `escrow receivable list`."""
    path = _path(session, signed)
    write(path, dumps_acts([signed]))
    return path


def kept_offers(session: Session, standing: Standing) -> list[Offered]:
    """The offers of a milestone that were made here and still stand."""
    found = []
    start = f"0x{standing.bound.id.hex()}-{standing.key}"
    for path in sorted(session.home.offers.glob(f"{start}-*.json")):
        try:
            (signed,) = load_acts(path, standing.bound, session.wallets)
            offered = Offered(path, standing, signed)
            require_stands(standing, signed)
        except (EscrowError, ValueError):
            # What has expired, was bought or damaged is no offer any more.
            continue
        found.append(offered)
    return found


def _path(session: Session, signed: SignedAct) -> Path:
    digest = signed.typed_data.digest().hex()[:8]
    return session.home.offers / f"0x{signed.bound.id.hex()}-{signed.planned.key}-{digest}.json"
