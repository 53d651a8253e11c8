"""Many who post at once share commits: whoever comes while one is written goes into the next.

A commit that is safe against a power cut takes as long for one attestation as for hundreds. So
whoever finds nobody writing writes for all who wait, and the others wait for that commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.examining import INTAKE, IntakeOutcome
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import Wallets

AT_ONCE = 500


@dataclass
class _Waiting:
    post: Post
    actor: str
    outcome: IntakeOutcome | None = None
    error: BaseException | None = None
    is_done: bool = False


class SharedIntake:
    """Takes in attestations for any number of threads; there is no thread of its own."""

    def __init__(
        self,
        store: Store,
        domain: Domain,
        now: Callable[[], int],
        *,
        wallets: Wallets | None = None,
    ) -> None:
        """`now` is the chain's time."""
        self._store = store
        self._domain = domain
        self._now = now
        self._wallets = wallets
        self._queue: deque[_Waiting] = deque()
        self._turn = threading.Condition()
        self._is_writing = False

    def take(self, post: Post, actor: str = INTAKE) -> IntakeOutcome:
        """Returns once the outcome is durable; raises what writing it raised.

        `actor` is who sent it, for the audit log.
        """
        mine = _Waiting(post, actor)
        with self._turn:
            self._queue.append(mine)
            while self._is_writing and not mine.is_done:
                self._turn.wait()
            if not mine.is_done:
                self._is_writing = True
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), AT_ONCE))]
        if not mine.is_done:
            self._write(batch)
        if mine.error is not None:
            raise mine.error
        assert mine.outcome is not None
        return mine.outcome

    def _write(self, batch: list[_Waiting]) -> None:
        error: BaseException | None = None
        outcomes: list[IntakeOutcome] = []
        try:
            outcomes = take_many(
                self._store,
                self._domain,
                [one.post for one in batch],
                self._now(),
                wallets=self._wallets,
                actors=[one.actor for one in batch],
            )
        except BaseException as caught:
            error = caught
        with self._turn:
            for place, one in enumerate(batch):
                one.outcome, one.error = (None, error) if error else (outcomes[place], None)
                one.is_done = True
            self._is_writing = False
            self._turn.notify_all()
