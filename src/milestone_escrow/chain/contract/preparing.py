"""What all verbs stand on: calls are simulated and priced for one sender, but not sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.reader import CONTRACT, Reader
from milestone_escrow.chain.contract.structs import (
    OpenAgreement,
    bitmap,
    milestone_index,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.transactions import Prepared, Transactor
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.lifecycle import held
from milestone_escrow.protocol.signatures import by_key, compact, unwrapped
from milestone_escrow.protocol.token import Token

MilestoneName: TypeAlias = "int | str"
Signatures: TypeAlias = "Mapping[Address, bytes] | Iterable[bytes]"

NOBODY: Mapping[Address, bytes] = {}


class Preparer:
    """Prepares transactions of one sender."""

    def __init__(self, reader: Reader, transactor: Transactor, sender: Address) -> None:
        self._reader = reader
        self._transactor = transactor
        self._sender = sender

    def together(self, prepared: Sequence[Prepared]) -> Prepared:
        """Several calls of this sender to the contract as one transaction: all of them or none.

        Raises:
            UsageError: there are none, or one is another sender's or goes elsewhere.
            ContractError: one is refused once those before it are done.
        """
        if not prepared:
            raise UsageError("there is nothing to do together", hint="name at least one")
        for one in prepared:
            if one.to != self._reader.contract or one.sender != self._sender:
                raise UsageError(
                    f"`{one.verb}` is not a call of {self._sender} to the contract",
                    hint="send it by itself",
                )
        if len(prepared) == 1:
            return prepared[0]
        verbs = list(dict.fromkeys(one.verb for one in prepared))
        attempt = replace(prepared[0].attempt, verb=" and ".join(verbs), index=None)
        return self._multicall(
            [one.data for one in prepared], [one.attempt for one in prepared], attempt
        )

    def _act(
        self, verb: str, agreement: OpenAgreement, milestone: MilestoneName, *values: object
    ) -> Prepared:
        index = milestone_index(agreement, milestone)
        reference = reference_tuple(agreement, index)
        data = call(verb, terms_tuple(agreement.terms), reference, *values)
        return self._prepare(verb, agreement, index, data)

    def _prepare(
        self, verb: str, agreement: OpenAgreement, index: int | None, data: bytes
    ) -> Prepared:
        attempt = self._attempt(verb, agreement, index)
        return self._transactor.prepare(self._reader.contract, data, attempt, self._refine)

    def _multicall(
        self, calls: Sequence[bytes], attempts: Sequence[Attempt], attempt: Attempt
    ) -> Prepared:
        """All calls in one; where one is refused, the sentence is about that one."""

        def refine(_: Attempt) -> Attempt:
            for count in range(1, len(calls) + 1):
                if self._is_refused(calls[:count]):
                    return self._refine(attempts[count - 1])
            return attempt

        data = call("multicall", list(calls))
        return self._transactor.prepare(self._reader.contract, data, attempt, refine)

    def _is_refused(self, calls: Sequence[bytes]) -> bool:
        data = hexed(call("multicall", list(calls)))
        request = {"from": self._sender, "to": self._reader.contract, "data": data}
        try:
            self._reader.node.request("eth_call", [request, "latest"])
        except RpcError:
            return True
        return False

    def _attempt(self, verb: str, agreement: OpenAgreement, index: int | None = None) -> Attempt:
        token = self._reader.token_at(agreement.terms.token)
        contract = self._reader.contract
        return Attempt(verb, self._sender, agreement, token, index, contract=contract)

    def _refine(self, attempt: Attempt) -> Attempt:
        agreement = attempt.agreement
        if agreement is None or attempt.index is None:
            return attempt
        return replace(attempt, state=self._reader.states(agreement)[attempt.index])

    def _token(self, agreement: OpenAgreement) -> Token:
        known = getattr(agreement, "token", None) or self._reader.token_at(agreement.terms.token)
        return known or Token("tokens", agreement.terms.token, 0)

    def _chosen(self, agreement: OpenAgreement, milestones: Iterable[MilestoneName]) -> int:
        return bitmap(milestone_index(agreement, name) for name in milestones)

    def _held(self, agreement: OpenAgreement, milestone: MilestoneName) -> int:
        index = milestone_index(agreement, milestone)
        return held(agreement.milestones[index], self._reader.states(agreement)[index])


def call(function: str, *values: object) -> bytes:
    """The calldata of one of the contract's functions."""
    return interface(CONTRACT).call(function, *values)


def shortened(digest: bytes, account: Address, signature: bytes) -> bytes:
    """The 64-byte form where the account signs by key; a contract wallet's bytes stay as given."""
    own = by_key(account, digest, signature)
    return compact(own) if own else unwrapped(signature)
