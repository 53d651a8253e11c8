"""What the owners of a Safe sign, and how their signatures become the Safe's own (ERC-1271).

A Safe signs a digest when enough owners have signed `SafeMessage(bytes message)` under the Safe's
own domain, the message being that digest; so no owner's signature counts for another Safe, or for
the owner alone. The signatures stand one after the other, ordered by their owners' addresses.
"""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address, BareDomain, Field, Struct, TypedData
from milestone_escrow.protocol.signatures import normalized, signer_of

SAFE_MESSAGE = Struct("SafeMessage", (Field("bytes", "message"),))


def safe_message(chain_id: int, safe: Address, digest: bytes) -> TypedData:
    """What each owner signs, so that the Safe signs `digest`."""
    return TypedData(BareDomain(chain_id, safe), SAFE_MESSAGE, {"message": digest})


def owner_of(message: TypedData, signature: bytes) -> Address:
    """Whose signature of a Safe's message this is.

    Raises:
        UsageError: nobody's; only owners that sign by key are known here.
    """
    found = signer_of(message.digest(), signature)
    if found is None:
        raise UsageError(
            "this is no owner's signature of that message",
            hint="an owner signs it as typed data, and gives all 65 bytes",
        )
    return found


def joined(signatures: Mapping[Address, bytes]) -> bytes:
    """The Safe's signature out of its owners', each by key."""
    ordered = sorted(signatures.items(), key=lambda item: int(item[0], 16))
    return b"".join(normalized(signature) for _, signature in ordered)
