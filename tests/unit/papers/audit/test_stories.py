"""Whatever happens to an agreement can be exported and verified: disputes, rulings, all of it."""

from __future__ import annotations

import pytest

from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.papers.audit.claims import verify
from milestone_escrow.papers.audit.fetching import export
from milestone_escrow.papers.audit.online import verify_on_chain
from milestone_escrow.sandbox.player import Player
from milestone_escrow.sandbox.story import load_story
from milestone_escrow.sandbox.world import World


@pytest.mark.parametrize("name", examples.names())
def test_every_example_proves_its_story(name: str) -> None:
    agreement = Agreement.load(examples.path(name))
    story = load_story(examples.path(name).parent / "story.yaml")
    world = World.start(agreement.starts_at)
    player = Player(agreement, story, world, lambda key: examples.evidence(name, key))
    list(player.play())
    signed = SignedAgreement.start(agreement.on(world.escrow))
    contents, claims = verify(export(world.escrow, [signed], lambda digest: {}))
    assert [c for c in claims if c.holds is False] == []
    assert contents is not None
    assert [c for c in verify_on_chain(contents, world.escrow) if c.holds is not True] == []
