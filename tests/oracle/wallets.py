"""Contract wallets of a chain that need not be there."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Accepting:
    """Takes one signature from any contract, of anything; remembers what was asked."""

    signature: bytes
    asked: list[tuple[int, str, bytes, bytes]] = field(default_factory=list)

    def accepts(self, chain_id: int, account: str, digest: bytes, signature: bytes) -> bool:
        self.asked.append((chain_id, account, digest, signature))
        return signature == self.signature

    @property
    def accounts(self) -> list[str]:
        return [account for _, account, _, _ in self.asked]
