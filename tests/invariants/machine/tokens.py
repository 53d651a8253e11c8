"""Tokens as the twin sees them: what a transfer does, and what it answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from milestone_escrow.protocol.eip712 import Address, Domain, Field, Struct, TypedData
from milestone_escrow.protocol.transitions import refusal

DEAD: Address = "0x000000000000000000000000000000000000dEaD"

# Burning a payout's gas costs a Python EVM a second each time: other tests do that.
MODES = (
    "Honest",
    "Silent",
    "Refuse",
    "Deny",
    "AnswerTwo",
    "AnswerShort",
    "AnswerHuge",
    "Revert",
    "RevertHuge",
    "Tax",
    "Reenter",
)
MOVES_BUT_DENIES = frozenset({"Deny", "AnswerTwo", "AnswerShort"})

_AUTHORIZATION = Struct(
    "ReceiveWithAuthorization",
    (
        Field("address", "from"),
        Field("address", "to"),
        Field("uint256", "value"),
        Field("uint256", "validAfter"),
        Field("uint256", "validBefore"),
        Field("bytes32", "nonce"),
    ),
)
_PERMIT = Struct(
    "Permit",
    (
        Field("address", "owner"),
        Field("address", "spender"),
        Field("uint256", "value"),
        Field("uint256", "nonce"),
        Field("uint256", "deadline"),
    ),
)


@dataclass
class TokenTwin:
    """One token. `lied` is what it moved out of the escrow while it denied having done so."""

    name: str
    address: Address
    escrow: Address
    domain: Domain | None = None
    has_code: bool = True
    turns: bool = False
    on_transfer: str = "Honest"
    on_transfer_from: str = "Honest"
    lied: int = 0
    given: int = 0
    balances: defaultdict[Address, int] = field(default_factory=lambda: defaultdict(int))
    allowances: defaultdict[Address, int] = field(default_factory=lambda: defaultdict(int))
    nonces: defaultdict[Address, int] = field(default_factory=lambda: defaultdict(int))
    denied: frozenset[Address] = frozenset()
    used: frozenset[tuple[Address, bytes]] = frozenset()

    def copy(self) -> TokenTwin:
        return replace(
            self,
            balances=self.balances.copy(),
            allowances=self.allowances.copy(),
            nonces=self.nonces.copy(),
        )

    @property
    def takes_signatures(self) -> bool:
        """Whether it knows permits and authorizations."""
        return self.domain is not None

    def push(self, to: Address, amount: int) -> bool:
        """`transfer` by the escrow: whether it counts as paid."""
        mode = self.on_transfer
        if mode in ("Refuse", "Revert", "RevertHuge"):
            return False
        if self._obstacle(self.escrow, to, amount):
            return False
        self._move(self.escrow, to, amount, mode)
        if mode in MOVES_BUT_DENIES:
            self.lied += amount
            return False
        return True

    def pull(self, payer: Address, amount: int) -> None:
        """`transferFrom` to the escrow, which must receive it all."""
        if not self.has_code:
            raise refusal("TokenWithoutCode", self.address)
        before = self.balances[self.escrow]
        self.move(payer, self.escrow, amount)
        self._require_received(before, amount)

    def move(self, payer: Address, to: Address, amount: int) -> None:
        """`transferFrom` by the escrow, from whom has approved it."""
        if self.allowances[payer] < amount:
            raise refusal("ERC20InsufficientAllowance", payer)
        if self.allowances[payer] != 2**256 - 1:
            self.allowances[payer] -= amount
        mode = self.on_transfer_from
        if mode == "Refuse":
            raise refusal("SafeERC20FailedOperation", mode)
        if mode == "Revert":
            raise refusal("Error", mode)
        if mode == "RevertHuge":
            raise refusal("Zeros", mode)
        self._require_movable(payer, to, amount)
        self._move(payer, to, amount, mode)
        if mode in MOVES_BUT_DENIES:
            raise refusal("SafeERC20FailedOperation", mode)

    def receive(
        self,
        payer: Address,
        amount: int,
        since: int,
        until: int,
        nonce: bytes,
        now: int,
        valid: bool,
    ) -> None:
        """`receiveWithAuthorization` to the escrow; `valid` says whether the payer signed it."""
        if not self.has_code:
            raise refusal("TokenWithoutCode", self.address)
        if not self.takes_signatures:
            raise refusal("", "the token has no such function")
        if not valid:
            raise refusal("ERC3009InvalidSignature", payer)
        if not since < now < until:
            raise refusal("ERC3009InvalidAuthorizationTime", f"{since} < {now} < {until}")
        if (payer, nonce) in self.used:
            raise refusal("ERC3009UsedAuthorization", nonce.hex())
        self.used |= {(payer, nonce)}
        self._require_movable(payer, self.escrow, amount)
        self._move(payer, self.escrow, amount, "Honest")

    def authorization(
        self, payer: Address, amount: int, since: int, until: int, nonce: bytes
    ) -> TypedData:
        assert self.domain
        values = (payer, self.escrow, amount, since, until, nonce)
        names = (item.name for item in _AUTHORIZATION.fields)
        return TypedData(self.domain, _AUTHORIZATION, dict(zip(names, values, strict=True)))

    def permit(self, owner: Address, amount: int, nonce: int, deadline: int) -> TypedData:
        assert self.domain
        values = (owner, self.escrow, amount, nonce, deadline)
        names = (item.name for item in _PERMIT.fields)
        return TypedData(self.domain, _PERMIT, dict(zip(names, values, strict=True)))

    def _require_received(self, before: int, asked: int) -> None:
        received = self.balances[self.escrow] - before
        if received != asked:
            raise refusal("InexactTransfer", f"asked for {asked}, received {received}")

    def _require_movable(self, payer: Address, to: Address, amount: int) -> None:
        if obstacle := self._obstacle(payer, to, amount):
            raise refusal(obstacle, f"{payer} to {to}: {amount}")

    def _obstacle(self, payer: Address, to: Address, amount: int) -> str:
        """The error that the token would revert with."""
        if {payer, to} & self.denied:
            return "Denylisted"
        return "ERC20InsufficientBalance" if self.balances[payer] < amount else ""

    def _move(self, payer: Address, to: Address, amount: int, mode: str) -> None:
        tax = amount // 100 if mode == "Tax" else 0
        self.balances[payer] -= amount
        self.balances[DEAD] += tax
        self.balances[to] += amount - tax
