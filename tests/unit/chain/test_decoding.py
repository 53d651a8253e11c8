"""A refusal is a kind with fields; by itself it repeats what the contract said."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.decoding import explain
from milestone_escrow.errors import ContractError

PAYEE, STRANGER = (f"0x{d * 40}" for d in "12")
ATTEMPT = Attempt("refund", STRANGER)


@pytest.fixture
def wordless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody above has put its words there."""
    monkeypatch.setattr(ContractError, "teller", staticmethod(lambda error: None))


def not_authorized() -> ContractError:
    errors = interface("MilestoneEscrow").errors.values()
    key = next(found.key for found in errors if found.name == "NotAuthorized")
    return explain(key + encode(["address", "address"], [STRANGER, PAYEE]), ATTEMPT)


def test_a_refusal_carries_what_was_asked_what_was_allowed_and_what_was_tried() -> None:
    error = not_authorized()
    assert error.name == "NotAuthorized"
    assert error.values == {"caller": STRANGER, "allowed": PAYEE}
    assert error.attempt == ATTEMPT
    assert error.fields == {"name": error.name, "values": error.values}


@pytest.mark.usefixtures("wordless")
def test_without_words_it_repeats_what_the_contract_said() -> None:
    said = f"the contract refused to refund: NotAuthorized, caller {STRANGER}, allowed {PAYEE}"
    assert str(not_authorized()) == said
    assert str(explain(b"", ATTEMPT)) == "the contract refused to refund: no reason given"


def test_words_tell_it_whoever_raised_it() -> None:
    error = not_authorized()
    assert error.sentence == error.message == f"only the payee gives money back: {PAYEE}"
    assert error.hint == ""
    assert str(error) == error.sentence
