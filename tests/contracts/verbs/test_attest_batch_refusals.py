"""attestBatch: what could never be decided stops it, and everyone signs exactly this batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from milestone_escrow.protocol.acts import Attestation, batch_typed_data
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.signatures import compact
from tests.contracts.support.batches import Item, attest_batch, sign_batch
from tests.contracts.support.contract import Outcome, refuses
from tests.contracts.support.deal import (
    AMOUNT,
    Deal,
    abi_attestation,
    make_milestone,
)
from tests.contracts.support.evm import CHAIN_ID
from tests.contracts.support.people import malleable, person
from tests.contracts.support.world import World, account

F, S = Status.FUNDED, Status.SETTLED


def _deals(world: World, count: int, **terms: object) -> list[Deal]:
    return [world.funded(**{"salt": salt + 1, **terms}) for salt in range(count)]


def _accept(deals: Sequence[Deal], **changes: object) -> list[Item]:
    return [(deal, deal.attestation(**changes)) for deal in deals]


def test_refuses_an_empty_batch(world: World) -> None:
    with refuses("UnknownMilestones", asked=0, count=0):
        attest_batch(world, [], 0)


@pytest.mark.parametrize("place", [1, 2])
def test_refuses_agreements_with_other_verifiers(world: World, place: int) -> None:
    deals = _deals(world, 3)
    fewer = world.funded(make_milestone(verifier_set=0b011), verifiers=deals[0].terms.verifiers[:2])
    deals[place] = fewer
    with refuses("VerifiersDiffer", item=place):
        attest_batch(world, _accept(deals))


def test_refuses_verifiers_in_other_places(world: World) -> None:
    """The same names, one of them changed: the bitmap would mean somebody else."""
    first = world.funded()
    crew = sorted([*first.terms.verifiers[:2], account("rival")], key=lambda a: int(a, 16))
    other = world.funded(salt=2, verifiers=tuple(crew))
    with refuses("VerifiersDiffer", item=1):
        attest_batch(world, _accept([first, other]))


def test_each_milestone_keeps_its_own_quorum(world: World) -> None:
    easy = world.funded(make_milestone(quorum=1), salt=1)
    strict = world.funded(make_milestone(quorum=3), salt=2)
    with refuses("QuorumNotReached", signers=2, quorum=3):
        attest_batch(world, _accept([easy, strict]), 0b011)
    attest_batch(world, _accept([easy, strict]), 0b111)
    assert world.balance("supplier") == 2 * AMOUNT


@pytest.mark.parametrize("signers", [0, 0b1000, 1 << 255])
def test_refuses_no_and_unknown_signers(world: World, signers: int) -> None:
    deal = world.funded()
    refused = (
        refuses("SignersNotAllowed", signers=signers, verifierSet=0b111)
        if signers
        else refuses("QuorumNotReached", signers=0, quorum=2)
    )
    with refused:
        attest_batch(world, _accept([deal]), signers)


def test_each_milestone_keeps_its_own_verifiers(world: World) -> None:
    one = world.funded(make_milestone(verifier_set=0b011), salt=1)
    other = world.funded(make_milestone(verifier_set=0b110), salt=2)
    with refuses("SignersNotAllowed", signers=0b011, verifierSet=0b110):
        attest_batch(world, _accept([one, other]), 0b011)


@pytest.mark.parametrize("verdict", [0, 3, 4, 255])
def test_refuses_other_verdicts(world: World, verdict: int) -> None:
    first, second = _deals(world, 2)
    items = [(first, first.attestation()), (second, second.attestation(verdict=verdict))]
    with refuses("VerdictNotAllowed", verdict=verdict):
        attest_batch(world, items)
    assert world.state(first) == State(F)


@pytest.mark.parametrize("field", ["agreement_id", "milestone"])
def test_refuses_an_attestation_about_something_else(world: World, field: str) -> None:
    first, second = _deals(world, 2)
    wrong = {"agreement_id": first.id} if field == "agreement_id" else {"milestone": 1}
    attestation = replace(second.attestation(), **wrong)  # type: ignore[arg-type]
    with refuses(
        "AttestationMismatch",
        agreementId=attestation.agreement_id,
        milestone=attestation.milestone,
        expectedId=second.id,
        expectedMilestone=0,
    ):
        _send(world, [(first, first.attestation(), 0), (second, attestation, 0)])


def _send(world: World, items: Sequence[tuple[Deal, Attestation, int]]) -> Outcome:
    """Like `attest_batch`, with the milestone that each item claims to be about."""
    signed = sign_batch(world, [(deal, attestation) for deal, attestation, _ in items])
    values = [(d.abi_terms, d.ref(index), abi_attestation(a)) for d, a, index in items]
    return world.escrow.send("attestBatch", values, 0b011, signed)


def test_refuses_an_agreement_that_is_not_open(world: World) -> None:
    first, closed = world.funded(), world.deal(salt=2)
    with refuses("AgreementNotOpen", agreementId=closed.id):
        attest_batch(world, _accept([first, closed]))
    assert world.state(first) == State(F)


def test_refuses_another_milestone_than_was_agreed(world: World) -> None:
    """A lower quorum in the calldata names an agreement that does not exist."""
    deal = world.funded(make_milestone(quorum=3))
    cheaper = replace(deal, milestones=(make_milestone(quorum=1),))
    with refuses("AgreementNotOpen", agreementId=cheaper.id):
        attest_batch(world, _accept([cheaper]), 0b001)


# The signatures.


def _digest(world: World, items: Sequence[Item]) -> bytes:
    return batch_typed_data(world.domain, [a for _, a in items]).digest()


def test_takes_64_bytes_and_refuses_the_malleable_twin(world: World) -> None:
    items = _accept(_deals(world, 2))
    signed = sign_batch(world, items)
    first = items[0][0].terms.verifiers[0]
    with refuses("InvalidSignature", signer=first, digest=_digest(world, items)):
        attest_batch(world, items, signatures=[malleable(signed[0]), signed[1]])
    attest_batch(world, items, signatures=[compact(each) for each in signed])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_refuses_too_few_and_too_many_signatures(world: World, count: int) -> None:
    items = _accept(_deals(world, 2))
    with refuses("SignatureCountMismatch", signatures=count, signers=2):
        attest_batch(world, items, signatures=sign_batch(world, items, 0b111)[:count])


def test_refuses_the_wrong_order_and_one_signer_twice(world: World) -> None:
    items = _accept(_deals(world, 2))
    first, second = sign_batch(world, items)
    verifiers, digest = items[0][0].terms.verifiers, _digest(world, items)
    with refuses("InvalidSignature", signer=verifiers[0], digest=digest):
        attest_batch(world, items, signatures=[second, first])
    with refuses("InvalidSignature", signer=verifiers[1], digest=digest):
        attest_batch(world, items, signatures=[first, first])


@pytest.mark.parametrize("what", ["left out", "added", "reordered", "changed"])
def test_refuses_another_batch_than_was_signed(world: World, what: str) -> None:
    deals = _deals(world, 3)
    items = _accept(deals[:2])
    signed = sign_batch(world, items)
    sent = {
        "left out": items[:1],
        "added": [*items, *_accept(deals[2:])],
        "reordered": items[::-1],
        "changed": [items[0], (deals[1], deals[1].attestation(amount=AMOUNT - 1))],
    }[what]
    verifier = deals[0].terms.verifiers[0]
    with refuses("InvalidSignature", signer=verifier, digest=_digest(world, sent)):
        attest_batch(world, sent, signatures=signed)


def test_a_signature_of_one_attestation_is_none_of_a_batch_of_one(world: World) -> None:
    deal = world.funded()
    items = _accept([deal])
    verifier = deal.terms.verifiers[0]
    alone = world.signatures(deal, deal.attestation(), 0b011)
    with refuses("InvalidSignature", signer=verifier, digest=_digest(world, items)):
        attest_batch(world, items, signatures=alone)
    together = sign_batch(world, items)
    digest = deal.attestation().typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=verifier, digest=digest):
        world.attest(deal, deal.attestation(), signatures=together)


@pytest.mark.parametrize("where", ["chain", "contract"])
def test_refuses_signatures_for_elsewhere(world: World, where: str) -> None:
    items = _accept(_deals(world, 2))
    there = {
        "chain": Domain(1, world.escrow.address),
        "contract": Domain(CHAIN_ID, account("stranger")),
    }[where]
    data = batch_typed_data(there, [a for _, a in items])
    signed = [person(name).sign(data) for name in ("inspector", "forwarder", "bank")][:2]
    verifier = items[0][0].terms.verifiers[0]
    with refuses("InvalidSignature", signer=verifier, digest=_digest(world, items)):
        attest_batch(world, items, signatures=signed)


@pytest.mark.parametrize("place", [0, 1])
def test_refuses_a_strangers_signature(world: World, place: int) -> None:
    items = _accept(_deals(world, 2))
    signed = sign_batch(world, items)
    data = batch_typed_data(world.domain, [a for _, a in items])
    signed[place] = person("stranger").sign(data)
    verifier = items[0][0].terms.verifiers[place]
    with refuses("InvalidSignature", signer=verifier, digest=data.digest()):
        attest_batch(world, items, signatures=signed)


def test_a_contract_wallet_and_a_delegated_account_sign_batches(world: World) -> None:
    wallet = world.deploy("OwnedWallet", account("owner"), False).address
    hostile = world.deploy("HostileWallet", 2).address
    delegated = account("inspector")
    world.chain.set_code(delegated, bytes.fromhex("ef0100" + hostile[2:]))
    crew = tuple(sorted((wallet, delegated), key=lambda a: int(a, 16)))
    deals = [
        world.funded(make_milestone(verifier_set=0b11), salt=salt, verifiers=crew)
        for salt in (1, 2)
    ]
    items = _accept(deals)
    data = batch_typed_data(world.domain, [a for _, a in items])
    signers = {wallet: person("owner"), delegated: person("inspector")}
    attest_batch(world, items, signatures=[signers[who].sign(data) for who in crew])
    assert world.balance("supplier") == 2 * AMOUNT
