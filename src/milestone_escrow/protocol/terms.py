"""The on-chain part of an agreement: terms, milestones, and the id that commits to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milestone_escrow.errors import TermsError
from milestone_escrow.protocol.eip712 import (
    ZERO_ADDRESS,
    Address,
    Domain,
    Field,
    Message,
    Struct,
    TypedData,
)
from milestone_escrow.protocol.hashing import keccak

DAY = 86_400
MAX_MILESTONES = 60
MAX_VERIFIERS = 32
MAX_FEE_BPS = 1_000
BPS = 10_000
MIN_ARBITRATION_PERIOD = 3 * DAY
MIN_REVIEW_PERIOD = 3 * DAY
"""Unless it is 0, which switches submissions off."""
MIN_TIME_TO_OBJECT = 3 * DAY
"""Whoever a rejection or a rest goes against has this long at least, however short the objection
period."""
MAX_PERIOD = 366 * DAY
MAX_HORIZON = 20 * 366 * DAY

_ROLES = ("buyer", "supplier", "token", "arbiter", "fee_recipient")


@dataclass(frozen=True, slots=True)
class Milestone:
    """One payable stage, as the contract sees it.

    Attributes:
        amount: token units, above 0.
        deadline: Unix seconds when silence decides; 0 = a deposit, paid when funded.
        pays_on_silence: silence pays the payee (progress payment) instead of the buyer.
        verifier_set: bitmap over `Terms.verifiers`.
        quorum: how many of the set must sign the same attestation; 0 exactly when it is empty.
        requirements_hash: 32 bytes that commit to what must be shown.
    """

    amount: int
    deadline: int
    pays_on_silence: bool
    verifier_set: int
    quorum: int
    requirements_hash: bytes

    @property
    def is_deposit(self) -> bool:
        return self.deadline == 0

    def message(self) -> Message:
        """The fields under their Solidity names, for the typed-data codec."""
        return MILESTONE.of(self)

    def hash(self) -> bytes:
        """`hashStruct` of the milestone, 32 bytes."""
        return MILESTONE.hash(self.message())


@dataclass(frozen=True, slots=True)
class Terms:
    """The on-chain part of an agreement without its milestones. Periods are seconds."""

    buyer: Address
    supplier: Address
    token: Address
    arbiter: Address
    verifiers: tuple[Address, ...]
    objection_period: int
    review_period: int
    arbitration_period: int
    default_payee_bps: int
    fee_recipient: Address
    fee_bps: int
    document_hash: bytes
    salt: int

    @property
    def has_arbiter(self) -> bool:
        return self.arbiter != ZERO_ADDRESS

    def message(self, milestones: Sequence[Milestone]) -> Message:
        """The `Agreement` struct under its Solidity names, for the typed-data codec."""
        listed = [milestone.message() for milestone in milestones]
        return {**TERMS.of(self), "milestones": listed}

    def verifiers_of(self, milestone: Milestone) -> tuple[Address, ...]:
        """The accounts of a milestone's verifier set, in ascending order."""
        return tuple(v for i, v in enumerate(self.verifiers) if milestone.verifier_set >> i & 1)


MILESTONE = Struct(
    "Milestone",
    (
        Field("uint128", "amount"),
        Field("uint64", "deadline"),
        Field("bool", "paysOnSilence"),
        Field("uint32", "verifierSet"),
        Field("uint8", "quorum"),
        Field("bytes32", "requirementsHash"),
    ),
)

# The parts of `Agreement` but for its milestones, which Solidity has in a struct of their own.
#
# Some hardware wallets hash a nested struct of exactly 17 words wrongly, and `verifiers` directly
# before `milestones`: the order and number of these fields keep clear of both.
TERMS = Struct(
    "Terms",
    (
        Field("address", "buyer"),
        Field("address", "supplier"),
        Field("address", "token"),
        Field("address", "arbiter"),
        Field("address[]", "verifiers"),
        Field("uint32", "objectionPeriod"),
        Field("uint32", "reviewPeriod"),
        Field("uint32", "arbitrationPeriod"),
        Field("uint16", "defaultPayeeBps"),
        Field("address", "feeRecipient"),
        Field("uint16", "feeBps"),
        Field("bytes32", "documentHash"),
        Field("uint256", "salt"),
    ),
)
AGREEMENT = Struct(
    "Agreement", (*TERMS.fields, Field("Milestone[]", "milestones")), members=(MILESTONE,)
)


def agreement_typed_data(
    domain: Domain, terms: Terms, milestones: Sequence[Milestone]
) -> TypedData:
    """What both parties sign; its digest is the agreement's id."""
    return TypedData(domain, AGREEMENT, terms.message(milestones))


def agreement_id(domain: Domain, terms: Terms, milestones: Sequence[Milestone]) -> bytes:
    """The 32-byte id: the EIP-712 digest of `Agreement` under `domain`."""
    return agreement_typed_data(domain, terms, milestones).digest()


def agreement_id_from_hashes(domain: Domain, terms: Terms, hashes: Sequence[bytes]) -> bytes:
    """The same id from milestone hashes, as the contract computes it after opening."""
    empty = terms.message(())
    words = [
        keccak(b"".join(hashes)) if name == "milestones" else encode(empty[name])
        for name, encode in AGREEMENT.encoders
    ]
    struct_hash = keccak(AGREEMENT.type_hash + b"".join(words))
    return keccak(b"\x19\x01" + domain.separator() + struct_hash)


def validate_terms(
    terms: Terms, milestones: Sequence[Milestone], *, contract: Address, now: int
) -> None:
    """Hold the bounds that the contract holds at opening, in its order.

    Raises:
        TermsError: the first bound that is broken, with what was asked and what is allowed; its
            `error` field is the name of the contract's custom error.
    """
    _validate_roles(terms, contract)
    _bound("the objection period", terms.objection_period, 0, MAX_PERIOD)
    least = MIN_REVIEW_PERIOD if terms.review_period else 0
    _bound("the review period", terms.review_period, least, MAX_PERIOD)
    _bound("the arbitration period", terms.arbitration_period, MIN_ARBITRATION_PERIOD, MAX_PERIOD)
    _bound("the payee's default share", terms.default_payee_bps, 0, BPS)
    _bound("the fee", terms.fee_bps, 0, MAX_FEE_BPS)
    _bound("the number of milestones", len(milestones), 1, MAX_MILESTONES)
    for index, milestone in enumerate(milestones):
        _validate_milestone(terms, index, milestone, now)


def _validate_roles(terms: Terms, contract: Address) -> None:
    """Letter case is only a checksum: accounts are compared without it, as the contract does."""
    contract = contract.lower()
    roles = {role: getattr(terms, role).lower() for role in _ROLES}
    verifiers = [verifier.lower() for verifier in terms.verifiers]
    for role in ("buyer", "supplier", "token"):
        if roles[role] == ZERO_ADDRESS:
            raise _role_refused(f"the {role} has no account")
    for role, account in roles.items():
        if account == contract:
            raise _role_refused(f"{role} is the escrow contract itself ({account})")
    if roles["buyer"] == roles["supplier"]:
        raise _role_refused(f"buyer and supplier are the same account ({terms.buyer})")
    if terms.has_arbiter and roles["arbiter"] in (roles["buyer"], roles["supplier"], *verifiers):
        raise _role_refused(f"the arbiter {terms.arbiter} is also a party or a verifier")
    if terms.fee_bps and roles["fee_recipient"] == ZERO_ADDRESS:
        raise _role_refused(f"a fee of {terms.fee_bps} basis points needs a recipient")
    if len(verifiers) > MAX_VERIFIERS:
        count = len(verifiers)
        raise TermsError(
            f"{count} verifiers, at most {MAX_VERIFIERS} are allowed", error="TermOutOfBounds"
        )
    previous = ZERO_ADDRESS
    for verifier in verifiers:
        if verifier <= previous or verifier == contract:
            raise _role_refused(
                f"verifiers must ascend strictly and not be the contract: {verifier}"
            )
        previous = verifier


def numbered(index: int) -> str:
    """What a milestone is called where no document names it: people count from 1."""
    return f"milestone {index + 1}"


def _validate_milestone(terms: Terms, index: int, milestone: Milestone, now: int) -> None:
    name = numbered(index)
    error = "MilestoneOutOfBounds"
    _bound(f"{name}: the amount", milestone.amount, 1, 2**128 - 1, error)
    if not (milestone.is_deposit and milestone.pays_on_silence):
        _bound(f"{name}: the deadline", milestone.deadline, now + 1, now + MAX_HORIZON, error)
    if milestone.verifier_set >> len(terms.verifiers):
        raise TermsError(
            f"{name}: its verifier set names verifiers that the agreement lacks", error=error
        )
    size = milestone.verifier_set.bit_count()
    _bound(f"{name}: the quorum", milestone.quorum, min(size, 1), size, error)


def _bound(what: str, asked: int, low: int, high: int, error: str = "TermOutOfBounds") -> None:
    if not low <= asked <= high:
        raise TermsError(f"{what} is {asked}, allowed are {low} to {high}", error=error)


def _role_refused(message: str) -> TermsError:
    return TermsError(message, error="RoleNotAllowed")
