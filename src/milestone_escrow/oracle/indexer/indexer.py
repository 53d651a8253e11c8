"""The indexer: looks how far the store has come and how far the chain is, and does the next bit."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from milestone_escrow.chain.node.endpoints import Endpoints
from milestone_escrow.chain.node.landmarks import Width
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import LimitedError, Node, RpcError
from milestone_escrow.chain.proofs.headers import Header
from milestone_escrow.errors import ChainError, StoreError
from milestone_escrow.oracle.indexer import rows, storing
from milestone_escrow.oracle.indexer.bounds import AgreementFilter, ReadingLimits
from milestone_escrow.oracle.indexer.finality import Finality
from milestone_escrow.oracle.indexer.identity import DeepReorgError, Identity
from milestone_escrow.oracle.indexer.position import Cursor, Followed, next_cursor, parent_of
from milestone_escrow.oracle.indexer.reading import ChainReader, DoubtError, Passage
from milestone_escrow.oracle.store.failpoints import failpoint
from milestone_escrow.oracle.store.store import Store, serialize
from milestone_escrow.protocol.eip712 import Address, Domain

__all__ = ["DeepReorgError", "Indexer", "Progress"]

log = logging.getLogger("milestone_escrow.oracle.indexer")

EVERYTHING = AgreementFilter()
USUAL = ReadingLimits()


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step came to: the store is at block `number` (None before the first), the node's
    head is `head`; `events` were added and `undone` blocks taken back."""

    number: int | None
    head: int
    final_number: int | None
    events: int = 0
    undone: int = 0

    @property
    def caught_up(self) -> bool:
        """Whether the node has nothing more to tell."""
        return self.number is not None and self.number >= self.head

    @property
    def behind(self) -> int:
        return max(self.head - (-1 if self.number is None else self.number), 0)


class Indexer:
    """Follows one contract into one store. Several instances may work on the same store."""

    def __init__(
        self,
        store: Store,
        node: Node,
        network: Network,
        contract: Address,
        since: int = 0,
        *,
        watched: AgreementFilter = EVERYTHING,
        limits: ReadingLimits = USUAL,
    ) -> None:
        """`since` is the block from which the contract can have events.

        Raises:
            StoreError: the store belongs to another contract, or to another chain.
        """
        if store.domain != Domain(network.chain_id, contract):
            raise StoreError(
                f"the store belongs to contract {store.domain.verifying_contract} on chain "
                f"{store.domain.chain_id}, not to {contract} on chain {network.chain_id}",
                hint="give each contract a store of its own with --store",
            )
        self._store = store
        self._node = node
        self._network = network
        self._since = since
        self._watched = watched
        self._limits = limits
        self._reader = ChainReader(contract, proves=limits.proves)
        self._finality = Finality(network, self._reader)
        self._width: Width | None = None
        # Of several endpoints, each is asked for its chain before it is used.
        alone = not isinstance(node, Endpoints)
        self._identity = Identity(network, self._reader, asks_id=alone)

    def mend(self) -> None:
        """Make what the chain has told and cannot be read again from its events."""
        with self._store.transaction() as connection:
            serialize(connection, "indexer")
            rows.mend(connection)

    def step(self, now: int) -> Progress:
        """Bring the store one bounded bit closer to the chain; `now` is the wall clock.

        Raises:
            DeepReorgError: final blocks were replaced.
            ChainError: no node answers, or what it answers does not fit together. Nothing was
                changed then; the next step tries again.
        """
        doubt: DoubtError | None = None
        for _ in range(self._limits.attempts):
            with self._pinned() as node:
                try:
                    with _uncollected():
                        return self._step(node, now)
                except DoubtError as error:
                    self._identity.forget()
                    # Once may be the chain moving on; whoever does it again is put aside.
                    if doubt is not None:
                        _distrust(node, error)
                    doubt = error
                except DeepReorgError as error:
                    _distrust(node, error)
                    raise
                except ChainError:
                    self._identity.forget()
                    raise
        raise doubt or DoubtError("nothing was read")

    def catch_up(self, now: int, *, steps: int = 1_000_000) -> Progress:
        """Step until the node has nothing more to tell, at most `steps` times."""
        events = undone = 0
        for _ in range(steps):
            progress = self.step(now)
            events, undone = events + progress.events, undone + progress.undone
            if progress.caught_up or progress.head < self._since:
                break
        return Progress(progress.number, progress.head, progress.final_number, events, undone)

    @contextmanager
    def _pinned(self) -> Iterator[Node]:
        if isinstance(self._node, Endpoints):
            with self._node.pinned() as node:
                yield node
        else:
            yield self._node

    def _step(self, node: Node, now: int) -> Progress:
        with self._store.reading() as connection:
            before = storing.followed(connection)
            genesis = storing.genesis(connection)
            self._width = self._width or Width(
                storing.known_width(connection) or self._limits.blocks, self._limits.widest
            )
        head = self._reader.header(node, "latest")
        if head is None:
            raise DoubtError("the node has no latest block")
        self._identity.require(node, genesis)
        ancestor = self._ancestor(node, before, head)
        first = self._since if ancestor is None else ancestor + 1
        final = self._finality.number(node, head.number)
        passage = self._read(node, before, first, head, ancestor, final)
        failpoint("index.read")
        cursor = next_cursor(before, passage, final)
        if cursor is None:
            return Progress(None, head.number, None)
        if cursor == before.cursor:
            return Progress(cursor.number, head.number, cursor.final_number)
        return self._write(before, ancestor, passage, cursor, head.number, now)

    def _ancestor(self, node: Node, before: Followed, head: Header) -> int | None:
        """The last block that store and node share; None where the store has none yet."""
        cursor = before.cursor
        if cursor is None:
            return None
        # A node that is behind is no proof of anything: only another hash is.
        number = min(cursor.number, head.number)
        known = {cursor.final_number: cursor.final_hash} | before.blocks
        if number < cursor.final_number:
            return cursor.number
        while self._hash(node, number, head) != known.get(number):
            if number not in known:
                raise DoubtError("another instance went on while this one looked")
            number -= 1
            if number < cursor.final_number:
                raise DeepReorgError(
                    f"the node has another block {cursor.final_number} than the one that was final"
                    f" (0x{cursor.final_hash.hex()[:12]}…); nothing was changed",
                    hint="name another node, or, if the chain itself went back, start a new store",
                )
        return number if number < min(cursor.number, head.number) else cursor.number

    def _hash(self, node: Node, number: int, head: Header) -> bytes:
        header = head if number == head.number else self._reader.header(node, number)
        if header is None:
            raise DoubtError(f"the node said that it has block {number}, and does not give it")
        return header.hash

    def _read(
        self,
        node: Node,
        before: Followed,
        first: int,
        head: Header,
        ancestor: int | None,
        final: int,
    ) -> Passage:
        """The next blocks; none where the node has no more."""
        if first > head.number:
            return Passage((), ())
        assert self._width is not None
        while True:
            far = final - first > self._limits.thorough
            bound = self._limits.widest if far else self._limits.blocks
            asked = min(self._width.blocks, bound)
            last = min(first + asked - 1, final if far else head.number)
            try:
                if far:
                    passage = self._reader.ranged(node, first, last)
                else:
                    parent = parent_of(before, ancestor)
                    passage = self._reader.linked(node, first, last, parent)
            except (DoubtError, LimitedError):
                raise
            except ChainError as error:
                # Too many results, too wide, too slow: nodes have many words for it.
                smaller = self._width.shrink(last - first + 1)
                if smaller and isinstance(error, RpcError):
                    continue
                raise
            self._width.answered(last - first + 1)
            return passage

    def _write(
        self,
        before: Followed,
        ancestor: int | None,
        passage: Passage,
        cursor: Cursor,
        head: int,
        now: int,
    ) -> Progress:
        old, undone, events = before.cursor, 0, 0
        assert self._width is not None
        with self._store.transaction() as connection:
            serialize(connection, "indexer")
            if storing.followed(connection).cursor != old:
                # Another instance was faster, and what it wrote is as true.
                known = (old.number, old.final_number) if old else (None, None)
                return Progress(known[0], head, known[1])
            failpoint("index.begun")
            if self._identity.genesis is not None:
                storing.keep_genesis(connection, self._identity.genesis)
            if old is not None and ancestor is not None and ancestor < old.number:
                storing.undo(connection, ancestor, old, now)
                undone = old.number - ancestor
            events = self._append(connection, passage)
            storing.advance(connection, passage.headers, cursor, width=self._width.blocks)
            failpoint("index.before_commit")
        failpoint("index.committed")
        _tell(cursor, head, events, undone)
        return Progress(cursor.number, head, cursor.final_number, events, undone)

    def _append(self, connection: Connection, passage: Passage) -> int:
        try:
            return storing.append(connection, passage, self._watched)
        except ChainError as error:
            # Events that do not follow from those before: the node has left some out.
            raise DoubtError(error.message, hint=error.hint) from None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: nothing of a step is garbage before its bounded end, and
    looking for some takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _distrust(node: Node, error: ChainError) -> None:
    distrust = getattr(node, "distrust", None)
    if distrust is not None:
        distrust(error)


def _tell(cursor: Cursor, head: int, events: int, undone: int) -> None:
    fields = {"block": cursor.number, "head": head, "events": events, "undone": undone}
    if undone:
        log.warning("%d blocks were undone by the chain", undone, extra={"fields": fields})
    elif events:
        log.info("%d events up to block %d", events, cursor.number, extra={"fields": fields})
