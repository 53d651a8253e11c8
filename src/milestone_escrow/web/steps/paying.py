"""Opening and paying in: by permit or authorization where the token allows, else by allowance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milestone_escrow.chain.contract.token_support import Way, signs_by_key
from milestone_escrow.chain.node.probes import has_code
from milestone_escrow.deals.funding import consents, payments, price, require_consents
from milestone_escrow.deals.paying import no_permit, require_balance
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.paying import (
    Authorization,
    Permit,
    SignedAuthorization,
    SignedPermit,
)
from milestone_escrow.web.steps.visit import Visit, WalletStep, done, send, sentences, sign
from milestone_escrow.words.standing import Standing

WAYS: tuple[Way, ...] = ("permit", "authorization", "allowance")


def fund(visit: Visit) -> WalletStep:
    """The next step of paying in the chosen milestones, and of opening the agreement first."""
    chosen = _chosen(visit)
    is_open = visit.escrow.is_open(visit.view.id)
    if is_open:
        chosen = [one for one in chosen if one.state.status is Status.UNFUNDED]
        if not chosen:
            return done("Paid in", "Everything that you chose is funded.")
    else:
        require_consents(visit, "send them the link to this page, where they can sign")
    needed = price(chosen)
    require_balance(visit, visit.account, needed)
    way = _way(visit, needed)
    by: dict[str, Any] = {}
    if way == "permit" and way in visit.answers:
        permit = usable_permit(visit, needed)
        way, by = ("permit", {"permit": permit}) if permit else ("allowance", {})
    if way == "allowance":
        if allowance := allow(visit, needed, "only when you fund this agreement"):
            return allowance
    elif way not in visit.answers:
        return _asked(visit, way, chosen, needed)
    elif way == "authorization":
        by = {"authorization": _signed_authorization(visit, needed)}
    verbs, indices = visit.verbs, [standing.planned.index for standing in chosen]
    if not is_open:
        prepared = verbs.open(visit.bound, consents(visit), indices, **by)
    elif "authorization" in by:
        prepared = verbs.fund_authorized(visit.bound, indices, **by)
    else:
        prepared = verbs.fund(visit.bound, indices, **by)
    title = "Fund" if is_open else "Open and fund"
    return send("fund", title, prepared, *sentences(payments(chosen)))


def ways(visit: Visit) -> tuple[Way, ...]:
    """How this account can pay, the best first."""
    # Few tokens take a contract's signature, and none says whether it does.
    if not signs_by_key(visit.escrow.node, visit.account):
        return ("allowance",)
    support = visit.escrow.token_support(visit.view.terms.token)
    return tuple(way for way in WAYS if way in support.ways)


def _chosen(visit: Visit) -> list[Standing]:
    """The milestones that were ticked; all where none is named."""
    text = visit.text("milestones", wanted=False)
    indices = ticked(text, len(visit.stages)) if text else range(len(visit.stages))
    return [visit.stages[index] for index in indices]


def ticked(text: str, count: int) -> tuple[int, ...]:
    """The milestones of `count` that a form names, by index.

    Raises:
        UsageError: there are no such ones.
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isascii() and part.isdigit() and int(part) < count for part in parts):
        raise UsageError("the chosen milestones make no sense", hint="choose them on the page")
    return tuple(sorted({int(part) for part in parts}))


def _way(visit: Visit, needed: int) -> Way:
    possible = ways(visit)
    wanted = visit.text("way", wanted=False)
    if wanted:
        if wanted not in possible:
            raise UsageError(
                f"this account cannot pay by {wanted}", hint=f"it can by {', '.join(possible)}"
            )
        return wanted
    escrow, token = visit.escrow, visit.view.token
    if escrow.allowance(token, visit.account) >= needed:
        return "allowance"
    return possible[0]


def allow(visit: Visit, needed: int, when: str) -> WalletStep | None:
    """The transaction that lets the contract take so much, where it may not yet; or the one that
    the token wants before it."""
    escrow, token = visit.escrow, visit.view.token
    if escrow.allowance(token, visit.account) >= needed:
        return None
    first, *more = visit.verbs.allowing(token, needed)
    why = sentences([no_permit(token)] if "permit" in visit.answers else [])
    if more:
        return send(
            "allowance",
            "Take back what was allowed before",
            first,
            *why,
            f"{token.symbol} allows nothing new while an earlier allowance stands, so that is set "
            f"to 0. The next step allows {visit.amount(needed)}.",
        )
    return send(
        "allowance",
        f"Allow {visit.amount(needed)}",
        first,
        *why,
        f"The contract {escrow.contract} may then take {visit.amount(needed)} of yours, and "
        f"{when}.",
    )


def _asked(visit: Visit, way: Way, chosen: Sequence[Standing], needed: int) -> WalletStep:
    line = f"It costs nothing; the next step uses it to pay {visit.amount(needed)} in."
    if way == "permit":
        return permit(visit, needed, line)
    escrow = visit.escrow
    domain = escrow.token_domain(visit.view.terms.token, way)
    indices = [standing.planned.index for standing in chosen]
    allowed = escrow.authorization(visit.bound, indices, visit.account)
    held = {
        "value": str(allowed.value),
        "valid_after": allowed.valid_after,
        "valid_before": allowed.valid_before,
        "nonce": "0x" + allowed.nonce.hex(),
    }
    title = f"Authorize {visit.amount(needed)}"
    return sign(way, title, allowed.typed_data(domain), line, held=held)


def permit(visit: Visit, needed: int, line: str) -> WalletStep:
    """The signature that lets the contract take so much (EIP-2612)."""
    escrow, token = visit.escrow, visit.view.terms.token
    wanted = escrow.permit(token, needed, visit.account)
    held = {"value": str(wanted.value), "nonce": wanted.nonce, "deadline": wanted.deadline}
    data = wanted.typed_data(escrow.token_domain(token, "permit"))
    return sign("permit", f"Permit {visit.amount(needed)}", data, line, held=held)


def pulled(visit: Visit, needed: int, uses: str, when: str) -> SignedPermit | WalletStep | None:
    """What lets the contract take so much in the next transaction: the wallet's permit, None where
    it may already; or else what the wallet is asked for that."""
    if "permit" in visit.answers:
        return usable_permit(visit, needed) or allow(visit, needed, when)
    if "permit" in ways(visit) and visit.escrow.allowance(visit.view.token, visit.account) < needed:
        return permit(visit, needed, uses)
    return allow(visit, needed, when)


def usable_permit(visit: Visit, needed: int) -> SignedPermit | None:
    """The permit that the wallet signed, as the page held it; None where the token refuses it,
    because code runs in the account (EIP-7702).

    Raises:
        UsageError: it is of another sum, or the page does not know it any more.
    """
    held = _held(visit, "permit", needed)
    try:
        nonce, deadline = int(held["nonce"]), int(held["deadline"])
    except (KeyError, ValueError, TypeError):
        raise _forgotten() from None
    asked = Permit(visit.account, visit.escrow.contract, needed, nonce, deadline)
    signed = SignedPermit(asked, visit.answers["permit"])
    with_code = has_code(visit.escrow.node, visit.account)
    refused = with_code and visit.verbs.permit_refusal(visit.view.token, signed)
    return None if refused else signed


def _held(visit: Visit, way: Way, needed: int) -> Mapping[str, Any]:
    held = visit.held.get(way, {})
    if str(held.get("value")) != str(needed):
        raise UsageError("something else was signed than is paid now", hint="start again")
    return held


def _forgotten() -> UsageError:
    return UsageError("what was signed is not known any more", hint="start again")


def _signed_authorization(visit: Visit, needed: int) -> SignedAuthorization:
    """The authorization that the wallet signed, as the page held it."""
    held, account = _held(visit, "authorization", needed), visit.account
    try:
        after, before = int(held["valid_after"]), int(held["valid_before"])
        nonce = bytes.fromhex(str(held["nonce"])[2:])
    except (KeyError, ValueError, TypeError):
        raise _forgotten() from None
    allowed = Authorization(account, visit.escrow.contract, needed, after, before, nonce)
    return SignedAuthorization(allowed, visit.answers["authorization"])
