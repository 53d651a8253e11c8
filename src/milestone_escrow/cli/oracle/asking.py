"""An oracle as a command asks it: the one to ask, signing in, and going on without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from milestone_escrow.cli.oracle.store_home import running
from milestone_escrow.cli.shell.desk import Desk
from milestone_escrow.cli.shell.output import paragraph, waiting
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.oracle.api_client import OracleClient

_T = TypeVar("_T")
NO_ORACLE = "none"
# An oracle sees a block a little after others do.
BEHIND = frozenset({"no-such-milestone", "wrong-status", "not-found", "offer-void"})
_PATIENCE = 10
EFFECT = 30


def find_oracle(session: Session, desk: Desk | None, url: str | None) -> OracleClient | None:
    """The oracle to work with: the named one, or the one that runs here; for this desk's contract,
    where it is known which."""
    from milestone_escrow.oracle.api_client import OracleClient

    if url == NO_ORACLE:
        return None
    if session.unsigned or session.needs_no_key:
        if url:
            raise UsageError("an oracle takes signatures", hint="leave --unsigned and --from out")
        return None
    if url is None:
        found = running(session)
        if found is None:
            return None
        domain = desk.bound.domain if desk else None
        here = (found.chain_id, found.contract)
        if domain is not None and here != (domain.chain_id, domain.verifying_contract):
            return None
        url = found.url
    return OracleClient(url)


def sign_in(session: Session, desk: Desk, client: OracleClient, signer: object) -> None:
    """Sign in with a key that can; else only what everybody may see is seen."""
    from milestone_escrow.oracle.api_client import OracleElsewhereError, TextSigner

    if not isinstance(signer, TextSigner):
        return
    try:
        client.sign_in(signer, desk.bound.domain.chain_id)
    except OracleElsewhereError as error:
        session.say(paragraph(f"{waiting('not signed in')}: {error}", "  "))


def patiently(ask: Callable[[], _T]) -> _T:
    """Ask again for a while where the oracle has not seen the latest block yet."""
    from milestone_escrow.oracle.api_client import OracleRefusedError

    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return ask()
        except OracleRefusedError as error:
            if error.kind not in BEHIND or time.monotonic() > until:
                raise
            time.sleep(1)


def go_on_alone(session: Session, error: EscrowError) -> None:
    session.say(paragraph(f"{waiting('Without the oracle')}: {error.message}."))
    session.say()
