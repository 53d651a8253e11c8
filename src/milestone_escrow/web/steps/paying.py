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
from milestone_escrow.web.steps.wish import Step, Table, done, send, sign

WAYS: tuple[Way, ...] = ("permit", "authorization", "allowance")


def fund(table: Table) -> Step:
    """The next step of paying in the chosen milestones, and of opening the agreement first."""
    chosen = _chosen(table)
    is_open = table.web.escrow.is_open(table.view.id)
    if is_open:
        unfunded = set(table.web.escrow.unfunded(table.view))
        chosen = tuple(index for index in chosen if index in unfunded)
        if not chosen:
            return done("Paid in", "Everything that you chose is funded.")
    else:
        _require_consents(table)
    needed = sum(table.view.milestones[index].amount for index in chosen)
    title = "Fund" if is_open else "Open and fund"
    require_balance(table, needed)
    way = _way(table, needed)
    if way == "allowance":
        return _by_allowance(table, chosen, needed, title)
    if way not in table.wish.signed:
        return _consent(table, way, chosen, needed)
    return _with_signature(table, way, chosen, needed, title)


def ways(table: Table) -> tuple[Way, ...]:
    """How this account can pay, the best first."""
    # Few tokens take a contract's signature, and none says whether it does.
    if not signs_by_key(table.web.escrow.node, table.wish.account):
        return ("allowance",)
    support = table.web.escrow.token_support(table.view.terms.token)
    return tuple(way for way in WAYS if way in support.ways)


def _chosen(table: Table) -> tuple[int, ...]:
    """The milestones that were ticked, by index; all where none is named."""
    text = table.wish.text("milestones", wanted=False)
    count = len(table.view.milestones)
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


def _way(table: Table, needed: int) -> Way:
    possible = ways(table)
    wanted = table.wish.text("way", wanted=False)
    if wanted:
        if wanted not in possible:
            raise UsageError(
                f"this account cannot pay by {wanted}", hint=f"it can by {', '.join(possible)}"
            )
        return wanted
    escrow, token = table.web.escrow, token_of(table)
    if escrow.allowance(token, table.wish.account) >= needed:
        return "allowance"
    return possible[0]


def _by_allowance(table: Table, chosen: tuple[int, ...], needed: int, title: str) -> Step:
    allowance = allow(table, needed, "only when you fund this agreement")
    return allowance or _fund(table, chosen, title, {})


def allow(table: Table, needed: int, when: str) -> Step | None:
    """The transaction that lets the contract take so much, where it may not yet."""
    escrow, token = table.web.escrow, token_of(table)
    if escrow.allowance(token, table.wish.account) >= needed:
        return None
    return send(
        "allowance",
        f"Allow {table.amount(needed)}",
        escrow.prepare_for(table.wish.account).allow(token, needed),
        f"The contract {escrow.contract} may then take {table.amount(needed)} of yours, and "
        f"{when}.",
    )


def _consent(table: Table, way: Way, chosen: tuple[int, ...], needed: int) -> Step:
    line = f"It costs nothing; the next step uses it to pay {table.amount(needed)} in."
    if way == "permit":
        return permit(table, needed, line)
    escrow = table.web.escrow
    domain = escrow.token_domain(table.view.terms.token, way)
    allowed = escrow.authorization(table.view, chosen, table.wish.account)
    held = {
        "value": str(allowed.value),
        "valid_after": allowed.valid_after,
        "valid_before": allowed.valid_before,
        "nonce": "0x" + allowed.nonce.hex(),
    }
    title = f"Authorize {table.amount(needed)}"
    return sign(way, title, allowed.typed_data(domain), line, held=held)


def permit(table: Table, needed: int, line: str) -> Step:
    """The signature that lets the contract take so much (EIP-2612)."""
    escrow, token = table.web.escrow, table.view.terms.token
    wanted = escrow.permit(token, needed, table.wish.account)
    held = {"value": str(wanted.value), "nonce": wanted.nonce, "deadline": wanted.deadline}
    data = wanted.typed_data(escrow.token_domain(token, "permit"))
    return sign("permit", f"Permit {table.amount(needed)}", data, line, held=held)


def signed_permit(table: Table, needed: int) -> SignedPermit:
    """The permit that the wallet signed, as the page held it.

    Raises:
        UsageError: it is of another sum, or the page does not know it any more.
    """
    held = _held(table, "permit", needed)
    try:
        nonce, deadline = int(held["nonce"]), int(held["deadline"])
    except (KeyError, ValueError, TypeError):
        raise _forgotten() from None
    signed = Permit(table.wish.account, table.web.escrow.contract, needed, nonce, deadline)
    return SignedPermit(signed, table.wish.signed["permit"])


def _held(table: Table, way: Way, needed: int) -> Mapping[str, Any]:
    held = table.wish.held.get(way, {})
    if str(held.get("value")) != str(needed):
        raise UsageError("something else was signed than is paid now", hint="start again")
    return held


def _forgotten() -> UsageError:
    return UsageError("what was signed is not known any more", hint="start again")


def _with_signature(
    table: Table, way: Way, chosen: tuple[int, ...], needed: int, title: str
) -> Step:
    if way == "permit":
        return _fund(table, chosen, title, {"permit": signed_permit(table, needed)})
    held, account = _held(table, way, needed), table.wish.account
    try:
        allowed = Authorization(
            account,
            table.web.escrow.contract,
            needed,
            int(held["valid_after"]),
            int(held["valid_before"]),
            bytes.fromhex(str(held["nonce"])[2:]),
        )
    except (KeyError, ValueError, TypeError):
        raise _forgotten() from None
    signed = SignedAuthorization(allowed, table.wish.signed[way])
    return _fund(table, chosen, title, {"authorization": signed})


def _fund(table: Table, chosen: tuple[int, ...], title: str, by: dict[str, Any]) -> Step:
    verbs = table.web.escrow.prepare_for(table.wish.account)
    needed = sum(table.view.milestones[index].amount for index in chosen)
    lines: tuple[str, ...] = (
        f"{table.amount(needed)} leave your account and wait in the contract.",
    )
    deposits = [
        table.view.milestones[index].amount
        for index in chosen
        if table.view.milestones[index].is_deposit
    ]
    if deposits:
        lines += (f"The deposit of {table.amount(sum(deposits))} is paid at once.",)
    if not table.web.escrow.is_open(table.view.id):
        signed = table.view.signed
        signatures = dict(signed.signatures) if signed else {}
        return send("fund", title, verbs.open(table.view, signatures, chosen, **by), *lines)
    if "authorization" in by:
        return send("fund", title, verbs.fund_authorized(table.view, chosen, **by), *lines)
    return send("fund", title, verbs.fund(table.view, chosen, **by), *lines)


def _require_consents(table: Table) -> None:
    """Opening needs both parties: by signature, or by sending it."""
    signed = table.view.signed
    people = {"buyer": table.view.terms.buyer, "supplier": table.view.terms.supplier}
    have = set(signed.signatures) if signed else set()
    missing = [
        role
        for role, account in people.items()
        if role not in have and account != table.wish.account
    ]
    if missing:
        raise UsageError(
            f"the {missing[0]} has not signed the agreement yet",
            hint="send them the link to this page, where they can sign",
        )


def require_balance(table: Table, needed: int) -> None:
    has = table.web.escrow.balance(token_of(table), table.wish.account)
    if has < needed:
        raise UsageError(
            f"{table.wish.account} has {table.amount(has)}, and {table.amount(needed)} are needed",
            hint="choose fewer milestones, or another account",
        )


def token_of(table: Table) -> Any:
    assert table.view.token is not None
    return table.view.token
