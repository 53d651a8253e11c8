"""What each verb costs, to the unit, and under its bound. A change here is a decision."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bench.gas import DOCUMENT, TARGETS, document, rows_of
from bench.harness import Row
from milestone_escrow.chain.deploy.compiler import Artifact
from tests.contracts.support.gas import measure

EXACT = {
    "plain transfer": 34_126,
    "open + fund, 3 milestones": 104_891,
    "open + fund, 10 milestones": 138_215,
    "open + fund, 60 milestones": 376_507,
    "attested release, 4 milestones, 1 of 3": 71_421,
    "attested release, 4 milestones, 2 of 3": 77_038,
    "attested release, 4 milestones, 3 of 3": 82_679,
    "buyer approves a milestone": 62_081,
    "open a dispute": 65_387,
    "ruling that splits between two parties": 72_923,
    "settlement by two signatures, split": 81_467,
    "submit": 64_623,
    "finalize, refund": 60_343,
    "assign a receivable": 65_873,
    "buy a receivable by a signed offer": 91_512,
    "change order, 1 of 4 milestones extended": 106_186,
    "3 milestones by 1 verifier, start to end": 317_531,
    "each of 20 releases in a batch, 2 signatures": 31_940,
    "fund by authorization, 3 milestones, test USDC": 96_815,
    "each further signer": 5_641,
}


@pytest.fixture(scope="module")
def rows(artifacts: Mapping[str, Artifact]) -> list[Row]:
    return rows_of(artifacts)


@pytest.mark.parametrize("name", EXACT)
def test_costs_exactly(rows: list[Row], name: str) -> None:
    (row,) = (row for row in rows if row.name == name)
    assert row.value == EXACT[name]


def test_every_figure_is_exact(rows: list[Row]) -> None:
    assert {row.name for row in rows} - set(EXACT) == {"size of the core"}


@pytest.mark.parametrize("name", TARGETS)
def test_stays_under_its_bound(rows: list[Row], name: str) -> None:
    (row,) = (row for row in rows if row.name == name)
    assert row.value <= TARGETS[name][0]


def test_a_release_in_a_batch_costs_less_than_moving_the_money_alone(rows: list[Row]) -> None:
    found = {row.name: row.value for row in rows}
    assert found["each of 20 releases in a batch, 2 signatures"] < found["plain transfer"]


def test_cancun_costs_the_same(artifacts: Mapping[str, Artifact]) -> None:
    figures = measure(artifacts, "cancun")
    assert figures == {name: gas for name, gas in EXACT.items() if name in figures}


def test_the_documented_figures_are_current(rows: list[Row]) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(rows), "run `python -m bench.gas`"
