"""What a story shows while it plays, and what it comes to. Amounts are token units."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class Movement:
    """Tokens that moved: `into` the contract, or out of it, and who is at the other end."""

    units: int
    into: bool
    name: str
    milestone: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """One line of the timeline; `gas` is 0 where nothing was sent to the chain."""

    at: int
    who: str
    what: str
    milestone: str = ""
    movements: tuple[Movement, ...] = ()
    gas: int = 0
    transaction: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Where one milestone's money went; `net` and `fee` are the payee's part."""

    milestone: str
    title: str
    amount: int
    net: int
    fee: int
    to_buyer: int
    decided_by: str

    @property
    def is_conserved(self) -> bool:
        return self.net + self.fee + self.to_buyer == self.amount


@dataclass(frozen=True, slots=True)
class Account:
    """One person's money: what the events say was paid and received, and what the token says."""

    role: str
    name: str
    address: Address
    paid: int
    received: int
    before: int
    after: int

    @property
    def adds_up(self) -> bool:
        return self.after - self.before == self.received - self.paid


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a story: who got what, and whether everything adds up to the last unit.

    `differing` are the milestones where the contract reports another state than its events tell.
    """

    agreement_id: bytes
    shares: tuple[Share, ...]
    accounts: tuple[Account, ...]
    funded: int
    contract_balance: int
    events: int
    transactions: int
    gas: int
    unsettled: tuple[str, ...]
    differing: tuple[str, ...]
    started: int
    ended: int

    @property
    def to_payee(self) -> int:
        return sum(share.net for share in self.shares)

    @property
    def fees(self) -> int:
        return sum(share.fee for share in self.shares)

    @property
    def to_buyer(self) -> int:
        return sum(share.to_buyer for share in self.shares)

    @property
    def is_conserved(self) -> bool:
        """Every unit that came in went out, milestone by milestone and account by account."""
        out = self.to_payee + self.fees + self.to_buyer
        settled = [share for share in self.shares if share.milestone not in self.unsettled]
        parts = all(share.is_conserved for share in settled)
        return out == self.funded and parts and all(a.adds_up for a in self.accounts)

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not add up, in sentences; empty when everything does."""
        found = []
        if self.unsettled:
            found.append(f"not settled: {', '.join(self.unsettled)}")
        if not self.is_conserved:
            found.append("what came in is not what went out")
        if self.contract_balance:
            found.append(f"{self.contract_balance} token units are left in the contract")
        if self.differing:
            found.append(f"events and contract differ about {', '.join(self.differing)}")
        return tuple(found)
