"""Sign an agreement, open it and pay milestones in.

brownie run scripts/open_and_fund.py sign AGREEMENT ACCOUNT --network NAME
brownie run scripts/open_and_fund.py main AGREEMENT BUYER [all|next|KEY,KEY] --network NAME
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.deals.table import Table, milestone_index
from milestone_escrow.documents.files.signed_agreement import PARTIES, SignedAgreement, signed_path
from milestone_escrow.errors import ChainError, EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import Role, Split, Status, Verb
from milestone_escrow.words.checked import ReportTeller
from milestone_escrow.words.standing import Standing, amount, require, silence_words, split_words
from scripts.here import account, ask, contract, find, shelf, told


@told
def sign(agreement: str, account_name: str = "") -> SignedAgreement:
    """Add a party's signature to the file beside the agreement. No money moves by signing."""
    escrow = contract()
    signed = find(agreement, escrow)
    deal = signed.agreement
    report = deal.check(now=escrow.now())
    if report.errors:
        first = report.errors[0]
        text, fix = ReportTeller(report).finding(first)
        raise EscrowError(f"it must not be signed: {first.where}: {text}", hint=fix)
    signer = account(account_name)
    role = signed.bound.party_of(signer.address)
    print(f"sign {deal.reference} for {escrow.network.title} as {role}, {deal.name(role)}")
    print(f"  binds them to “{deal.title}”, {deal.amount(deal.price)}; no money moves by signing")
    ask("Sign it?")
    signed = signed.sign(signer)
    if Path(agreement).is_file():
        file = Path(agreement)
        file = file if file.suffix == ".json" else signed_path(file)
        signed.save(file)
        print(f"Signed. The signatures are in {file}; send that file to the other side.")
    return shelf().put(signed)


@told
def main(agreement: str, buyer: str = "", fund: str = "next") -> SignedAgreement:
    """Open with the buyer's account, which needs no signature, and pay in from its wallet."""
    escrow = contract()
    signed = find(agreement, escrow)
    deal, is_open = signed.agreement, escrow.is_open(signed.id)
    if not is_open and "supplier" not in signed.signatures:
        raise EscrowError(
            f"the supplier, {deal.name('supplier')}, has not signed {deal.reference}",
            hint="they sign with `brownie run scripts/open_and_fund.py sign`",
        )
    chosen = _chosen(Table(signed, escrow).standings(), fund)
    keys = [standing.key for standing in chosen]
    signer = account(buyer)
    escrow = escrow.acting_as(signer)
    _require_buyer(signed, signer.address)
    needed = sum(standing.milestone.amount for standing in chosen)
    _require_tokens(escrow, signed, needed)

    opening = "fund" if is_open else "open and fund"
    print(f"{opening} {deal.reference} on {escrow.network.title} as {deal.name('buyer')}")
    for standing in chosen:
        print(f"  {_payment(standing)}")
    if len(chosen) > 1:
        print(f"  which is {deal.amount(needed)} in all")
    ask()

    before = escrow.balance(signed.token, escrow.contract)
    consents = {role: signed.signatures[role] for role in PARTIES if role in signed.signatures}
    if is_open:
        receipt = escrow.fund(signed, keys, allow=True)
    else:
        receipt = escrow.open(signed, consents, keys, allow=True)
    print(f"sent {receipt.transaction}, {receipt.gas_used:,} gas")

    states = escrow.states(signed)
    stays = sum(s.milestone.amount for s in chosen if not s.milestone.is_deposit)
    if any(states[s.planned.index].status is Status.UNFUNDED for s in chosen):
        raise ChainError(f"{receipt.transaction} is mined, and the milestones are not funded")
    if escrow.balance(signed.token, escrow.contract) < before + stays:
        raise ChainError(f"{receipt.transaction} is mined, and the contract lacks the tokens")
    print(
        f"Checked on chain: {deal.reference} is open, the contract holds {deal.amount(stays)} more."
    )
    return shelf().put(signed)


def _chosen(standings: tuple[Standing, ...], names: str) -> list[Standing]:
    """The milestones that `all`, `next` or their keys mean, each still to be funded."""
    if names in ("all", "next"):
        unfunded = [s for s in standings if s.state.status is Status.UNFUNDED]
        chosen = unfunded if names == "all" else unfunded[:1]
        if not chosen:
            raise EscrowError("every milestone is funded already")
    else:
        bound = standings[0].bound
        wanted = dict.fromkeys(milestone_index(bound, key.strip()) for key in names.split(","))
        chosen = [standings[index] for index in wanted]
    for standing in chosen:
        require(standing, Verb.FUND, Role.ANYONE, doing="funded")
    return chosen


def _payment(standing: Standing) -> str:
    paid = amount(standing, standing.milestone.amount)
    if standing.milestone.is_deposit:
        split = Split(standing.milestone.amount, 0)
        return f"'{standing.key}': {split_words(standing, split)} now, final"
    funded = replace(standing, state=replace(standing.state, status=Status.FUNDED))
    return f"'{standing.key}': {paid} into the contract; if nobody acts, {silence_words(funded)}"


def _require_buyer(signed: SignedAgreement, address: str) -> None:
    buyer = signed.terms.buyer
    if address != buyer:
        raise UsageError(
            f"{address} is not the buyer of {signed.agreement.reference}",
            hint=f"that is {signed.agreement.name('buyer')}, {buyer}: name their account",
        )


def _require_tokens(escrow: Escrow, signed: SignedAgreement, needed: int) -> None:
    deal = signed.agreement
    has = escrow.balance(signed.token, signed.terms.buyer)
    if has < needed:
        raise EscrowError(
            f"the buyer has {deal.amount(has)}, and {deal.amount(needed)} is needed",
            hint="fund fewer milestones, or move tokens to that account first",
        )
