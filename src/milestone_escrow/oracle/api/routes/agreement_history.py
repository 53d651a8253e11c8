"""What happened to an agreement, page by page."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import ColumnElement, and_, or_, select

from milestone_escrow.chain.contract.events import AgreementAmended, PayoutCredited
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import cursors, view_bodies
from milestone_escrow.oracle.api.bodies.agreements import History
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import documented
from milestone_escrow.oracle.api.routes.common import PUBLIC, AgreementId, Cursor, Limit
from milestone_escrow.oracle.api.viewers import Asking, Deps, find
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.viewing import AgreementView

router = APIRouter(prefix="/v1/agreements", tags=["agreements"], route_class=CarefulRoute)

EVENTS = "events"


@router.get(
    "/{agreement_id}/history",
    summary="What happened",
    responses=documented(401, 404, 422),
    openapi_extra=PUBLIC,
)
def get_history(
    deps: Deps,
    viewer: Asking,
    agreement_id: AgreementId,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> History:
    """The agreement's events on chain, oldest first, with links to the network's explorer."""
    view = find(deps, agreement_id, viewer)
    table = t.events.c
    query = select(t.events).where(_events_of(view))
    if cursor is not None:
        block, log_index = cursors.decode(EVENTS, cursor, int, int)
        query = query.where(
            or_(table.block > block, and_(table.block == block, table.log_index > log_index))
        )
    with deps.store.reading() as connection:
        query = query.order_by(table.block, table.log_index).limit(limit + 1)
        rows = connection.execute(query).all()
        head = viewing.head(connection)
    page = rows[:limit]
    currency = view_bodies.currency_of(view, deps.settings.network)
    final = head.final_number if head else 0
    following = None
    if len(rows) > limit:
        following = cursors.encode(EVENTS, (page[-1].block, page[-1].log_index))
    return History(
        agreement_id=agreement_id,
        items=[
            view_bodies.event_body(
                row_shapes.read_event(row._mapping), currency, deps.settings.network, final
            )
            for row in page
        ],
        next=following,
    )


def _events_of(view: AgreementView) -> ColumnElement[bool]:
    """Its own events; the one that replaced it; and payouts that failed in its transactions."""
    table, own = t.events.c, t.events.alias()
    failed = (
        select(own.c.block)
        .where(own.c.agreement_id == view.id)
        .where(own.c.block == table.block)
        .where(own.c.transaction == table.transaction)
    )
    return or_(
        table.agreement_id == view.id,
        and_(
            table.agreement_id == view.replaced_by,
            table.name == AgreementAmended.__name__,
        ),
        and_(table.name == PayoutCredited.__name__, failed.exists()),
    )
