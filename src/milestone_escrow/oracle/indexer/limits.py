"""How much is asked for at once, what is kept, and how wide a node lets a question be."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.chain.contract.events import AgreementAmended, AgreementOpened
from milestone_escrow.protocol.eip712 import Address

# How many answers of one width make a wider question worth a try, after a refusal.
PATIENCE = 16


@dataclass(frozen=True, slots=True)
class Limits:
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
class Watched:
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


@dataclass(slots=True)
class Width:
    """How many blocks to ask for logs of: halved when the node refuses, doubled when it answers;
    after a refusal only once it has answered a while, so that a fixed limit is not hit for ever."""

    blocks: int
    widest: int
    wait: int = 0

    def answered(self, asked: int) -> None:
        if asked < self.blocks:
            return
        self.wait -= 1
        if self.wait < 0:
            self.blocks, self.wait = min(2 * self.blocks, self.widest), 0

    def shrink(self, asked: int) -> bool:
        """Half of what was asked; False where that was one block already."""
        self.blocks, self.wait = max(asked // 2, 1), PATIENCE
        return asked > 1
