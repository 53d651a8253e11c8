"""Changing an open agreement: each side signs the change order, and the last one sends it."""

from __future__ import annotations

from milestone_escrow.deals.changes import may_send, missing, order_now, require_missing
from milestone_escrow.deals.paying import require_balance
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.change_orders.change_order import ChangeOrder, change_order
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import proposals, viewing
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.web.page_deps import WebDeps
from milestone_escrow.web.steps import paying
from milestone_escrow.web.steps.visit import VALID_FOR, Visit, WalletStep, done, send, sign
from milestone_escrow.words.checked import ReportTeller
from milestone_escrow.words.listing import listed

NAME = "amendment"


def written(web: WebDeps, view: DocumentedView, text: str) -> tuple[SignedChange, ChangeOrder]:
    """The change order that a new text comes to, as the chain has the agreement now.

    Raises:
        DocumentError: the text is no agreement.
        UsageError: it changes what a change order keeps, or nothing.
    """
    old = view.signed
    assert old is not None
    # Read as it is first, so that what is wrong is named by the line on which it was written.
    Agreement.drafted(text)
    states = web.escrow.states(view)
    new = Agreement.drafted(mark_change(text, old.bound, states))
    report = new.check(web.escrow.now())
    if report.errors:
        text, fix = ReportTeller(report).finding(report.errors[0])
        raise UsageError(f"it must not be signed like this: {text}", hint=fix)
    if new.network != web.escrow.network.name:
        raise UsageError(
            f"the text is made for {new.network}, the agreement is on {web.escrow.network.name}",
            hint=f"write `network: {web.escrow.network.name}` under payment",
        )
    signed = SignedAgreement.start(new.on(web.escrow))
    until = web.escrow.now() + VALID_FOR
    order = change_order(old.bound, signed.bound, states, valid_until=until)
    if not order.difference.changes:
        raise UsageError("the text says the same as before", hint="change what is to change")
    return SignedChange.of(old, signed, order), order


def amend(visit: Visit) -> WalletStep:
    """Ask for a signature that is missing; the last one sends, unless only the buyer can pay."""
    digest = visit.text("order")
    with visit.web.api.store.reading() as connection:
        change = proposals.change(connection, visit.view.id, digest, visit.web.api.wallets)
    change.new.require_understood()
    order = order_now(visit, change)
    if may_send(visit, change, order):
        return _send(visit, change, order)
    require_missing(visit, change, order)
    if NAME not in visit.answers:
        lines = (*order.effects(), "Signing costs nothing, and moves nothing by itself.")
        return sign(NAME, "Sign the change order", change.typed_data, *lines, held={})
    change = change.add(visit.account, visit.answers[NAME], visit.web.api.wallets)
    api = visit.web.api
    with api.store.transaction() as connection:
        proposals.keep_change(connection, change, visit.account, api.now())
    others = missing(change, order) or (visit.bound.terms.buyer,)
    waits = listed([visit.person(one) for one in others])
    return done("Signed", f"Now it waits for {waits}, who finds it on the agreement's page.")


def _send(visit: Visit, change: SignedChange, order: ChangeOrder) -> WalletStep:
    needed, by = order.money.pulled, None
    if needed:
        require_balance(visit, visit.account, needed)
        uses = f"It costs nothing; the next step uses it to pay {visit.amount(needed)} in."
        found = paying.pulled(visit, needed, uses, "only when you fund or change something here")
        if isinstance(found, WalletStep):
            return found
        by = found
    prepared = visit.verbs.amend(visit.bound, order.amendment, change.signatures, permit=by)
    api = visit.web.api
    with api.store.transaction() as connection:
        # Its text must be known here before its opening is seen on chain.
        viewing.register(connection, change.new, by=visit.account, now=api.now())
    return send("act", "Carry the change out", prepared, *order.effects())
