"""Submitting, disputing, ruling, approving, refunding, finalizing, withdrawing: one transaction
each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from milestone_escrow.deals import deeds
from milestone_escrow.deals.collecting import finalization, try_each, waiting_for, withdrawal
from milestone_escrow.deals.rights import (
    APPROVE,
    FINALIZE,
    REFUND,
    RULE,
    SUBMIT,
    Right,
    dispute_of,
)
from milestone_escrow.documents.files.signed_act import reason_hash, reason_words
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.entries import manifest
from milestone_escrow.oracle.evidence.manifests import manifest_hash
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.web.steps.visit import Visit, WalletStep, send, send_deeds, sentences


def submit(visit: Visit) -> WalletStep:
    """The payee says that it is done, with the evidence that is here."""
    _require(visit, SUBMIT)
    with visit.web.api.store.reading() as connection:
        evidence = manifest_hash(manifest(connection, visit.view.id, visit.index))
    return send_deeds(visit, "State that it is done", deeds.submission(visit.here, evidence, {}))


def dispute(visit: Visit) -> WalletStep:
    _require(visit, dispute_of(visit.here))
    reason = _kept_reason(visit)
    return send_deeds(visit, "Object", deeds.dispute(visit.here, reason))


def rule(visit: Visit) -> WalletStep:
    _require(visit, RULE)
    result = split_of(visit)
    return send_deeds(visit, "Rule", deeds.ruling(visit.here, result, _kept_reason(visit)))


def approve(visit: Visit) -> WalletStep:
    _require(visit, APPROVE)
    units = _part(visit)
    return send_deeds(visit, f"Pay {visit.amount(units)}", deeds.approval(visit.here, units))


def refund(visit: Visit) -> WalletStep:
    _require(visit, REFUND)
    units = _part(visit)
    title = f"Give {visit.amount(units)} back"
    return send_deeds(visit, title, deeds.giving_back(visit.here, units))


def finalize(visit: Visit) -> WalletStep:
    _require(visit, FINALIZE)
    action = finalization(visit, [visit.here])
    return send("act", "Let time decide", action.prepare(), *sentences(action.will))


def withdraw(visit: Visit) -> WalletStep:
    """What waits for anybody of the agreement, to whoever can receive it now."""
    found = try_each(visit, waiting_for(visit))
    action = withdrawal(visit, found)
    if all(one.refusal for one in found):
        raise EscrowError("; ".join(action.will), hint="it waits until they can receive it")
    return send("act", "Have it sent", action.prepare(), *sentences(action.will))


def split_of(visit: Visit) -> Split:
    """What was typed for the payee; the rest is the buyer's.

    Raises:
        UsageError: it is nothing, or more than is held.
    """
    to_payee, left = visit.units("to_payee"), visit.here.held
    if to_payee is None or to_payee > left:
        raise UsageError(f"the payee can be given 0 to {visit.amount(left)}", hint="write how much")
    return Split(to_payee, left - to_payee)


def _require(visit: Visit, right: Right) -> None:
    right.require(visit.here)
    right.require_of(visit.here, visit.account)


def _part(visit: Visit) -> int:
    """What was typed; all that is held otherwise."""
    typed = visit.units("amount")
    return visit.here.held if typed is None else typed


def _kept_reason(visit: Visit) -> str:
    """The reason, which everybody who reads the agreement here can read from now on."""
    reason, api = visit.text("reason"), visit.web.api
    with api.store.transaction() as connection:
        viewing.keep_words(connection, reason_hash(reason), reason_words(reason), api.now())
    return reason


ACTS: Mapping[str, Callable[[Visit], WalletStep]] = {
    "submit": submit,
    "dispute": dispute,
    "rule": rule,
    "approve": approve,
    "refund": refund,
    "finalize": finalize,
    "withdraw": withdraw,
}
