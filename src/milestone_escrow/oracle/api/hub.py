"""Live status: one look at the store for all readers, and a queue for each of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from milestone_escrow.errors import StoreError
from milestone_escrow.oracle.api import changes
from milestone_escrow.oracle.api.changes import StreamedChange, StreamPlace
from milestone_escrow.oracle.api.deps import ApiDeps
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.viewers import Viewer

logger = logging.getLogger("milestone_escrow.oracle.api")

QUEUE = 1_000
PER_CALLER = 20
# Readers come back with their place, so ending a stream costs them nothing; a session that was
# ended in the meantime costs them the stream.
LONGEST = 900.0
RETRY_MS = 2_000
# How soon a stream notices that it has to end.
CHECK = 1.0


class Hub:
    """Everybody who reads the stream of one application.

    It polls, since with several instances the change may have come through another one, and only
    while somebody reads.
    """

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._queues: set[asyncio.Queue[StreamedChange | None]] = set()
        self._callers: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Event()
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._queues)

    def open(self) -> None:
        """Serve streams, also again after a shutdown."""
        self._closed = False

    def close(self) -> None:
        """End all streams soon, and let none begin; from any thread, at shutdown."""
        self._closed = True

    def admit(self, caller: str) -> None:
        """Refuse one reader too many.

        Raises:
            Problem: 503; or 429, where one address has too many.
        """
        if self._callers[caller] >= PER_CALLER:
            raise Problem(
                429,
                f"{PER_CALLER} streams are open from here already",
                hint="close one, or read several agreements from one stream",
                headers={"Retry-After": "60"},
            )
        if self._closed or self.readers >= self._deps.settings.max_streams:
            raise Problem(
                503,
                "no more streams can be served now",
                hint="try again in a minute, or ask for the agreement itself from time to time",
                headers={"Retry-After": "60"},
            )

    async def read(
        self, viewer: Viewer, only: bytes | None, place: StreamPlace | None
    ) -> AsyncIterator[str]:
        """Server-sent events for one reader, from `place` on, or from now on."""
        queue: asyncio.Queue[StreamedChange | None] = asyncio.Queue(QUEUE)
        self._queues.add(queue)
        self._callers[viewer.caller] += 1
        ends = self._ends(viewer)
        try:
            yield f"retry: {RETRY_MS}\n\n"
            # From here on the queue misses nothing, so what follows may overlap, but has no gap.
            self._start()
            await self._looking.wait()
            told = place if place is not None else await run_in_threadpool(self._present)
            if place is None:
                # A place at once, so that a break in the first minutes loses nothing either.
                yield f"id: {told}\nevent: hello\ndata: {{}}\n\n"
            for change in await run_in_threadpool(self._since, told):
                told = change.place
                if change.is_for(viewer, only):
                    yield change.message()
            async for text in self._live(queue, viewer, only, told, ends):
                yield text
        finally:
            self._queues.discard(queue)
            self._callers[viewer.caller] -= 1
            self._callers += Counter()  # which drops those at zero

    async def _live(
        self,
        queue: asyncio.Queue[StreamedChange | None],
        viewer: Viewer,
        only: bytes | None,
        told: StreamPlace,
        ends: float,
    ) -> AsyncIterator[str]:
        pause = self._deps.settings.stream_heartbeat
        beat = time.monotonic() + pause
        while not self._closed and time.monotonic() < ends:
            with contextlib.suppress(asyncio.TimeoutError):
                change = await asyncio.wait_for(queue.get(), min(CHECK, pause))
                if change is None:
                    return
                if _is_after(change, told):
                    told = change.place
                    if change.is_for(viewer, only):
                        beat = time.monotonic() + pause
                        yield change.message()
            if time.monotonic() >= beat:
                beat = time.monotonic() + pause
                yield ": still here\n\n"

    def _ends(self, viewer: Viewer) -> float:
        longest = LONGEST
        if viewer.until is not None:
            longest = min(longest, viewer.until - self._deps.clock())
        return time.monotonic() + longest

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._looking.clear()
            self._task = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        """Tell all readers what changes, until there is none."""
        place: StreamPlace | None = None
        while self._queues and not self._closed:
            try:
                if place is None:
                    place = await run_in_threadpool(self._present)
                    self._looking.set()
                for change in await run_in_threadpool(self._since, place):
                    place = change.place
                    for queue in tuple(self._queues):
                        self._tell(queue, change)
            except (SQLAlchemyError, StoreError):
                logger.warning("the stream cannot read the store, and tries again")
            await asyncio.sleep(self._deps.settings.stream_poll)

    def _tell(self, queue: asyncio.Queue[StreamedChange | None], change: StreamedChange) -> None:
        try:
            queue.put_nowait(change)
        except asyncio.QueueFull:
            # A reader that does not read: it may come back and continue where it was.
            self._queues.discard(queue)
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)

    def _present(self) -> StreamPlace:
        with self._deps.store.reading() as connection:
            return changes.present(connection)

    def _since(self, place: StreamPlace) -> list[StreamedChange]:
        with self._deps.store.reading() as connection:
            return list(changes.since(connection, place, self._deps.now()))


def _is_after(change: StreamedChange, told: StreamPlace) -> bool:
    """Whether a reader who has been told everything up to `told` does not know the change yet."""
    if change.kind == "reset":
        return True
    place = change.place
    newer = (place.block, place.log_index) > (told.block, told.log_index)
    return newer or place.entry > told.entry or place.mark != told.mark
