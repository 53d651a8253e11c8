"""How patient the relayer is, and how much it may spend."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from milestone_escrow.chain.send.fees import GWEI
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.settings import Relaying

WEI = 10**18


@dataclass(frozen=True, slots=True)
class RelayingSettings:
    """Times are seconds, money is wei; `max_fee` is for a unit of gas, None leaves the network's.

    A transaction is replaced by a better paid one after `replace_after` and at least
    `replace_blocks` blocks. `joined` is how many attestations go into one transaction at most.
    Below `low_balance` somebody is told. `abandon_after` is when a transaction of an account that
    no living relayer has is given up, and sent from another.
    """

    max_fee: int | None = None
    low_balance: int = 2 * 10**16
    joined: int = 20
    replace_after: int = 60
    replace_blocks: int = 2
    rebroadcast_after: int = 20
    tries: int = 5
    back_off: int = 5
    longest_back_off: int = 600
    lease: int = 60
    claimed: int = 50
    price_age: int = 15
    empty_looks: int = 3
    abandon_after: int = 900

    @classmethod
    def of(cls, section: Relaying) -> RelayingSettings:
        """As an operator wrote them in oracle.toml.

        Raises:
            UsageError: `low_balance` is no amount.
        """
        try:
            low = int(Decimal(section.low_balance) * WEI)
        except (InvalidOperation, ValueError, OverflowError):
            raise UsageError(
                f"relaying.low_balance is '{section.low_balance}', which is no amount",
                hint='write "0.02", in the coin that pays for gas',
            ) from None
        most = None if section.max_fee is None else int(Decimal(str(section.max_fee)) * GWEI)
        return cls(
            max_fee=most,
            low_balance=low,
            joined=section.batch,
            replace_after=section.bump_after,
        )

    def patience(self, waited: int) -> int:
        """Seconds until something is asked again that only needs time, after so many of them."""
        return max(self.back_off, min(waited // 4, 60))

    def rest(self, tries: int) -> int:
        """Seconds until something that has failed is given another try."""
        return int(self.longest_back_off * 2 ** max(0, min(tries - self.tries, 6)))

    def pause(self, tries: int) -> int:
        """Seconds to wait after so many tries."""
        return min(self.back_off << min(tries, 16), self.longest_back_off)
