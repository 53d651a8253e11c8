"""Submitting, disputing, ruling, approving, refunding, finalizing: one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from milestone_escrow.chain.contract.verbs import Verbs
from milestone_escrow.documents.files.signed_act import reason_hash, reason_words
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.evidence.listing import manifest
from milestone_escrow.oracle.evidence.manifests import manifest_hash
from milestone_escrow.protocol.lifecycle import held
from milestone_escrow.web.steps.wish import Step, Table, send


def submit(table: Table) -> Step:
    """The payee says that it is done, with the evidence that is here."""
    with table.web.api.store.reading() as connection:
        evidence = manifest_hash(manifest(connection, table.view.id, table.index))
    prepared = _verbs(table).submit(table.view, table.index, evidence)
    return send("act", "State that it is done", prepared, "The review begins with it.")


def dispute(table: Table) -> Step:
    reason = table.wish.text("reason")
    _keep(table, reason)
    prepared = _verbs(table).dispute(table.view, table.index, reason_hash(reason))
    return send("act", "Object", prepared, f"Your reason is hashed: “{reason}”")


def rule(table: Table) -> Step:
    reason, to_payee, to_buyer = table.wish.text("reason"), *_split(table)
    _keep(table, reason)
    prepared = _verbs(table).rule(table.view, table.index, to_payee, to_buyer, reason_hash(reason))
    return send(
        "act",
        "Rule",
        prepared,
        f"{table.amount(to_payee)} go to the payee, {table.amount(to_buyer)} to the buyer.",
    )


def approve(table: Table) -> Step:
    amount = table.units("amount")
    prepared = _verbs(table).approve(table.view, table.index, amount)
    shown = table.amount(_held(table) if amount is None else amount)
    return send("act", f"Pay {shown}", prepared, "It is paid at once and cannot be taken back.")


def refund(table: Table) -> Step:
    amount = table.units("amount")
    prepared = _verbs(table).refund(table.view, table.index, amount)
    shown = table.amount(_held(table) if amount is None else amount)
    return send("act", f"Give {shown} back", prepared, "It goes back to the buyer at once.")


def finalize(table: Table) -> Step:
    prepared = _verbs(table).finalize(table.view, table.index)
    return send("act", "Let time decide", prepared, "Anybody may do this; it pays what is agreed.")


def _verbs(table: Table) -> Verbs:
    return table.web.escrow.prepare_for(table.wish.account)


def _held(table: Table) -> int:
    return held(table.view.milestones[table.index], table.view.states[table.index])


def _split(table: Table) -> tuple[int, int]:
    """What was typed for the payee; the rest is the buyer's."""
    to_payee, waits = table.units("to_payee"), _held(table)
    if to_payee is None or to_payee > waits:
        raise UsageError(
            f"the payee can be given 0 to {table.amount(waits)}", hint="write how much"
        )
    return to_payee, waits - to_payee


def _keep(table: Table, reason: str) -> None:
    """So that everybody who reads the agreement here can read the reason, too."""
    api = table.web.api
    with api.store.transaction() as connection:
        viewing.keep_words(connection, reason_hash(reason), reason_words(reason), api.now())


ACTS: Mapping[str, Callable[[Table], Step]] = {
    "submit": submit,
    "dispute": dispute,
    "rule": rule,
    "approve": approve,
    "refund": refund,
    "finalize": finalize,
}
