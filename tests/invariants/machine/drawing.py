"""Agreements as hypothesis draws them: within bounds, and one bound broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address, Domain
from milestone_escrow.protocol.terms import DAY, MAX_HORIZON, MAX_PERIOD, Milestone, Terms
from tests.contracts.support.deal import Deal
from tests.invariants.accounts import account
from tests.invariants.machine.stage import NO_TOKEN, Stage

AMOUNTS = (1, 3, 99, 100, 10_001, 10**9, 10**24 + 7, 2**128 - 1)
TOKENS = ("USDC", "USDC", "plain", "silent", "fickle 6", "fickle 6", "fickle 18", NO_TOKEN)
FEES = ((0, ZERO_ADDRESS), (1_000, "broker"), (1, "broker"), (333, "supplier"), (500, "buyer"))


@dataclass(frozen=True, slots=True)
class MilestoneSketch:
    amount: int
    days: int
    kind: str
    signers: int
    lenient: bool


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is chosen about an agreement; `bind` makes it one."""

    buyer: str
    supplier: str
    token: str
    arbiter: str
    verifiers: int
    objection: int
    review: int
    arbitration: int
    default_bps: int
    fee: tuple[int, str]
    milestones: tuple[MilestoneSketch, ...]


MILESTONES = st.builds(
    MilestoneSketch,
    amount=st.sampled_from(AMOUNTS),
    days=st.sampled_from((2, 10, 30, 60)),
    kind=st.sampled_from((*("proof", "proof", "progress") * 3, "deposit")),
    signers=st.sampled_from((15, 15, 7, 6, 3, 1, 0)),
    lenient=st.booleans(),
)
SKETCHES = st.builds(
    Sketch,
    buyer=st.sampled_from(("buyer", "buyer 2")),
    supplier=st.sampled_from(("supplier", "supplier 2")),
    token=st.sampled_from(TOKENS),
    arbiter=st.sampled_from(("arbiter", "arbiter", "judge", "")),
    verifiers=st.sampled_from((4, 4, 4, 2, 0)),
    objection=st.sampled_from((0, DAY, 5 * DAY)),
    review=st.sampled_from((4 * DAY, 4 * DAY, 0)),
    arbitration=st.sampled_from((3 * DAY, 10 * DAY)),
    default_bps=st.sampled_from((0, 3_333, 5_000, 10_000)),
    fee=st.sampled_from(FEES),
    milestones=st.lists(MILESTONES, min_size=2, max_size=4).map(tuple),
)


def bind(sketch: Sketch, stage: Stage, domain: Domain, now: int, salt: int) -> Deal:
    """The agreement itself; a salt makes it one of its own."""
    verifiers = stage.verifiers[: sketch.verifiers]
    fee_bps, fee_recipient = sketch.fee
    terms = Terms(
        buyer=account(sketch.buyer),
        supplier=account(sketch.supplier),
        token=stage.token(sketch.token),
        arbiter=_arbiter(sketch.arbiter, stage),
        verifiers=verifiers,
        objection_period=sketch.objection,
        review_period=sketch.review,
        arbitration_period=sketch.arbitration,
        default_payee_bps=sketch.default_bps,
        fee_recipient=account(fee_recipient),
        fee_bps=fee_bps,
        document_hash=b"\xd0" * 32,
        salt=salt,
    )
    milestones = tuple(_bind(sketched, len(verifiers), now) for sketched in sketch.milestones)
    return Deal(domain, terms, milestones)


def _bind(sketch: MilestoneSketch, verifiers: int, now: int) -> Milestone:
    signers = sketch.signers & (1 << verifiers) - 1
    size = signers.bit_count()
    quorum = min(size, 1) if sketch.lenient else size
    deadline = 0 if sketch.kind == "deposit" else now + sketch.days * DAY
    return Milestone(sketch.amount, deadline, sketch.kind != "proof", signers, quorum, b"\x4c" * 32)


def _arbiter(name: str, stage: Stage) -> Address:
    if not name:
        return ZERO_ADDRESS
    return stage.judge if name == "judge" else account(name)


Flaw = Callable[[Deal, Stage, int], Deal]


def _terms(**changes: object) -> Flaw:
    return lambda deal, stage, now: replace(deal, terms=replace(deal.terms, **changes))  # type: ignore[arg-type]


def _first(**changes: object) -> Flaw:
    def spoil(deal: Deal, stage: Stage, now: int) -> Deal:
        first = replace(deal.milestones[0], **changes)  # type: ignore[arg-type]
        return replace(deal, milestones=(first, *deal.milestones[1:]))

    return spoil


def _deadline(after: int) -> Flaw:
    return lambda deal, stage, now: _first(deadline=now + after, pays_on_silence=False)(
        deal, stage, now
    )


FLAWS: Mapping[str, Flaw] = {
    "an objection period of more than a year": _terms(objection_period=MAX_PERIOD + 1),
    "a review period of more than a year": _terms(review_period=MAX_PERIOD + 1),
    "too little time for the arbiter": _terms(arbitration_period=3 * DAY - 1),
    "more than all for the payee": _terms(default_payee_bps=10_001),
    "a fee of more than a tenth": _terms(fee_bps=1_001, fee_recipient=account("broker")),
    "a fee for nobody": _terms(fee_bps=1, fee_recipient=ZERO_ADDRESS),
    "no buyer": _terms(buyer=ZERO_ADDRESS),
    "no token": _terms(token=ZERO_ADDRESS),
    "a deal with oneself": lambda deal, stage, now: _terms(supplier=deal.terms.buyer)(
        deal, stage, now
    ),
    "a judge in its own cause": lambda deal, stage, now: _terms(arbiter=deal.terms.buyer)(
        deal, stage, now
    ),
    "the escrow as fee recipient": lambda deal, stage, now: _terms(
        fee_recipient=deal.domain.verifying_contract
    )(deal, stage, now),
    "verifiers out of order": lambda deal, stage, now: _terms(verifiers=stage.verifiers[::-1])(
        deal, stage, now
    ),
    "a verifier twice": lambda deal, stage, now: _terms(verifiers=stage.verifiers[:1] * 2)(
        deal, stage, now
    ),
    "no milestones": lambda deal, stage, now: replace(deal, milestones=()),
    "no amount": _first(amount=0),
    "a verifier who is not there": _first(verifier_set=16, quorum=1),
    "a quorum above the set": _first(verifier_set=0, quorum=1),
    "no quorum": lambda deal, stage, now: _first(verifier_set=1, quorum=0)(
        _terms(verifiers=stage.verifiers)(deal, stage, now), stage, now
    ),
    "a deposit that silence refunds": _first(deadline=0, pays_on_silence=False),
    "a deadline that is now": _deadline(0),
    "a deadline after twenty years": _deadline(MAX_HORIZON + 1),
}
