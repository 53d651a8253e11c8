"""Whose signature it is: checked by key here, or by its chain where a contract wallet signed."""

from __future__ import annotations

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.signatures import Wallets, is_signed


def require_signed(
    data: TypedData,
    account: Address,
    signature: bytes,
    wallets: Wallets | None,
    *,
    whose: str,
    what: str,
    hint: str,
) -> None:
    """Refuse a signature that is not the account's; `whose` and `what` complete the sentence.

    A contract wallet's (ERC-1271) counts only where `wallets` can ask its chain: without, it is
    refused like any other that no key explains.

    Raises:
        UsageError: the account did not sign this, as far as can be told.
        EscrowError: its chain cannot be asked.
    """
    if is_signed(data.domain.chain_id, account, data.digest(), signature, wallets):
        return
    if wallets is None:
        hint += ", or check it with its chain at hand if a contract wallet signed"
    raise UsageError(f"{whose} is not by {account} for {what}", hint=hint)
