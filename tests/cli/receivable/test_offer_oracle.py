"""An offer that is given to an oracle, from the payee's command line to the financier's list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.oracle import proposals, viewing
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.cli.running import Oracle, Shared, running_oracle

FOUNDATION = 1
LINE = ("receivable", "offer", "SHED-7", "foundation", "--price", "2,900.00", "--yes")


@pytest.fixture
def oracle(world: World, node: Shared, home: Path, opened: Path) -> Iterator[Oracle]:
    """An oracle that knows the deal, funded."""
    with running_oracle(world, node, home) as found:
        found.instance.service.tick()
        found.register()
        yield found


def prices(oracle: Oracle) -> list[int]:
    with oracle.store.reading() as connection:
        (view,) = viewing.agreements(connection, viewing.ids_of(connection))
        found = [one.act for one in proposals.offers(connection, view, FOUNDATION, oracle.now)]
    return [act.price for act in found if isinstance(act, Offer)]


def test_an_offer_is_given_to_the_oracle_that_is_named(escrow: Run, oracle: Oracle) -> None:
    alone = escrow(*LINE, "--output", "alone.json", "--json")
    assert "posted" not in alone.json
    assert prices(oracle) == []
    result = escrow(*LINE, "--oracle", oracle.url)
    assert result.status == 0, result.err
    assert f"The oracle at {oracle.url} has it, too" in result.words
    assert prices(oracle) == [2_900_000_000]
    assert Path("foundation.offer.json").exists()


def test_without_the_oracle_the_offer_is_a_file_all_the_same(escrow: Run, opened: Path) -> None:
    result = escrow(*LINE, "--oracle", "http://127.0.0.1:9", "--json")
    assert result.status == 0, result.err
    assert result.json["posted"] is False
    again = escrow(*LINE, "--force", "--oracle", "http://127.0.0.1:9")
    assert "Without the oracle" in again.words
    assert Path("foundation.offer.json").exists()


def test_a_refusal_is_told_in_the_oracles_words(
    escrow: Run, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from milestone_escrow.cli.oracle import asking

    monkeypatch.setattr(asking, "_PATIENCE", 0)
    assert escrow("submit", "SHED-7", "handover", "--yes").status == 0
    # It has not seen that block, so for it the milestone is where it was.
    late = ("receivable", "offer", "SHED-7", "handover", "--price", "1,900.00", "--yes")
    result = escrow(*late, "--oracle", oracle.url)
    assert result.status == 1
    assert "the oracle: the offer of 'handover' is void: something has happened" in result.err
    assert Path("handover.offer.json").exists()


def test_a_dry_run_gives_nothing(escrow: Run, oracle: Oracle) -> None:
    assert escrow(*LINE, "--oracle", oracle.url, "--dry-run").status == 0
    assert prices(oracle) == []
