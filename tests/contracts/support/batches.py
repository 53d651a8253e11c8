"""One signature of each verifier over many attestations, as the tests do it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milestone_escrow.protocol.acts import Attestation, batch_typed_data
from tests.contracts.support.contract import Event, Outcome
from tests.contracts.support.deal import Deal, abi_attestation, verifier_names
from tests.contracts.support.evm import GAS
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account

Item = tuple[Deal, Attestation]


def attest_batch(
    world: World,
    items: Sequence[Item],
    signers: int = 0b011,
    *,
    signatures: Sequence[bytes] | None = None,
    by: str = "stranger",
    gas: int = GAS,
) -> Outcome:
    """Signed by the verifiers of `signers`, unless signatures are given."""
    if signatures is None:
        signatures = sign_batch(world, items, signers)
    arguments = (abi_items(items), signers, list(signatures))
    return world.escrow.send("attestBatch", *arguments, by=account(by), gas=gas)


def sign_batch(world: World, items: Sequence[Item], signers: int = 0b011) -> list[bytes]:
    data = batch_typed_data(world.domain, [attestation for _, attestation in items])
    names = verifier_names()
    return [person(names[i]).sign(data) for i in range(3) if signers >> i & 1]


def abi_items(items: Sequence[Item]) -> list[tuple[Any, ...]]:
    return [
        (deal.abi_terms, deal.ref(attestation.milestone), abi_attestation(attestation))
        for deal, attestation in items
    ]


def transfers(world: World, outcome: Outcome) -> list[Event]:
    """What the token says it moved, in order."""
    return [event for event in world.token.events(outcome.receipt) if event.name == "Transfer"]
