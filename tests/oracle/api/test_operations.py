"""What monitors ask."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from httpx import Response
from sqlalchemy import insert, select, text, update

from milestone_escrow.chain.node.networks import network
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.oracle.record_check import strange_records
from milestone_escrow.oracle.relaying.figures import Figures
from milestone_escrow.oracle.store import aside
from milestone_escrow.oracle.store import tables as t
from tests.docs.console import ROOT
from tests.oracle.api.world import NOW, World, agreement, open_on_chain, register, set_head


def test_it_is_ready_when_everything_is_in_order(world: World) -> None:
    answer = world.get("/readyz")
    assert answer.status_code == 200
    assert all(check["ok"] for check in answer.json()["checks"])


def test_it_is_not_ready_without_its_node(make: Callable[..., World]) -> None:
    world = make(chain_problem=lambda: "the node is on chain 1, expected is 1296388931")
    answer = world.get("/readyz")
    assert answer.status_code == 503
    (wrong,) = [check for check in answer.json()["checks"] if not check["ok"]]
    assert wrong["name"] == "node"
    assert "chain 1" in wrong["text"]


def test_its_node_is_not_asked_each_time(make: Callable[..., World]) -> None:
    asked: list[bool] = []
    world = make(chain_problem=lambda: asked.append(True) or "")
    assert [world.get("/readyz").status_code for _ in range(5)] == [200] * 5
    assert len(asked) < 5


def test_it_is_not_ready_when_the_index_lies_behind(make: Callable[..., World]) -> None:
    world = make(network=network("sepolia"), max_lag=600)
    with world.store.transaction() as connection:
        set_head(connection, time=NOW - 600)
    assert world.get("/readyz").status_code == 200
    world.clock.now += 1
    answer = world.get("/readyz")
    assert answer.status_code == 503
    assert "10 minutes" in answer.json()["checks"][2]["text"]


def test_it_is_not_ready_before_the_first_block(world: World) -> None:
    with world.store.transaction() as connection:
        connection.execute(t.cursor.delete())
    assert world.get("/readyz").status_code == 503


def test_it_lives_while_its_store_does_not(world: World) -> None:
    with world.store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE cursor RENAME TO gone")
    assert world.get("/healthz").status_code == 200
    answer = world.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"][0] == {"name": "store", "ok": False, "text": "does not answer"}


def test_a_store_that_fails_is_not_the_callers_fault(world: World) -> None:
    with world.store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE agreements RENAME TO gone")
    answer = world.get("/v1/agreements")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "gone" not in answer.text
    assert "SELECT" not in answer.text


def test_figures_tell_the_index_and_the_work(make: Callable[..., World]) -> None:
    world = make(balance=lambda: 5 * 10**17)
    with world.store.transaction() as connection:
        for number, state in enumerate(["pending", "pending", "final"]):
            connection.execute(
                insert(t.intents).values(
                    key=str(number),
                    verb="attest",
                    digests=[],
                    to="0x" + "0" * 40,
                    data=b"",
                    state=state,
                    created_at=NOW,
                    changed_at=NOW,
                )
            )
    world.get("/v1/agreements")
    world.client.request("BREW", "/v1/agreements")
    text = world.get("/metrics").text
    for line in (
        "escrow_head_block 12.0",
        "escrow_final_block 10.0",
        "escrow_relayer_balance_wei 5e+017",
        'escrow_intents{state="pending"} 2.0',
        'escrow_intents{state="final"} 1.0',
        'escrow_milestones{status="submitted"} 1.0',
        'escrow_http_requests_total{method="GET",route="/v1/agreements",status="200"} 1.0',
    ):
        assert line in text.replace("5e+17", "5e+017"), line
    assert "BREW" not in text


def test_what_the_rest_of_the_process_counts_is_published(make: Callable[..., World]) -> None:
    relayers = [Figures(), Figures()]
    relayers[0].alerts.labels("low_gas").inc()
    relayers[0].stages.labels("final").inc(2)
    worlds = [make(counters=one.collectors) for one in relayers]
    first, second = (world.get("/metrics").text.splitlines() for world in worlds)
    for line in (
        'escrow_relayer_alerts_total{kind="low_gas"} 1.0',
        'escrow_relayer_stages_total{stage="final"} 2.0',
    ):
        assert line in first
        assert line not in second
    assert "escrow_relayer_broadcasts_total 0.0" in first


def test_every_figure_is_told_once_and_documented(make: Callable[..., World]) -> None:
    world = make(balance=lambda: 1, counters=Figures().collectors)
    world.get("/healthz")
    lines = world.get("/metrics").text.splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE escrow_")]
    assert len(names) == len(set(names))
    page = (ROOT / "docs" / "oracle.md").read_text("utf-8")
    documented = set(re.findall(r"`(escrow_[a-z_]+)`", page.partition("### Figures")[2]))
    assert {name for name in names if not name.endswith("_created")} == documented


def test_each_service_counts_for_itself(make: Callable[..., World]) -> None:
    world = make()
    world.get("/healthz")
    assert 'route="/healthz"' in world.get("/metrics").text


SPOILED = {
    "documents.document": '{"form',
    "agreements.terms": '{"buyer": "0x',
    "agreements.milestones": "[]",
    "milestones.status": 99,
    "events.name": "AgreementForgotten",
}


def everything_read(world: World, of: SignedAgreement) -> dict[str, Response]:
    """Every list and page of the interface, those of one agreement among them."""
    one = f"/v1/agreements/0x{of.id.hex()}"
    milestone = f"{one}/milestones/1"
    lists = ("attestations", "evidence", "offers", "reasons", "requirements")
    paths = [
        one, f"{one}/history", f"{one}/links", f"{one}/calendar.ics", milestone,
        *(f"{milestone}/{name}" for name in lists),
    ]  # fmt: skip
    return {path: world.get(path, "buyer") for path in paths}


@pytest.mark.parametrize("damage", SPOILED)
def test_one_damaged_record_leaves_every_list_to_the_others(
    make: Callable[..., World], damage: str
) -> None:
    world = make()
    bad = agreement("SHED-8")
    with world.store.transaction() as connection:
        open_on_chain(connection, bad, block=11)
    register(world.store, bad)
    before = everything_read(world, world.deal)
    assert {one.status_code for one in before.values()} == {200}
    table, column = damage.split(".")
    with world.store.transaction() as connection:
        line = f"UPDATE {table} SET {column} = :value WHERE agreement_id = :bad"  # noqa: S608
        connection.execute(text(line), {"value": SPOILED[damage], "bad": bad.id})
    after = everything_read(world, world.deal)
    assert {path: one.text for path, one in after.items()} == {
        path: one.text for path, one in before.items()
    }
    for query in (
        "",
        "?status=funded",
        "?status=not_open",
        "?search=SHED",
        f"?party={world.deal.bound.terms.buyer}",
    ):
        listed = world.get(f"/v1/agreements{query}", "buyer")
        assert listed.status_code == 200, listed.text
        if "not_open" not in query:
            assert world.id in [one["id"] for one in listed.json()["items"]]
    everything_read(world, bad)
    found = {one["name"]: one for one in world.get("/readyz").json()["checks"]}["records"]
    assert (found["ok"], "set aside" in found["text"]) == (False, True)
    assert "\nescrow_records_set_aside 1.0\n" in world.get("/metrics").text
    named = strange_records(world.store)
    assert len(named) == (3 if table == "events" else 1), named


@pytest.mark.parametrize("damage", ["", "{}", "[]", "cut"])
def test_one_record_that_cannot_be_read_stops_no_other(
    make: Callable[..., World], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = make()
    bad = agreement("SHED-8")
    assert bad.id != agreement().id
    with world.store.transaction() as connection:
        open_on_chain(connection, bad, block=11)
    register(world.store, bad)
    before = len(aside.everything())
    with world.store.transaction() as connection:
        kept = connection.execute(select(t.documents.c.document)).scalars().first()
        assert kept is not None
        text = kept[:2_000] if damage == "cut" else damage
        mine = t.documents.c.agreement_id == bad.id
        connection.execute(update(t.documents).where(mine).values(document=text))
    listed = world.get("/v1/agreements", "buyer")
    assert listed.status_code == 200
    assert len(listed.json()["items"]) == 2
    assert world.get(f"/v1/agreements/0x{bad.id.hex()}").status_code == 200
    assert f"escrow_records_set_aside {before + 1:.1f}" in world.get("/metrics").text
    assert len([one for one in caplog.records if "set aside" in one.message]) == 1
    register(world.store, bad)
    assert len(aside.everything()) == before
    body = world.get(f"/v1/agreements/0x{bad.id.hex()}", "buyer").json()
    assert body["reference"] == "SHED-8"
