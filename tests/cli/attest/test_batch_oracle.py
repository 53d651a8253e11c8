"""`escrow attest --batch` with an oracle: handed over, joined, reviewed by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from milestone_escrow.cli.oracle import asking
from milestone_escrow.oracle.answers import ProposedBatch
from milestone_escrow.oracle.api_client import OracleClient
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.sandbox.world import World
from tests.cli.attest.test_batch import both, listed, second, standing
from tests.cli.conftest import Run
from tests.cli.running import Oracle, Shared, running_oracle

__all__ = ["both", "second"]


@pytest.fixture
def oracle(world: World, node: Shared, home: Path, second: str) -> Iterator[Oracle]:
    """An oracle that knows both sheds."""
    with running_oracle(world, node, home) as found:
        found.instance.service.tick()
        found.register()
        yield found


@pytest.fixture
def walls(second: str) -> str:
    """A list of two verdicts that two verifiers must sign, one of them with a reason."""
    return listed(
        "  - {agreement: SHED-7, milestone: walls, verdict: accepted}\n"
        "  - {agreement: SHED-8, milestone: walls, verdict: rejected, reason: They lean}\n"
    )


def states(oracle: Oracle) -> list[str]:
    """Of the batches that it has."""
    with oracle.store.reading() as connection:
        return list(connection.execute(select(t.batches.c.state)).scalars())


def test_one_signature_releases_milestones_of_two_agreements(
    escrow: Run, oracle: Oracle, both: str, world: World
) -> None:
    oracle.go()
    result = escrow("attest", "--batch", both, "--oracle", oracle.url, "--yes")
    assert result.status == 0, result.err
    assert "1 of 1 needed verifiers signed" in result.words
    assert "That is enough: the oracle sends it" in result.words
    assert "SHED-7 'foundation' paid" in result.words
    assert standing(escrow, "SHED-8", "foundation") == ("funded", "1,800.00 USDC")
    oracle.stop()
    oracle.instance.service.tick()
    assert states(oracle) == ["settled"]
    with oracle.store.reading() as connection:
        assert len(connection.execute(select(t.attempts.c.hash)).all()) == 1


def test_the_next_verifier_reviews_the_batch_by_its_digest(
    escrow: Run, oracle: Oracle, walls: str
) -> None:
    first = escrow("attest", "--batch", walls, "--oracle", oracle.url, "--as", "surveyor", "--yes")
    assert first.status == 0, first.err
    assert "1 of 2 needed verifiers signed" in first.words
    line = next(line for line in first.out.splitlines() if "--batch http" in line).strip()
    assert "Otto Span can sign it, too" in first.words
    oracle.go()
    words = line.removeprefix("escrow ").split()
    looked = escrow(*words, "--as", "carpenter", "--dry-run")
    assert "SHED-8 'walls': rejected, “They lean”" in looked.words
    assert states(oracle) == ["open"]
    done = escrow(*words, "--as", "carpenter", "--yes")
    assert done.status == 0, done.err
    assert standing(escrow, "SHED-7", "walls") == ("settled", "4,000.00 USDC")
    assert standing(escrow, "SHED-8", "walls")[0] == "refund_pending"
    assert "They lean" in escrow("history", "SHED-8", "walls").words


def test_the_same_list_joins_what_another_has_signed(
    escrow: Run, oracle: Oracle, walls: str, home: Path
) -> None:
    first = escrow("attest", "--batch", walls, "--oracle", oracle.url, "--as", "surveyor",
                   "--yes", "--json")  # fmt: skip
    assert first.status == 0, first.err
    again = escrow("attest", "--batch", walls, "--oracle", oracle.url, "--as", "surveyor", "--yes")
    assert again.status == 1
    assert "Vera Grün has signed these verdicts already" in again.err
    assert "it waits for Otto Span" in again.err
    twice = escrow("attest", "--batch", f"batches/{first.json['batch']}", "--oracle", oracle.url,
                   "--as", "surveyor", "--yes")  # fmt: skip
    assert "Vera Grün has signed these verdicts already" in twice.err
    oracle.go()
    second_ = escrow("attest", "--batch", walls, "--oracle", oracle.url, "--yes", "--json")
    assert second_.status == 0, second_.err
    assert second_.json["complete"] is True
    assert second_.json["batch"] == first.json["batch"]
    assert not list(home.glob("attestations/*"))


def test_what_waits_on_this_machine_is_handed_over_too(
    escrow: Run, oracle: Oracle, walls: str, home: Path
) -> None:
    alone = escrow("attest", "--batch", walls, "--as", "surveyor", "--oracle", "none", "--yes")
    assert "kept here" in alone.words
    result = escrow("attest", "--batch", walls, "--as", "carpenter", "--oracle", oracle.url,
                    "--dry-run")  # fmt: skip
    assert result.status == 0, result.err
    oracle.go()
    result = escrow(
        "attest", "--batch", walls, "--as", "carpenter", "--oracle", oracle.url, "--yes"
    )
    assert "2 of 2 needed verifiers signed" in result.words
    assert not list(home.glob("attestations/*"))


def test_where_the_oracle_is_away_the_verifier_sends_alone(
    escrow: Run, both: str, node: Shared
) -> None:
    result = escrow("attest", "--batch", both, "--oracle", "http://127.0.0.1:9", "--yes")
    assert result.status == 0, result.err
    assert "does not answer" in result.words
    assert standing(escrow, "SHED-7", "foundation")[0] == "settled"


def test_an_oracle_that_does_not_know_the_agreements_is_done_without(
    escrow: Run, world: World, node: Shared, home: Path, both: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(asking, "_PATIENCE", 0)
    with running_oracle(world, node, home) as empty:
        result = escrow("attest", "--batch", both, "--oracle", empty.url, "--yes")
    assert result.status == 0, result.err
    assert "item 1 (milestone 2 of 0x" in result.words
    assert standing(escrow, "SHED-7", "foundation")[0] == "settled"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("batches/0x" + "11" * 32, "--oracle", "URL"), 1, "no batch 0x1111111111… is known here"),
        (("batches/0x" + "11" * 32,), 2, "name it with --oracle"),
        (("batches/0x" + "11" * 32, "--sign-only", "x.json"), 2, "an oracle has this batch"),
    ],
)
def test_refuses_what_makes_no_sense(
    escrow: Run, oracle: Oracle, arguments: tuple[str, ...], status: int, says: str
) -> None:
    given = [oracle.url if one == "URL" else one for one in arguments]
    result = escrow("attest", "--batch", *given, "--yes")
    assert (result.status, says in result.err) == (status, True), result.err


def test_an_oracle_that_answers_with_another_batch_gets_no_signature(
    escrow: Run, oracle: Oracle, walls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = escrow("attest", "--batch", walls, "--oracle", oracle.url, "--as", "surveyor",
                   "--yes", "--json")  # fmt: skip
    true = OracleClient.batch

    def forged(client: OracleClient, digest: bytes) -> ProposedBatch:
        found = true(client, digest)
        (one, words), *rest = found.items
        changed = replace(one, verdict=Verdict.ACCEPTED, amount=1)
        return replace(found, items=((changed, words), *rest))

    monkeypatch.setattr(OracleClient, "batch", forged)
    address = f"{oracle.url}/v1/batches/{first.json['batch']}"
    result = escrow("attest", "--batch", address, "--as", "carpenter", "--yes")
    assert result.status == 1
    assert "its batch is not the one of that digest" in result.err
    with oracle.store.reading() as connection:
        assert len(connection.execute(select(t.batch_signatures)).all()) == 1


def test_who_looks_at_one_milestone_is_shown_the_batch(
    escrow: Run, oracle: Oracle, walls: str
) -> None:
    first = escrow("attest", "--batch", walls, "--oracle", oracle.url, "--as", "surveyor",
                   "--yes", "--json")  # fmt: skip
    looked = escrow("attest", "SHED-7", "walls", "--accept", "--oracle", oracle.url,
                    "--as", "carpenter", "--dry-run")  # fmt: skip
    assert "Vera Grün signed: accepted" in looked.words
    assert f"escrow attest --batch {oracle.url}/v1/batches/{first.json['batch']}" in looked.out
