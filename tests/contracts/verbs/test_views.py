"""Views: ids, states, credits, digests, and the domain that wallets ask for (ERC-5267)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain
from milestone_escrow.protocol.lifecycle import State, Status
from tests.contracts.support.contract import refuses
from tests.contracts.support.deal import (
    AMOUNT,
    Deal,
    abi_attestation,
    make_milestone,
    verifier_names,
)
from tests.contracts.support.evm import CHAIN_ID, GENESIS
from tests.contracts.support.people import person
from tests.contracts.support.statuses import OBJECTION, reach
from tests.contracts.support.world import World


def test_the_id_is_the_digest_that_both_parties_sign(world: World) -> None:
    deal = world.deal(make_milestone(), make_milestone(amount=1))
    found = world.escrow.call("agreementIdOf", deal.abi_terms, deal.abi_milestones)
    assert found == deal.id == deal.typed_data.digest()


def test_an_agreement_is_open_for_ever(world: World) -> None:
    deal = world.deal()
    assert not world.escrow.call("isOpen", deal.id)
    world.open(deal, deal.all)
    world.resolve(deal, AMOUNT, 0)
    assert world.escrow.call("isOpen", deal.id)


def test_a_funded_milestone_has_no_details(world: World) -> None:
    deal = world.funded()
    assert world.state(deal) == State(Status.FUNDED)


def test_shows_all_that_is_remembered(world: World) -> None:
    deal = world.funded(objection_period=OBJECTION)
    world.resolve(deal, 100, 0)
    world.attest(deal, deal.attestation(amount=300))
    assert world.state(deal) == State(
        Status.RELEASE_PENDING, ZERO_ADDRESS, GENESIS + OBJECTION, GENESIS, 1, 0, 300, 100
    )


def test_a_settled_milestone_shows_only_its_status(world: World) -> None:
    deal = reach(world, Status.RELEASE_PENDING)
    world.resolve(deal, AMOUNT, 0)
    assert world.state(deal) == State(Status.SETTLED)


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_shows_as_many_as_were_asked_for(world: World, count: int) -> None:
    deal = world.funded(make_milestone(), make_milestone())
    states = world.escrow.call("milestoneStates", deal.id, count)
    assert [state[0] for state in states] == ([1, 1] + [0] * 58)[:count]


@pytest.mark.parametrize("count", [61, 2**256 - 1])
def test_refuses_to_show_more_than_there_can_be(world: World, count: int) -> None:
    with refuses("UnknownMilestones", asked=count, count=60):
        world.escrow.call("milestoneStates", b"\1" * 32, count)


def test_an_unknown_agreement_shows_nothing(world: World) -> None:
    states = world.escrow.call("milestoneStates", b"\1" * 32, 2)
    assert [State(Status(status), *rest) for status, *rest in states] == [State(), State()]


def test_shows_the_digest_that_a_verifier_signs(world: World) -> None:
    deal = world.deal()
    attestation = deal.attestation()
    found = world.escrow.call("attestationDigest", abi_attestation(attestation))
    assert found == attestation.typed_data(world.domain).digest()


def test_tells_wallets_its_domain(world: World) -> None:
    fields, name, version, chain_id, contract, salt, extensions = world.escrow.call("eip712Domain")
    assert (fields, salt, extensions) == (b"\x0f", bytes(32), ())
    assert Domain(chain_id, contract, name, version) == world.domain


def test_after_a_fork_open_agreements_keep_their_id(world: World) -> None:
    """Signatures are checked under the new domain, ids under that of deployment."""
    deal = world.funded()
    world.chain.chain_id = CHAIN_ID + 1
    forked = Domain(CHAIN_ID + 1, world.escrow.address)
    assert world.escrow.call("agreementIdOf", deal.abi_terms, deal.abi_milestones) == deal.id

    attestation = deal.attestation()
    digest = attestation.typed_data(forked).digest()
    with refuses("InvalidSignature", signer=deal.terms.verifiers[0], digest=digest):
        world.attest(deal, attestation)

    signatures = [person(name).sign(digest) for name in verifier_names()[:2]]
    world.attest(deal, attestation, signatures=signatures)
    assert world.state(deal).status is Status.SETTLED


def test_after_a_fork_new_agreements_are_signed_under_the_new_domain(world: World) -> None:
    deal = world.deal()
    world.chain.chain_id = CHAIN_ID + 1
    forked = replace(deal, domain=Domain(CHAIN_ID + 1, world.escrow.address))
    with refuses("InvalidSignature", signer=deal.terms.supplier, digest=forked.typed_data.digest()):
        world.open(deal)
    outcome = world.open(deal, supplier=_supplier_signs(forked))
    assert outcome.answer == deal.id, "the id stays under the domain of deployment"


def _supplier_signs(deal: Deal) -> bytes:
    return person("supplier").sign(deal.typed_data)
