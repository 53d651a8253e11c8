"""Paper on the page: printed with the fonts of its server."""

from __future__ import annotations

from functools import partial

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.papers import typeface
from milestone_escrow.papers.contract import contract_pdf
from milestone_escrow.web.pages.new import pdf
from tests.cli.deal import DEAL


def test_a_font_that_the_server_lacks_is_no_fault_of_the_visitor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typeface, "system_fonts", lambda: iter(()))
    agreement = Agreement.loads(DEAL.replace("Holz & Söhne", "บริษัท กรุงเทพ จำกัด"))
    with pytest.raises(Problem) as caught:
        pdf(partial(contract_pdf, agreement), "SHED-7")
    assert caught.value.status == 503
    assert "no font here can write" in caught.value.message
    assert "--font" in caught.value.hint
