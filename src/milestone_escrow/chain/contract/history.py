"""What happened on one contract: its events, read by agreement, by account, and across versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    Event,
    PayoutCredited,
    read_event,
)
from milestone_escrow.chain.contract.structs import OpenAgreement, OpenedAgreement
from milestone_escrow.chain.node.networks import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.send.transactions import read_logs
from milestone_escrow.errors import ContractError
from milestone_escrow.protocol.eip712 import Address, Domain

CONTRACT = "MilestoneEscrow"


class EventReader:
    """One contract's events. `since` is the block from which it can have any."""

    def __init__(self, node: Node, network: Network, contract: Address, *, since: int = 0) -> None:
        self.node = node
        self.network = network
        self.domain = Domain(network.chain_id, contract)
        self.since = since
        self._times: dict[str, int] = {}

    @property
    def contract(self) -> Address:
        return self.domain.verifying_contract

    def events(self, agreement: OpenAgreement | bytes) -> tuple[Event, ...]:
        """Everything that happened to an agreement, in order, failed payouts included."""
        agreement_id = agreement if isinstance(agreement, bytes) else agreement.id
        own = list(self._events([None, _hexed(agreement_id)]))
        opened = next((event for event in own if isinstance(event, AgreementOpened)), None)
        if opened is None:
            return tuple(own)
        # A change order belongs to both its agreements, but names the one that it replaces first.
        own += self._amended([None, _hexed(agreement_id)])
        # Credits belong to accounts, not agreements: ours are those of the same transactions.
        transactions = {event.place.transaction for event in own}
        token = _hexed(bytes.fromhex(opened.terms.token[2:]).rjust(32, b"\0"))
        failed = self._events([_topic("PayoutCredited"), token])
        own += [
            event
            for event in failed
            if isinstance(event, PayoutCredited) and event.place.transaction in transactions
        ]
        return _ordered(own)

    def versions(self, agreement: OpenAgreement | bytes) -> tuple[bytes, ...]:
        """The ids that change orders tie together with this one, the first version first."""
        agreement_id = agreement if isinstance(agreement, bytes) else agreement.id
        before = self._walk(agreement_id, lambda event: event.replaces, [None])
        after = self._walk(agreement_id, lambda event: event.agreement_id, [])
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
        topic = _topic("AgreementOpened")
        if account is None:
            found = list(self._events([topic]))
        else:
            party = _hexed(bytes.fromhex(account[2:]).rjust(32, b"\0"))
            found = [
                *self._events([topic, None, party]),
                *self._events([topic, None, None, party]),
            ]
        openings = [event for event in found if isinstance(event, AgreementOpened)]
        return tuple(sorted(openings, key=lambda e: (e.place.block, e.place.log_index)))

    def find(self, agreement_id: bytes) -> OpenedAgreement:
        """An agreement by its id alone, as its opening event tells it.

        Raises:
            ContractError: it was never opened here.
        """
        for event in self._events([_topic("AgreementOpened"), _hexed(agreement_id)]):
            if isinstance(event, AgreementOpened):
                return OpenedAgreement(event.agreement_id, event.terms, event.milestones)
        raise ContractError(
            f"no agreement {_hexed(agreement_id)} is open on {self.network.title}",
            name="AgreementNotOpen",
            hint="check the id and the network",
        )

    def _walk(
        self, start: bytes, step: Callable[[AgreementAmended], bytes], filler: Sequence[object]
    ) -> list[bytes]:
        """Ids from `start` on, along change orders, without it; each once, nearest first."""
        found: list[bytes] = []
        waiting = [start]
        while waiting:
            topics = [*filler, _hexed(waiting.pop(0))]
            for event in self._amended(topics):
                other = step(event)
                if other != start and other not in found:
                    found.append(other)
                    waiting.append(other)
        return found

    def _amended(self, topics: Sequence[object]) -> list[AgreementAmended]:
        found = self._events([_topic("AgreementAmended"), *topics])
        return [event for event in found if isinstance(event, AgreementAmended)]

    def _events(self, topics: Sequence[object]) -> Iterator[Event]:
        last = int(self.node.request("eth_blockNumber"), 16)
        for log in read_logs(self.node, self.contract, topics, min(self.since, last), last):
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
    return tuple(sorted(events, key=lambda event: (event.place.block, event.place.log_index)))


def _topic(event: str) -> str:
    return _hexed(interface(CONTRACT).topic(event))


def _hexed(value: bytes) -> str:
    return "0x" + value.hex()
