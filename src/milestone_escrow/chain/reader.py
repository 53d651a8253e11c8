"""Reading: one contract on one network, without a key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from milestone_escrow.chain.codec import interface
from milestone_escrow.chain.events import AgreementOpened, Event, PayoutCredited, read_event
from milestone_escrow.chain.networks import Network
from milestone_escrow.chain.rpc import Node
from milestone_escrow.chain.status import AgreementStatus, describe
from milestone_escrow.chain.structs import (
    OpenAgreement,
    OpenedAgreement,
    milestone_index,
    read_state,
)
from milestone_escrow.chain.tokens import allowance_of, balance_of
from milestone_escrow.chain.transactions import read_logs
from milestone_escrow.errors import ContractError
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address, Domain
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.terms import DAY
from milestone_escrow.protocol.token import Token

CONTRACT = "MilestoneEscrow"


class Reader:
    """What anybody may ask. `since` is the block from which the contract can have events."""

    def __init__(self, node: Node, network: Network, contract: Address, *, since: int = 0) -> None:
        self.node = node
        self.network = network
        self.domain = Domain(network.chain_id, contract)
        self._since = since
        self._times: dict[str, int] = {}

    @property
    def contract(self) -> Address:
        return self.domain.verifying_contract

    def token(self, symbol: str) -> Token:
        """The token of that symbol on this network; raises UsageError where there is none."""
        return self.network.token(symbol)

    def token_at(self, address: Address) -> Token | None:
        """The token at an address, where the network's record knows it."""
        return next((t for t in self.network.tokens if t.address == address), None)

    def now(self) -> int:
        """The chain's time: that of its latest block, Unix seconds."""
        return int(self.node.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)

    def is_open(self, agreement_id: bytes) -> bool:
        """Whether the agreement was ever opened here."""
        return bool(self._ask("isOpen", agreement_id))

    def states(self, agreement: OpenAgreement) -> tuple[State, ...]:
        """What the contract remembers of each milestone; of a settled one only that it is."""
        answer = self._ask("milestoneStates", agreement.id, len(agreement.milestones))
        return tuple(read_state(values) for values in answer)

    def status(self, agreement: OpenAgreement) -> AgreementStatus:
        """Where the agreement stands, and what each milestone's status allows now."""
        return describe(agreement, self.is_open(agreement.id), self.states(agreement), self.now())

    def attestation(
        self,
        agreement: OpenAgreement,
        milestone: int | str,
        verdict: Verdict = Verdict.ACCEPTED,
        *,
        amount: int | None = None,
        evidence_hash: bytes = ZERO_HASH,
        valid_for: int = 30 * DAY,
    ) -> Attestation:
        """An attestation of now, to be signed by verifiers; accepts in full unless told otherwise.

        `amount` counts from the milestone's start, in token units; `valid_for` is seconds.
        """
        index, now = milestone_index(agreement, milestone), self.now()
        full = agreement.milestones[index].amount if verdict is Verdict.ACCEPTED else 0
        certified = full if amount is None else amount
        until = now + valid_for
        return Attestation(agreement.id, index, verdict, certified, evidence_hash, now, until)

    def unfunded(self, agreement: OpenAgreement) -> tuple[int, ...]:
        """The milestones that nobody has paid in yet."""
        states = self.states(agreement)
        return tuple(i for i, state in enumerate(states) if state == State())

    def balance(self, token: Token, account: Address) -> int:
        """Token units of an account; of the contract's own, what waits in it for everybody."""
        return balance_of(self.node, token.address, account)

    def allowance(self, token: Token, owner: Address) -> int:
        """Token units that the contract may take from `owner` when told to fund."""
        return allowance_of(self.node, token.address, owner, self.contract)

    def credit(self, token: Token, account: Address) -> int:
        """Token units that could not be delivered and wait for `withdraw`."""
        return int(self._ask("creditOf", token.address, account))

    def events(self, agreement: OpenAgreement | bytes) -> tuple[Event, ...]:
        """Everything that happened to an agreement, in order, failed payouts included."""
        agreement_id = agreement if isinstance(agreement, bytes) else agreement.id
        own = list(self._events([None, _hexed(agreement_id)]))
        opened = next((event for event in own if isinstance(event, AgreementOpened)), None)
        if opened is None:
            return tuple(own)
        # A change order belongs to both its agreements, but names the one that it replaces first.
        amended = _hexed(interface(CONTRACT).topic("AgreementAmended"))
        own += self._events([amended, None, _hexed(agreement_id)])
        # Credits belong to accounts, not agreements: ours are those of the same transactions.
        transactions = {event.place.transaction for event in own}
        token = _hexed(bytes.fromhex(opened.terms.token[2:]).rjust(32, b"\0"))
        failed = self._events([_hexed(interface(CONTRACT).topic("PayoutCredited")), token])
        own += [
            event
            for event in failed
            if isinstance(event, PayoutCredited) and event.place.transaction in transactions
        ]
        return tuple(sorted(own, key=lambda event: (event.place.block, event.place.log_index)))

    def opened(self, account: Address | None = None) -> tuple[AgreementOpened, ...]:
        """The agreements opened here, all or those with `account` as buyer or supplier."""
        topic = _hexed(interface(CONTRACT).topic("AgreementOpened"))
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
        topic = _hexed(interface(CONTRACT).topic("AgreementOpened"))
        for event in self._events([topic, _hexed(agreement_id)]):
            if isinstance(event, AgreementOpened):
                return OpenedAgreement(event.agreement_id, event.terms, event.milestones)
        raise ContractError(
            f"no agreement {_hexed(agreement_id)} is open on {self.network.title}",
            name="AgreementNotOpen",
            hint="check the id and the network",
        )

    def _events(self, topics: Sequence[object]) -> Iterator[Event]:
        last = int(self.node.request("eth_blockNumber"), 16)
        for log in read_logs(self.node, self.contract, topics, min(self._since, last), last):
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

    def _ask(self, function: str, *values: object) -> Any:
        data = interface(CONTRACT).call(function, *values)
        call = {"to": self.contract, "data": _hexed(data)}
        output = self.node.request("eth_call", [call, "latest"])
        return interface(CONTRACT).answer(function, bytes.fromhex(output[2:]))[0]


def _hexed(value: bytes) -> str:
    return "0x" + value.hex()
