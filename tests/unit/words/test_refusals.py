"""Each custom error becomes one sentence: what was asked, what is allowed, the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode

from milestone_escrow.chain.contract.codec import Entry, interface
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.refusals.attempts import Attempt, Stops
from milestone_escrow.chain.refusals.decoding import explain
from milestone_escrow.errors import ContractError
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.token import Token
from milestone_escrow.words.refusals.telling import RULES

BUYER, SUPPLIER, TOKEN, ARBITER, VERIFIER, STRANGER = (f"0x{d * 40}" for d in "123456")
ZERO = "0x" + "0" * 40
APRIL = 1_807_739_999  # 14 Apr 2027, 21:59:59 UTC

TERMS = Terms(BUYER, SUPPLIER, TOKEN, ARBITER, (VERIFIER,), 0, 0, 9, 0, ZERO, 0, b"\0" * 32, 1)
MILESTONE = Milestone(72_000_000_000, APRIL, False, 1, 1, b"\1" * 32)
DEAL = OpenedAgreement(b"\2" * 32, TERMS, (MILESTONE, MILESTONE))
USDC = Token("USDC", TOKEN, 6)


def attempt(verb: str, **changes: Any) -> Attempt:
    state = State(Status.FUNDED)
    return replace(Attempt(verb, BUYER, DEAL, USDC, 1, state), **changes)


def entry(name: str) -> Entry:
    both = (interface(contract).errors.values() for contract in ("MilestoneEscrow", "TestUSDC"))
    return next(found for errors in both for found in errors if found.name == name)


def refusal(name: str, *values: object, verb: str = "finalize", **changes: Any) -> ContractError:
    error = entry(name)
    data = error.key + encode([p["type"] for p in error.inputs], values)
    return explain(data, attempt(verb, **changes))


def test_a_window_that_is_open_says_until_when_and_what_happens_then() -> None:
    error = refusal("TooEarly", APRIL - 5, APRIL)
    assert str(error) == (
        "the window is open until 14 Apr 2027, 21:59 UTC, nothing to finalize before; "
        "then `finalize` pays 72,000.00 USDC to the buyer"
    )
    assert error.name == "TooEarly"
    assert error.values == {"nowAt": APRIL - 5, "end": APRIL}


def test_a_wrong_verb_explains_the_right_one() -> None:
    error = refusal("NotAuthorized", BUYER, SUPPLIER, verb="refund")
    assert str(error) == (
        f"only the payee gives money back: the supplier, {SUPPLIER}; from 14 Apr 2027, 21:59 UTC "
        "anyone can `finalize`, which pays 72,000.00 USDC to the buyer"
    )


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("approve", "only the buyer approves"),
        ("submit", "only the payee submits"),
        ("rule", "only the arbiter rules"),
        ("dispute", "only the one it goes against"),
        ("settle", "needs the consent of"),
        ("amend", "this change order also needs the consent of"),
        ("assign", "only the payee hands milestone 2 on"),
        ("buy", "this offer is for one buyer only"),
    ],
)
def test_each_verb_says_whose_it_is(verb: str, says: str) -> None:
    assert says in str(refusal("NotAuthorized", STRANGER, BUYER, verb=verb))


def test_without_an_arbiter_nobody_rules() -> None:
    assert "nobody may rule here" in str(refusal("NotAuthorized", STRANGER, ZERO, verb="rule"))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Status.UNFUNDED, "is not funded, there is nothing to attest; fund it first"),
        (Status.SETTLED, "nothing more can happen to it"),
    ],
)
def test_a_wrong_status_is_named_with_the_right_ones(status: Status, says: str) -> None:
    assert says in str(refusal("WrongStatus", 1, int(status), 0b111110, verb="attest"))


SENTENCES: list[tuple[str, tuple[object, ...], str, str]] = [
    ("AgreementNotOpen", (b"\1" * 32,), "fund", "is not open"),
    ("TermOutOfBounds", (b"feeBps", 2000, 0, 1000), "open", "feeBps is 2000, allowed are 0 to"),
    ("MilestoneOutOfBounds", (1, b"deadline", 9, 10, 11), "open", "deadline is 1 Jan 1970"),
    ("RoleNotAllowed", (b"arbiter", BUYER), "open", "cannot be the arbiter"),
    ("UnknownMilestones", (0, 3), "fund", "no milestone was chosen"),
    ("UnknownMilestones", (0b11000, 3), "fund", "no milestone 4, 5; the agreement has 3"),
    ("TooLate", (APRIL, APRIL - 60), "attest", "ended on 14 Apr 2027, 21:58 UTC"),
    ("TooLate", (APRIL, APRIL), "fund", "agree on new dates"),
    ("InvalidSignature", (SUPPLIER, b"\1" * 32), "open", "not a signature of the supplier"),
    ("SignatureExpired", (APRIL, APRIL + 1), "attest", "was valid until 14 Apr 2027"),
    ("AttestationMismatch", (b"\1" * 32, 1, b"\2" * 32, 1), "attest", "another agreement"),
    ("AttestationMismatch", (b"\1" * 32, 0, b"\1" * 32, 1), "attest", "milestone 1, not mil"),
    ("VerdictNotAllowed", (3,), "attest", "shown to people and not sent"),
    ("IssuedAtOutOfBounds", (5, 5, 9), "attest", "not newer"),
    ("IssuedAtOutOfBounds", (10, 5, 9), "attest", "from the future"),
    ("AmountOutOfBounds", (0, 1, 9_000_000), "attest", "allowed are 0.000001 USDC to 9.00"),
    ("AmountOutOfBounds", (1, 0, 0), "attest", "a rejection certifies nothing"),
    ("SignersNotAllowed", (2, 1), "attest", "does not verify milestone 2"),
    ("QuorumNotReached", (1, 2), "attest", "1 of 2 needed verifiers have signed"),
    ("QuorumNotReached", (0, 0), "attest", "has no verifiers"),
    ("SignatureCountMismatch", (1, 2), "attest", "1 signatures for 2 signers"),
    ("SubmissionsOff", (), "submit", "submissions are off"),
    ("NoArbiter", (), "dispute", "the agreement has none"),
    ("SplitOutOfBounds", (7_000_000, 1, 5_000_000), "approve", "7.00 USDC is split, allowed"),
    ("SplitOutOfBounds", (1, 2_000_000, 2_000_000), "settle", "all that is held: 2.00 USDC"),
    ("TokenWithoutCode", (TOKEN,), "open", "no token at"),
    ("InexactTransfer", (2_000_000, 1_000_000), "fund", "delivered 1.00 USDC where 2.00 USDC"),
    ("GasTooLow", (1, 2), "attest", "1 gas was left for a payout, 2 is needed"),
    ("VerifiersDiffer", (2,), "attest", "item 2 of the batch has other verifiers"),
    ("ChangedSince", (b"held", 3 * 10**6, 2 * 10**6), "buy", "it held 3.00 USDC, now 2.00 USDC"),
    ("ChangedSince", (b"epoch", 1, 2), "buy", "somebody has decided about it"),
    ("ChangedSince", (b"carried", 3 * 10**6, 0), "amend", "it held 3.00 USDC, now 0.00 USDC"),
    ("RoleNotAllowed", (b"assignee", ARBITER), "buy", "the arbiter, 0x44"),
    ("RoleNotAllowed", (b"token", STRANGER), "amend", "a change order keeps the token"),
    ("MilestoneOutOfBounds", (1, b"quorum", 2, 0, 1), "amend", "new milestone 2: quorum is 2"),
    ("AmountOutOfBounds", (0, 1, 9_000_000), "buy", "the price is 0.00 USDC, allowed are 0.00"),
    ("WrongStatus", (1, 5, 0b1110), "assign", "is disputed, but `assign` needs funded"),
    ("TooLate", (APRIL, APRIL), "amend", "agree on new dates"),
    ("NothingCredited", (TOKEN, SUPPLIER), "withdraw", "nothing waits for the supplier"),
    ("WithdrawalFailed", (TOKEN, BUYER, 10**6), "withdraw", "cannot receive 1.00 USDC"),
    ("ERC20InsufficientBalance", (BUYER, 5, 10**6), "fund", "has 0.000005 USDC, needed are 1.00"),
    ("ERC20InsufficientAllowance", (TOKEN, 0, 10**6), "fund", "may take 0.00 USDC"),
    ("Denylisted", (BUYER,), "fund", "has denylisted the buyer"),
    ("SafeERC20FailedOperation", (TOKEN,), "fund", "refused the payment"),
    ("ERC3009UsedAuthorization", (BUYER, b"\7" * 32), "fund", "of the buyer, 0x11"),
    ("ERC3009InvalidAuthorizationTime", (0, APRIL), "fund", "and 14 Apr 2027, 21:59 UTC"),
    ("ERC2612ExpiredSignature", (APRIL,), "use the permit", "was valid until 14 Apr 2027"),
    ("ERC2612InvalidSigner", (SUPPLIER, BUYER), "use the permit", "not signed by the buyer"),
    ("ERC3009InvalidSignature", (), "fund", "did not sign this authorization"),
]


@pytest.mark.parametrize(("name", "values", "verb", "says"), SENTENCES)
def test_every_error_is_one_sentence(
    name: str, values: tuple[object, ...], verb: str, says: str
) -> None:
    error = refusal(name, *values, verb=verb)
    assert says in str(error)
    assert error.name == name
    assert "\n" not in str(error)
    assert error.hint or error.name == "NoArbiter"


def test_every_error_of_the_contract_has_a_sentence() -> None:
    # Those of libraries that a caller of these verbs cannot meet are left out.
    unreachable = {"InvalidShortString", "StringTooLong", "ReentrancyGuardReentrantCall"}
    unreachable |= {"AddressEmptyCode", "FailedCall"}
    told = {name for name, *_ in SENTENCES} | {"TooEarly", "NotAuthorized", "WrongStatus"}
    errors = {found.name for found in interface("MilestoneEscrow").errors.values()}
    assert errors - unreachable == told & errors


def test_no_rule_is_about_an_error_that_is_none() -> None:
    both = ("MilestoneEscrow", "TestUSDC")
    errors = {found.name for one in both for found in interface(one).errors.values()}
    # The compiler's own.
    assert set(RULES) - errors == {"Error", "Panic"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ERC20: transfer amount exceeds balance", "too few tokens"),
        ("ERC20: transfer amount exceeds allowance", "may not take that many"),
        ("Blacklistable: account is blacklisted", "denylisted"),
        ("Pausable: paused", "has paused all transfers"),
        ("FiatTokenV2: authorization is used or canceled", "was used or withdrawn"),
        ("FiatTokenV2: authorization is expired", "has expired"),
        ("FiatTokenV2: authorization is not yet valid", "does not count yet"),
        ("FiatTokenV2: permit is expired", "the permit has expired"),
        ("FiatTokenV2: invalid signature", "take this as the payer's signature"),
        ("no", "refused to fund: no"),
    ],
)
def test_texts_of_older_tokens_are_understood(text: str, says: str) -> None:
    data = bytes.fromhex("08c379a0") + encode(["string"], [text])
    assert says in str(explain(data, attempt("fund")))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no reason given"),
        (b"\1\2\3\4rest", "unknown error 0x01020304"),
        (bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big"), "a sum overflowed"),
        (bytes.fromhex("4e487b71") + (0x99).to_bytes(32, "big"), "panic code 0x99"),
        (bytes.fromhex("08c379a0") + b"\1", "unreadable"),
    ],
)
def test_what_cannot_be_decoded_is_said_to_be_so(data: bytes, says: str) -> None:
    assert says in str(explain(data, attempt("fund")))


CONTRACT = "0x" + "7" * 40
NO_ONE_HELPS = "no other account helps"


@pytest.mark.parametrize(
    ("stops", "says", "way_out"),
    [
        (Stops(everything=True), "has paused all transfers", "once they are resumed"),
        (Stops(accounts=(CONTRACT, BUYER)), f"the escrow contract, {CONTRACT}", NO_ONE_HELPS),
        (Stops(accounts=(BUYER,)), f"the buyer, {BUYER}", "pay from another account"),
        (Stops(accounts=(SUPPLIER,)), f"the supplier, {SUPPLIER}", "to or from that account"),
    ],
)
@pytest.mark.parametrize("data", [b"", bytes.fromhex("08c379a0") + encode(["string"], ["no"])])
def test_what_the_issuer_stopped_comes_with_what_helps(
    stops: Stops, says: str, way_out: str, data: bytes
) -> None:
    error = explain(data, attempt("fund", contract=CONTRACT, stops=stops))
    assert says in str(error)
    assert way_out in error.hint


def test_times_within_a_minute_are_told_with_seconds() -> None:
    error = refusal("IssuedAtOutOfBounds", APRIL - 30, APRIL - 10, APRIL, verb="attest")
    assert "of 14 Apr 2027, 21:59:29 UTC is not newer than that of 14 Apr 2027, 21:59:49" in str(
        error
    )
    same = refusal("IssuedAtOutOfBounds", APRIL, APRIL, APRIL, verb="attest")
    assert "of 14 Apr 2027, 21:59 UTC is not newer than that of 14 Apr 2027, 21:59 UTC" in str(same)


def test_amounts_of_unknown_tokens_are_units_of_its_address() -> None:
    error = refusal("ERC20InsufficientBalance", BUYER, 5, 1_000, token=None)
    assert (
        "has 5 units of 0x3333333333333333333333333333333333333333, needed are 1,000 units"
        in str(error)
    )
