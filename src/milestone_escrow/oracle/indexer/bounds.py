"""How much is asked for at once, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.chain.contract.events import AgreementAmended, AgreementOpened
from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """Bounds of one step. `blocks` are read header by header; where more than `thorough` final
    ones are missing, they are asked for logs only, up to `widest` at once. What does not fit
    together is read again, up to `attempts` times. A node of one's own may be believed when it says
    that there is nothing more in a block: then nothing `proves` that."""

    blocks: int = 256
    widest: int = 10_000
    thorough: int = 2_000
    attempts: int = 3
    proves: bool = True


@dataclass(frozen=True, slots=True)
class AgreementFilter:
    """Which agreements are followed: these, and those with these parties; all, where empty."""

    agreements: frozenset[bytes] = frozenset()
    parties: frozenset[Address] = frozenset()

    @property
    def everything(self) -> bool:
        return not self.agreements and not self.parties

    def wants(self, opened: AgreementOpened) -> bool:
        return (
            self.everything
            or opened.agreement_id in self.agreements
            or not self.parties.isdisjoint((opened.buyer, opened.supplier))
        )

    def names(self, amended: AgreementAmended) -> bool:
        """Whether a change order belongs to an agreement that is named here."""
        return not self.agreements.isdisjoint((amended.agreement_id, amended.replaces))
