"""The agreement on paper: all of it, and nothing runs over the edge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.papers.contract import contract_pdf
from milestone_escrow.papers.sheet import Layout
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DEAL
from tests.unit.papers.print import Print

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/agreement.yaml"))
Printed = Callable[[bytes], Print]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_prints_within_its_margins(printed: Printed, path: Path) -> None:
    agreement = Agreement.load(path)
    paper = "letter" if agreement.timezone.key.startswith("America/") else "a4"
    found = printed(contract_pdf(agreement, layout=Layout(paper)))
    assert found.strays == ()
    for milestone in agreement.milestones:
        assert agreement.amount(milestone.amount) in found.text
        assert f"“{milestone.key}”" in found.text
    for name in agreement.model.clauses:
        assert name.replace("_", " ") in found.text
    assert f"Page 1 of {len(found.pages)}" in found.text
    assert agreement.document_hash.hex() in found.pages[-1]


def test_leaves_room_to_sign_or_shows_who_has(printed: Printed, played: Played) -> None:
    agreement, signed = played.bound.agreement, played.signed
    assert printed(contract_pdf(agreement)).text.count("date, signature") == 2
    shown = printed(contract_pdf(agreement, bound=played.bound, signatures=signed.signatures)).text
    assert "date, signature" not in shown
    joined = shown.replace(" ", "")
    assert signed.signatures["buyer"].hex() in joined
    assert played.bound.id.hex() in joined


def test_the_same_agreement_gives_the_same_bytes() -> None:
    assert contract_pdf(Agreement.loads(DEAL)) == contract_pdf(Agreement.loads(DEAL))


def test_a_title_that_is_markup_stays_a_title(printed: Printed) -> None:
    title = "<b>**Carpets**</b> {nb} __x__"
    agreement = Agreement.loads(
        DEAL.replace("title: 1,200 hand-knotted carpets, Jaipur to Hamburg", f'title: "{title}"')
    )
    assert title in printed(contract_pdf(agreement)).text
