"""A private chain with the contract, test money, and everybody's keys at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.embedded.records import MinedTransaction
from milestone_escrow.chain.send.transactions import Receipt
from milestone_escrow.errors import UsageError
from milestone_escrow.keys.local_signers import DevSigner
from milestone_escrow.protocol.devchain import SANDBOX_ACCOUNTS, SANDBOX_OPERATOR
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token

# Somebody who has no role: whoever lets time decide, or tries what only others may.
STRANGER = 19


@dataclass(frozen=True)
class World:
    """One embedded chain with its contract; `deployment_gas` is what installing it used."""

    chain: EmbeddedChain
    escrow: Escrow
    deployment_gas: int

    @classmethod
    def start(cls, at: int) -> World:
        """A chain that begins at this Unix time, with contract and test USDC on it."""
        chain = EmbeddedChain(at)
        world = cls(chain, Escrow.embedded(chain=chain), 0)
        return replace(world, deployment_gas=sum(tx.gas_used for tx in world.transactions()))

    @property
    def now(self) -> int:
        return self.chain.now

    def transactions(self) -> Iterator[MinedTransaction]:
        """Everything that was ever sent here, in order."""
        for number in range(self.chain.head.number + 1):
            if block := self.chain.block(number):
                yield from block.transactions

    @cached_property
    def keys(self) -> dict[Address, DevSigner]:
        """The signers of the accounts that everybody knows."""
        signers = (DevSigner(number) for number in range(1, SANDBOX_ACCOUNTS + 1))
        return {signer.address: signer for signer in signers}

    @cached_property
    def operator(self) -> DevSigner:
        return DevSigner(SANDBOX_OPERATOR)

    @cached_property
    def stranger(self) -> DevSigner:
        return DevSigner(STRANGER)

    def signer(self, account: Address) -> DevSigner:
        """The key of an account.

        Raises:
            UsageError: it is not one of the accounts that everybody knows.
        """
        if account not in self.keys:
            raise UsageError(
                f"{account} is not an account of the embedded chain",
                hint="use the accounts of the private keys 1 to 20 in what is played here",
            )
        return self.keys[account]

    def acting_as(self, account: Address) -> Escrow:
        """The contract with that account's key."""
        return self.escrow.acting_as(self.signer(account))

    def mint(self, account: Address, token: Token, units: int) -> Receipt:
        """Give test money to somebody."""
        return self.escrow.acting_as(self.operator).mint(token.symbol, account, units)

    def balance(self, token: Token, account: Address) -> int:
        return self.escrow.balance(token, account)

    def travel(self, to: int) -> None:
        """Let time pass until `to`; staying where it is is fine."""
        if to > self.chain.now:
            self.chain.set_time(to)
