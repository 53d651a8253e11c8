"""Both sides, verifiers and the arbiter put their names under an agreement."""

from __future__ import annotations

from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.web.steps.visit import Visit, WalletStep, done, sign


def sign_agreement(visit: Visit) -> WalletStep:
    """Ask for the signature of whatever role the account has and that is missing."""
    signed = visit.view.signed
    assert signed is not None
    roles = signed.agreement.roles(visit.account)
    missing = [role for role in roles if role not in signed.signatures]
    if not roles:
        raise UsageError(
            f"{visit.account} is nobody in this agreement",
            hint="choose the account that it names",
        )
    if not missing:
        return done("Signed", _left(visit))
    signed.require_understood()
    role = missing[0]
    if role not in visit.answers:
        if role in ("buyer", "supplier"):
            data = signed.bound.typed_data()
        else:
            data = signed.bound.appointment(role).typed_data(signed.domain)
        line = f"You sign as {role}, {signed.agreement.name(role)}. Nothing moves by signing."
        return sign(role, "Sign the agreement", data, line, held={})
    api = visit.web.api
    added = signed.add(role, visit.answers[role], visit.web.api.wallets)
    with api.store.transaction() as connection:
        viewing.register(connection, added, by=visit.account, now=api.now())
    left = ", ".join(one for one in added.missing if one in ("buyer", "supplier"))
    if added.is_complete:
        return done("Signed by both sides", "The buyer can open and fund it now.")
    return done("Signed", f"It still needs the signature of the {left}.")


def _left(visit: Visit) -> str:
    signed = visit.view.signed
    if signed is None:
        raise EscrowError("the agreement's document is not known here")
    left = ", ".join(signed.missing)
    return f"Not yet signed by {left}." if left else "Everybody has signed."
