"""The contract's verbs as transactions that are simulated and priced, but not sent.

Milestones are named by index or, where the agreement has a document, by key. Amounts are token
units. An act that `signature` signs may be sent by anyone; without one the sender must be who acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from milestone_escrow.chain.attempts import Attempt
from milestone_escrow.chain.codec import interface
from milestone_escrow.chain.reader import CONTRACT, Reader
from milestone_escrow.chain.structs import (
    OpenAgreement,
    attestation_tuple,
    bitmap,
    milestone_index,
    milestone_tuples,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.chain.tokens import approve_call, mint_call
from milestone_escrow.chain.transactions import Prepared, Transactor
from milestone_escrow.chain.wording import Wording
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address
from milestone_escrow.protocol.lifecycle import State, held
from milestone_escrow.protocol.signatures import compact, recover
from milestone_escrow.protocol.token import Token

MilestoneName: TypeAlias = "int | str"
Signatures: TypeAlias = "Mapping[Address, bytes] | Iterable[bytes]"

NOBODY: Mapping[Address, bytes] = {}


class Verbs:
    """Prepares transactions of one sender."""

    def __init__(self, reader: Reader, transactor: Transactor, sender: Address) -> None:
        self._reader = reader
        self._transactor = transactor
        self._sender = sender

    def open(
        self,
        agreement: OpenAgreement,
        signatures: Mapping[str, bytes] = NOBODY,
        fund: Iterable[MilestoneName] = (),
    ) -> Prepared:
        """Open an agreement with both parties' signatures, of which the sender needs none.

        They are named by account, or "buyer" and "supplier".
        """
        terms = agreement.terms
        parties = (terms.buyer, terms.supplier)
        by_role = {terms.buyer: "buyer", terms.supplier: "supplier"}
        signatures = {p: signatures.get(p) or signatures.get(by_role[p], b"") for p in parties}
        missing = [p for p in parties if p != self._sender and not signatures[p]]
        if missing and not self._reader.is_open(agreement.id):
            who = " and ".join(map(Wording(agreement).account, missing))
            raise UsageError(f"{who} has not signed", hint="both parties must sign first")
        given = [self._consent(party, signatures) for party in parties]
        chosen = bitmap(milestone_index(agreement, name) for name in fund)
        data = _call(
            "open", terms_tuple(terms), milestone_tuples(agreement.milestones), chosen, *given
        )
        return self._prepare("open", agreement, None, data)

    def fund(self, agreement: OpenAgreement, milestones: Iterable[MilestoneName]) -> Prepared:
        """Pay in the amounts of unfunded milestones, from the sender's tokens."""
        chosen = bitmap(milestone_index(agreement, name) for name in milestones)
        terms, all_milestones = terms_tuple(agreement.terms), milestone_tuples(agreement.milestones)
        return self._prepare("fund", agreement, None, _call("fund", terms, all_milestones, chosen))

    def attest(
        self, agreement: OpenAgreement, attestation: Attestation, signatures: Signatures
    ) -> Prepared:
        """Decide by a quorum; signatures by account, or any order where all of them are ECDSA."""
        index = milestone_index(agreement, attestation.milestone)
        digest = attestation.typed_data(self._reader.domain).digest()
        signers, ordered = _by_verifier(agreement, index, digest, signatures)
        data = _call(
            "attest",
            terms_tuple(agreement.terms),
            reference_tuple(agreement, index),
            attestation_tuple(attestation),
            signers,
            ordered,
        )
        return self._prepare("attest", agreement, index, data)

    def submit(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        evidence_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Prepared:
        """The payee states that the milestone is done."""
        return self._act("submit", agreement, milestone, evidence_hash, valid_until, signature)

    def dispute(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Prepared:
        """Object to what is about to go against the sender."""
        return self._act("dispute", agreement, milestone, reason_hash, valid_until, signature)

    def rule(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Prepared:
        """The arbiter splits what is disputed."""
        split = (to_payee, to_buyer, reason_hash, valid_until)
        return self._act("rule", agreement, milestone, *split, signature)

    def approve(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Prepared:
        """The buyer pays a part or, by default, all that is held."""
        paid = self._held(agreement, milestone) if amount is None else amount
        return self._resolve("approve", agreement, milestone, paid, 0, 0, NOBODY)

    def refund(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Prepared:
        """The payee gives a part back or, by default, all that is held."""
        back = self._held(agreement, milestone) if amount is None else amount
        return self._resolve("refund", agreement, milestone, 0, back, 0, NOBODY)

    def settle(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        *,
        signatures: Mapping[Address, bytes] = NOBODY,
        valid_until: int = 0,
    ) -> Prepared:
        """Split by consent; signatures of the `Resolution`, of which the sender needs none."""
        return self._resolve(
            "settle", agreement, milestone, to_payee, to_buyer, valid_until, signatures
        )

    def finalize(self, agreement: OpenAgreement, milestone: MilestoneName) -> Prepared:
        """Let time decide."""
        return self._act("finalize", agreement, milestone)

    def withdraw(self, token: Token, account: Address) -> Prepared:
        """Collect a payout that could not be delivered; it goes to `account`, whoever sends."""
        attempt = Attempt("withdraw", self._sender, Wording(token=token))
        data = _call("withdraw", token.address, account)
        return self._transactor.prepare(self._reader.contract, data, attempt)

    def allow(self, token: Token, amount: int) -> Prepared:
        """Let the contract take up to `amount` of the sender's tokens when it is told to fund."""
        attempt = Attempt("allow", self._sender, Wording(token=token))
        data = approve_call(self._reader.contract, amount)
        return self._transactor.prepare(token.address, data, attempt)

    def allowance(
        self, agreement: OpenAgreement, milestones: Iterable[MilestoneName]
    ) -> Prepared | None:
        """The `allow` that funding these milestones still lacks, or None where nothing does."""
        states = self._reader.states(agreement)
        chosen = {milestone_index(agreement, name) for name in milestones}
        needed = sum(agreement.milestones[i].amount for i in chosen if states[i] == State())
        token = getattr(agreement, "token", None) or self._reader.token_at(agreement.terms.token)
        token = token or Token("tokens", agreement.terms.token, 0)
        if self._reader.allowance(token, self._sender) >= needed:
            return None
        return self.allow(token, needed)

    def mint(self, token: Token, account: Address, amount: int) -> Prepared:
        """Test tokens only."""
        attempt = Attempt("mint", self._sender, Wording(token=token))
        return self._transactor.prepare(token.address, mint_call(account, amount), attempt)

    def _resolve(
        self,
        verb: str,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        valid_until: int,
        signatures: Mapping[Address, bytes],
    ) -> Prepared:
        index = milestone_index(agreement, milestone)
        if to_payee < 0 or to_buyer < 0:
            raise UsageError("a split has no negative parts", hint="give 0 or more to each side")
        consents = [signatures.get(agreement.terms.buyer, b"")]
        others = [s for account, s in signatures.items() if account != agreement.terms.buyer]
        consents.append(others[0] if others else b"")
        data = _call(
            "resolve",
            terms_tuple(agreement.terms),
            reference_tuple(agreement, index),
            to_payee,
            to_buyer,
            valid_until,
            *map(compact, consents),
        )
        return self._prepare(verb, agreement, index, data)

    def _act(
        self, verb: str, agreement: OpenAgreement, milestone: MilestoneName, *values: object
    ) -> Prepared:
        index = milestone_index(agreement, milestone)
        reference = reference_tuple(agreement, index)
        data = _call(verb, terms_tuple(agreement.terms), reference, *values)
        return self._prepare(verb, agreement, index, data)

    def _prepare(
        self, verb: str, agreement: OpenAgreement, index: int | None, data: bytes
    ) -> Prepared:
        token = self._reader.token_at(agreement.terms.token)
        attempt = Attempt(verb, self._sender, Wording(agreement, token), index)

        def refine(attempt: Attempt) -> Attempt:
            if index is None:
                return attempt
            return replace(attempt, state=self._reader.states(agreement)[index])

        return self._transactor.prepare(self._reader.contract, data, attempt, refine)

    def _consent(self, party: Address, signatures: Mapping[str, bytes]) -> bytes:
        # The contract takes the sender's own consent from the transaction.
        return b"" if party == self._sender else compact(signatures[party])

    def _held(self, agreement: OpenAgreement, milestone: MilestoneName) -> int:
        index = milestone_index(agreement, milestone)
        return held(agreement.milestones[index], self._reader.states(agreement)[index])


def _by_verifier(
    agreement: OpenAgreement, index: int, digest: bytes, signatures: Signatures
) -> tuple[int, list[bytes]]:
    """The bitmap of signers and their signatures in the contract's order."""
    if not isinstance(signatures, Mapping):
        signatures = {recover(digest, one) or "an unknown account": one for one in signatures}
    verifiers = agreement.terms.verifiers
    allowed = agreement.terms.verifiers_of(agreement.milestones[index])
    strangers = [account for account in signatures if account not in allowed]
    if strangers:
        wording = Wording(agreement)
        raise UsageError(
            f"{wording.account(strangers[0])} does not verify {wording.milestone(index)}",
            hint=f"its verifiers are {', '.join(map(wording.account, allowed)) or 'none'}",
        )
    places = sorted(verifiers.index(account) for account in signatures)
    return bitmap(places), [compact(signatures[verifiers[place]]) for place in places]


def _call(function: str, *values: object) -> bytes:
    return interface(CONTRACT).call(function, *values)
