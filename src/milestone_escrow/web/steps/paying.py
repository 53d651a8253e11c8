"""Opening and paying in: by permit or authorization where the token allows, else by allowance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milestone_escrow.chain.contract.token_support import Way, signs_by_key
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.paying import (
    Authorization,
    Permit,
    SignedAuthorization,
    SignedPermit,
)
from milestone_escrow.web.steps.visit import Visit, WalletStep, done, send, sign

WAYS: tuple[Way, ...] = ("permit", "authorization", "allowance")


def fund(visit: Visit) -> WalletStep:
    """The next step of paying in the chosen milestones, and of opening the agreement first."""
    chosen = _chosen(visit)
    is_open = visit.escrow.is_open(visit.view.id)
    if is_open:
        unfunded = set(visit.escrow.unfunded(visit.view))
        chosen = tuple(index for index in chosen if index in unfunded)
        if not chosen:
            return done("Paid in", "Everything that you chose is funded.")
    else:
        _require_consents(visit)
    needed = sum(visit.view.milestones[index].amount for index in chosen)
    title = "Fund" if is_open else "Open and fund"
    require_balance(visit, needed)
    way = _way(visit, needed)
    if way == "allowance":
        return _by_allowance(visit, chosen, needed, title)
    if way not in visit.answers:
        return _consent(visit, way, chosen, needed)
    return _with_signature(visit, way, chosen, needed, title)


def ways(visit: Visit) -> tuple[Way, ...]:
    """How this account can pay, the best first."""
    # Few tokens take a contract's signature, and none says whether it does.
    if not signs_by_key(visit.escrow.node, visit.account):
        return ("allowance",)
    support = visit.escrow.token_support(visit.view.terms.token)
    return tuple(way for way in WAYS if way in support.ways)


def _chosen(visit: Visit) -> tuple[int, ...]:
    """The milestones that were ticked, by index; all where none is named."""
    text = visit.text("milestones", wanted=False)
    count = len(visit.view.milestones)
    return ticked(text, count) if text else tuple(range(count))


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


def _by_allowance(visit: Visit, chosen: tuple[int, ...], needed: int, title: str) -> WalletStep:
    allowance = allow(visit, needed, "only when you fund this agreement")
    return allowance or _fund(visit, chosen, title, {})


def allow(visit: Visit, needed: int, when: str) -> WalletStep | None:
    """The transaction that lets the contract take so much, where it may not yet."""
    escrow, token = visit.escrow, visit.view.token
    if escrow.allowance(token, visit.account) >= needed:
        return None
    return send(
        "allowance",
        f"Allow {visit.amount(needed)}",
        visit.verbs.allow(token, needed),
        f"The contract {escrow.contract} may then take {visit.amount(needed)} of yours, and "
        f"{when}.",
    )


def _consent(visit: Visit, way: Way, chosen: tuple[int, ...], needed: int) -> WalletStep:
    line = f"It costs nothing; the next step uses it to pay {visit.amount(needed)} in."
    if way == "permit":
        return permit(visit, needed, line)
    escrow = visit.escrow
    domain = escrow.token_domain(visit.view.terms.token, way)
    allowed = escrow.authorization(visit.view, chosen, visit.account)
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
        return signed_permit(visit, needed)
    if "permit" in ways(visit) and visit.escrow.allowance(visit.view.token, visit.account) < needed:
        return permit(visit, needed, uses)
    return allow(visit, needed, when)


def signed_permit(visit: Visit, needed: int) -> SignedPermit:
    """The permit that the wallet signed, as the page held it.

    Raises:
        UsageError: it is of another sum, or the page does not know it any more.
    """
    held = _held(visit, "permit", needed)
    try:
        nonce, deadline = int(held["nonce"]), int(held["deadline"])
    except (KeyError, ValueError, TypeError):
        raise _forgotten() from None
    signed = Permit(visit.account, visit.escrow.contract, needed, nonce, deadline)
    return SignedPermit(signed, visit.answers["permit"])


def _held(visit: Visit, way: Way, needed: int) -> Mapping[str, Any]:
    held = visit.held.get(way, {})
    if str(held.get("value")) != str(needed):
        raise UsageError("something else was signed than is paid now", hint="start again")
    return held


def _forgotten() -> UsageError:
    return UsageError("what was signed is not known any more", hint="start again")


def _with_signature(
    visit: Visit, way: Way, chosen: tuple[int, ...], needed: int, title: str
) -> WalletStep:
    if way == "permit":
        return _fund(visit, chosen, title, {"permit": signed_permit(visit, needed)})
    held, account = _held(visit, way, needed), visit.account
    try:
        allowed = Authorization(
            account,
            visit.escrow.contract,
            needed,
            int(held["valid_after"]),
            int(held["valid_before"]),
            bytes.fromhex(str(held["nonce"])[2:]),
        )
    except (KeyError, ValueError, TypeError):
        raise _forgotten() from None
    signed = SignedAuthorization(allowed, visit.answers[way])
    return _fund(visit, chosen, title, {"authorization": signed})


def _fund(visit: Visit, chosen: tuple[int, ...], title: str, by: dict[str, Any]) -> WalletStep:
    verbs = visit.verbs
    needed = sum(visit.view.milestones[index].amount for index in chosen)
    lines: tuple[str, ...] = (
        f"{visit.amount(needed)} leave your account and wait in the contract.",
    )
    deposits = [
        visit.view.milestones[index].amount
        for index in chosen
        if visit.view.milestones[index].is_deposit
    ]
    if deposits:
        lines += (f"The deposit of {visit.amount(sum(deposits))} is paid at once.",)
    if not visit.escrow.is_open(visit.view.id):
        signed = visit.view.signed
        signatures = dict(signed.signatures) if signed else {}
        return send("fund", title, verbs.open(visit.view, signatures, chosen, **by), *lines)
    if "authorization" in by:
        return send("fund", title, verbs.fund_authorized(visit.view, chosen, **by), *lines)
    return send("fund", title, verbs.fund(visit.view, chosen, **by), *lines)


def _require_consents(visit: Visit) -> None:
    """Opening needs both parties: by signature, or by sending it."""
    signed = visit.view.signed
    people = {"buyer": visit.view.terms.buyer, "supplier": visit.view.terms.supplier}
    have = set(signed.signatures) if signed else set()
    missing = [
        role for role, account in people.items() if role not in have and account != visit.account
    ]
    if missing:
        raise UsageError(
            f"the {missing[0]} has not signed the agreement yet",
            hint="send them the link to this page, where they can sign",
        )


def require_balance(visit: Visit, needed: int) -> None:
    has = visit.escrow.balance(visit.view.token, visit.account)
    if has < needed:
        raise UsageError(
            f"{visit.account} has {visit.amount(has)}, and {visit.amount(needed)} are needed",
            hint="choose fewer milestones, or another account",
        )
