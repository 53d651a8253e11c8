"""If this party goes silent, what happens, and when: for each role, from the status table."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.report import Outcome, SilenceOf
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.when import format_duration, format_time
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
            "everybody",
            "everybody",
            "Time alone settles every funded milestone; what is not funded never moves.",
            _by_the_clock(agreement, now, agreement.milestones),
        ),
    )


def _buyer(agreement: AgreementData, now: int) -> SilenceOf:
    outcomes = []
    rules = agreement.model.rules
    for milestone in agreement.milestones:
        amount = agreement.amount(milestone.amount)
        if milestone.is_deposit:
            text = "is not paid, because nobody funds it"
        elif milestone.quorum:
            text = f"pays {amount} {_later(rules.objection_period)} after {_accepting(milestone)}"
        elif rules.review_period:
            text = f"pays {amount} {format_duration(rules.review_period)} after it is submitted"
        else:
            outcomes.append(_clock(agreement, milestone, now))
            continue
        to_payee = 0 if milestone.is_deposit else milestone.amount
        outcomes.append(Outcome(milestone.key, 0, to_payee, 0, text))
    text = "What is funded goes on without the buyer; what is not funded need not be worked on."
    return SilenceOf("buyer", agreement.name("buyer"), text, tuple(outcomes))


def _supplier(agreement: AgreementData, now: int) -> SilenceOf:
    milestones = tuple(m for m in agreement.milestones if not m.is_deposit)
    text = "Work that is not done is not proven, and the clock decides."
    if any(m.pays_on_silence for m in milestones):
        text += " Where silence pays, the buyer must object before the date."
    if deposits := sum(m.amount for m in agreement.milestones if m.is_deposit):
        text += f" A deposit of {agreement.amount(deposits)} is with the supplier already."
    outcomes = _by_the_clock(agreement, now, milestones)
    return SilenceOf("supplier", agreement.name("supplier"), text, outcomes)


def _verifier(agreement: AgreementData, now: int, name: str) -> SilenceOf:
    needed = tuple(
        m for m in agreement.milestones if name in m.verifiers and len(m.verifiers) - 1 < m.quorum
    )
    others = [m.key for m in agreement.milestones if name in m.verifiers and m not in needed]
    text = "The buyer can still approve, and the clock decides where nobody else can certify."
    if others:
        text = f"The other verifiers suffice for {', '.join(others)}." + (
            f" {text}" if needed else ""
        )
    elif not needed:
        text = "Nothing changes: no milestone names this verifier."
    outcomes = _by_the_clock(agreement, now, needed)
    return SilenceOf(name, agreement.name(name), text, outcomes)


def _all_verifiers(agreement: AgreementData, now: int) -> Iterator[SilenceOf]:
    verified = tuple(m for m in agreement.milestones if m.quorum)
    if verified:
        text = "The buyer can still approve; otherwise the clock decides."
        outcomes = _by_the_clock(agreement, now, verified)
        yield SilenceOf("verifiers", "all verifiers", text, outcomes)


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
            outcomes.append(_outcome(agreement, planned, step, "disputed before a verdict, "))
    text = "A verdict of the verifiers stands. A dispute without a verdict is shared as agreed."
    yield SilenceOf("arbiter", agreement.name("arbiter"), text, tuple(outcomes))


def _by_the_clock(
    agreement: AgreementData, now: int, milestones: tuple[PlannedMilestone, ...]
) -> tuple[Outcome, ...]:
    return tuple(_clock(agreement, milestone, now) for milestone in milestones)


def _clock(agreement: AgreementData, planned: PlannedMilestone, now: int) -> Outcome:
    if planned.is_deposit:
        text = f"pays {agreement.amount(planned.amount)} as soon as it is funded"
        return Outcome(planned.key, now, planned.amount, 0, text)
    terms, milestones = on_chain(agreement)
    (step,) = silence(terms, milestones[planned.index], State(status=Status.FUNDED))
    return _outcome(agreement, planned, step)


def _outcome(
    agreement: AgreementData, planned: PlannedMilestone, step: Silence, prefix: str = ""
) -> Outcome:
    when = format_time(step.at, agreement.timezone)
    payee, buyer = agreement.short_name("supplier"), agreement.short_name("buyer")
    to_payee, to_buyer = step.split.to_payee, step.split.to_buyer
    if to_payee and to_buyer:
        money = f"pays {agreement.amount(to_payee)} to {payee}, {agreement.amount(to_buyer)} back"
    elif to_payee:
        money = f"pays {agreement.amount(to_payee)} to {payee}"
    else:
        money = f"returns {agreement.amount(to_buyer)} to {buyer}"
    return Outcome(planned.key, step.at, to_payee, to_buyer, f"{prefix}{money} after {when}")


def _later(period: int) -> str:
    return format_duration(period) if period else "at once"


def _accepting(milestone: PlannedMilestone) -> str:
    return f"{milestone.verified_by} accepted"
