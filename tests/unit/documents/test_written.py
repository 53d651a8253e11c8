"""An agreement written out again means the same."""

from __future__ import annotations

import pytest

from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.written import text_of
from tests.cli.deal import DEAL


@pytest.mark.parametrize("name", examples.names())
def test_reads_back_as_the_same_document(name: str) -> None:
    agreement = Agreement.load(examples.path(name))
    assert Agreement.drafted(text_of(agreement)).document == agreement.document


def test_reads_like_what_people_write() -> None:
    lines = text_of(Agreement.drafted(DEAL)).splitlines()
    assert lines[:2] == ["format: 1", "title: A garden shed, built in three stages"]
    at = lines.index("- key: walls")
    assert lines[at : at + 4] == [
        "- key: walls",
        "  title: Walls and roof stand",
        "  pays: 40 %",
        "  due: 2027-05-01",
    ]


def test_keeps_an_odd_text_as_it_is() -> None:
    odd = DEAL.replace("title: A garden shed, built in three stages", 'title: "yes: \\"0x01\\" #1"')
    agreement = Agreement.drafted(odd)
    assert agreement.title == 'yes: "0x01" #1'
    assert Agreement.drafted(text_of(agreement)).title == agreement.title
