"""Pages of agreements, by key and not by number, so that no page shifts while others open some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Text, and_, exists, or_, select

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import cursors
from milestone_escrow.oracle.api.viewers import Viewer, unopened
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Status

OPENED, WAITING = "agreements", "waiting"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list is asked for. `search` is the beginning of an id, or words of a reference, a
    title or a name in agreements of the viewer's own."""

    party: Address | None = None
    status: Status | None = None
    search: str = ""
    cursor: str | None = None
    limit: int = 20


def opened(
    connection: Connection, wanted: ListQuery, viewer: Viewer
) -> tuple[list[AgreementView], str | None]:
    """A page of agreements that are open on chain, the newest first, and where the next begins."""
    table = t.agreements.c
    query = _filtered(connection, wanted, viewer)
    if wanted.cursor is not None:
        opened_at, text = cursors.decode(OPENED, wanted.cursor, int, str)
        last = _id(str(text))
        query = query.where(
            or_(
                table.opened_at < opened_at,
                and_(table.opened_at == opened_at, table.agreement_id < last),
            )
        )
    # Both downwards, so that the index on both is read backwards and nothing is sorted.
    order = (table.opened_at.desc(), table.agreement_id.desc())
    query = query.order_by(*order).limit(wanted.limit + 1)
    rows = connection.execute(query).all()
    page = rows[: wanted.limit]
    views = viewing.agreements(connection, [row.agreement_id for row in page])
    if len(rows) <= wanted.limit:
        return views, None
    return views, cursors.encode(OPENED, (page[-1].opened_at, page[-1].agreement_id.hex()))


def waiting(
    connection: Connection, wanted: ListQuery, viewer: Viewer
) -> tuple[list[AgreementView], str | None]:
    """A page of the viewer's agreements of which only the document is known."""
    table = t.documents.c
    query = select(table.agreement_id).where(
        ~exists().where(t.agreements.c.agreement_id == table.agreement_id)
    )
    if viewer.link is not None:
        query = query.where(table.agreement_id == viewer.link)
    for account in {viewer.account, wanted.party} - {None}:
        query = query.where(table.document.contains(f'"{account}"'))
    if wanted.search.startswith("0x"):
        query = query.where(table.agreement_id.between(*_range(wanted.search)))
    elif wanted.search:
        query = query.where(table.agreement_id.in_(_matching(connection, wanted.search, viewer)))
    if wanted.cursor is not None:
        (text,) = cursors.decode(WAITING, wanted.cursor, str)
        query = query.where(table.agreement_id > _id(str(text)))
    ids = connection.execute(query.order_by(table.agreement_id).limit(wanted.limit + 1)).scalars()
    found = list(ids)
    page = found[: wanted.limit]
    known = viewing.documents(connection, page)
    views = [unopened(known[agreement_id]) for agreement_id in page if agreement_id in known]
    # An account in a document's text may still have no role in it.
    views = [view for view in views if viewer.may_read(view)]
    more = len(found) > wanted.limit
    return views, cursors.encode(WAITING, (page[-1].hex(),)) if more else None


def _filtered(connection: Connection, wanted: ListQuery, viewer: Viewer) -> Select[Any]:
    table = t.agreements.c
    query = select(table.agreement_id, table.opened_at)
    if wanted.party:
        query = query.where(_has_role(wanted.party))
    if wanted.status is not None:
        mine = t.milestones.c.agreement_id == table.agreement_id
        query = query.where(exists().where(mine, t.milestones.c.status == int(wanted.status)))
    if wanted.search.startswith("0x"):
        query = query.where(table.agreement_id.between(*_range(wanted.search)))
    elif wanted.search:
        query = query.where(table.agreement_id.in_(_matching(connection, wanted.search, viewer)))
    return query


def _has_role(party: Address) -> Any:
    table = t.agreements.c
    mine = t.milestones.c.agreement_id == table.agreement_id
    return or_(
        table.buyer == party,
        table.supplier == party,
        table.arbiter == party,
        table.terms.cast(Text).contains(f'"{party}"'),
        exists().where(mine, t.milestones.c.assignee == party),
    )


def _matching(connection: Connection, search: str, viewer: Viewer) -> list[bytes]:
    """The agreements with a document that the viewer may read, and in whose reference, title or
    names the words are found. Of other documents nobody learns what they hold."""
    wanted, found = search.casefold(), []
    for view in _readable(connection, viewer):
        if view.agreement is None:
            continue
        names = [party.name for party in view.agreement.parties.values()]
        texts = (view.agreement.reference, view.agreement.title, *names)
        if any(wanted in text.casefold() for text in texts):
            found.append(view.id)
    return found


def _readable(connection: Connection, viewer: Viewer) -> list[AgreementView]:
    """Every agreement with a document that the viewer may read, open or not."""
    table = t.documents.c
    query = select(table.agreement_id)
    if viewer.link is not None:
        query = query.where(table.agreement_id == viewer.link)
    elif not viewer.is_operator:
        if viewer.account is None:
            return []
        bought = select(t.milestones.c.agreement_id).where(
            t.milestones.c.assignee == viewer.account
        )
        named = table.document.contains(f'"{viewer.account}"')
        query = query.where(or_(named, table.agreement_id.in_(bought)))
    ids = list(connection.execute(query).scalars())
    views = viewing.agreements(connection, ids)
    opened = {view.id for view in views}
    rest = viewing.documents(connection, [found for found in ids if found not in opened])
    views += [unopened(signed) for signed in rest.values()]
    # An account in a document's text may still have no role in it.
    return [view for view in views if viewer.may_read(view)]


def _range(prefix: str) -> tuple[bytes, bytes]:
    digits = prefix[2:]
    return bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise cursors.refused() from None
