"""Sign-In with Ethereum: a nonce, a signed message, a session."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Query, Request, Response

from milestone_escrow.documents.values import read_account
from milestone_escrow.oracle.api import sessions, siwe
from milestone_escrow.oracle.api.bodies.access import (
    LoginRequest,
    NonceBody,
    NonceRequest,
    SessionBody,
)
from milestone_escrow.oracle.api.bodies.common import hexed, moment, moment_or_none
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.problems import documented
from milestone_escrow.oracle.api.routes.common import (
    JSON_ONLY,
    OPEN,
    PEOPLE,
    PUBLIC,
    SignedIn,
    limited,
)
from milestone_escrow.oracle.api.viewers import (
    Asking,
    Deps,
    require_same_site,
    unauthorized,
)
from milestone_escrow.protocol.signatures import not_signed

logger = logging.getLogger("milestone_escrow.oracle.api")
router = APIRouter(prefix="/v1", tags=["sign-in"], route_class=CarefulRoute)

STATEMENT = "Sign in to see your agreements. This sends no transaction and costs nothing."


def expected(deps: ApiDeps) -> siwe.Expected:
    return siwe.Expected(deps.settings.origin, deps.settings.domain.chain_id)


@router.post(
    "/login/nonce",
    summary="Begin to sign in",
    responses=documented(401, 403, 413, 415, 422),
    dependencies=[JSON_ONLY, limited("login")],
    openapi_extra=OPEN,
)
def begin_login(deps: Deps, body: NonceRequest) -> NonceBody:
    """A nonce for one sign-in within ten minutes and, for a known account, the message to sign."""
    now = deps.now()
    account = read_account(body.account) if body.account else None
    with deps.store.transaction() as connection:
        nonce = sessions.new_nonce(connection, now)
    wanted, until = expected(deps), now + sessions.NONCE_SECONDS
    message = None
    if account:
        message = siwe.SignIn(
            domain=wanted.domain,
            account=account,
            uri=wanted.origin,
            chain_id=wanted.chain_id,
            nonce=nonce,
            issued_at=siwe.timestamp(now),
            statement=STATEMENT,
            expiration_time=siwe.timestamp(until),
        ).text()
    return NonceBody(
        nonce=nonce,
        domain=wanted.domain,
        uri=wanted.origin,
        chain_id=wanted.chain_id,
        issued_at=moment(now),
        expires_at=moment(until),
        message=message,
    )


@router.post(
    "/login",
    summary="Sign in",
    responses=documented(401, 403, 413, 415, 422),
    dependencies=[JSON_ONLY, limited("login")],
    openapi_extra=OPEN,
)
def login(request: Request, response: Response, deps: Deps, body: LoginRequest) -> SessionBody:
    """Prove to hold an account's key, and get a session: as a token, or as a browser's cookie."""
    if body.session == "cookie":
        # Or else another site could sign its own account in here, on somebody's behalf.
        require_same_site(request)
    now, message = deps.now(), siwe.parse(body.message)
    siwe.require_for(message, expected(deps), now)
    with deps.store.transaction() as connection:
        fresh = sessions.use_nonce(connection, message.nonce, now)
    if not fresh:
        raise unauthorized("the nonce was used already, is too old, or not from here")
    # Outside any transaction: a contract's signature is a question to the chain.
    signature = bytes.fromhex(body.signature[2:])
    if not siwe.is_signed(message, signature, deps.wallets):
        raise unauthorized(not_signed(message.account, "this message", signature))
    name = sessions.cookie_name(deps.settings.is_secure)
    with deps.store.transaction() as connection:
        if before := request.cookies.get(name):
            sessions.end(connection, before)
        token, session = sessions.start(
            connection, message.account, now, deps.settings.session_seconds
        )
    logger.info("signed in", extra={"fields": {"account": message.account}})
    if body.session == "cookie":
        response.set_cookie(
            name,
            token,
            max_age=session.expires_at - now,
            path="/",
            secure=deps.settings.is_secure,
            httponly=True,
            samesite="strict",
        )
    return SessionBody(
        account=session.account,
        is_operator=False,
        agreement=None,
        expires_at=moment(session.expires_at),
        token=token if body.session == "token" else None,
    )


@router.get(
    "/session",
    summary="Who am I",
    responses=documented(401),
    openapi_extra=PUBLIC,
)
def get_session(viewer: Asking) -> SessionBody:
    """Who is signed in, or what a link opens; all null for anybody else."""
    return SessionBody(
        account=viewer.account,
        is_operator=viewer.is_operator,
        agreement=hexed(viewer.link) if viewer.link else None,
        expires_at=moment_or_none(viewer.until),
    )


@router.delete(
    "/session",
    summary="Sign out",
    status_code=204,
    responses=documented(401, 403, 422),
    dependencies=[limited("write")],
    openapi_extra=PEOPLE,
)
def logout(
    request: Request,
    deps: Deps,
    viewer: SignedIn,
    everywhere: bool = Query(False, description="End all sessions of the account"),
) -> Response:
    """End the session, or all of the account's."""
    name = sessions.cookie_name(deps.settings.is_secure)
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    with deps.store.transaction() as connection:
        sessions.end(connection, request.cookies.get(name, "") if viewer.by_cookie else token)
        if everywhere and viewer.account:
            sessions.end_all(connection, viewer.account)
    response = Response(status_code=204)
    if viewer.by_cookie:
        response.delete_cookie(
            name, path="/", secure=deps.settings.is_secure, httponly=True, samesite="strict"
        )
    return response
