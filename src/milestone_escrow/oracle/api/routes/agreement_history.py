"""What happened to an agreement, page by page."""

from __future__ import annotations

from bisect import bisect_right

from fastapi import APIRouter

from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import cursors, view_bodies
from milestone_escrow.oracle.api.bodies.agreements import History
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import documented
from milestone_escrow.oracle.api.routes.common import PUBLIC, AgreementId, Cursor, Limit
from milestone_escrow.oracle.api.viewers import Asking, Deps, find

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
    """The agreement's events on chain, oldest first, which of its payouts failed and what became of
    them among them, with links to the network's explorer."""
    view = find(deps, agreement_id, viewer)
    after = cursors.decode(EVENTS, cursor, int, int) if cursor is not None else (-1, -1)
    with deps.store.reading() as connection:
        events = viewing.events(connection, view)
        head = viewing.head(connection)
    places = [(event.place.block, event.place.log_index) for event in events]
    first = bisect_right(places, after)
    page = events[first : first + limit]
    currency = view_bodies.currency_of(view, deps.settings.network)
    final = head.final_number if head else 0
    following = None
    if first + limit < len(events):
        following = cursors.encode(EVENTS, places[first + limit - 1])
    return History(
        agreement_id=agreement_id,
        items=[
            view_bodies.event_body(event, currency, deps.settings.network, final) for event in page
        ],
        next=following,
    )
