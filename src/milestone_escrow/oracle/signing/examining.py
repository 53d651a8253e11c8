"""What somebody posted, before the store is asked: its digest rebuilt, its signers recovered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from milestone_escrow.errors import TypedDataError
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.counting import AttestationStage, MilestoneKey
from milestone_escrow.oracle.signing.rules import MilestoneCase, Refusal
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.signatures import Wallets, is_signed, not_signed, settled
from milestone_escrow.protocol.terms import numbered

INTAKE = "intake"


@dataclass(frozen=True, slots=True)
class IntakeOutcome:
    """What became of an attestation, or a batch of them, that somebody sent.

    Attributes:
        stage: where it stands now; None where nothing of it was taken.
        added: whose signatures are new.
        known: whose were here already, which is fine.
        refused: what was not taken, and why: all of a batch, in sentences that name the item.
        signers: whose signatures count now, in the contract's order.
        evidence: what its evidence hash is here: "none", "manifest" (the milestone's own), "words"
            (files or reasons that were sent along or before), or "unknown".
        waiting_for: who could sign a batch, too.
    """

    digest: bytes
    stage: AttestationStage | None
    added: tuple[Address, ...] = ()
    known: tuple[Address, ...] = ()
    refused: tuple[Refusal, ...] = ()
    signers: tuple[Address, ...] = ()
    quorum: int = 0
    evidence: str = "unknown"
    waiting_for: tuple[Address, ...] = ()

    @property
    def is_taken(self) -> bool:
        return bool(self.added or self.known)

    @property
    def is_complete(self) -> bool:
        return self.stage in (AttestationStage.COMPLETE, AttestationStage.SETTLED)

    @property
    def reason(self) -> str:
        """Why something was refused, in a sentence; "" where nothing was."""
        return "; ".join(dict.fromkeys(refusal.reason for refusal in self.refused))


@dataclass(frozen=True, slots=True)
class Examined:
    """A post whose digest and signers are known, before anything is asked of the store.

    `actor` is who sent it, for the audit log.
    """

    post: Post
    digest: bytes
    signatures: Mapping[Address, bytes] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    actor: str = INTAKE

    @property
    def key(self) -> MilestoneKey:
        return self.post.attestation.agreement_id, self.post.attestation.milestone


def examine(
    domain: Domain,
    case: MilestoneCase | None,
    post: Post,
    wallets: Wallets | None = None,
    *,
    actor: str = INTAKE,
) -> Examined:
    """Whose signatures these really are; touches no store, and the chain only for contracts."""
    attestation = post.attestation
    try:
        digest = attestation.typed_data(domain).digest()
    except TypedDataError as error:
        return Examined(post, b"", refused=(Refusal("Malformed", error.message),), actor=actor)
    if case is None:
        return Examined(post, digest, refused=(unknown(attestation),), actor=actor)
    good: dict[Address, bytes] = {}
    refused: list[Refusal] = []
    for account, signature in post.signatures.items():
        if account not in case.verifiers:
            reason = f"{account} does not verify {numbered(attestation.milestone)}"
            refused.append(Refusal("SignerNotAllowed", reason, account))
        elif is_signed(domain.chain_id, account, digest, signature, wallets):
            good[account] = settled(account, digest, signature)
        else:
            reason = not_signed(account, "this attestation", signature)
            refused.append(Refusal("InvalidSignature", reason, account))
    return Examined(post, digest, good, tuple(refused), actor)


def unknown(attestation: Attestation) -> Refusal:
    name = f"0x{attestation.agreement_id.hex()[:12]}…"
    reason = f"no open agreement {name} with a {numbered(attestation.milestone)} is known here"
    return Refusal("NoSuchMilestone", f"{reason}; open it, and wait until it was seen")
