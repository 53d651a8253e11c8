"""The sentences on an invoice: where its money is, and what pays it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.when import format_date, format_duration, format_time
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Silence, State, Status, held, silence


def name_of(agreement: Agreement, account: Address) -> str:
    """Who an account is in the agreement, or the account itself."""
    if roles := agreement.roles(account):
        return agreement.name(roles[0])
    return "Escrow fee" if account == agreement.model.payment.fee.recipient else account


def how_it_is_paid(ledger: Ledger, planned: PlannedMilestone) -> tuple[str, ...]:
    """Paragraphs: where the money is, what pays it, and what happens if nobody acts."""
    state = ledger.states[planned.index]
    if state.status is Status.SETTLED:
        return (_settled(ledger, planned),)
    if not state.status.holds:
        return tuple(_unfunded(ledger, planned))
    return tuple(_waiting(ledger, planned, state))


def _settled(ledger: Ledger, planned: PlannedMilestone) -> str:
    payments = ledger.payments(planned)
    if payments:
        day = format_date(ledger.day(payments[-1].event.place.time))
        if waits := sum(payment.waiting for payment in payments):
            return (
                f"Decided by the escrow contract on {day}. {ledger.bound.agreement.amount(waits)} "
                "of it could not be delivered and waits there for `escrow withdraw`; nothing more "
                "is due."
            )
        return f"Paid by the escrow contract on {day}; the receipt says how."
    if ledger.returned(planned.index):
        if waits := ledger.waiting(planned.index, ledger.bound.terms.buyer):
            return (
                "The escrow contract has decided that this amount goes back to the buyer, and "
                f"could not deliver {ledger.bound.agreement.amount(waits)}, which waits there for "
                "`escrow withdraw`; nothing is due."
            )
        return "The escrow contract has given this amount back to the buyer; nothing is due."
    return "A change order has moved this milestone into a new version; nothing is due here."


def _unfunded(ledger: Ledger, planned: PlannedMilestone) -> Iterator[str]:
    agreement = ledger.bound.agreement
    buyer, supplier = agreement.name("buyer"), agreement.name("supplier")
    until = ""
    if planned.deadline:
        until = f", before {format_time(planned.deadline, agreement.timezone)}"
    yield (
        f"{buyer} pays {agreement.amount(planned.amount)} into the escrow contract on "
        f"{ledger.network.title}{until}.{_nothing_else(planned)}"
    )
    if planned.is_deposit:
        yield f"It is a deposit: the contract passes it on to {supplier} at once."
    else:
        yield _conditions(ledger, planned)


def _waiting(ledger: Ledger, planned: PlannedMilestone, state: State) -> Iterator[str]:
    agreement, zone = ledger.bound.agreement, ledger.bound.agreement.timezone
    milestone = ledger.bound.milestones[planned.index]
    left, funding = agreement.amount(held(milestone, state)), ledger.funding(planned.index)
    since = f", paid in on {format_date(ledger.day(funding.place.time))}" if funding else ""
    yield (
        f"{left} waits in the escrow contract on {ledger.network.title}{since}."
        f"{_nothing_else(planned)}"
    )
    steps = silence(ledger.bound.terms, milestone, state)
    at = format_time(steps[0].at, zone) if steps else ""
    if state.status is Status.FUNDED:
        yield _conditions(ledger, planned)
    elif state.status in (Status.SUBMITTED, Status.RELEASE_PENDING):
        done = "submitted" if state.status is Status.SUBMITTED else "certified"
        pays = steps[0].split.to_payee
        if rest := held(milestone, state) - steps[0].split.total:
            yield (
                f"It is {done} in part: unless somebody disputes that, the contract pays "
                f"{agreement.amount(pays)} after {at}, and {agreement.amount(rest)} goes on "
                "waiting to be certified."
            )
        else:
            yield f"It is {done}: unless the buyer disputes that, the contract pays after {at}."
    elif state.status is Status.REFUND_PENDING:
        yield f"It was rejected: unless the payee disputes that, the buyer is refunded after {at}."
    else:
        yield f"It is disputed: the arbiter may rule until {at}."
    if steps:
        yield _silent(ledger, planned, steps)


def _nothing_else(planned: PlannedMilestone) -> str:
    """Paying twice is the mistake to prevent; VAT on top is what the contract does not pay."""
    on_top = planned.vat is not None and planned.vat.on_top
    return "" if on_top else " Please pay nothing outside of it."


def _conditions(ledger: Ledger, planned: PlannedMilestone) -> str:
    agreement = ledger.bound.agreement
    rules = agreement.model.rules
    payee = name_of(agreement, ledger.payee(planned.index))
    ways: list[str] = []
    if planned.quorum:
        names = [agreement.name(role) for role in planned.verifiers]
        count = f"{planned.quorum} of " if len(names) > 1 else ""
        sign = "certifies" if len(names) == 1 else "certify"
        way = f"when {count}{', '.join(names)} {sign} the milestone"
        if rules.objection_period:
            way += f" and nobody has objected for {format_duration(rules.objection_period)}"
        ways.append(way)
    if rules.review_period:
        time = format_duration(rules.review_period)
        ways.append(f"when it is submitted and the buyer has not objected for {time}")
    ways.append("whenever the buyer approves it")
    return f"The contract pays {payee} {', or '.join(ways)}."


def _silent(ledger: Ledger, planned: PlannedMilestone, steps: Sequence[Silence]) -> str:
    agreement = ledger.bound.agreement
    payee = name_of(agreement, ledger.payee(planned.index))
    told: list[str] = []
    for step in steps:
        parts: list[str] = []
        if step.split.to_payee:
            parts.append(f"{agreement.amount(step.split.to_payee)} goes to {payee}")
        if step.split.to_buyer:
            buyer = agreement.name("buyer")
            parts.append(f"{agreement.amount(step.split.to_buyer)} goes back to {buyer}")
        at = format_time(step.at, agreement.timezone)
        told.append(f"{' and '.join(parts)} after {at}")
    return f"If nobody acts, {'; then '.join(told)}."


def when_paid(ledger: Ledger, planned: PlannedMilestone) -> str:
    """When its payment can be expected, counted from what starts it: the work's date does not."""
    rules = ledger.bound.agreement.model.rules
    if planned.is_deposit:
        return "when funded"
    if planned.pays_on_silence:
        return f"{format_time(planned.deadline, ledger.bound.agreement.timezone)} at the latest"
    if planned.quorum:
        wait = rules.objection_period
        return f"{format_duration(wait)} after it is certified" if wait else "when certified"
    if rules.review_period:
        return f"{format_duration(rules.review_period)} after it is submitted"
    return "when the buyer approves"
