"""What `escrow agreement list` does: every agreement known here, with its money, and totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from milestone_escrow.cli.shell.desk import desk_of
from milestone_escrow.cli.shell.output import bad, bold, command, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.files.signed_agreement import PARTIES, SignedAgreement
from milestone_escrow.documents.money import format_amount
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.lifecycle import Status

UNDELIVERED = "not delivered"
MONEY = ("amount", "funded", "paid", "given back", UNDELIVERED, "held")


@dataclass(frozen=True, slots=True)
class Row:
    """An agreement with its money in token units: what it decides, what was paid in, what left."""

    signed: SignedAgreement
    network: str
    state: str
    amount: int
    funded: int = 0
    paid: int = 0
    back: int = 0
    undelivered: int = 0
    held: int = 0

    @property
    def units(self) -> tuple[int, ...]:
        """As `MONEY` names them."""
        return self.amount, self.funded, self.paid, self.back, self.undelivered, self.held


def list_agreements(session: Session) -> None:
    """A row of each; what its chain cannot tell now is named, and in no total."""
    if session.network:
        session.place(None)
    known, aside = session.shelf.look_through()
    rows: list[Row] = []
    troubles = [one.why for one in aside]
    for signed in known:
        try:
            rows.append(_row(session, signed))
        except EscrowError as error:
            troubles.append(f"{signed.agreement.reference}: {error}")
    if rows:
        _show(session, rows)
    elif not troubles:
        session.say(f"There is no agreement here yet, in {session.home.agreements}.")
        session.say("Start from an example:")
        session.say(f"  {command('escrow agreement new')}")
    for trouble in troubles:
        session.say(f"{bad('Not looked at')}, and in no total: {trouble}")
    session.emit(
        {
            "agreements": [
                {
                    "agreement": "0x" + row.signed.id.hex(),
                    "reference": row.signed.agreement.reference,
                    "title": row.signed.agreement.title,
                    "buyer": row.signed.agreement.name("buyer"),
                    "supplier": row.signed.agreement.name("supplier"),
                    "network": row.network,
                    "state": row.state,
                    **_as_json(row, row.units),
                }
                for row in rows
            ],
            "totals": [
                {
                    "network": group[0].network,
                    "token": group[0].signed.bound.token.address,
                    "agreements": len(group),
                    **_as_json(group[0], _sum(group)),
                }
                for group in _by_token(rows)
            ],
            "not_looked_at": troubles,
        }
    )


def _show(session: Session, rows: Sequence[Row]) -> None:
    lines = [
        (bold(row.signed.agreement.reference), row.network, row.state, *_texts(row, row.units))
        for row in rows
    ]
    lines = [("agreement", "network", "state", *MONEY, ""), *lines, *_totals(rows)]
    if not any(row.undelivered for row in rows):
        out = 3 + MONEY.index(UNDELIVERED)
        lines = [(*line[:out], *line[out + 1 :]) for line in lines]
    session.say(table(lines[1:], lines[0], right=range(3, len(lines[0]) - 1)))


def _row(session: Session, signed: SignedAgreement) -> Row:
    network = session.place_of(signed).network.name
    missing = [role for role in PARTIES if role not in signed.signatures]
    price = signed.agreement.price
    # A new version is signed in its change order.
    if missing and not signed.agreement.replaces:
        return Row(signed, network, f"{' and '.join(missing)} to sign", price)
    desk = desk_of(session, signed)
    if not desk.escrow.is_open(signed.id):
        return Row(signed, network, "not open", price)
    standings = desk.standings()
    settled = [one.state.status is Status.SETTLED for one in standings]
    paid = sum(one.delivered.to_payee for one in standings)
    back = sum(one.delivered.to_buyer for one in standings)
    held = sum(one.held for one in standings)
    funded = held + sum(one.paid_out.total for one in standings)
    undelivered = sum(one.units for one in desk.undelivered())
    # What a change order has moved on is the new version's.
    amount = sum(
        one.paid_out.total if over else one.milestone.amount
        for one, over in zip(standings, settled, strict=True)
    )
    state = "settled" if all(settled) else f"{sum(settled)} of {len(settled)} settled"
    return Row(signed, network, state, amount, funded, paid, back, undelivered, held)


def _by_token(rows: Sequence[Row]) -> list[list[Row]]:
    """Money of one token on one network; anything else cannot be added up."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.network, row.signed.bound.token.address), []).append(row)
    return list(groups.values())


def _totals(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for group in _by_token(rows):
        count = "1 agreement" if len(group) == 1 else f"{len(group)} agreements"
        yield (bold("total"), group[0].network, count, *_texts(group[0], _sum(group)))


def _sum(group: Sequence[Row]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(row.units for row in group), strict=True)))


def _texts(row: Row, units: Sequence[int]) -> list[str]:
    currency = row.signed.agreement.currency
    cells = [format_amount(one, currency, symbol=False) if one else "" for one in units]
    return [*cells, currency.symbol]


def _as_json(row: Row, units: Sequence[int]) -> dict[str, object]:
    amount = row.signed.agreement.amount
    return {
        name.replace(" ", "_"): {"units": str(one), "text": amount(one)}
        for name, one in zip(MONEY, units, strict=True)
    }
