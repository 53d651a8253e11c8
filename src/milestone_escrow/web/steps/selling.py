"""Selling what a milestone pays: the payee signs a price, a financier pays it."""

from __future__ import annotations

from milestone_escrow.documents.values import read_account
from milestone_escrow.documents.when import format_time
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import end, payee
from milestone_escrow.protocol.receivables import ASSIGNABLE, Offer
from milestone_escrow.web.steps import paying
from milestone_escrow.web.steps.proposing import (
    VALID_FOR,
    keep,
    left_of,
    number,
    state_of,
)
from milestone_escrow.web.steps.wish import Step, Table, done, send, sign
from milestone_escrow.words.standing import person

NAME = "offer"


def offer(table: Table) -> Step:
    """Ask the payee's signature under a price; with it, keep the offer for whoever may buy."""
    _require_open(table)
    seller = payee(table.view.terms, state_of(table))
    if table.wish.account != seller:
        raise UsageError(
            f"{table.wish.account} is not the payee here",
            hint=f"{_name(table, seller)} can sell what it pays",
        )
    if NAME in table.wish.signed:
        return _offered(table)
    act = _wanted(table)
    held = {
        "financier": act.financier,
        "price": str(act.price),
        "held": str(act.held),
        "sequence": act.sequence,
        "valid_until": act.valid_until,
    }
    assert table.view.agreement is not None
    until = format_time(act.valid_until, table.view.agreement.timezone)
    return sign(
        NAME,
        f"Offer it for {table.amount(act.price)}",
        act.typed_data(table.web.escrow.domain),
        f"{_buyer_of(table, act)} becomes the payee of {table.amount(act.held)} by paying you "
        f"{table.amount(act.price)} in the same moment.",
        f"The offer stands until {until}, or until anything else happens to the milestone; "
        "it cannot be taken back before.",
        held=held,
    )


def buy(table: Table) -> Step:
    """The financier's next step: let the contract take the price, then buy."""
    _require_open(table)
    with table.web.api.store.reading() as connection:
        now = table.web.api.chain_now(connection)
        found = proposals.offers(connection, table.view, table.index, now)
    signed = proposals.named(found, table.wish.text("offer"))
    act, seller = signed.act, payee(table.view.terms, state_of(table))
    assert isinstance(act, Offer)
    account = table.wish.account
    if act.financier not in (ZERO_ADDRESS, account):
        raise UsageError(
            f"the offer is to {_name(table, act.financier)} alone",
            hint="ask the payee for an offer to you, or to anyone",
        )
    if account == seller:
        raise UsageError("this is yours already", hint="nobody buys from oneself")
    _require_may_own(table, account)
    paying.require_balance(table, act.price)
    verbs = table.web.escrow.prepare_for(account)
    signature = signed.signatures[seller]
    by = None
    token = paying.token_of(table)
    if "permit" in table.wish.signed:
        by = paying.signed_permit(table, act.price)
    elif table.web.escrow.allowance(token, account) < act.price:
        if "permit" in paying.ways(table):
            line = f"It costs nothing; the next step uses it to pay {table.amount(act.price)}."
            return paying.permit(table, act.price, line)
        allowance = paying.allow(table, act.price, "only when you buy or fund something here")
        assert allowance is not None
        return allowance
    return send(
        "act",
        f"Buy for {table.amount(act.price)}",
        verbs.buy_receivable(table.view, act, signature, permit=by),
        f"{table.amount(act.price)} go from you to {_name(table, seller)} at once, and cannot be "
        "taken back.",
        f"From then on you are the payee of {table.amount(act.held)}; the page of the agreement "
        "says who can still stop it.",
    )


def _wanted(table: Table) -> Offer:
    price, left, state = table.units("price"), left_of(table), state_of(table)
    if price is None or not 1 <= price <= left:
        raise UsageError(
            f"the price can be up to {table.amount(left)}", hint="write for how much you sell it"
        )
    text = table.wish.text("financier", wanted=False)
    financier = read_account(text) if text else ZERO_ADDRESS
    if financier == table.wish.account:
        raise UsageError("this is yours already", hint="name somebody else, or nobody for anyone")
    _require_may_own(table, financier)
    until = table.web.escrow.now() + VALID_FOR
    return Offer(table.view.id, table.index, financier, price, left, state.sequence, until)


def _offered(table: Table) -> Step:
    financier = table.wish.held.get(NAME, {}).get("financier", "")
    names = ("price", "held", "sequence", "valid_until")
    values = tuple(number(table, NAME, name) for name in names)
    who = ZERO_ADDRESS if financier == ZERO_ADDRESS else read_account(str(financier))
    act = Offer(table.view.id, table.index, who, *values)
    keep(table, act, NAME)
    return done(
        "Offered",
        f"{_buyer_of(table, act)} can buy it on the agreement's page for "
        f"{table.amount(act.price)}.",
        "Whoever has no role in the agreement needs a link to read it, which the parties make at "
        "the foot of its page.",
    )


def _require_open(table: Table) -> None:
    state = state_of(table)
    over = end(table.view.milestones[table.index], state)
    if state.status not in ASSIGNABLE or table.web.escrow.now() >= over:
        raise EscrowError(
            "what this milestone pays cannot change hands now",
            hint="it can while it is funded and not decided, rejected or disputed",
        )


def _require_may_own(table: Table, account: Address) -> None:
    terms = table.view.terms
    if account in (terms.arbiter, *terms.verifiers) and account != ZERO_ADDRESS:
        raise UsageError(
            f"{_name(table, account)} decides about this money and may not own it",
            hint="verifiers and arbiter hold no receivables of their agreement",
        )


def _buyer_of(table: Table, act: Offer) -> str:
    return "Whoever buys it" if act.financier == ZERO_ADDRESS else _name(table, act.financier)


def _name(table: Table, account: Address) -> str:
    assert table.view.signed is not None
    return person(table.view.signed.bound, account)
