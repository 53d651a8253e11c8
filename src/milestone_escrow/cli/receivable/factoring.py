"""A receivable in a factor's words: the verdict, who can stop it, when it pays, what it costs."""

from __future__ import annotations

from milestone_escrow.deals.receivables import price_now
from milestone_escrow.documents.when import format_duration
from milestone_escrow.protocol.assessment import (
    Assessment,
    OfferCost,
    Security,
    Stopper,
    net,
    offer_cost,
)
from milestone_escrow.protocol.lifecycle import Role, Verb
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.words.standing import Standing, amount, person, when, who

_DOES = {
    Verb.ATTEST: "can certify less, or reject it,",
    Verb.DISPUTE: "can dispute it",
    Verb.RULE: "can rule otherwise",
}


def verdict(standing: Standing, found: Assessment) -> str:
    """The answer in a few words: "objection possible until 14 Apr 2027, 23:59 UTC+02:00"."""
    if found.security is Security.OBJECTION_POSSIBLE and found.until is not None:
        return f"{found.security.value} until {when(standing, found.until)}"
    if found.security is Security.BUYER_CAN_STOP and found.until is not None:
        return f"{found.security.value}, until {when(standing, found.until)}"
    return found.security.value


def kind(standing: Standing, found: Assessment) -> str:
    """What kind of payment it is, and what that means."""
    meaning = {
        "deposit": "paid as soon as it is funded",
        "milestone payment": "paid when it is proven; otherwise it goes back to the buyer",
        "progress payment": "paid on its date unless somebody objects",
    }
    return f"{found.kind.value}: {meaning[found.kind.value]}"


def money(standing: Standing, found: Assessment) -> str:
    """Whether the money is there."""
    if not found.is_funded:
        return "nothing is held: it is " + ("settled" if standing.paid_out.total else "not funded")
    text = f"{amount(standing, found.held)} held by the contract"
    charge = found.held - net(standing.terms, found.held)
    return f"{text}, of which {amount(standing, charge)} will be the fee" if charge else text


def verified(standing: Standing, found: Assessment) -> str:
    if found.verified:
        return f"{amount(standing, found.verified)} accepted by {who(standing, Role.VERIFIERS)}"
    if not standing.milestone.quorum:
        return "no, and the agreement names nobody who could"
    return f"no; {who(standing, Role.VERIFIERS)} can"


def stopper(standing: Standing, one: Stopper) -> str:
    """ "the buyer (Nordlicht) can dispute it until 14 Apr 2027, 23:59 UTC+02:00 (in 3 days)"."""
    return f"{who(standing, one.role)} {_DOES[one.verb]} until {when(standing, one.until)}"


def expected(standing: Standing, found: Assessment) -> str:
    """What silence brings to the payee."""
    if not found.expected or found.expected_at is None:
        return "nothing, if nobody acts"
    moment = when(standing, found.expected_at)
    return f"{amount(standing, found.expected)} if nobody acts, on {moment}"


def moment(standing: Standing, at: int | None) -> str:
    if at is None:
        return "only with the buyer's consent"
    return "now" if at <= standing.now else when(standing, at)


def worst(standing: Standing, found: Assessment) -> str:
    return f"{amount(standing, found.worst)}, whatever others do" if found.worst else "nothing"


def handovers(standing: Standing, found: Assessment) -> list[str]:
    """Earlier sales and assignments, as the chain tells them."""
    return [
        f"{person(standing.bound, one.payee)} to {person(standing.bound, one.assignee)}"
        f"{f' for {amount(standing, one.price)}' if one.price else ''} on {when(standing, one.at)}"
        for one in found.handovers
    ]


def cost_of(standing: Standing, found: Assessment, offer: Offer) -> OfferCost | None:
    """What the offer costs its seller; None where no day can be told on which it pays.

    Where silence brings nothing, the day is the latest on which proven work is paid.
    """
    paid_at = found.expected_at if found.expected else _proven_and_paid(standing)
    face = found.expected or net(standing.terms, found.held)
    price = price_now(standing, offer)
    if paid_at is None or price >= face:
        return None
    return offer_cost(price, face, standing.now, paid_at)


def _proven_and_paid(standing: Standing) -> int | None:
    """When it is paid if it is proven in the last second and nobody objects."""
    terms, milestone = standing.terms, standing.milestone
    if standing.now >= milestone.deadline or not (milestone.quorum or terms.review_period):
        return None
    wait = terms.objection_period if milestone.quorum else terms.review_period
    return milestone.deadline + wait


def cost_words(standing: Standing, found: Assessment, offer: Offer) -> str:
    """ "96,000.00 for 100,000.00 in 40 days: 38.0 % a year"."""
    cost = cost_of(standing, found, offer)
    face = found.expected or net(standing.terms, found.held)
    price = price_now(standing, offer)
    if cost is None and price >= face:
        return f"{_bare(standing, price)} for {_bare(standing, face)}: it earns nothing"
    if cost is None:
        return f"{_bare(standing, price)} for {_bare(standing, face)}, on no certain day"
    days = f"{cost.days} day{'s' if cost.days > 1 else ''}"
    rate = f"{float(cost.yearly_rate * 100):,.1f} % a year"
    both = f"{_bare(standing, cost.price)} for {_bare(standing, cost.face)} in {days}: {rate}"
    return both if found.expected else f"{both}, if it is proven and nobody objects"


def stands_until(standing: Standing, offer: Offer) -> str:
    until = min(offer.valid_until, standing.end)
    return (
        f"stands until {when(standing, until)}, or until somebody decides about '{standing.key}' "
        "or you take it back (`escrow receivable withdraw`); what is paid by consent before comes "
        "off the price"
    )


def longest_wait(found: Assessment, now: int) -> str:
    """How long the money can take at the most: "100 days"."""
    return format_duration(max(found.latest - now, 0)) if found.latest else ""


def _bare(standing: Standing, units: int) -> str:
    """An amount without its symbol."""
    return amount(standing, units).removesuffix(standing.bound.agreement.token_symbol).rstrip()
