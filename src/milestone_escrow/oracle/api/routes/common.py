"""What routes share: who may call them, how often, and how that is documented."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Header, Path, Query, Request, Response
from sqlalchemy import Connection

from milestone_escrow.oracle.api import cursors, idempotency
from milestone_escrow.oracle.api.bodies.attestations import CalldataBody
from milestone_escrow.oracle.api.bodies.common import HASH_PATTERN, hexed
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.idempotency import KEY_PATTERN, Answer
from milestone_escrow.oracle.api.problems import MEDIA_TYPE, Problem
from milestone_escrow.oracle.api.viewers import (
    Viewer,
    buckets_of,
    require_account,
    viewer_of,
)
from milestone_escrow.protocol.eip712 import Address

AgreementId: TypeAlias = Annotated[
    str,
    Path(
        pattern=HASH_PATTERN,
        description="The agreement's id: 0x and 64 lower-case hex digits",
        examples=["0x" + "5a" * 32],
    ),
]
Index: TypeAlias = Annotated[
    int, Path(ge=0, le=59, description="The milestone's place in the agreement, from 0")
]
Cursor: TypeAlias = Annotated[
    str | None, Query(pattern=cursors.PATTERN, description="`next` of the page before")
]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=100)]
IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="The same key makes the same request happen once, for a day",
    ),
]

_BEARER: dict[str, list[str]] = {"bearer": []}
_COOKIE: dict[str, list[str]] = {"cookie": []}
_LINK: dict[str, list[str]] = {"link": []}

# For `openapi_extra`: who may call a route.
OPEN: dict[str, Any] = {"security": []}
PUBLIC: dict[str, Any] = {"security": [{}, _BEARER, _COOKIE, _LINK]}
READERS: dict[str, Any] = {"security": [_BEARER, _COOKIE, _LINK]}
PEOPLE: dict[str, Any] = {"security": [_BEARER, _COOKIE]}

# What a refused signature means to HTTP; whatever else is refused does not fit where it stands.
_STATUSES = {
    "Malformed": 422,
    "WordsDoNotFit": 422,
    "InvalidSignature": 422,
    "NotOneBatch": 422,
    "TooLarge": 422,
    "SignerNotAllowed": 403,
    "NoSuchMilestone": 404,
}


def refusal(error: str, reason: str) -> Problem:
    """Why signatures were not taken, by the name of the error."""
    kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in error).strip("-")
    return Problem(_STATUSES.get(error, 409), reason, kind=kind)


def signed_in(viewer: Annotated[Viewer, Depends(viewer_of)]) -> Viewer:
    """Whoever asks, who must be signed in or the operator."""
    if not viewer.is_operator:
        require_account(viewer)
    return viewer


SignedIn: TypeAlias = Annotated[Viewer, Depends(signed_in)]


def limited(kind: str) -> Any:
    """A dependency that counts requests of a kind, by account or else by address."""

    def count(request: Request, viewer: Annotated[Viewer, Depends(viewer_of)]) -> None:
        buckets_of(request).take(kind, viewer.account or viewer.caller)

    return Depends(count)


def only_type(*allowed: str) -> Any:
    """A dependency that refuses bodies of another media type."""

    def check(request: Request) -> None:
        given = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if given not in allowed:
            raise Problem(
                415,
                f"the body is {given or 'of no stated type'}, allowed is {' or '.join(allowed)}",
                hint=f"send Content-Type: {allowed[0]}",
                headers={"Accept-Post": ", ".join(allowed)},
            )

    return Depends(check)


JSON_ONLY = only_type("application/json")


def once(
    deps: ApiDeps,
    key: str | None,
    caller: str,
    asked: Sequence[str | bytes | int],
    work: Callable[[Connection], Answer],
    location: str = "",
) -> Response:
    """Do a request in one transaction, at most once for its key; see `idempotency`. `asked` is
    what makes it this request: where it goes, and its content."""
    mark = idempotency.fingerprint("POST", *asked)
    answer = idempotency.once(deps.store, key, caller, mark, deps.now(), work)
    return answered(deps, answer, location)


def answered(deps: ApiDeps, answer: Answer, location: str = "") -> Response:
    """An answer that may be one of before. The worker is told where something is new."""
    if answer.status == 201:
        deps.wake()
    headers = {"Location": location} if location and answer.status == 201 else {}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    media = "application/json" if answer.status < 400 else MEDIA_TYPE
    return Response(answer.body, answer.status, headers, media_type=media)


def calldata(deps: ApiDeps, data: bytes, signers: Sequence[Address]) -> CalldataBody:
    """The transaction that does what these have signed, for whoever sends it."""
    domain = deps.settings.domain
    return CalldataBody(
        chain_id=domain.chain_id,
        to=domain.verifying_contract,
        data=hexed(data),
        value="0",
        signers=list(signers),
    )
