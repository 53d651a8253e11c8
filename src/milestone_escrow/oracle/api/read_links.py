"""Read-only links: whoever holds one may read one agreement until it expires or is revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from milestone_escrow.oracle.api.sessions import LINK_PREFIX, hashed, new_token
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.eip712 import Address

MAX_DAYS = 366
DAY = 86_400


@dataclass(frozen=True, slots=True)
class ReadLink:
    """A link as its owner sees it; `id` names it without opening anything."""

    id: str
    agreement_id: bytes
    issued_by: Address
    purpose: str
    issued_at: int
    expires_at: int
    revoked_at: int | None = None


def create(
    connection: Connection,
    agreement_id: bytes,
    account: Address,
    now: int,
    expires_at: int,
    purpose: str = "",
) -> tuple[str, ReadLink]:
    """A new link's token, which is shown this once."""
    token = new_token(LINK_PREFIX)
    digest = hashed(token)
    link = ReadLink(digest.hex(), agreement_id, account, purpose, now, expires_at)
    connection.execute(
        insert(t.links).values(
            token_hash=digest,
            agreement_id=agreement_id,
            issued_by=account,
            purpose=purpose,
            issued_at=now,
            expires_at=expires_at,
        )
    )
    subject = audit_log.subject_of(agreement_id)
    audit_log.record(connection, now, account, "link.created", subject, expires_at=expires_at)
    return token, link


def of_agreement(connection: Connection, agreement_id: bytes) -> Sequence[ReadLink]:
    """Every link of an agreement, the newest first."""
    rows = connection.execute(
        select(t.links)
        .where(t.links.c.agreement_id == agreement_id)
        .order_by(t.links.c.issued_at.desc(), t.links.c.token_hash)
    )
    return [_link(row._mapping) for row in rows]


def opens(connection: Connection, token: str, now: int) -> ReadLink | None:
    """The link behind a token, unless it has expired or was revoked."""
    row = connection.execute(
        select(t.links)
        .where(t.links.c.token_hash == hashed(token))
        .where(t.links.c.expires_at > now)
        .where(t.links.c.revoked_at.is_(None))
    ).first()
    return _link(row._mapping) if row else None


def revoke(
    connection: Connection, agreement_id: bytes, link_id: str, account: Address, now: int
) -> bool:
    """End a link; whether there was such a one. Ending it twice is fine."""
    chosen = (t.links.c.token_hash == bytes.fromhex(link_id)) & (
        t.links.c.agreement_id == agreement_id
    )
    if connection.execute(select(t.links.c.token_hash).where(chosen)).first() is None:
        return False
    done = connection.execute(
        update(t.links).where(chosen).where(t.links.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    if done.rowcount:
        audit_log.record(
            connection, now, account, "link.revoked", audit_log.subject_of(agreement_id)
        )
    return True


def _link(row: object) -> ReadLink:
    fields = dict(row)  # type: ignore[call-overload]
    return ReadLink(id=fields.pop("token_hash").hex(), **fields)
