"""The deal half done: a deposit, a milestone that was paid, a third of another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.sandbox.world import World
from tests.unit.papers.deal import DAY, DEAL, EVIDENCE, START
from tests.unit.papers.print import Print, read


@dataclass(frozen=True)
class Played:
    """A deal on a chain of its own, and what its people do."""

    world: World
    signed: SignedAgreement

    @property
    def bound(self) -> BoundAgreement:
        return self.signed.bound

    @classmethod
    def open(cls, text: str, fund: tuple[str, ...] | None = None) -> Played:
        agreement, world = Agreement.loads(text), World.start(START)
        bound = agreement.on(world.escrow)
        signed = SignedAgreement.start(bound)
        for role in ("buyer", "supplier"):
            signed = signed.sign(world.signer(agreement.people[role]))
            world.mint(agreement.people[role], bound.token, 500_000 * 10**6)
        buyer = world.acting_as(agreement.people["buyer"])
        signatures = {agreement.people[role]: s for role, s in signed.signatures.items()}
        keys = [m.key for m in agreement.milestones] if fund is None else fund
        buyer.open(bound, signatures, keys, allow=True)
        return cls(world, signed)

    def certify(self, key: str, amount: int | None = None) -> None:
        """By the quorum, and then the objection period passes."""
        bound = self.bound
        what = self.world.escrow.attestation(bound, key, amount=amount, evidence_hash=EVIDENCE)
        milestone = bound.milestones[what.milestone]
        signers = bound.terms.verifiers_of(milestone)[: milestone.quorum]
        data = what.typed_data(bound.domain)
        signatures = {a: self.world.signer(a).sign_typed_data(data) for a in signers}
        stranger = self.world.escrow.acting_as(self.world.stranger)
        stranger.attest(bound, what, signatures)
        self.world.travel(self.world.now + 3 * DAY)
        stranger.finalize(bound, key)

    def ledger(self) -> Ledger:
        escrow = self.world.escrow
        events = escrow.history(self.bound)
        return Ledger(self.bound, escrow.network, events, escrow.now())


@pytest.fixture(scope="session")
def played() -> Played:
    deal = Played.open(DEAL)
    deal.world.travel(START + 60 * DAY)
    deal.certify("manufactured")
    deal.certify("packed", deal.bound.agreement.milestone("packed").amount // 3)
    return deal


@pytest.fixture(scope="session")
def ledger(played: Played) -> Ledger:
    return played.ledger()


@pytest.fixture(scope="session")
def draft(played: Played) -> Callable[..., Ledger]:
    """The deal before anybody has opened it, some of its text replaced."""

    def drafted(*replacements: tuple[str, str]) -> Ledger:
        text = DEAL
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        escrow = played.world.escrow
        return Ledger(Agreement.loads(text).on(escrow), escrow.network, (), START)

    return drafted


@pytest.fixture(scope="session")
def printed() -> Callable[[bytes], Print]:
    return read
