"""What happened on one contract: its events, read by agreement, by account, and across versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    CreditWithdrawn,
    Event,
    PayoutCredited,
    read_event,
)
from milestone_escrow.chain.contract.structs import OpenAgreement, OpenedAgreement
from milestone_escrow.chain.node.landmarks import Landmarks
from milestone_escrow.chain.node.logs import LogReader, Top
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.errors import ContractError
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.hexes import hexed

CONTRACT = "MilestoneEscrow"


class EventReader:
    """One contract's events. `since` is the block from which it can have any."""

    def __init__(
        self,
        node: Node,
        network: Network,
        contract: Address,
        *,
        since: int = 0,
        landmarks: Landmarks | None = None,
    ) -> None:
        self.node = node
        self.network = network
        self.domain = Domain(network.chain_id, contract)
        self.since = since
        self.logs = LogReader(node, contract, landmarks or Landmarks())
        self._times: dict[str, int] = {}
        self._known: dict[bytes, tuple[Top, tuple[Event, ...]]] = {}

    @property
    def contract(self) -> Address:
        return self.domain.verifying_contract

    def events(self, agreement: OpenAgreement | bytes) -> tuple[Event, ...]:
        """Everything that happened to an agreement, in order: also which of its payouts failed, and
        the later withdrawals of those accounts, whatever agreements their money came from."""
        agreement_id = agreement if isinstance(agreement, bytes) else agreement.id
        head = self.logs.head()
        read_at, known = self._known.get(agreement_id, (None, ()))
        if read_at != head:
            token = None if isinstance(agreement, bytes) else agreement.terms.token
            known = self._read(agreement_id, token, head.number)
            self._known[agreement_id] = (head, known)
        return known

    def _read(self, agreement_id: bytes, token: Address | None, last: int) -> tuple[Event, ...]:
        # Credits belong to accounts, not agreements: ours are those of the same transactions, and
        # any withdrawal of an account may be of them.
        own = hexed(agreement_id)
        found, opening = self._since_opening(
            agreement_id, [None, [own, _word(token)] if token else own], last
        )
        if opening is None:
            return ()
        block = opening.place.block
        if token is None:
            credit = [_topic("PayoutCredited"), _topic("CreditWithdrawn")]
            found += self._events([credit, _word(opening.terms.token)], block, last)
        # A change order belongs to both its agreements, but names the one that it replaces first;
        # the other one it opens.
        found += self._events([_topic("AgreementAmended"), None, own], block, block)
        mine = [e for e in found if not isinstance(e, (PayoutCredited, CreditWithdrawn))]
        transactions = {event.place.transaction for event in mine}
        credited = [
            event
            for event in found
            if isinstance(event, PayoutCredited) and event.place.transaction in transactions
        ]
        first = {event.account: _where(event) for event in reversed(credited)}
        withdrawn = (
            event
            for event in found
            if isinstance(event, CreditWithdrawn)
            and event.account in first
            and _where(event) > first[event.account]
        )
        return _ordered([*mine, *credited, *withdrawn])

    def _since_opening(
        self, agreement_id: bytes, topics: Sequence[object], last: int
    ) -> tuple[list[Event], AgreementOpened | None]:
        """Events from the opening on, and the opening; at its landmark, or wherever it is."""
        marked = self.logs.landmarks.opened.get(agreement_id)
        for first in (marked, min(self.since, last)):
            if first is None or first > last:
                continue
            found = list(self._events(topics, first, last))
            for event in found:
                if isinstance(event, AgreementOpened) and event.agreement_id == agreement_id:
                    self.logs.landmarks.mark(agreement_id, event.place.block)
                    return found, event
        return [], None

    def versions(self, agreement: OpenAgreement | bytes) -> tuple[bytes, ...]:
        """The ids that change orders tie together with this one, the first version first."""
        agreement_id = agreement if isinstance(agreement, bytes) else agreement.id
        before = self._walk(
            agreement_id,
            lambda event, at: event.replaces if event.agreement_id == at else None,
        )
        after = self._walk(
            agreement_id,
            lambda event, at: event.agreement_id if event.replaces == at else None,
        )
        return (*reversed(before), agreement_id, *after)

    def history(self, agreement: OpenAgreement | bytes) -> tuple[Event, ...]:
        """Everything that happened to an agreement and to the versions before it, in order."""
        agreement_id = agreement if isinstance(agreement, bytes) else agreement.id
        known = self.versions(agreement_id)
        told: dict[tuple[int, int], Event] = {}
        for version in known[: known.index(agreement_id) + 1]:
            told |= {(e.place.block, e.place.log_index): e for e in self.events(version)}
        return tuple(told[place] for place in sorted(told))

    def opened(self, account: Address | None = None) -> tuple[AgreementOpened, ...]:
        """The agreements opened here, all or those with `account` as buyer or supplier."""
        topic, last = _topic("AgreementOpened"), self.logs.head().number
        first = min(self.since, last)
        if account is None:
            found = list(self._events([topic], first, last))
        else:
            party = _word(account)
            found = [
                *self._events([topic, None, party], first, last),
                *self._events([topic, None, None, party], first, last),
            ]
        openings = [event for event in found if isinstance(event, AgreementOpened)]
        for event in openings:
            self.logs.landmarks.mark(event.agreement_id, event.place.block)
        return tuple(sorted(openings, key=lambda e: (e.place.block, e.place.log_index)))

    def find(self, agreement_id: bytes) -> OpenedAgreement:
        """An agreement by its id alone, as its opening event tells it.

        Raises:
            ContractError: it was never opened here.
        """
        topics = [_topic("AgreementOpened"), hexed(agreement_id)]
        _, event = self._since_opening(agreement_id, topics, self.logs.head().number)
        if event is not None:
            return OpenedAgreement(event.agreement_id, event.terms, event.milestones)
        raise ContractError(
            f"no agreement {hexed(agreement_id)} is open on {self.network.title}",
            name="AgreementNotOpen",
            hint="check the id and the network",
        )

    def _walk(
        self, start: bytes, step: Callable[[AgreementAmended, bytes], bytes | None]
    ) -> list[bytes]:
        """Ids from `start` on, along change orders, without it; each once, nearest first."""
        found: list[bytes] = []
        waiting = [start]
        while waiting:
            at = waiting.pop(0)
            for event in self.events(at):
                other = step(event, at) if isinstance(event, AgreementAmended) else None
                if other is not None and other != start and other not in found:
                    found.append(other)
                    waiting.append(other)
        return found

    def _events(self, topics: Sequence[object], first: int, last: int) -> Iterator[Event]:
        for log in self.logs.read(topics, first, last):
            event = read_event(log, self._time_of(log))
            if event:
                yield event

    def _time_of(self, log: dict[str, Any]) -> int:
        if log.get("blockTimestamp"):
            return int(log["blockTimestamp"], 16)
        number = log["blockNumber"]
        if number not in self._times:
            block = self.node.request("eth_getBlockByNumber", [number, False])
            self._times[number] = int(block["timestamp"], 16)
        return self._times[number]


def _ordered(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=_where))


def _where(event: Event) -> tuple[int, int]:
    return event.place.block, event.place.log_index


def _topic(event: str) -> str:
    return hexed(interface(CONTRACT).topic(event))


def _word(account: Address) -> str:
    """An account as a topic holds it: 32 bytes, zeros first."""
    return hexed(bytes.fromhex(account[2:]).rjust(32, b"\0"))
