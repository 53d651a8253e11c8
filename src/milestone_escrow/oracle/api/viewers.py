"""Who asks, and what they may see. What is on chain is public; documents, names and evidence are
for the agreement's own people, for whoever they gave a link, and for the operator of the store.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from fastapi import Depends, Request

from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import read_links, sessions
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.throttle import Buckets
from milestone_escrow.oracle.viewing import AgreementView, MilestoneView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-Escrow-Request"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks. `caller` is their address; `link` the one agreement that a link lets them
    read; `until` when what they showed expires."""

    caller: str
    account: Address | None = None
    link: bytes | None = None
    is_operator: bool = False
    by_cookie: bool = False
    until: int | None = None

    @property
    def name(self) -> str:
        """Whom limits and keys are counted for, and who is named in the audit log."""
        if self.is_operator:
            return "operator"
        return self.account or f"address {self.caller}"

    def may_read(self, view: AgreementView) -> bool:
        """Whether the agreement's private side is open to them."""
        return (
            self.is_operator
            or self.link == view.id
            or (self.account is not None and self.account in view.people)
        )


def deps_of(request: Request) -> ApiDeps:
    deps: ApiDeps = request.app.state.deps
    return deps


def buckets_of(request: Request) -> Buckets:
    buckets: Buckets = request.app.state.buckets
    return buckets


def viewer_of(request: Request) -> Viewer:
    """Whoever sent the request, by bearer token, link or cookie, in this order.

    Raises:
        Problem: 401 for a token that opens nothing; 403 for a request that another site made the
            browser send.
    """
    viewer = _identified(request)
    if viewer.by_cookie and request.method not in SAFE_METHODS:
        require_same_site(request)
    request.scope["state"]["account"] = viewer.name if viewer.account else ""
    return viewer


Asking: TypeAlias = Annotated[Viewer, Depends(viewer_of)]
Deps: TypeAlias = Annotated[ApiDeps, Depends(deps_of)]


def _identified(request: Request) -> Viewer:
    caller = request.scope["state"].get("caller", "unknown")
    anonymous = Viewer(caller)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        found = _by_token(request, anonymous, token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise unauthorized("the token is not valid, or no longer", "invalid_token")
        return found
    link = request.query_params.get("link")
    if link is not None:
        found = _by_link(request, anonymous, link)
        if found is None:
            raise unauthorized("the link is not valid, or no longer", "invalid_token")
        return found
    cookie = request.cookies.get(sessions.cookie_name(deps_of(request).settings.is_secure))
    # A cookie that has expired makes nobody's public page fail: they are just not signed in.
    found = _by_session(request, anonymous, cookie) if cookie else None
    return replace(found, by_cookie=True) if found else anonymous


def _by_token(request: Request, anonymous: Viewer, token: str) -> Viewer | None:
    operator = deps_of(request).settings.operator_token
    if operator and hmac.compare_digest(operator, sessions.hashed(token)):
        return replace(anonymous, is_operator=True)
    if token.startswith(sessions.LINK_PREFIX):
        return _by_link(request, anonymous, token)
    return _by_session(request, anonymous, token)


def _by_session(request: Request, anonymous: Viewer, token: str) -> Viewer | None:
    deps = deps_of(request)
    with deps.store.reading() as connection:
        found = sessions.find(connection, token, deps.now())
    return replace(anonymous, account=found.account, until=found.expires_at) if found else None


def _by_link(request: Request, anonymous: Viewer, token: str) -> Viewer | None:
    deps = deps_of(request)
    with deps.store.reading() as connection:
        found = read_links.opens(connection, token, deps.now())
    return replace(anonymous, link=found.agreement_id, until=found.expires_at) if found else None


def require_same_site(request: Request) -> None:
    """Refuse what another site makes a browser send with its user's cookie.

    A page of another origin cannot set the header without asking first, and is never allowed to;
    where the browser says where the request comes from, that has to be here.

    Raises:
        Problem: 403.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    ours = deps_of(request).settings.origin
    foreign = origin is not None and origin.lower() != ours.lower()
    if foreign or site not in ("same-origin", "none") or not request.headers.get(CSRF_HEADER):
        raise Problem(
            403,
            "the request does not come from this service's own pages",
            kind="cross-site",
            hint=f"send the header {CSRF_HEADER}: 1 from {urlsplit(ours).netloc}, or use a bearer "
            "token",
        )


def require_account(viewer: Viewer) -> Address:
    """The signed-in account.

    Raises:
        Problem: nobody is signed in.
    """
    if viewer.account is None:
        raise unauthorized("nobody is signed in")
    return viewer.account


def unauthorized(message: str, error: str = "") -> Problem:
    challenge = 'Bearer realm="escrow"' + (f', error="{error}"' if error else "")
    return Problem(
        401,
        message,
        hint="sign in with POST /v1/login/nonce and POST /v1/login",
        headers={"WWW-Authenticate": challenge},
    )


def require_reader(viewer: Viewer, view: AgreementView) -> None:
    """Only whoever may read the agreement's private side comes past here.

    Raises:
        Problem: 401 where signing in may help, else 403.
    """
    if viewer.may_read(view):
        return
    if viewer.account is None and viewer.link is None:
        raise unauthorized("this is for the agreement's own people")
    raise _stranger(viewer)


def require_person(viewer: Viewer, view: AgreementView) -> Address:
    """The signed-in account, which must have a role in the agreement: a link only reads.

    Raises:
        Problem: 401 where signing in may help, else 403.
    """
    account = require_account(viewer) if viewer.link is None else None
    if account is None or account not in view.people:
        raise _stranger(viewer)
    return account


def _stranger(viewer: Viewer) -> Problem:
    who = viewer.account or "a read-only link"
    return Problem(
        403,
        f"this is for the agreement's own people, and {who} is not one of them",
        hint="sign in with the account that the agreement names",
    )


def visible(view: AgreementView, viewer: Viewer) -> AgreementView:
    """The agreement as the viewer may see it: without its document for strangers."""
    if viewer.may_read(view):
        return view
    bare = tuple(replace(stage, planned=None) for stage in view.views)
    return replace(view, signed=None, views=bare)


def unopened(signed: SignedAgreement) -> AgreementView:
    """An agreement of which only the document is known: nothing has happened to it yet."""
    stages = tuple(
        MilestoneView(index, milestone, State(), None, 0, planned)
        for index, (milestone, planned) in enumerate(
            zip(signed.bound.milestones, signed.agreement.milestones, strict=True)
        )
    )
    terms, milestones = signed.bound.terms, signed.bound.milestones
    return AgreementView(
        signed.id, terms, milestones, 0, 0, stages, None, signed.agreement.replaces, signed
    )


def find(deps: ApiDeps, agreement_id: str, viewer: Viewer) -> AgreementView:
    """An agreement by its id, whole; strangers learn nothing of documents that are not open yet.

    Raises:
        Problem: 404.
        StoreError: it is open, and what is kept of it cannot be read here.
    """
    with deps.store.reading() as connection:
        wanted = bytes.fromhex(agreement_id[2:])
        view = viewing.agreement(connection, wanted)
        if view is None:
            viewing.require_readable(connection, wanted)
            signed = viewing.documents(connection, [wanted]).get(wanted)
            view = unopened(signed) if signed else None
            if view is not None and not viewer.may_read(view):
                view = None
    if view is None:
        raise Problem(
            404,
            f"no agreement {agreement_id[:12]}… is known here",
            hint="check the id; if it is not open yet, sign in as one of its people",
        )
    return view


def stage(view: AgreementView, index: int) -> MilestoneView:
    """A milestone by its index.

    Raises:
        Problem: 404.
    """
    for found in view.views:
        if found.index == index:
            return found
    raise Problem(
        404,
        f"there is no milestone with index {index}",
        hint=f"indices go from 0 to {len(view.milestones) - 1}",
    )
