"""Both sides, verifiers and the arbiter put their names under an agreement."""

from __future__ import annotations

from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.web.steps.wish import Step, Table, done, sign


def sign_agreement(table: Table) -> Step:
    """Ask for the signature of whatever role the account has and that is missing."""
    signed = table.view.signed
    assert signed is not None
    roles = signed.agreement.roles(table.wish.account)
    missing = [role for role in roles if role not in signed.signatures]
    if not roles:
        raise UsageError(
            f"{table.wish.account} is nobody in this agreement",
            hint="choose the account that it names",
        )
    if not missing:
        return done("Signed", _left(table))
    role = missing[0]
    if role not in table.wish.signed:
        if role in ("buyer", "supplier"):
            data = signed.bound.typed_data()
        else:
            data = signed.bound.appointment(role).typed_data(signed.domain)
        line = f"You sign as {role}, {signed.agreement.name(role)}. Nothing moves by signing."
        return sign(role, "Sign the agreement", data, line, held={})
    api = table.web.api
    added = signed.add(role, table.wish.signed[role], table.web.api.wallets)
    with api.store.transaction() as connection:
        viewing.register(connection, added, by=table.wish.account, now=api.now())
    left = ", ".join(one for one in added.missing if one in ("buyer", "supplier"))
    if added.is_complete:
        return done("Signed by both sides", "The buyer can open and fund it now.")
    return done("Signed", f"It still needs the signature of the {left}.")


def _left(table: Table) -> str:
    signed = table.view.signed
    if signed is None:
        raise EscrowError("the agreement's document is not known here")
    left = ", ".join(signed.missing)
    return f"Not yet signed by {left}." if left else "Everybody has signed."
