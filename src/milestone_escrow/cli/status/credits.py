"""What could not be delivered, in `escrow status`: for whom it waits, and how it is collected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.messages import say
from milestone_escrow.words.names import Names
from milestone_escrow.words.undelivered import refuses, waits, withdraw_line


@dataclass(frozen=True, slots=True)
class Credit:
    """What waits for an account: `total`, of which `own` comes from the agreement at hand.

    `refusal` is why it would still not arrive now; None where it would.
    """

    desk: Desk
    account: Address
    total: int
    own: int
    refusal: str | None

    @property
    def amount(self) -> str:
        return self.desk.amount(self.total)

    @property
    def who(self) -> str:
        return self.desk.person(self.account)

    @property
    def place(self) -> tuple[str, Address, Address, Address]:
        """What it is the same credit by, in whichever agreement it is found."""
        return self.desk.network.name, self.desk.escrow.contract, self._token, self.account

    @property
    def _token(self) -> Address:
        return self.desk.bound.terms.token

    @property
    def text(self) -> str:
        """ "5,638.35 USDC wait for Rajwada Exports", and how much of it came from elsewhere."""
        said = waits(Names.of(self.desk.bound), self.account, self.total)
        if other := self.total - self.own:
            amount = self.desk.amount(other)
            said = say("{waits}, {other} of it from other agreements", waits=said, other=amount)
        return self.now(said)

    @property
    def task(self) -> str:
        """The same, said to whom it waits for."""
        return self.now(say("{amount} wait for you", amount=self.amount))

    def now(self, said: str) -> str:
        """With whether it can be collected now."""
        if self.refusal is None:
            return say("{waits}, which can be collected now", waits=said)
        return say("{waits}; for now {refuses}", waits=said, refuses=refuses(self.refusal))

    def line(self, keys: Mapping[Address, str]) -> str:
        """The command, sent by the account's own key where that is at hand; anybody's will do."""
        line = withdraw_line(self.desk.name, Names.of(self.desk.bound), self.account)
        return f"{line} --as {keys[self.account]}" if self.account in keys else line

    def as_json(self) -> dict[str, object]:
        return {
            "account": self.account,
            "who": self.who,
            "units": str(self.total),
            "text": self.amount,
            "from_this_agreement": {"units": str(self.own), "text": self.desk.amount(self.own)},
            "refusal": None if self.refusal is None else refuses(self.refusal),
            "command": self.line({}),
        }


def credits_of(desk: Desk, only: Container[Address] | None = None) -> Iterator[Credit]:
    """What waits for accounts of an agreement, its earlier versions included; of `only` some, where
    they are given."""
    own = Counter[Address]()
    totals: dict[Address, int] = {}
    for one in (*desk.earlier, desk):
        if one.escrow.is_open(one.bound.id):
            totals |= one.credits(only)
            for found in one.undelivered():
                own[found.account] += found.units
    for account, units in totals.items():
        refusal = desk.escrow.push_refusal(desk.bound.token, account, units, withdraws=True)
        yield Credit(desk, account, units, own[account], refusal)
