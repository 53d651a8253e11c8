"""The ABI codec agrees with web3's, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from web3 import Web3

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.contract.codec import Interface, interface
from milestone_escrow.chain.contract.structs import (
    OpenedAgreement,
    bitmap,
    indices,
    milestone_index,
    milestone_tuples,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol import terms
from milestone_escrow.protocol.terms import MILESTONE, Milestone, Terms

A, B, C, D = (f"0x{digit * 40}" for digit in "1234")
TERMS = Terms(A, B, C, D, (A, B), 1, 2, 3, 4, C, 5, b"\6" * 32, 7)
MILESTONES = (
    Milestone(10, 20, True, 3, 2, b"\1" * 32),
    Milestone(2**128 - 1, 2**64 - 1, False, 0, 0, b"\2" * 32),
)
DEAL = OpenedAgreement(b"\3" * 32, TERMS, MILESTONES)


def test_calls_are_encoded_as_web3_does() -> None:
    contract = Web3().eth.contract(abi=list(load("MilestoneEscrow").abi))
    values = (terms_tuple(TERMS), milestone_tuples(MILESTONES), 3, b"ab", b"")
    ours = interface("MilestoneEscrow").call("open", *values)
    assert "0x" + ours.hex() == contract.encode_abi("open", args=list(values))


def test_a_reference_holds_one_milestone_and_the_hashes_of_the_others() -> None:
    hashes, index, milestone = reference_tuple(DEAL, 1)
    assert hashes == [MILESTONES[0].hash(), bytes(32)]
    assert index == 1
    assert milestone == milestone_tuples(MILESTONES)[1]


def test_structs_come_back_as_they_went() -> None:
    inputs = interface("MilestoneEscrow").functions["agreementIdOf"].inputs
    echo = {"type": "function", "name": "echo", "inputs": inputs, "outputs": inputs}
    abi = Interface([echo])
    data = abi.call("echo", terms_tuple(TERMS), milestone_tuples(MILESTONES))[4:]
    terms, milestones = abi.answer("echo", data)
    told = TERMS.message(MILESTONES)
    assert {**terms, "verifiers": tuple(terms["verifiers"]), "milestones": milestones} == told


def test_a_value_that_does_not_fit_is_refused() -> None:
    too_large = replace(MILESTONES[0], amount=2**128)
    with pytest.raises(UsageError, match="does not fit"):
        interface("MilestoneEscrow").call(
            "fund", terms_tuple(TERMS), milestone_tuples([too_large]), 1
        )


@pytest.mark.parametrize("output", [b"", b"\1" * 31, b"\xff" * 64])
def test_an_answer_of_something_else_is_refused(output: bytes) -> None:
    with pytest.raises(ChainError, match="cannot be read"):
        interface("MilestoneEscrow").answer("milestoneStates", output)


def test_an_unknown_error_is_none() -> None:
    abi = interface("MilestoneEscrow")
    assert abi.error(b"\1\2\3\4") is None
    assert abi.error(b"") is None


@pytest.mark.parametrize("places", [(), (0,), (5, 2), (255, 0, 31)])
def test_bitmaps_hold_their_places(places: tuple[int, ...]) -> None:
    assert indices(bitmap(places)) == tuple(sorted(places))
    assert bitmap([*places, *places]) == bitmap(places)


@pytest.mark.parametrize("wrong", [-1, 2, "packed"])
def test_a_milestone_that_does_not_exist_is_refused(wrong: int | str) -> None:
    with pytest.raises(UsageError):
        milestone_index(DEAL, wrong)


def test_code_matches_only_with_the_immutables_of_its_domain() -> None:
    code = load("MilestoneEscrow")
    words = [b"\1" * 32, b"\2" * 32]
    filled = bytearray(code.runtime)
    for start, length in code.immutables:
        filled[start : start + length] = words[start % 2]
    assert code.immutables
    assert code.matches(bytes(filled), words)
    assert not code.matches(bytes(filled), words[:1])
    assert not code.matches(bytes(filled[:-1]), words)
    filled[0] ^= 1
    assert not code.matches(bytes(filled), words)


def test_an_unknown_artifact_is_refused() -> None:
    with pytest.raises(UsageError, match="no contract Other"):
        load("Other")


def test_the_records_have_the_fields_of_the_contracts_structs_in_their_order() -> None:
    (opening,) = (
        e for e in interface("MilestoneEscrow").events.values() if e.name == "AgreementOpened"
    )
    structs = {p["name"]: p["components"] for p in opening.inputs if "components" in p}
    for name, struct, record in (
        ("terms", terms.TERMS, Terms),
        ("milestones", MILESTONE, Milestone),
    ):
        assert [(f.name, f.type) for f in struct.fields] == [
            (part["name"], part["type"]) for part in structs[name]
        ]
        assert [attribute for _, attribute in struct.attributes] == [f.name for f in fields(record)]
