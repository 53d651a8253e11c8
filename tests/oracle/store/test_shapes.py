"""What goes into a row comes out of it again."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.chain.contract import events as e
from milestone_escrow.chain.contract.events import Event, Place
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store.types import dumps
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import Milestone, Terms

ACCOUNT = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
HASH = st.binary(min_size=32, max_size=32)
UINT128 = st.integers(0, 2**128 - 1)
TIME = st.integers(0, 2**32 - 1)
INDEX = st.integers(0, 59)
INDICES = st.lists(INDEX, unique=True).map(lambda found: tuple(sorted(found)))
TRANSACTION = HASH.map(lambda raw: "0x" + raw.hex())
PLACE = st.builds(Place, st.integers(0, 2**40), TIME, TRANSACTION, st.integers(0, 2**20))
MILESTONE = st.builds(
    Milestone, UINT128, TIME, st.booleans(), st.integers(0, 2**32 - 1), INDEX, HASH
)
TERMS = st.builds(
    Terms, ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, st.lists(ACCOUNT, max_size=4).map(tuple),
    TIME, TIME, TIME, INDEX, ACCOUNT, INDEX, HASH, st.integers(0, 2**256 - 1),
)  # fmt: skip
STATUS = st.sampled_from(list(Status))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        e.AgreementOpened, PLACE, HASH, ACCOUNT, ACCOUNT, TERMS,
        st.lists(MILESTONE, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(e.MilestonesFunded, PLACE, HASH, ACCOUNT, INDICES, UINT128),
    st.builds(
        e.MilestoneAttested, PLACE, HASH, INDEX, st.sampled_from(list(Verdict)), UINT128, HASH,
        TIME, INDICES, TIME,
    ),
    st.builds(e.MilestoneSubmitted, PLACE, HASH, INDEX, ACCOUNT, HASH, TIME),
    st.builds(e.MilestoneDisputed, PLACE, HASH, INDEX, ACCOUNT, HASH, TIME),
    st.builds(e.MilestoneRuled, PLACE, HASH, INDEX, UINT128, UINT128, HASH),
    st.builds(e.MilestoneResolved, PLACE, HASH, INDEX, UINT128, UINT128),
    st.builds(e.MilestoneFinalized, PLACE, HASH, INDEX, STATUS),
    st.builds(e.MilestonePaid, PLACE, HASH, INDEX, ACCOUNT, UINT128, UINT128, UINT128),
    st.builds(e.AttestationSkipped, PLACE, HASH, INDEX, st.binary(min_size=4, max_size=4)),
    st.builds(e.MilestoneAssigned, PLACE, HASH, INDEX, ACCOUNT, ACCOUNT, UINT128),
    st.builds(e.AgreementAmended, PLACE, HASH, HASH, INDICES, UINT128),
    st.builds(e.PayoutCredited, PLACE, ACCOUNT, ACCOUNT, UINT128),
    st.builds(e.CreditWithdrawn, PLACE, ACCOUNT, ACCOUNT, UINT128),
)  # fmt: skip


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"data": json.loads(dumps(row["data"]))}


@given(EVENTS)
def test_every_event_comes_back(event: Event) -> None:
    assert row_shapes.read_event(_stored(row_shapes.event_row(event, bytes(32)))) == event


@given(TERMS, st.lists(MILESTONE, max_size=3))
def test_terms_and_milestones_come_back(terms: Terms, milestones: list[Milestone]) -> None:
    assert row_shapes.read_terms(json.loads(dumps(row_shapes.terms_data(terms)))) == terms
    stored = json.loads(dumps(row_shapes.milestones_data(milestones)))
    assert row_shapes.read_milestones(stored) == tuple(milestones)
