"""Certify a milestone as its verifier, and let the contract pay.

brownie run scripts/attest_and_release.py main AGREEMENT MILESTONE VERIFIERS --network NAME

Accounts go with commas between. A further argument is the part that is accepted ("60%"), a last one
the evidence files.
Run it again when the objection period is over: then it lets time decide.
"""

from __future__ import annotations

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.send.transactions import Receipt
from milestone_escrow.cli.attest.verdicts import consequence, required_words, verdict_words
from milestone_escrow.deals.outcome import payouts
from milestone_escrow.deals.shares import share
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.files.collected import CollectedAttestation, words_hash, words_of
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.manifest import manifest
from milestone_escrow.errors import ChainError, EscrowError, UsageError
from milestone_escrow.protocol.lifecycle import Role, Status, Verb
from milestone_escrow.words.standing import Standing, person, require, silence_words, status
from scripts.here import account, ask, contract, find, told
from scripts.signer import BrownieSigner


@told
def main(
    agreement: str, milestone: str, verifiers: str = "", part: str = "", evidence: str = ""
) -> Standing:
    """Accept the milestone, or a part of it counted from its start; whatever is due is paid."""
    escrow = contract()
    signed = find(agreement, escrow)
    if not escrow.is_open(signed.id):
        raise EscrowError(
            f"{signed.agreement.reference} is not open on {escrow.network.title}",
            hint="the buyer opens it with `brownie run scripts/open_and_fund.py`",
        )
    standing = Table(signed, escrow).standing(milestone)
    pending = standing.state.status is Status.RELEASE_PENDING
    if standing.state.status is Status.SETTLED or (pending and not standing.is_overdue):
        print(f"'{milestone}' is {status(standing)}. {silence_words(standing)}".strip())
        return standing
    if not pending:
        require(standing, Verb.ATTEST, Role.VERIFIERS, doing="attested")
    signers = [account(name.strip()) for name in verifiers.split(",")]
    escrow = escrow.acting_as(signers[0])
    if pending:
        receipt = _finalize(escrow, signed, standing)
    else:
        receipt = _attest(escrow, signed, standing, signers, part, evidence)
    return _show(escrow, signed, standing, receipt)


def _attest(
    escrow: Escrow,
    signed: SignedAgreement,
    standing: Standing,
    signers: list[BrownieSigner],
    part: str,
    evidence: str,
) -> Receipt:
    words = words_of(manifest(evidence.split(",")) if evidence else None)
    amount = share(standing, part or None, standing.milestone.amount)
    attestation = escrow.attestation(
        signed, standing.planned.index, amount=amount, evidence_hash=words_hash(words)
    )
    collected = CollectedAttestation(signed.bound, attestation, words, {})
    _require_quorum(standing, collected, signers)
    print(f"attest '{standing.key}' of {signed.agreement.reference} on {escrow.network.title}")
    lines = (verdict_words(collected), *required_words(collected))
    for line in (*lines, *consequence(standing, attestation)):
        print(f"  {line}")
    ask()
    for signer in signers:
        collected = collected.sign(signer)
    return escrow.attest(signed, attestation, collected.signatures)


def _finalize(escrow: Escrow, signed: SignedAgreement, standing: Standing) -> Receipt:
    print(f"finalize '{standing.key}' of {signed.agreement.reference} on {escrow.network.title}")
    print(f"  {silence_words(standing)}")
    ask()
    return escrow.finalize(signed, standing.planned.index)


def _show(escrow: Escrow, signed: SignedAgreement, before: Standing, receipt: Receipt) -> Standing:
    """What the chain says afterwards: the payouts, and where the milestone stands."""
    print(f"sent {receipt.transaction}, {receipt.gas_used:,} gas")
    table = Table(signed, escrow)
    after = table.standing(before.key)
    if after.state == before.state:
        raise ChainError(f"{receipt.transaction} is mined, and '{before.key}' is as it was")
    for line in payouts(table, [receipt]):
        print(line)
    print(f"Checked on chain: '{after.key}' is {status(after)}. {silence_words(after)}".strip())
    return after


def _require_quorum(
    standing: Standing, collected: CollectedAttestation, signers: list[BrownieSigner]
) -> None:
    accounts = {signer.address for signer in signers}
    if strangers := accounts.difference(collected.verifiers):
        names = ", ".join(person(standing.bound, one) for one in collected.verifiers)
        raise UsageError(
            f"{strangers.pop()} is not a verifier of '{standing.key}'", hint=f"those are {names}"
        )
    quorum = standing.milestone.quorum
    if len(accounts) < quorum:
        raise EscrowError(
            f"{quorum} verifiers must sign '{standing.key}', and {len(accounts)} is named",
            hint="name their accounts with commas between, or collect signatures with "
            "`escrow attest`",
        )
