"""Selling what a milestone pays: the payee signs a price, a financier pays it."""

from __future__ import annotations

from milestone_escrow.deals import receivables
from milestone_escrow.deals.paying import require_balance
from milestone_escrow.deals.rights import require_assignable, require_holder
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Role
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.web.steps import paying
from milestone_escrow.web.steps.proposing import keep
from milestone_escrow.web.steps.visit import Visit, WalletStep, done, send, sign
from milestone_escrow.words.standing import when

NAME = "offer"


def offer(visit: Visit) -> WalletStep:
    """Ask the payee's signature under a price; with it, keep the offer for whoever may buy."""
    require_assignable(visit.here)
    require_holder(visit.here, Role.PAYEE, "sells it", visit.account)
    if NAME in visit.answers:
        return _offered(visit)
    act = _wanted(visit)
    held = {
        "financier": act.financier,
        "price": str(act.price),
        "held": str(act.held),
        "epoch": act.epoch,
        "handover": act.handover,
        "valid_until": act.valid_until,
    }
    return sign(
        NAME,
        f"Offer it for {visit.amount(act.price)}",
        act.typed_data(visit.escrow.domain),
        f"{_buyer_of(visit, act)} becomes the payee of {visit.amount(act.held)} by paying you "
        f"{visit.amount(act.price)} in the same moment.",
        f"The offer stands until {when(visit.here, act.valid_until)}, or until somebody decides "
        "about the milestone; what is paid by consent before comes off the price.",
        held=held,
    )


def buy(visit: Visit) -> WalletStep:
    """The financier's next step: let the contract take the price, then buy."""
    require_assignable(visit.here)
    with visit.web.api.store.reading() as connection:
        now = visit.web.api.chain_now(connection)
        found = proposals.offers(connection, visit.view, visit.index, now)
    signed = proposals.named(found, visit.text("offer"))
    act, seller = signed.act, visit.here.payee
    assert isinstance(act, Offer)
    receivables.require_buyer(visit.here, act, visit.account)
    price = receivables.price_now(visit.here, act)
    require_balance(visit, visit.account, price)
    uses = f"It costs nothing; the next step uses it to pay {visit.amount(price)}."
    by = paying.pulled(visit, price, uses, "only when you buy or fund something here")
    if isinstance(by, WalletStep):
        return by
    return send(
        "act",
        f"Buy for {visit.amount(price)}",
        visit.verbs.buy_receivable(visit.bound, act, signed.signatures[seller], permit=by),
        f"{visit.amount(price)} go from you to {visit.person(seller)} at once, and cannot be "
        "taken back.",
        f"From then on you are the payee of {visit.amount(visit.here.held)}; the page of the "
        "agreement says who can still stop it.",
    )


def _wanted(visit: Visit) -> Offer:
    price, left = visit.units("price"), visit.here.held
    if price is None or not 1 <= price <= left:
        raise UsageError(
            f"the price can be up to {visit.amount(left)}", hint="write for how much you sell it"
        )
    text = visit.text("financier", wanted=False)
    financier = read_account(text) if text else ZERO_ADDRESS
    if financier == visit.account:
        raise UsageError("this is yours already", hint="name somebody else, or nobody for anyone")
    receivables.require_may_own(visit.here, financier)
    return receivables.offer(visit.here, financier, price, visit.until)


def _offered(visit: Visit) -> WalletStep:
    financier = str(visit.held.get(NAME, {}).get("financier", ""))
    names = ("price", "held", "epoch", "handover", "valid_until")
    who = ZERO_ADDRESS if financier == ZERO_ADDRESS else read_account(financier)
    values = (visit.number(NAME, name) for name in names)
    act = Offer(visit.view.id, visit.index, who, *values)
    keep(visit, act, NAME)
    return done(
        "Offered",
        f"{_buyer_of(visit, act)} can buy it on the agreement's page for "
        f"{visit.amount(act.price)}.",
        "Whoever has no role in the agreement needs a link to read it, which the parties make at "
        "the foot of its page.",
    )


def _buyer_of(visit: Visit, act: Offer) -> str:
    return "Whoever buys it" if act.financier == ZERO_ADDRESS else visit.person(act.financier)
