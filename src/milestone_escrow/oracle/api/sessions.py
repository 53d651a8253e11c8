"""Who is signed in. Tokens are random, handed out once, and stored as their SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets
import string
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.eip712 import Address

NONCE_SECONDS = 600
SESSION_SECONDS = 12 * 3600
SESSION_PREFIX = "escrow_s_"
LINK_PREFIX = "escrow_l_"

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class LoginSession:
    """Somebody who proved to hold the key of `account`."""

    account: Address
    expires_at: int


def new_nonce(connection: Connection, now: int) -> str:
    """A number for one sign-in, valid for ten minutes. Old ones are swept out."""
    connection.execute(delete(t.logins).where(t.logins.c.issued_at < now - 6 * NONCE_SECONDS))
    nonce = "".join(secrets.choice(_ALPHABET) for _ in range(24))
    connection.execute(insert(t.logins).values(nonce=nonce, issued_at=now))
    return nonce


def use_nonce(connection: Connection, nonce: str, now: int) -> bool:
    """Whether the nonce was ours, fresh and unused; from now on it is used."""
    used = connection.execute(
        update(t.logins)
        .where(t.logins.c.nonce == nonce)
        .where(t.logins.c.used_at.is_(None))
        .where(t.logins.c.issued_at > now - NONCE_SECONDS)
        .values(used_at=now)
    )
    return used.rowcount == 1


def start(
    connection: Connection, account: Address, now: int, seconds: int = SESSION_SECONDS
) -> tuple[str, LoginSession]:
    """A new session's token, which is shown this once. Expired sessions are swept out."""
    connection.execute(delete(t.sessions).where(t.sessions.c.expires_at <= now))
    token = new_token(SESSION_PREFIX)
    session = LoginSession(account, now + seconds)
    connection.execute(
        insert(t.sessions).values(
            token_hash=hashed(token),
            account=account,
            issued_at=now,
            expires_at=session.expires_at,
        )
    )
    return token, session


def find(connection: Connection, token: str, now: int) -> LoginSession | None:
    """The session behind a token, unless it has ended."""
    row = connection.execute(
        select(t.sessions.c.account, t.sessions.c.expires_at)
        .where(t.sessions.c.token_hash == hashed(token))
        .where(t.sessions.c.expires_at > now)
    ).first()
    return LoginSession(row.account, row.expires_at) if row else None


def end(connection: Connection, token: str) -> None:
    """Forget a session: its token opens nothing any more."""
    connection.execute(delete(t.sessions).where(t.sessions.c.token_hash == hashed(token)))


def end_all(connection: Connection, account: Address) -> None:
    """Sign an account out everywhere."""
    connection.execute(delete(t.sessions).where(t.sessions.c.account == account))


def new_token(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """What the store keeps of a token. Plain SHA-256: there are 256 random bits in it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def cookie_name(secure: bool) -> str:
    """Browsers keep a `__Host-` cookie to this host and to https, whoever tries to set it."""
    return "__Host-escrow" if secure else "escrow_session"
