"""Attestations taken in from verifiers: checked, recovered, stored, counted.

Two halves: `examine` finds out whose signatures these are, which takes most of the time and may ask
the chain; `record` then decides inside one write transaction what is taken. So many posts can share
one commit, and nobody holds the store while the chain is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import TypeAlias

from sqlalchemy import Connection

from milestone_escrow.errors import TypedDataError
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.counting import cases
from milestone_escrow.oracle.signing.examining import INTAKE, IntakeOutcome, examine
from milestone_escrow.oracle.signing.recording import record
from milestone_escrow.oracle.signing.rules import MilestoneCase
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.signatures import Wallets, signer_of

Signatures: TypeAlias = "Mapping[Address, bytes] | Iterable[bytes]"


def take(
    connection: Connection,
    domain: Domain,
    view: AgreementView | None,
    attestation: Attestation,
    signatures: Signatures,
    now: int,
    *,
    words: Mapping[str, object] | None = None,
    wallets: Wallets | None = None,
    actor: str = INTAKE,
) -> IntakeOutcome:
    """Check one attestation and take in what may be; `connection` must be a write transaction.

    `view` is its agreement, None where the store knows none; `now` is the chain's time.
    `wallets` asks the chain about verifiers that are contracts: give it only where the
    store is not kept waiting, or use `take_many`.
    """
    index = attestation.milestone
    found = None
    if view is not None and view.id == attestation.agreement_id and 0 <= index < len(view.views):
        found = MilestoneCase(
            view.id, index, view.terms, view.milestones[index], view.views[index].state
        )
    post = Post(attestation, _by_account(domain, attestation, signatures), words or {})
    examined = examine(domain, found, post, wallets)
    return record(connection, [examined], now, actor=actor)[0]


def take_many(
    store: Store,
    domain: Domain,
    posts: Sequence[Post],
    now: int,
    *,
    wallets: Wallets | None = None,
    actors: Sequence[str] = (),
) -> list[IntakeOutcome]:
    """Take in many posts with one commit; one outcome for each, in their order.

    `actors` are who sent each, for the audit log. Once it returns, what was taken is durable.
    """
    wanted = {(post.attestation.agreement_id, post.attestation.milestone) for post in posts}
    with store.reading() as connection:
        known = cases(connection, wanted)
    examined = []
    for post, actor in zip(posts, actors or repeat(INTAKE), strict=False):
        case = known.get((post.attestation.agreement_id, post.attestation.milestone))
        examined.append(examine(domain, case, post, wallets, actor=actor))
    if not any(one.signatures for one in examined):
        return [IntakeOutcome(one.digest, None, refused=one.refused) for one in examined]
    with store.transaction() as connection:
        return record(connection, examined, now, known=known)


def _by_account(
    domain: Domain, attestation: Attestation, signatures: Signatures
) -> Mapping[Address, bytes]:
    """Signatures under the accounts that made them, where nobody said whose they are."""
    if isinstance(signatures, Mapping):
        return signatures
    try:
        digest = attestation.typed_data(domain).digest()
    except TypedDataError:
        return {}
    found: dict[Address, bytes] = {}
    for number, signature in enumerate(signatures):
        whose = signer_of(digest, signature)
        found[whose or f"signature {number + 1}"] = signature
    return found
