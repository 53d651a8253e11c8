"""What each verb costs, 21,000 included, measured as the peers' figures were.

A plain 6-decimal token; who receives holds some already, and so does the escrow; approvals are
not counted. Ids, salts and signatures are the same in every run, so the figures are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.protocol.terms import DAY, Milestone
from tests.contracts.support.amendments import amend, revised
from tests.contracts.support.batches import attest_batch
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.paying import fund_with_authorization
from tests.contracts.support.people import person
from tests.contracts.support.receivables import assign, buy, enrich, offer
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
    figures["fund by authorization, 3 milestones, test USDC"] = _authorize(fresh)
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
    return attest_batch(world, [(deal, deal.attestation(1)) for deal in deals]).gas // count


def _authorize(fresh: World) -> int:
    """In test USDC, since a plain token knows no authorizations; a relayer sends it."""
    world = branch(fresh)
    usdc = world.deploy("TestUSDC")
    for holder in (account("buyer"), world.escrow.address):
        usdc.send("mint", holder, 100 * AMOUNT)
    deal = world.opened(*_milestones(3), token=usdc.address)
    return fund_with_authorization(world, deal, 0b111, token=usdc).gas


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


def _assign(world: World, deal: Deal) -> int:
    return assign(world, deal, 1).gas


def _buy(world: World, deal: Deal) -> int:
    enrich(world, "financier")
    return buy(world, deal, offer(world, deal, 1)).gas


def _amend(world: World, deal: Deal) -> int:
    """Two signatures, one milestone of four, the same amount at a later date."""
    later = replace(deal.milestones[1], deadline=DEADLINE + 14 * DAY)
    return amend(world, deal, revised(deal, later), closes=0b10).gas


_VERBS = {
    "buyer approves a milestone": _approve,
    "open a dispute": _dispute,
    "ruling that splits between two parties": _rule,
    "settlement by two signatures, split": _settle,
    "submit": _submit,
    "finalize, refund": _finalize,
    "assign a receivable": _assign,
    "buy a receivable by a signed offer": _buy,
    "change order, 1 of 4 milestones extended": _amend,
}
