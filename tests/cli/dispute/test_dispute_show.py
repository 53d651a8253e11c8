"""Both sides of a dispute for whoever rules: what happened, evidence, time left, silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.running import PNG, Oracle, Shared, running_oracle

DAY = 86_400


@pytest.fixture
def disputed(escrow: Run, opened: Path) -> Path:
    """The walls were submitted, and the buyer objected."""
    Path("photos-01.png").write_bytes(PNG)
    assert escrow("submit", "SHED-7", "walls", "--evidence", "photos-01.png", "--as", "supplier",
                  "--yes").status == 0  # fmt: skip
    assert escrow("dispute", "SHED-7", "walls", "--reason", "The roof leaks", "--as", "buyer",
                  "--yes").status == 0  # fmt: skip
    return opened


@pytest.fixture
def oracle(world: World, node: Shared, home: Path, disputed: Path) -> Iterator[Oracle]:
    with running_oracle(world, node, home) as found:
        found.instance.service.tick()
        found.register()
        found.hand_in("walls", "photos-01.png", PNG)
        found.hand_in("walls", "leak-01.png", PNG + b"!", role="buyer")
        yield found


def test_shows_what_the_chain_and_this_machine_know(
    escrow: Run, disputed: Path, unchanged: Unchanged
) -> None:
    with unchanged():
        result = escrow("dispute", "show", "SHED-7", "walls")
    assert result.status == 0
    for words in (
        "disputed",
        "held 4,000.00 USDC",
        "“The roof leaks”",
        "evidence photos-01.png",
        "Dr. A. Brandt",
        "time to rule until",
        "silence",
        "No oracle was asked",
        "escrow rule SHED-7 walls --to-supplier",
    ):
        assert words in result.words


def test_shows_both_sides_evidence_and_verifies_it(escrow: Run, oracle: Oracle, home: Path) -> None:
    result = escrow("dispute", "show", "SHED-7", "walls", "--oracle", oracle.url, "--as", "arbiter")
    assert result.status == 0, result.err
    words = result.words
    payee, buyer = words.index("Evidence from the payee"), words.index("Evidence from the buyer")
    assert payee < words.index("photos-01.png", payee) < buyer < words.index("leak-01.png", buyer)
    assert sorted(path.name for path in (home / "evidence").rglob("*.png")) == [
        "leak-01.png",
        "photos-01.png",
    ]


def test_shows_what_verifiers_signed_meanwhile(escrow: Run, oracle: Oracle) -> None:
    escrow("attest", "SHED-7", "walls", "--return", "Two beams are missing", "--as", "carpenter",
           "--oracle", oracle.url, "--yes")  # fmt: skip
    result = escrow("dispute", "show", "SHED-7", "walls", "--oracle", oracle.url)
    assert "Otto Span: returned for rework, “Two beams are missing”" in result.words
    body = escrow("dispute", "show", "SHED-7", "walls", "--oracle", oracle.url, "--json").json
    assert body["disputed"]
    assert body["milestone"]["status"] == "disputed_before_verdict"
    assert body["attestations"][0]["words"]["reason"] == "Two beams are missing"
    assert {file["side"].split(",")[0] for file in body["evidence"]} == {"the payee", "the buyer"}


def test_says_when_the_time_to_rule_is_over(escrow: Run, disputed: Path, world: World) -> None:
    world.travel(world.now + 200 * DAY)
    result = escrow("dispute", "show", "SHED-7", "walls")
    assert "The time to rule is over" in result.words
    assert "escrow finalize SHED-7 walls" in result.words


def test_a_milestone_that_is_not_disputed_says_who_may_object(escrow: Run, opened: Path) -> None:
    result = escrow("dispute", "show", "SHED-7", "walls")
    assert result.status == 0
    assert "'walls' is not disputed" in result.words
    assert "escrow dispute SHED-7 walls --reason" in result.words


def test_an_oracle_that_is_away_hides_nothing_else(escrow: Run, disputed: Path) -> None:
    result = escrow("dispute", "show", "SHED-7", "walls", "--oracle", "http://127.0.0.1:9")
    assert result.status == 0
    assert "does not answer" in result.words
    assert "“The roof leaks”" in result.words


@pytest.mark.parametrize(
    "arguments",
    [
        ("SHED-7", "walls", "--reason", "Wet", "--as", "supplier", "--dry-run"),
        ("object", "SHED-7", "walls", "--reason", "Wet", "--as", "supplier", "--dry-run"),
        ("--reason", "Wet", "SHED-7", "walls", "--as", "supplier", "--dry-run"),
        ("--as", "supplier", "--dry-run", "--reason", "Wet", "SHED-7", "walls"),
    ],
)
def test_the_word_object_may_be_left_out(
    arguments: tuple[str, ...], escrow: Run, opened: Path
) -> None:
    result = escrow("dispute", *arguments)
    assert result.status == 0, result.err
    assert "dispute SHED-7" in result.words


def forget_words(home: Path) -> None:
    """As on another machine, which knows nothing of what was sent from this one."""
    for path in (home / "words").glob("*.json"):
        path.unlink()


def test_a_reason_that_is_given_to_an_oracle_is_read_elsewhere(
    escrow: Run, oracle: Oracle, home: Path
) -> None:
    shown = ("dispute", "show", "SHED-7", "handover", "--oracle", oracle.url, "--as", "arbiter")
    assert escrow("submit", "SHED-7", "handover", "--yes").status == 0
    oracle.go()
    result = escrow("dispute", "SHED-7", "handover", "--reason", "No keys", "--as", "buyer",
                    "--oracle", oracle.url, "--yes")  # fmt: skip
    assert result.status == 0, result.err
    assert f"The oracle at {oracle.url} has the reason" in result.words
    forget_words(home)
    assert "“No keys”" in escrow(*shown).words
    result = escrow("rule", "SHED-7", "handover", "--to-supplier", "all", "--reason", "He has them",
                    "--as", "arbiter", "--oracle", oracle.url, "--yes")  # fmt: skip
    assert f"The oracle at {oracle.url} has the reason" in result.words
    forget_words(home)
    assert "“He has them”" in escrow(*shown).words


def test_a_dispute_stands_where_the_oracle_is_away(escrow: Run, opened: Path) -> None:
    assert escrow("submit", "SHED-7", "handover", "--yes").status == 0
    line = ("dispute", "SHED-7", "handover", "--reason", "No keys", "--as", "buyer", "--yes")
    result = escrow(*line, "--oracle", "http://127.0.0.1:9")
    assert result.status == 0, result.err
    assert "The reason was not handed in: the oracle at http://127.0.0.1:9" in result.words


def test_an_oracle_and_a_file_exclude_each_other(
    escrow: Run, opened: Path, unchanged: Unchanged
) -> None:
    line = ("dispute", "SHED-7", "walls", "--reason", "No", "--sign-only", "dispute.json")
    with unchanged():
        result = escrow(*line, "--oracle", "https://oracle.example")
    assert result.status == 2
    assert "leave one of the two out" in result.err
