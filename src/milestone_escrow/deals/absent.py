"""An account that acts without its key: its transactions are only prepared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData


@dataclass(frozen=True, slots=True)
class Absent:
    """An account as the sender of what somebody else signs: its key is not asked for anything."""

    address: Address

    def sign_typed_data(self, _: TypedData) -> bytes:
        self._refuse()

    def sign_transaction(self, _: Mapping[str, Any]) -> bytes:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError(
            f"this needs a signature of {self.address}, and nobody here signs for it",
            hint="name its key with --as or --signer; a Safe's owners use `escrow safe sign`, "
            "other wallets `escrow sign`",
        )
