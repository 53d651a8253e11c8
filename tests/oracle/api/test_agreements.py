"""Agreements, milestones and history: what everybody sees, and what only their people see."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from milestone_escrow.chain.contract.events import (
    CreditWithdrawn,
    MilestonePaid,
    PayoutCredited,
    Place,
)
from milestone_escrow.chain.node.networks import network
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.throttle import Rate
from milestone_escrow.oracle.checkup import _read_otherwise
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.web.cashflow import charts
from milestone_escrow.web.deal import deal
from milestone_escrow.web.pages.portfolio import spreadsheet
from tests.oracle.api.world import (
    FOUNDATION,
    HANDOVER,
    NOW,
    USDC,
    WALLS,
    World,
    agreement,
    happened,
    open_on_chain,
    register,
    set_head,
    set_state,
    signer,
)
from tests.oracle.wallets import Accepting
from tests.support.calendars import calendars


def test_a_stranger_sees_what_is_on_chain_and_nothing_of_the_document(world: World) -> None:
    for role in ("anonymous", "stranger"):
        body = world.get(world.url, role).json()
        assert body["held"] == {"units": "7000000000", "text": "7,000.00 USDC"}
        assert body["buyer"] == {
            "account": signer("buyer").address,
            "role": "buyer",
            "name": None,
        }
        for private in ("reference", "title", "document", "signatures", "your_role"):
            assert body[private] is None
        assert {stage["key"] for stage in body["milestones"]} == {None}
        assert "Anna" not in world.get(world.url, role).text


@pytest.mark.parametrize("role", ["buyer", "supplier", "surveyor", "carpenter", "arbiter"])
def test_its_people_read_the_whole_agreement(world: World, role: str) -> None:
    body = world.get(world.url, role).json()
    assert body["reference"] == "SHED-7"
    assert body["your_role"] == role
    assert body["buyer"]["name"] == "Anna Bauer"
    assert body["document"]["reference"] == "SHED-7"
    assert set(body["signatures"]) == {"buyer", "supplier"}
    assert body["milestones"][FOUNDATION]["key"] == "foundation"
    assert "photos" in body["milestones"][FOUNDATION]["requires"]


def test_its_people_are_told_what_this_machines_calendar_has_otherwise(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    use = calendars(tmp_path)
    try:
        assert world.get(world.url, "buyer").json()["notes"] == []
        use("other")
        viewing._document.cache_clear()
        found = world.get(world.url, "buyer").json()
        assert found["notes"][0].startswith(
            "the deadline of 'foundation' is signed as 1 May 2027, 21:59 UTC, and that counts"
        )
        assert found["milestones"][FOUNDATION]["deadline"]["iso"] == "2027-05-01T21:59:59Z"
        assert world.get(world.url, "stranger").json()["notes"] == []
        with world.store.reading() as connection:
            view = viewing.agreement(connection, world.deal.id)
        assert view is not None
        documented = viewing.documented(view)
        assert documented is not None
        assert list(deal(documented, network("sandbox"), NOW, ()).notes) == found["notes"]
        doctor = list(_read_otherwise(world.store))
        assert [finding.is_note for finding in doctor] == [True] * len(found["notes"])
        assert doctor[0].says == f"SHED-7: {found['notes'][0]}"
        assert "SHED-7: the deadline of 'foundation' is signed as" in caplog.text
    finally:
        use(None)
        viewing._document.cache_clear()


def test_an_assignee_becomes_one_of_its_people(world: World) -> None:
    assert world.get(world.url, "stranger").json()["document"] is None
    bought = State(Status.FUNDED, assignee=signer("stranger").address, epoch=2)
    set_state(world.store, world.deal, FOUNDATION, bought)
    body = world.get(world.url, "stranger").json()
    assert body["document"]
    assert body["milestones"][FOUNDATION]["payee"]["account"] == signer("stranger").address


def test_a_milestone_says_who_may_do_what_until_when(world: World) -> None:
    body = world.get(f"{world.url}/milestones/{WALLS}").json()
    assert body["status"] == "submitted"
    assert body["ends"]["unix"] == NOW + 7 * 86_400
    options = {(option["verb"], option["role"]): option for option in body["options"]}
    dispute = options["dispute", "buyer"]
    assert dispute["accounts"] == [signer("buyer").address]
    assert dispute["is_open"]
    assert dispute["until"] == body["ends"]
    finalize = options["finalize", "anyone"]
    assert not finalize["is_open"]
    assert (finalize["since"], finalize["accounts"]) == (body["ends"], [])
    attest = options["attest", "verifiers"]
    assert sorted(attest["accounts"]) == sorted(
        signer(role).address for role in ("surveyor", "carpenter")
    )


def test_a_milestone_says_what_happens_when_nobody_acts(world: World) -> None:
    (step,) = world.get(f"{world.url}/milestones/{WALLS}").json()["silence"]
    assert step["to_payee"] == {"units": "4000000000", "text": "4,000.00 USDC"}
    assert step["to_buyer"]["units"] == "0"
    assert (step["leads_to"], step["is_due"]) == ("settled", False)
    with world.store.transaction() as connection:
        set_head(connection, time=NOW + 7 * 86_400)
    (step,) = world.get(f"{world.url}/milestones/{WALLS}").json()["silence"]
    assert step["is_due"]


def test_a_milestone_says_what_it_has_paid(world: World) -> None:
    body = world.get(f"{world.url}/milestones/0").json()
    assert body["paid"]["to_payee"] == {"units": "1000000000", "text": "1,000.00 USDC"}
    assert (body["status"], body["ends"]) == ("settled", None)


@pytest.mark.parametrize(
    "place", ["milestones/4", "milestones/60", "milestones/-1", "milestones/x"]
)
def test_a_milestone_that_does_not_exist_is_refused(world: World, place: str) -> None:
    expected = 404 if place == "milestones/4" else 422
    assert world.get(f"{world.url}/{place}").status_code == expected


@pytest.mark.parametrize("bad", ["0x12", "x" * 66, "0x" + "A" * 64])
def test_an_id_that_is_none_is_refused(world: World, bad: str) -> None:
    assert world.get(f"/v1/agreements/{bad}").status_code == 422


def test_an_unknown_agreement_is_not_found(world: World) -> None:
    answer = world.get("/v1/agreements/0x" + "00" * 32)
    assert answer.status_code == 404
    assert answer.json()["hint"]


def test_history_tells_events_in_order_with_amounts_for_people(world: World) -> None:
    items = world.get(f"{world.url}/history").json()["items"]
    assert [item["name"] for item in items] == [
        "AgreementOpened",
        "MilestonesFunded",
        "MilestonePaid",
    ]
    assert items[1]["data"]["amount"] == {"units": "8000000000", "text": "8,000.00 USDC"}
    assert items[2]["milestone"] == 0
    assert all(item["is_final"] for item in items)


def test_history_pages_without_gap_or_repetition(world: World) -> None:
    whole = world.get(f"{world.url}/history").json()["items"]
    found, cursor = [], None
    while True:
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = world.get(f"{world.url}/history", **query).json()
        found += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert found == whole


def test_history_tells_a_payout_that_failed_in_its_own_transaction_only(world: World) -> None:
    account = signer("supplier").address
    mine, other = "0x" + "0" * 62 + "0b", "0x" + "0" * 62 + "0c"
    with world.store.transaction() as connection:
        happened(
            connection,
            MilestonePaid(Place(11, NOW, mine, 0), world.deal.id, 1, account, 5, 0, 0),
            PayoutCredited(Place(11, NOW, mine, 1), USDC.address, account, 5),
            PayoutCredited(Place(11, NOW, other, 2), USDC.address, account, 7),
        )
    items = world.get(f"{world.url}/history").json()["items"]
    assert [item["name"] for item in items[3:]] == ["MilestonePaid", "PayoutCredited"]
    assert not items[-1]["is_final"]


def test_what_could_not_be_delivered_is_told_until_it_is_withdrawn(world: World) -> None:
    account, tx = signer("supplier").address, "0x" + "0" * 62 + "0b"
    with world.store.transaction() as connection:
        happened(
            connection,
            MilestonePaid(Place(11, NOW, tx, 0), world.deal.id, 1, account, 5_000_000, 0, 0),
            PayoutCredited(Place(11, NOW, tx, 1), USDC.address, account, 5_000_000),
        )
    whole = world.get(world.url).json()
    (waiting,) = whole["undelivered"]
    assert waiting["account"]["role"] == "supplier"
    assert waiting["amount"] == {"units": "5000000", "text": "5.00 USDC"}
    assert waiting["transaction"] == tx
    assert [one["undelivered"] for one in whole["milestones"]] == [[], [waiting], [], []]
    assert world.get(f"{world.url}/milestones/1").json()["undelivered"] == [waiting]
    gauge = f'escrow_undelivered_units{{token="{USDC.address}"}} 5e+06'
    assert gauge in world.get("/metrics").text
    with world.store.reading() as connection:
        view = viewing.agreement(connection, world.deal.id)
        assert view is not None
        known = viewing.documented(view)
        assert known is not None
        seen = {view.id: viewing.events(connection, view)}
    (chart,) = charts([known], seen)
    assert {month.released for month in chart.months} == {"1,000.00 USDC", "–"}
    rows = list(csv.DictReader(io.StringIO(spreadsheet([known], seen, account))))
    assert [row["undelivered"] for row in rows] == ["0.00", "5.00", "0.00", "0.00"]
    other = "0x" + "0" * 62 + "0c"
    with world.store.transaction() as connection:
        # It takes what other agreements had left there, too.
        happened(
            connection,
            CreditWithdrawn(Place(12, NOW, other, 0), USDC.address, account, 7_000_000, 0),
        )
    assert world.get(world.url).json()["undelivered"] == []
    assert gauge not in world.get("/metrics").text
    items = world.get(f"{world.url}/history").json()["items"]
    assert [item["name"] for item in items[4:]] == ["PayoutCredited", "CreditWithdrawn"]


def more(world: World, count: int) -> None:
    with world.store.transaction() as connection:
        for number in range(count):
            # Two in each block, so that the second part of the cursor matters, too.
            block, first = 20 + number // 2, 3 * (number % 2)
            open_on_chain(connection, agreement(f"SHED-{100 + number}"), block=block, first=first)


def test_lists_page_newest_first_without_gap_or_repetition(world: World) -> None:
    more(world, 7)
    seen, cursor = [], None
    for _ in range(5):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = world.get("/v1/agreements", **query).json()
        seen += [(item["opened_at"]["unix"], item["id"]) for item in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert cursor is None
    assert len(seen) == len(set(seen)) == 8
    assert seen[-1][1] == world.id


def test_a_page_does_not_shift_when_another_agreement_opens(world: World) -> None:
    more(world, 4)
    first = world.get("/v1/agreements", limit="3").json()
    with world.store.transaction() as connection:
        open_on_chain(connection, agreement("SHED-NEW"), block=90)
    second = world.get("/v1/agreements", limit="3", cursor=first["next"]).json()
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert len(ids) == len(set(ids)) == 5


@pytest.mark.parametrize("cursor", ["AAAA", "x" * 50, "WyJldmVudHMiLDEsMl0", "W10g", "bnVsbA"])
def test_a_made_up_cursor_is_refused(world: World, cursor: str) -> None:
    answer = world.get("/v1/agreements", cursor=cursor)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("bad-cursor")


def test_lists_can_be_asked_for_a_party(world: World) -> None:
    for role in ("buyer", "supplier", "surveyor", "arbiter"):
        party = signer(role).address
        assert len(world.get("/v1/agreements", party=party).json()["items"]) == 1
        assert len(world.get("/v1/agreements", party=party.lower()).json()["items"]) == 1
    assert not world.get("/v1/agreements", party=signer("stranger").address).json()["items"]
    mistyped = signer("buyer").address.replace("7E5F", "7e5F")
    assert world.get("/v1/agreements", party=mistyped).status_code == 422


def test_lists_can_be_asked_for_a_status(world: World) -> None:
    assert len(world.get("/v1/agreements", status="submitted").json()["items"]) == 1
    assert not world.get("/v1/agreements", status="release_pending").json()["items"]
    assert world.get("/v1/agreements", status="lost").status_code == 422


def test_questions_that_no_index_answers_are_counted(make: Callable[..., World]) -> None:
    world = make(rates={"search": Rate(1, 0.001)})
    assert world.get("/v1/agreements", search="0x12").status_code == 200
    assert world.get("/v1/agreements", party=signer("buyer").address).status_code == 429
    assert world.get("/v1/agreements").status_code == 200


def test_a_search_for_an_id_finds_it_for_everybody(world: World) -> None:
    assert world.get("/v1/agreements", search=world.id[:9].upper()).status_code == 200
    assert len(world.get("/v1/agreements", search=world.id[:9]).json()["items"]) == 1
    assert not world.get("/v1/agreements", search="0xffffffffff").json()["items"]
    assert world.get("/v1/agreements", search="0xyz").status_code == 422


@pytest.mark.parametrize("words", ["shed-7", "garden SHED", "Söhne"])
def test_a_search_for_words_finds_ones_own_only(world: World, words: str) -> None:
    assert len(world.get("/v1/agreements", "buyer", search=words).json()["items"]) == 1
    assert not world.get("/v1/agreements", "stranger", search=words).json()["items"]
    assert not world.get("/v1/agreements", "anonymous", search=words).json()["items"]


def test_a_word_that_every_document_holds_finds_nothing_for_strangers(world: World) -> None:
    for word in ("none", "None", "%%", "__"):
        assert not world.get("/v1/agreements", search=word).json()["items"]
        assert not world.get("/v1/agreements", "stranger", search=word).json()["items"]


def test_a_party_registers_a_document_before_it_is_opened(world: World) -> None:
    draft = agreement("SHED-8")
    answer = world.post("/v1/agreements", "supplier", json=draft.to_json())
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/agreements/0x{draft.id.hex()}"
    body = answer.json()
    assert (body["is_open"], body["reference"], body["opened_at"]) == (False, "SHED-8", None)
    assert {stage["status"] for stage in body["milestones"]} == {"unfunded"}
    again = world.post("/v1/agreements", "buyer", json=draft.to_json())
    assert again.status_code == 200
    mine = world.get("/v1/agreements", "buyer", status="not_open").json()["items"]
    assert [item["reference"] for item in mine] == ["SHED-8"]


def test_a_document_that_is_not_open_exists_for_its_people_only(world: World) -> None:
    draft = agreement("SHED-8")
    register(world.store, draft)
    url = "/v1/agreements/0x" + draft.id.hex()
    assert world.get(url, "arbiter").status_code == 200
    assert world.get(url, "stranger").status_code == 404
    assert world.get(url, "anonymous").status_code == 404
    assert world.get(f"{url}/milestones/0", "stranger").status_code == 404
    assert not world.get("/v1/agreements", "stranger", status="not_open").json()["items"]
    assert world.get("/v1/agreements", "anonymous", status="not_open").status_code == 401


def test_signatures_that_come_later_are_added(world: World) -> None:
    whole = agreement("SHED-8")
    half = type(whole).start(whole.bound).add("buyer", whole.signatures["buyer"])
    assert world.post("/v1/agreements", "buyer", json=half.to_json()).status_code == 201
    answer = world.post("/v1/agreements", "supplier", json=whole.to_json())
    assert answer.status_code == 201
    assert set(answer.json()["signatures"]) == {"buyer", "supplier"}


def test_a_contract_that_is_a_party_signs_by_erc_1271(make: Callable[..., World]) -> None:
    body = agreement("SHED-8").to_json()
    body["signatures"] = {"supplier": "0x" + b"by two of three".hex()}
    refusing = make(wallets=Accepting(b"by all three"))
    assert refusing.post("/v1/agreements", "supplier", json=body).status_code == 422
    wallets = Accepting(b"by two of three")
    world = make(wallets=wallets)
    answer = world.post("/v1/agreements", "supplier", json=body)
    assert answer.status_code == 201, answer.text
    assert wallets.accounts == [signer("supplier").address]
    # What was checked once is not asked for again, however the contract's owners change.
    assert set(world.get(answer.headers["location"], "supplier").json()["signatures"]) == {
        "supplier"
    }
    assert len(wallets.asked) == 1


def test_a_stranger_registers_nothing(world: World) -> None:
    body = agreement("SHED-8").to_json()
    assert world.post("/v1/agreements", "stranger", json=body).status_code == 403
    assert world.post("/v1/agreements", "anonymous", json=body).status_code == 401


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: {**body, "agreement_id": "0x" + "00" * 32},
        lambda body: {**body, "chain_id": "1"},
        lambda body: {**body, "contract": signer("buyer").address},
        lambda body: {**body, "document": {**body["document"], "title": "Another"}},
        lambda body: {**body, "signatures": {"buyer": "0x" + "11" * 65}},
        lambda body: {**body, "signatures": {"nobody": body["signatures"]["buyer"]}},
        lambda body: {**body, "extra": "1"},
        lambda body: {k: v for k, v in body.items() if k != "terms"},
        lambda body: {**body, "document": {"a": {"b": ["c"] * 10}}},
        lambda body: {**body, "document": {"price": 5}},
    ],
)
def test_a_document_that_does_not_fit_itself_is_refused(
    world: World, spoil: Callable[..., dict[str, object]]
) -> None:
    body = spoil(agreement("SHED-8").to_json())
    answer = world.post("/v1/agreements", "buyer", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_agreement_whose_document_is_unknown_is_told_from_the_chain(world: World) -> None:
    other = agreement("SHED-50")
    with world.store.transaction() as connection:
        open_on_chain(connection, other, block=50)
    body = world.get("/v1/agreements/0x" + other.id.hex(), "buyer").json()
    assert (body["document"], body["your_role"]) == (None, "buyer")
    assert body["token"] == {"address": USDC.address, "symbol": "USDC", "decimals": 6}
    assert body["milestones"][HANDOVER]["amount"]["text"] == "2,000.00 USDC"
