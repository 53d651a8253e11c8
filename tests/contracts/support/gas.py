"""What each verb costs, 21,000 included, measured as the peers' figures were.

A plain 6-decimal token; who receives holds some already, and so does the escrow; approvals are
not counted. Ids, salts and signatures are the same in every run, so the figures are exact.
"""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.chain.compiler import Artifact
from milestone_escrow.protocol.acts import batch_typed_data
from milestone_escrow.protocol.terms import Milestone
from tests.contracts.support.deal import (
    AMOUNT,
    DEADLINE,
    Deal,
    abi_attestation,
    make_milestone,
    verifier_names,
)
from tests.contracts.support.people import person
from tests.contracts.support.world import World, account, branch, build


def measure(artifacts: Mapping[str, Artifact], fork: str = "prague") -> dict[str, int]:
    """Gas by the name of what happens."""
    fresh = _fresh(artifacts, fork)
    figures = {"plain transfer": _transfer(fresh)}
    for count in (3, 10, 60):
        figures[f"open + fund, {count} milestones"] = _open(fresh, count)
    for quorum in (1, 2, 3):
        figures[f"attested release, 4 milestones, {quorum} of 3"] = _release(fresh, quorum)
    for name, verb in _VERBS.items():
        world = branch(fresh)
        figures[name] = verb(world, world.funded(*_milestones(4)))
    figures["3 milestones by 1 verifier, start to end"] = _start_to_end(fresh)
    figures["each of 20 releases in a batch, 2 signatures"] = _batch(fresh, 20)
    return figures


def _fresh(artifacts: Mapping[str, Artifact], fork: str) -> World:
    world = build(artifacts, fork)
    world.token = world.add_token(world.deploy("PlainToken"))
    for holder in (account("supplier"), world.escrow.address):
        world.token.send("mint", holder, AMOUNT)
    return world


def _milestones(count: int, quorum: int = 2) -> tuple[Milestone, ...]:
    return tuple(make_milestone(amount=AMOUNT * (i + 1), quorum=quorum) for i in range(count))


def _transfer(fresh: World) -> int:
    world = branch(fresh)
    return world.token.send("transfer", account("supplier"), AMOUNT, by=account("buyer")).gas


def _open(fresh: World, count: int) -> int:
    world = branch(fresh)
    deal = world.deal(*_milestones(count))
    return world.open(deal, deal.all).gas


def _release(fresh: World, quorum: int) -> int:
    world = branch(fresh)
    deal = world.funded(*_milestones(4, quorum))
    return world.attest(deal, deal.attestation(1), (1 << quorum) - 1).gas


def _start_to_end(fresh: World) -> int:
    world = branch(fresh)
    deal = world.deal(*_milestones(3, quorum=1))
    opening = world.open(deal, deal.all).gas
    return opening + sum(world.attest(deal, deal.attestation(i), 0b001).gas for i in range(3))


def _batch(fresh: World, count: int) -> int:
    """One attested release of each of `count` agreements; the transfers are joined."""
    world = branch(fresh)
    deals = [world.funded(*_milestones(4), salt=salt) for salt in range(count)]
    attestations = [deal.attestation(1) for deal in deals]
    data = batch_typed_data(world.domain, attestations)
    items = [
        (deal.abi_terms, deal.ref(1), abi_attestation(attestation))
        for deal, attestation in zip(deals, attestations, strict=True)
    ]
    signatures = [person(name).sign(data) for name in verifier_names()[:2]]
    outcome = world.escrow.send("attestBatch", items, 0b011, signatures, by=account("stranger"))
    return outcome.gas // count


def _approve(world: World, deal: Deal) -> int:
    return world.resolve(deal, 2 * AMOUNT, 0, 1).gas


def _dispute(world: World, deal: Deal) -> int:
    return world.dispute(deal, 1, by="supplier").gas


def _rule(world: World, deal: Deal) -> int:
    world.dispute(deal, 1, by="supplier")
    return world.rule(deal, AMOUNT, AMOUNT, 1).gas


def _settle(world: World, deal: Deal) -> int:
    act = world.resolution(deal, AMOUNT, AMOUNT, 1).typed_data(world.domain)
    buyer, payee = person("buyer").sign(act), person("supplier").sign(act)
    return world.resolve(deal, AMOUNT, AMOUNT, 1, buyer=buyer, payee=payee, by="stranger").gas


def _submit(world: World, deal: Deal) -> int:
    return world.submit(deal, 1).gas


def _finalize(world: World, deal: Deal) -> int:
    world.now = DEADLINE
    return world.finalize(deal, 1).gas


_VERBS = {
    "buyer approves a milestone": _approve,
    "open a dispute": _dispute,
    "ruling that splits between two parties": _rule,
    "settlement by two signatures, split": _settle,
    "submit": _submit,
    "finalize, refund": _finalize,
}
