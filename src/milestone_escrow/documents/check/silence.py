"""If this party goes silent, what happens, and when: for each role, from the status table."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import Course, Outcome, SilenceOf, Silent
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.protocol.lifecycle import Silence, State, Status, silence
from milestone_escrow.protocol.terms import Milestone, Terms
from milestone_escrow.protocol.token import Token

# Terms need a token's address, silence does not depend on it.
_ANY_ADDRESS = "0x" + "0" * 39 + "1"


def on_chain(agreement: AgreementData) -> tuple[Terms, tuple[Milestone, ...]]:
    """The terms before the network, and so the token's address, is chosen."""
    currency = agreement.currency
    return agreement.terms(Token(currency.symbol, _ANY_ADDRESS, currency.decimals))


def settled_by(agreement: AgreementData) -> int:
    """When the last money leaves the contract if everything is funded and nobody ever acts."""
    return max(milestone.deadline for milestone in agreement.milestones)


def silences(agreement: AgreementData, now: int) -> tuple[SilenceOf, ...]:
    """One entry for buyer, supplier, each verifier, all verifiers, arbiter and everybody."""
    return (
        _buyer(agreement, now),
        _supplier(agreement, now),
        *(_verifier(agreement, now, name) for name in agreement.model.parties.verifiers),
        *_all_verifiers(agreement, now),
        *_arbiter(agreement),
        SilenceOf(
            Silent.EVERYBODY, "everybody", "", _by_the_clock(agreement, now, agreement.milestones)
        ),
    )


def _buyer(agreement: AgreementData, now: int) -> SilenceOf:
    outcomes = []
    rules = agreement.model.rules
    for m in agreement.milestones:
        if m.is_deposit:
            outcomes.append(Outcome(m.key, Course.UNFUNDED, 0, 0, 0))
        elif m.quorum:
            wait = rules.objection_period
            course = Course.ACCEPTED
            outcomes.append(Outcome(m.key, course, 0, m.amount, 0, wait, m.verified_by))
        elif rules.review_period:
            wait = rules.review_period
            outcomes.append(Outcome(m.key, Course.SUBMITTED, 0, m.amount, 0, wait))
        else:
            outcomes.append(_clock(agreement, m, now))
    return SilenceOf(Silent.BUYER, "buyer", agreement.name("buyer"), tuple(outcomes))


def _supplier(agreement: AgreementData, now: int) -> SilenceOf:
    milestones = tuple(m for m in agreement.milestones if not m.is_deposit)
    return SilenceOf(
        Silent.SUPPLIER,
        "supplier",
        agreement.name("supplier"),
        _by_the_clock(agreement, now, milestones),
        deposits=sum(m.amount for m in agreement.milestones if m.is_deposit),
        silence_pays=any(m.pays_on_silence for m in milestones),
    )


def _verifier(agreement: AgreementData, now: int, name: str) -> SilenceOf:
    needed = tuple(
        m for m in agreement.milestones if name in m.verifiers and len(m.verifiers) - 1 < m.quorum
    )
    others = tuple(m.key for m in agreement.milestones if name in m.verifiers and m not in needed)
    outcomes = _by_the_clock(agreement, now, needed)
    return SilenceOf(Silent.VERIFIER, name, agreement.name(name), outcomes, others=others)


def _all_verifiers(agreement: AgreementData, now: int) -> Iterator[SilenceOf]:
    verified = tuple(m for m in agreement.milestones if m.quorum)
    if verified:
        outcomes = _by_the_clock(agreement, now, verified)
        yield SilenceOf(Silent.VERIFIERS, "verifiers", "", outcomes)


def _arbiter(agreement: AgreementData) -> Iterator[SilenceOf]:
    """Disputes at the last moment, which is the worst case."""
    if "arbiter" not in agreement.people:
        return
    terms, milestones = on_chain(agreement)
    outcomes = []
    for planned, milestone in zip(agreement.milestones, milestones, strict=True):
        if planned.is_deposit:
            continue
        clock = milestone.deadline + terms.arbitration_period
        state = State(status=Status.DISPUTED_BEFORE_VERDICT, clock=clock)
        for step in silence(terms, milestone, state):
            outcomes.append(_outcome(planned, Course.DISPUTE, step))
    yield SilenceOf(Silent.ARBITER, "arbiter", agreement.name("arbiter"), tuple(outcomes))


def _by_the_clock(
    agreement: AgreementData, now: int, milestones: tuple[PlannedMilestone, ...]
) -> tuple[Outcome, ...]:
    return tuple(_clock(agreement, milestone, now) for milestone in milestones)


def _clock(agreement: AgreementData, planned: PlannedMilestone, now: int) -> Outcome:
    if planned.is_deposit:
        return Outcome(planned.key, Course.FUNDED, now, planned.amount, 0)
    terms, milestones = on_chain(agreement)
    (step,) = silence(terms, milestones[planned.index], State(status=Status.FUNDED))
    return _outcome(planned, Course.CLOCK, step)


def _outcome(planned: PlannedMilestone, course: Course, step: Silence) -> Outcome:
    return Outcome(planned.key, course, step.at, step.split.to_payee, step.split.to_buyer)
