"""The verbs that decide a milestone. An act that a signature covers may be sent by anyone."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.chain.contract.preparing import (
    NOBODY,
    MilestoneName,
    Preparer,
    Signatures,
    call,
    shortened,
)
from milestone_escrow.chain.contract.structs import (
    OpenAgreement,
    attestation_tuple,
    bitmap,
    milestone_index,
    reference_tuple,
    terms_tuple,
)
from milestone_escrow.chain.refusals.naming import account_name, milestone_name
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation, Resolution
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address
from milestone_escrow.protocol.lifecycle import held
from milestone_escrow.protocol.signatures import signer_of


class DecidingVerbs(Preparer):
    """Verifiers, parties, arbiter and time."""

    def attest(
        self, agreement: OpenAgreement, attestation: Attestation, signatures: Signatures
    ) -> Prepared:
        """Decide by a quorum; signatures by account, or any order where all of them are ECDSA."""
        index = milestone_index(agreement, attestation.milestone)
        digest = attestation.typed_data(self._reader.domain).digest()
        allowed = agreement.terms.verifiers_of(agreement.milestones[index])
        what = milestone_name(agreement, index)
        signers, ordered = by_verifier(agreement, allowed, what, digest, signatures)
        data = call(
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
        """Object to what is about to go against the sender, or against who signed."""
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
        consents = self._split_consents(
            agreement, index, to_payee, to_buyer, valid_until, signatures
        )
        data = call(
            "resolve",
            terms_tuple(agreement.terms),
            reference_tuple(agreement, index),
            to_payee,
            to_buyer,
            valid_until,
            *consents,
        )
        return self._prepare(verb, agreement, index, data)

    def _split_consents(
        self,
        agreement: OpenAgreement,
        index: int,
        to_payee: int,
        to_buyer: int,
        valid_until: int,
        signatures: Mapping[Address, bytes],
    ) -> tuple[bytes, bytes]:
        """The buyer's and the payee's; whoever sends or gives nothing up needs none."""
        if not signatures:
            return b"", b""
        state = self._reader.states(agreement)[index]
        rest = held(agreement.milestones[index], state)
        split = (to_payee, to_buyer, rest, state.epoch)
        what = Resolution(agreement.id, index, *split, valid_until)
        digest = what.typed_data(self._reader.domain).digest()
        short = {who: shortened(digest, who, one) for who, one in signatures.items()}
        others = [one for who, one in short.items() if who != agreement.terms.buyer]
        return short.get(agreement.terms.buyer, b""), others[0] if others else b""


def by_verifier(
    agreement: OpenAgreement,
    allowed: tuple[Address, ...],
    what: str,
    digest: bytes,
    signatures: Signatures,
) -> tuple[int, list[bytes]]:
    """The bitmap of signers and their signatures in the contract's order.

    Raises:
        UsageError: somebody signed who is not allowed to verify `what`.
    """
    if not isinstance(signatures, Mapping):
        signatures = {signer_of(digest, one) or "an unknown account": one for one in signatures}
    verifiers = agreement.terms.verifiers
    strangers = [account for account in signatures if account not in allowed]
    if strangers:
        names = [account_name(agreement, account) for account in allowed]
        raise UsageError(
            f"{account_name(agreement, strangers[0])} does not verify {what}",
            hint=f"its verifiers are {', '.join(names) or 'none'}",
        )
    places = sorted(verifiers.index(account) for account in signatures)
    signers = [verifiers[place] for place in places]
    return bitmap(places), [shortened(digest, who, signatures[who]) for who in signers]
