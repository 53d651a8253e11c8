"""Agreements as the oracle's store knows them, by what people call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.oracle.viewing import AgreementView


def known_view(session: Session, store: Store, name: str) -> AgreementView:
    """The open agreement with its document that `name` means: what this machine knows by that
    name, else what the store does.

    Raises:
        UsageError: it is not known, not open, or without its document.
    """
    from milestone_escrow.oracle import viewing

    found = _id_of(session, store, name)
    with store.reading() as connection:
        view = viewing.agreement(connection, found)
    if view is None:
        raise UsageError(
            f"{name} is not open, as far as the oracle knows",
            hint="see `escrow status`, and whether `escrow oracle run` is running",
        )
    if view.signed is None:
        raise UsageError(
            f"the oracle has only seen {name} on chain, not its document",
            hint=f"give it the document: `escrow oracle run {name}`",
        )
    return view


def _id_of(session: Session, store: Store, name: str) -> bytes:
    from milestone_escrow.oracle.lookup import named

    try:
        return session.find(name).id
    except UsageError:
        with store.reading() as connection:
            found = named(connection, name)
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"'{name}' means {len(found)} agreements of the store",
                hint="give more digits of its id",
            ) from None
        raise
