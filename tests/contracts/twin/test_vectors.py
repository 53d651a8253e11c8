"""The contract hashes what the vectors say, as the package and eth-account do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from eth_account import Account

from tests.contracts.support.amendments import abi_amendment
from tests.contracts.support.contract import Contract
from tests.contracts.support.deal import Deal, abi_attestation, abi_milestone
from tests.contracts.support.evm import Chain
from tests.contracts.support.world import World, account, branch
from tests.vectors import generate
from tests.vectors.load import agreement, amendment, attestations, domain, label, load, raw, record

Case = Mapping[str, Any]
AGREEMENTS, ACTS, MILESTONES = load("agreements"), load("acts"), load("milestones")


@pytest.fixture(scope="module")
def harness(fresh: World) -> Contract:
    return branch(fresh).deploy("Harness")


@pytest.fixture(scope="module")
def escrows(fresh: World) -> Mapping[int, Contract]:
    """The escrow on each chain of the vectors, at the same address."""
    artifact = fresh.escrow.artifact
    chains = {number: Chain(chain_id=number) for number in generate.CHAINS}
    return {
        number: Contract.deploy(chain, artifact, by=account("operator"))
        for number, chain in chains.items()
    }


def test_the_escrow_stands_where_the_vectors_have_it(escrows: Mapping[int, Contract]) -> None:
    assert {escrow.address for escrow in escrows.values()} == {generate.CONTRACT}


@pytest.mark.parametrize("case", MILESTONES, ids=label)
def test_milestone_hash(harness: Contract, case: Case) -> None:
    found = harness.call("milestoneHash", abi_milestone(record(case)))
    assert found == raw(case["structHash"])


@pytest.mark.parametrize("case", AGREEMENTS, ids=label)
def test_agreement_hash_and_id(
    harness: Contract, escrows: Mapping[int, Contract], case: Case
) -> None:
    deal = _deal(case)
    found = harness.call("agreementHash", deal.abi_terms, deal.abi_milestones)
    assert found == raw(case["structHash"])
    assert harness.call("digest", raw(case["separator"]), found) == raw(case["digest"])
    escrow = escrows[int(case["chainId"])]
    found = escrow.call("agreementIdOf", deal.abi_terms, deal.abi_milestones)
    assert found == raw(case["digest"])


@pytest.mark.parametrize("case", AGREEMENTS, ids=label)
def test_agreement_hash_from_one_milestone_and_the_others_hashes(
    harness: Contract, case: Case
) -> None:
    deal = _deal(case)
    count = len(deal.milestones)
    for index in sorted({0, count // 2, count - 1} & set(range(count))):
        found = harness.call("agreementHashByRef", deal.abi_terms, deal.ref(index))
        assert found == raw(case["structHash"])


@pytest.mark.parametrize("case", ACTS, ids=label)
def test_act_hash(harness: Contract, escrows: Mapping[int, Contract], case: Case) -> None:
    act = record(case)
    if case["struct"] == "Attestation":
        arguments: tuple[Any, ...] = (abi_attestation(act),)
        escrow = escrows[int(case["chainId"])]
        assert escrow.call("attestationDigest", *arguments) == raw(case["digest"])
    else:
        values = tuple(getattr(act, name) for name in type(act).__slots__)
        arguments = (*values[:2], values[2:]) if case["struct"] == "Offer" else values
    found = harness.call(f"{case['struct'].lower()}Hash", *arguments)
    assert found == raw(case["structHash"])
    assert harness.call("digest", raw(case["separator"]), found) == raw(case["digest"])


@pytest.mark.parametrize("case", load("orders"), ids=label)
def test_batch_and_change_order_hash(harness: Contract, case: Case) -> None:
    if case["struct"] == "AttestBatch":
        items = [abi_attestation(item) for item in attestations(case)]
        found = harness.call("batchHash", items)
    else:
        order = amendment(case)
        new = Deal(domain(case, generate.CONTRACT), order.terms, order.milestones)
        found = harness.call("amendmentHash", order.replaces, abi_amendment(order, new))
    assert found == raw(case["structHash"])
    assert harness.call("digest", raw(case["separator"]), found) == raw(case["digest"])


@pytest.mark.parametrize("case", [*AGREEMENTS[:3], *ACTS], ids=label)
def test_the_known_key_signed_it(harness: Contract, case: Case) -> None:
    signer = Account.from_key(generate.KEY).address
    assert harness.call("isValidSignature", signer, raw(case["digest"]), raw(case["signature"]))


@pytest.mark.parametrize("index", sorted({word["milestone"] for word in load("words")}))
def test_storage_word(harness: Contract, index: int) -> None:
    cases = [case for case in load("words") if case["milestone"] == index]
    assert len(cases) == 16
    for case in cases:
        status, details = case["status"], case["details"]
        empty, word = int(case["empty"], 16), int(case["word"], 16)
        among = int(case["amongOthers"], 16)
        assert harness.call("withStatus", empty, index, status, details) == word
        assert harness.call("statusOf", word, index) == (status, details)
        assert harness.call("statusOf", among, index) == (status, details)
        # Changing one milestone leaves its neighbours and its own flag as they are.
        assert harness.call("withStatus", among, index, 7, False) == among | 7 << 4 * index


@pytest.mark.parametrize("bits", [0, 1, 2, 0b1011, 0x55555555, 2**31, 2**32 - 2, 2**32 - 1])
def test_counts_bits(harness: Contract, bits: int) -> None:
    assert harness.call("popCount", bits) == bits.bit_count()


def _deal(case: Case) -> Deal:
    return Deal(domain(case, generate.CONTRACT), *agreement(case))
