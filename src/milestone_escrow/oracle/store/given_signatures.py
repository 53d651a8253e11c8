"""Who has said what: by a signature of the attestation alone, or of a batch that holds it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, select, union_all

from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.eip712 import Address

_ALONE, _TOGETHER = t.signatures.c, t.batch_signatures.c


def signatures_of(
    where: ColumnElement[bool], *columns: Any, signer: Address | None = None
) -> CompoundSelect[Any]:
    """The columns of attestations, with `signer` and `said_at` of each signature; of one
    `signer`, if that is given. Who has signed one both ways is there twice.
    """
    alone = select(*columns, _ALONE.signer, _ALONE.received_at.label("said_at")).join_from(
        t.attestations, t.signatures, _ALONE.digest == t.attestations.c.digest
    )
    together = (
        select(*columns, _TOGETHER.signer, _TOGETHER.received_at.label("said_at"))
        .join_from(
            t.attestations,
            t.batch_items,
            t.batch_items.c.attestation == t.attestations.c.digest,
        )
        .join(t.batch_signatures, _TOGETHER.batch == t.batch_items.c.batch)
    )
    if signer is not None:
        alone = alone.where(_ALONE.signer == signer)
        together = together.where(_TOGETHER.signer == signer)
    return union_all(alone.where(where), together.where(where))
