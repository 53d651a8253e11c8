"""The package hashes as eth-account does, and as another wallet's implementation."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from milestone_escrow.protocol.acts import batch_typed_data
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.signatures import compact, recover
from milestone_escrow.protocol.terms import (
    agreement_id,
    agreement_id_from_hashes,
    agreement_typed_data,
)
from tests.support.npm import program
from tests.vectors import generate
from tests.vectors.load import (
    STRUCTS,
    agreement,
    amendment,
    attestations,
    domain,
    label,
    load,
    message,
    raw,
    record,
)

AGREEMENTS, ACTS, MILESTONES = load("agreements"), load("acts"), load("milestones")
ORDERS = load("orders")
ALL = [*MILESTONES, *AGREEMENTS, *ACTS, *ORDERS]
SIGNER = Account.from_key(generate.KEY).address

Case = Mapping[str, Any]


def _typed_data(case: Case) -> TypedData:
    where = domain(case, generate.CONTRACT)
    return TypedData(where, STRUCTS[case["struct"]], message(case))


@pytest.mark.parametrize("file", generate.FILES)
def test_the_vectors_are_what_their_script_writes(file: str) -> None:
    written = (generate.FOLDER / f"{file}.json").read_text(encoding="utf-8")
    assert written == generate.text(file), "run `python -m tests.vectors.generate`"


@pytest.mark.parametrize("case", ALL, ids=label)
def test_hashes_and_signs_what_the_vector_says(case: Case) -> None:
    data = _typed_data(case)
    assert data.domain.separator() == raw(case["separator"])
    assert data.struct.hash(data.message) == raw(case["structHash"])
    assert data.digest() == raw(case["digest"])


@pytest.mark.parametrize("case", ALL, ids=label)
def test_recovers_the_signer_from_both_lengths(case: Case) -> None:
    digest, signature = raw(case["digest"]), raw(case["signature"])
    assert recover(digest, signature) == SIGNER
    assert recover(digest, compact(signature)) == SIGNER


@pytest.mark.parametrize("case", AGREEMENTS, ids=label)
def test_terms_make_the_id(case: Case) -> None:
    where = domain(case, generate.CONTRACT)
    terms, milestones = agreement(case)
    expected = raw(case["digest"])
    assert agreement_typed_data(where, terms, milestones).digest() == expected
    assert agreement_id(where, terms, milestones) == expected
    hashes = [milestone.hash() for milestone in milestones]
    assert agreement_id_from_hashes(where, terms, hashes) == expected


@pytest.mark.parametrize("case", MILESTONES, ids=label)
def test_a_milestone_has_the_vectors_hash(case: Case) -> None:
    assert record(case).hash() == raw(case["structHash"])


@pytest.mark.parametrize("case", ACTS, ids=label)
def test_an_act_is_signed_as_the_vector_says(case: Case) -> None:
    where = Domain(int(case["chainId"]), generate.CONTRACT)
    assert record(case).typed_data(where).digest() == raw(case["digest"])


@pytest.mark.parametrize("case", ORDERS, ids=label)
def test_a_batch_or_change_order_is_signed_as_the_vector_says(case: Case) -> None:
    where = domain(case, generate.CONTRACT)
    if case["struct"] == "AttestBatch":
        data = batch_typed_data(where, attestations(case))
    else:
        data = amendment(case).typed_data(where)
    assert data.digest() == raw(case["digest"])


def _some() -> list[Case]:
    """The extremes of every struct, and agreements of each size."""
    names = {"all zero", "all highest", "typical"}
    sizes = [case for case in AGREEMENTS if "milestones" in case["name"] and case["chainId"] == "1"]
    return [case for case in (*ACTS, *AGREEMENTS) if case["name"] in names] + sizes + ORDERS[:6]


@pytest.mark.parametrize("case", _some(), ids=label)
def test_cast_signs_the_same_from_the_json_that_wallets_get(case: Case, tmp_path: Path) -> None:
    """Signing is deterministic, so an equal signature is an equal digest."""
    file = tmp_path / "typed-data.json"
    file.write_text(json.dumps(_typed_data(case).to_json()), encoding="utf-8")
    cast = program("cast")
    command = [cast, "wallet", "sign", "--private-key", generate.KEY, "--data", "--from-file", file]
    signed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert signed == case["signature"]
    assert recover(raw(case["digest"]), raw(signed)) == SIGNER
