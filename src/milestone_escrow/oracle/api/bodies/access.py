"""Signing in, and links."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from milestone_escrow.oracle.api.bodies.common import Account, Body, Hash, HexBytes, Moment


class NonceRequest(Body):
    """With an account, the answer has the whole message to sign."""

    account: Account | None = None


class NonceBody(Body):
    """What a sign-in message must say; `message` is ready to be signed, where the account is
    known."""

    nonce: str
    domain: str
    uri: str
    chain_id: int
    issued_at: Moment
    expires_at: Moment
    message: str | None


class LoginRequest(Body):
    """A message of EIP-4361 and its signature. Browsers ask for a cookie, programs for a token."""

    message: str = Field(min_length=1, max_length=4_000)
    signature: HexBytes
    session: Literal["token", "cookie"] = "token"


class SessionBody(Body):
    """Who is signed in. `token` is shown at sign-in only, and not where a cookie was asked for."""

    account: Account | None
    is_operator: bool
    agreement: Hash | None = Field(description="What a read-only link opens")
    expires_at: Moment | None
    token: str | None = None


class LinkRequest(Body):
    """A read-only link for `days`; `purpose` says whom it is for."""

    purpose: Annotated[str, Field(max_length=200)] = ""
    days: Annotated[int, Field(strict=True, ge=1, le=366)] = 30


class LinkBody(Body):
    """A link as the parties see it. `id` names it, and opens nothing."""

    id: str
    purpose: str
    issued_by: Account
    issued_at: Moment
    expires_at: Moment
    revoked_at: Moment | None


class NewLinkBody(Body):
    """A new link. Its token is shown this once."""

    link: LinkBody
    token: str
    url: str


class LinkList(Body):
    items: list[LinkBody]
