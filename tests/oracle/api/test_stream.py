"""Live status: nothing is missed, nothing is told twice, and nobody is told what is not theirs."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from milestone_escrow.chain.contract.events import MilestoneFinalized, MilestonePaid, Place
from milestone_escrow.oracle.api import changes
from milestone_escrow.oracle.api.changes import StreamPlace
from milestone_escrow.oracle.api.hub import Hub
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.viewers import Viewer
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.api.world import NOW, World, agreement, happened, open_on_chain, signer

ANYBODY = Viewer("1.2.3.4")
BUYER = replace(ANYBODY, account=signer("buyer").address)


def pay(world: World, block: int, log_index: int = 0, milestone: int = 1) -> None:
    place = Place(block, NOW, "0x" + f"{block:064x}", log_index)
    account = signer("supplier").address
    with world.store.transaction() as connection:
        happened(connection, MilestonePaid(place, world.deal.id, milestone, account, 5, 0, 0))


def note(world: World, action: str = "evidence.added", agreement_id: bytes | None = None) -> None:
    subject = audit_log.subject_of(agreement_id or world.deal.id, 1)
    with world.store.transaction() as connection:
        audit_log.record(connection, NOW, "somebody", action, subject)


def undo(world: World, block: int) -> None:
    with world.store.transaction() as connection:
        connection.execute(t.events.delete().where(t.events.c.block >= block))


def since(world: World, place: StreamPlace) -> list[changes.StreamedChange]:
    with world.store.reading() as connection:
        return list(changes.since(connection, place, NOW))


def present(world: World) -> StreamPlace:
    with world.store.reading() as connection:
        return changes.present(connection)


def test_nothing_has_changed_since_now(world: World) -> None:
    assert since(world, present(world)) == []


def test_changes_come_in_order_each_once(world: World) -> None:
    start = present(world)
    pay(world, 11)
    note(world)
    pay(world, 12)
    found = since(world, start)
    assert [change.kind for change in found] == [
        "MilestonePaid",
        "MilestonePaid",
        "evidence.added",
    ]
    for number, change in enumerate(found):
        assert since(world, change.place) == found[number + 1 :]


def test_a_place_survives_being_text(world: World) -> None:
    pay(world, 11)
    place = present(world)
    assert StreamPlace.read(str(place)) == place


def test_an_event_that_the_chain_undoes_makes_the_reader_look_again(world: World) -> None:
    pay(world, 11)
    place = present(world)
    undo(world, 11)
    (change,) = since(world, place)
    assert change.kind == "reset"
    assert since(world, change.place) == []
    # The same block number again, with another hash: not what was told.
    with world.store.transaction() as connection:
        at = Place(11, NOW, "0x" + "ab" * 32, 0)
        happened(connection, MilestoneFinalized(at, world.deal.id, 1, Status.SUBMITTED))
        connection.execute(
            t.events.update().where(t.events.c.block == 11).values(block_hash=b"\xab" * 32)
        )
    assert [found.kind for found in since(world, place)] == ["reset"]


def test_a_reader_far_behind_looks_at_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST", 3)
    start = present(world)
    for block in range(11, 16):
        pay(world, block)
    (change,) = since(world, start)
    assert (change.kind, change.place) == ("reset", present(world))


def test_what_people_do_is_told_to_the_agreements_people(world: World) -> None:
    start = present(world)
    note(world)
    pay(world, 11)
    paid, added = since(world, start)
    link = replace(ANYBODY, link=world.deal.id)
    other_link = replace(ANYBODY, link=b"\1" * 32)
    stranger = replace(ANYBODY, account=signer("stranger").address)
    operator = replace(ANYBODY, is_operator=True)
    assert all(added.is_for(viewer, None) for viewer in (BUYER, link, operator))
    assert not any(added.is_for(viewer, None) for viewer in (ANYBODY, stranger, other_link))
    assert all(paid.is_for(viewer, None) for viewer in (ANYBODY, stranger, BUYER, other_link))


def test_an_entry_about_nothing_in_particular_is_the_operators(world: World) -> None:
    start = present(world)
    with world.store.transaction() as connection:
        audit_log.record(connection, NOW, "operator", "protection.imported", "signer")
    (change,) = since(world, start)
    assert not change.is_for(BUYER, None)
    assert change.is_for(replace(ANYBODY, is_operator=True), None)


def test_a_reader_of_one_agreement_is_told_of_that_one(world: World) -> None:
    start = present(world)
    pay(world, 11)
    (change,) = since(world, start)
    assert change.is_for(ANYBODY, world.deal.id)
    assert not change.is_for(ANYBODY, b"\1" * 32)


def test_a_message_is_one_event_of_the_standard(world: World) -> None:
    start = present(world)
    pay(world, 11)
    (change,) = since(world, start)
    lines = change.message().split("\n")
    assert [line.split(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert json.loads(lines[2].removeprefix("data: ")) == {
        "kind": "MilestonePaid",
        "agreement": world.id,
        "milestone": 1,
        "at": NOW,
    }


async def told(stream: AsyncIterator[str], count: int) -> list[dict[str, str]]:
    """The next events of a stream, without comments and settings."""
    found: list[dict[str, str]] = []
    while len(found) < count:
        text = await asyncio.wait_for(anext(stream), 20)
        fields = dict(line.split(": ", 1) for line in text.strip().split("\n"))
        if "event" in fields:
            found.append(fields)
    return found


def run(story: Callable[[], Any]) -> None:
    asyncio.run(story())


def test_a_stream_tells_what_happens_while_it_is_read(world: World) -> None:
    async def story() -> None:
        hub = Hub(world.deps)
        async with aclosing(hub.read(BUYER, None, None)) as stream:
            (hello,) = await told(stream, 1)
            assert hello["event"] == "hello"
            await asyncio.to_thread(pay, world, 11)
            await asyncio.to_thread(note, world)
            first, second = await told(stream, 2)
        assert json.loads(first["data"])["kind"] == "MilestonePaid"
        assert json.loads(second["data"])["kind"] == "evidence.added"
        assert hub.readers == 0

    run(story)


def test_a_reader_that_comes_back_goes_on_where_it_was(world: World) -> None:
    async def story() -> None:
        hub = Hub(world.deps)
        async with aclosing(hub.read(ANYBODY, None, None)) as stream:
            await told(stream, 1)
            await asyncio.to_thread(pay, world, 11)
            (seen,) = await told(stream, 1)
        # While nobody reads, two more things happen.
        pay(world, 12)
        pay(world, 13)
        async with aclosing(hub.read(ANYBODY, None, StreamPlace.read(seen["id"]))) as stream:
            missed = await told(stream, 2)
            await asyncio.to_thread(pay, world, 14)
            (live,) = await told(stream, 1)
        assert len({event["id"] for event in (seen, *missed, live)}) == 4

    run(story)


def test_many_readers_are_each_told_everything_once(world: World) -> None:
    """Readers that begin at any moment of a busy time miss nothing and hear nothing twice."""
    start, count = present(world), 30

    async def reader(hub: Hub, delay: float) -> list[str]:
        await asyncio.sleep(delay)
        async with aclosing(hub.read(ANYBODY, None, start)) as stream:
            return [event["id"] for event in await told(stream, count)]

    async def story() -> None:
        hub = Hub(world.deps)

        async def happens() -> None:
            for number in range(count):
                await asyncio.to_thread(pay, world, 11 + number)

        heard = await asyncio.gather(happens(), *(reader(hub, number / 20) for number in range(6)))
        first, *others = heard[1:]
        assert first == sorted(set(first), key=first.index)
        assert all(other == first for other in others)

    run(story)


def test_a_quiet_stream_gives_signs_of_life(make: Callable[..., World]) -> None:
    world = make(stream_heartbeat=0.05)

    async def story() -> None:
        async with aclosing(Hub(world.deps).read(ANYBODY, None, None)) as stream:
            texts = [await asyncio.wait_for(anext(stream), 20) for _ in range(4)]
        assert texts[0].startswith("retry:")
        assert texts[2] == texts[3] == ": still here\n\n"

    run(story)


def test_a_stream_ends_with_its_session(world: World) -> None:
    viewer = replace(BUYER, until=NOW)

    async def story() -> None:
        texts = [text async for text in Hub(world.deps).read(viewer, None, None)]
        assert len(texts) == 2

    run(story)


def test_a_reader_that_does_not_read_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milestone_escrow.oracle.api.hub.QUEUE", 2)

    async def story() -> None:
        hub = Hub(world.deps)
        async with aclosing(hub.read(ANYBODY, None, None)) as stream:
            await told(stream, 1)
            for block in range(11, 20):
                await asyncio.to_thread(pay, world, block)
            while hub.readers:
                await asyncio.sleep(0.02)
            # What it had not been told by then it is told out of the store, and that is the end.
            assert len([text async for text in stream]) == 9

    run(story)


def test_no_more_streams_than_can_be_served(make: Callable[..., World]) -> None:
    world = make(max_streams=0)
    answer = world.get("/v1/stream")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_one_address_does_not_take_all_streams(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milestone_escrow.oracle.api.hub.PER_CALLER", 1)

    async def story() -> None:
        hub = Hub(world.deps)
        async with aclosing(hub.read(ANYBODY, None, None)) as stream:
            await told(stream, 1)
            with pytest.raises(Problem) as refused:
                hub.admit(ANYBODY.caller)
            assert refused.value.status == 429
            hub.admit("5.6.7.8")
        hub.admit(ANYBODY.caller)

    run(story)


@pytest.mark.parametrize("bad", ["x", "AAAA", "WyJldmVudHMiLDEsMl0"])
def test_a_place_that_is_none_is_refused(world: World, bad: str) -> None:
    answer = world.client.get("/v1/stream", headers={"Last-Event-ID": bad})
    assert answer.status_code in (400, 422)


@contextmanager
def served(world: World) -> Iterator[tuple[str, uvicorn.Server, threading.Thread]]:
    """The application behind a real server."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(world.app, log_level="warning", timeout_graceful_shutdown=20)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", server, thread
        finally:
            world.app.state.hub.close()
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def events_of(lines: Iterator[str], count: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        else:
            if "event" in fields:
                found.append(fields)
            fields = {}
        if len(found) == count:
            return found
    raise AssertionError(f"the stream ended after {found}")


def test_a_real_server_streams_resumes_and_shuts_down(world: World) -> None:
    second = agreement("SHED-8")
    with served(world) as (url, _, _), httpx.Client(base_url=url, timeout=20) as client:
        query = {"agreement": world.id}
        with client.stream("GET", "/v1/stream", params=query) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            lines = answer.iter_lines()
            events_of(lines, 1)
            with world.store.transaction() as connection:
                open_on_chain(connection, second, block=11)
            pay(world, 12)
            (seen,) = events_of(lines, 1)
            assert json.loads(seen["data"])["agreement"] == world.id
        pay(world, 13)
        headers = {"Last-Event-ID": seen["id"]}
        with client.stream("GET", "/v1/stream", params=query, headers=headers) as answer:
            lines = answer.iter_lines()
            (missed,) = events_of(lines, 1)
            assert missed["id"] != seen["id"]
            # The server goes down while somebody reads: the stream ends, so that it can.
            world.app.state.hub.close()
            assert not [line for line in lines if line.startswith("event")]
