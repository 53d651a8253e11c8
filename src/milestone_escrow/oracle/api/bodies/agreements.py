"""Agreements and their milestones, as they are answered."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from milestone_escrow.oracle.api.bodies.common import (
    Account,
    Amount,
    Body,
    Hash,
    HexBytes,
    Index,
    Moment,
    Person,
    TokenBody,
)

StatusName = Literal[
    "unfunded",
    "funded",
    "submitted",
    "release_pending",
    "refund_pending",
    "disputed_before_verdict",
    "disputed_over_verdict",
    "settled",
]
VerbName = Literal["fund", "attest", "submit", "dispute", "rule", "resolve", "finalize"]
RoleName = Literal["buyer", "payee", "verifiers", "arbiter", "anyone"]


class OptionBody(Body):
    """Somebody may do something, from `since` (null: at once) until before `until` (null: for as
    long as the status lasts). `accounts` is empty where anyone may."""

    verb: VerbName
    role: RoleName
    accounts: list[Account]
    since: Moment | None
    until: Moment | None
    is_open: bool


class SilenceBody(Body):
    """What happens when nobody acts: from `at` on, anyone may let time pay this."""

    at: Moment
    is_due: bool
    status: StatusName
    to_payee: Amount
    to_buyer: Amount
    leads_to: StatusName


class PayoutBody(Body):
    """What has left a milestone so far, by its events."""

    to_payee: Amount
    fee: Amount
    to_buyer: Amount


class UndeliveredBody(Body):
    """Paid and not delivered: the contract keeps it until `account` or anyone withdraws it."""

    account: Person
    amount: Amount
    since: Moment
    transaction: Hash


class MilestoneBody(Body):
    """One milestone with its lifecycle. `key`, `title`, `due` and `requires` are in the document,
    so they are null for strangers."""

    agreement_id: Hash
    index: Index
    key: str | None
    title: str | None
    status: StatusName
    amount: Amount
    held: Amount
    paid: PayoutBody
    undelivered: list[UndeliveredBody] = Field(
        description="What of `paid` could not be delivered and waits to be withdrawn"
    )
    pending: Amount
    due: Moment | None
    deadline: Moment | None
    ends: Moment | None
    pays_on_silence: bool
    payee: Person
    verifiers: list[Person]
    quorum: int
    epoch: int
    handover: int
    last_issued_at: Moment | None
    changed_at: Moment | None
    requirements_hash: Hash
    requires: str | None
    options: list[OptionBody]
    silence: list[SilenceBody]


class StageBody(Body):
    """A milestone in a list of agreements."""

    index: Index
    key: str | None
    status: StatusName
    amount: Amount
    deadline: Moment | None


class AgreementSummary(Body):
    """An agreement in a list. `is_open` is false where only its document is known here."""

    id: Hash
    is_open: bool
    reference: str | None
    title: str | None
    buyer: Person
    supplier: Person
    token: TokenBody
    total: Amount
    held: Amount
    opened_at: Moment | None
    replaced_by: Hash | None
    replaces: Hash | None
    your_role: str | None
    milestones: list[StageBody]


class AgreementList(Body):
    """A page of agreements; `next` leads on, null on the last page."""

    items: list[AgreementSummary]
    next: str | None


class TermsBody(Body):
    """The terms that both parties signed; durations are seconds, shares basis points."""

    objection_period: int
    review_period: int
    arbitration_period: int
    default_payee_bps: int
    fee_recipient: Account | None
    fee_bps: int
    document_hash: Hash
    salt: str


class AgreementBody(Body):
    """An agreement as far as whoever asks may read it: `document` and the signatures are for its
    own people."""

    id: Hash
    chain_id: int
    contract: Account
    is_open: bool
    reference: str | None
    title: str | None
    buyer: Person
    supplier: Person
    arbiter: Person | None
    verifiers: list[Person]
    token: TokenBody
    terms: TermsBody
    total: Amount
    held: Amount
    undelivered: list[UndeliveredBody] = Field(
        description="What was paid, or given back by a change order, and waits to be withdrawn"
    )
    opened_at: Moment | None
    opened_block: int | None
    replaced_by: Hash | None
    replaces: Hash | None
    your_role: str | None
    explorer: str | None = Field(description="The contract in the network's block explorer")
    document: dict[str, Any] | None
    signatures: dict[str, HexBytes] | None
    notes: list[str] = Field(
        description="What this machine reads otherwise than it was signed, in words. What was "
        "signed counts"
    )
    milestones: list[MilestoneBody]


class SignedAgreementBody(Body):
    """The content of a `.signed.json` file, as `escrow agreement sign` writes it."""

    format: Literal["1"]
    agreement_id: Hash
    chain_id: str = Field(pattern=r"^[0-9]{1,30}$")
    contract: Account
    token: dict[str, str]
    terms: dict[str, Any]
    document: dict[str, Any]
    calendar: str = Field(
        max_length=20,
        description='The release of the time zone data that dates were read by; "" where unknown',
    )
    signatures: dict[str, HexBytes]


class EventBody(Body):
    """Something that happened on chain; amounts in `data` are objects of units and text."""

    name: str = Field(examples=["MilestonePaid"])
    milestone: Index | None
    at: Moment
    block: int
    log_index: int
    transaction: Hash
    explorer: str | None
    is_final: bool
    data: dict[str, Any]


class History(Body):
    """What happened to an agreement, oldest first."""

    agreement_id: Hash
    items: list[EventBody]
    next: str | None
