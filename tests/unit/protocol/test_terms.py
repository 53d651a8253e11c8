"""The twin holds the contract's bounds, one by one; the contract's own tests hold the same ones.

`tests/contracts/verbs/test_open.py` drives both with every bound at its edge; here are what only
Python can get wrong: letter case, types, and what the message says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from milestone_escrow.errors import TermsError, TypedDataError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain
from milestone_escrow.protocol.terms import (
    DAY,
    MAX_HORIZON,
    MAX_PERIOD,
    Milestone,
    Terms,
    agreement_id,
    validate_terms,
)
from tests.contracts.support.deal import make_milestone, make_terms, verifier_names
from tests.contracts.support.evm import GENESIS
from tests.contracts.support.people import person

CONTRACT = "0x" + "Ec" * 20
TOKEN = "0x" + "70" * 20
DOMAIN = Domain(1, CONTRACT)
ROLES = ("buyer", "supplier", "token", "arbiter", "fee_recipient")


def _validate(*milestones: Milestone, **changes: Any) -> None:
    terms = replace(make_terms(TOKEN), **changes)
    validate_terms(terms, milestones or (make_milestone(),), contract=CONTRACT, now=GENESIS)


def test_takes_plain_terms() -> None:
    _validate()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "objection period": (
        {"objection_period": MAX_PERIOD + 1},
        f"the objection period is {MAX_PERIOD + 1}, allowed are 0 to {MAX_PERIOD}",
    ),
    "negative period": ({"review_period": -1}, "the review period is -1"),
    "arbitration period": (
        {"arbitration_period": 3 * DAY - 1},
        f"allowed are {3 * DAY} to {MAX_PERIOD}",
    ),
    "default share": ({"default_payee_bps": 10_001}, "allowed are 0 to 10000"),
    "fee": ({"fee_bps": 1_001, "fee_recipient": TOKEN}, "allowed are 0 to 1000"),
    "fee recipient": ({"fee_bps": 1}, "needs a recipient"),
    "no buyer": ({"buyer": ZERO_ADDRESS}, "the buyer has no account"),
    "no supplier": ({"supplier": ZERO_ADDRESS}, "the supplier has no account"),
    "no token": ({"token": ZERO_ADDRESS}, "the token has no account"),
    "contract as buyer": ({"buyer": CONTRACT}, "the escrow contract itself"),
    "contract as recipient": ({"fee_recipient": CONTRACT}, "the escrow contract itself"),
    "contract as verifier": ({"verifiers": (CONTRACT,)}, "the contract"),
    "one party": ({"supplier": person("buyer").address}, "the same account"),
    "partial arbiter": ({"arbiter": person("supplier").address}, "also a party or a verifier"),
    "verifying arbiter": (
        {"arbiter": person(verifier_names()[0]).address},
        "also a party or a verifier",
    ),
    "33 verifiers": (
        {"verifiers": tuple(f"0x{i:040x}" for i in range(1, 34))},
        "33 verifiers, at most 32",
    ),
    "descending verifiers": (
        {"verifiers": ("0x" + "02" * 20, "0x" + "01" * 20)},
        "must ascend strictly",
    ),
    "zero verifier": ({"verifiers": (ZERO_ADDRESS,)}, "must ascend strictly"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_says_what_was_asked_and_what_is_allowed(case: str) -> None:
    changes, says = REFUSED[case]
    with pytest.raises(TermsError, match=says):
        _validate(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": 0}, f"milestone 2: the amount is 0, allowed are 1 to {2**128 - 1}"),
        ({"amount": 2**128}, "milestone 2: the amount"),
        ({"deadline": GENESIS}, f"allowed are {GENESIS + 1} to {GENESIS + MAX_HORIZON}"),
        ({"deadline": GENESIS + MAX_HORIZON + 1}, "milestone 2: the deadline"),
        ({"deadline": 0}, "milestone 2: the deadline is 0"),
        ({"verifier_set": 0b1000}, "verifiers that the agreement lacks"),
        ({"verifier_set": -1}, "verifiers that the agreement lacks"),
        ({"quorum": 0}, "milestone 2: the quorum is 0, allowed are 1 to 3"),
        ({"quorum": 4}, "milestone 2: the quorum is 4, allowed are 1 to 3"),
        ({"verifier_set": 0, "quorum": 1}, "the quorum is 1, allowed are 0 to 0"),
    ],
)
def test_names_the_milestone_that_is_wrong(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TermsError, match=says):
        _validate(make_milestone(), make_milestone(**changes))


@pytest.mark.parametrize("count", [0, 61])
def test_counts_milestones(count: int) -> None:
    terms = make_terms(TOKEN)
    with pytest.raises(TermsError, match=f"the number of milestones is {count}"):
        validate_terms(terms, [make_milestone()] * count, contract=CONTRACT, now=GENESIS)


def _swapped(address: str) -> str:
    return "0x" + address[2:].swapcase()


def test_letter_case_hides_no_second_role() -> None:
    """The contract compares accounts as numbers, and so must the twin."""
    buyer, arbiter = person("buyer").address, person("arbiter").address
    hidden: list[dict[str, Any]] = [
        {"supplier": _swapped(buyer)},
        {"arbiter": _swapped(buyer)},
        {"buyer": _swapped(CONTRACT)},
        {"fee_recipient": _swapped(CONTRACT)},
        {"verifiers": (_swapped(arbiter),)},
        {"verifiers": (_swapped(CONTRACT),)},
        {"verifiers": (arbiter.lower(), arbiter)},
    ]
    for changes in hidden:
        with pytest.raises(TermsError):
            _validate(make_milestone(verifier_set=0, quorum=0), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": 2**256},
        {"salt": "1"},
        {"document_hash": bytes(31)},
        {"document_hash": "0x" + "00" * 32},
        {"buyer": "buyer.eth"},
        {"verifiers": None},
        {"objection_period": 1.0},
        {"fee_bps": True},
    ],
)
def test_what_does_not_fit_its_type_has_no_id(changes: dict[str, Any]) -> None:
    with pytest.raises(TypedDataError):
        agreement_id(DOMAIN, make_terms(TOKEN, **changes), [make_milestone()])


def test_every_field_changes_the_id() -> None:
    terms, milestone = make_terms(TOKEN), make_milestone()
    other: dict[str, Any] = {
        "verifiers": terms.verifiers[:2],
        "document_hash": bytes(32),
        **dict.fromkeys(ROLES, "0x" + "99" * 20),
    }
    numbers = {name: getattr(terms, name) for name in Terms.__slots__ if name not in other}
    changes = {**other, **{name: value + 1 for name, value in numbers.items()}}
    ids = {agreement_id(DOMAIN, replace(terms, **{k: v}), [milestone]) for k, v in changes.items()}
    ids.add(agreement_id(DOMAIN, terms, [milestone]))
    assert len(ids) == len(Terms.__slots__) + 1


def test_every_field_of_a_milestone_changes_its_hash() -> None:
    milestone = make_milestone()
    changes = {
        "amount": 1,
        "deadline": 0,
        "pays_on_silence": True,
        "verifier_set": 1,
        "quorum": 1,
        "requirements_hash": bytes(32),
    }
    hashes = {replace(milestone, **{k: v}).hash() for k, v in changes.items()}  # type: ignore[arg-type]
    assert len(hashes | {milestone.hash()}) == len(Milestone.__slots__) + 1


def test_knows_the_verifiers_of_a_milestone() -> None:
    terms = make_terms(TOKEN)
    found = terms.verifiers_of(make_milestone(verifier_set=0b101))
    assert found == (terms.verifiers[0], terms.verifiers[2])
