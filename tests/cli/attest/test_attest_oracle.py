"""A verifier's way through an oracle: shown, verified, decided, signed, handed over, released."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from milestone_escrow.cli.oracle.store_home import Running
from milestone_escrow.cli.shell import session
from milestone_escrow.cli.shell.home import Home
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.cli.dispute.test_verbs import paid
from tests.cli.running import PNG, Oracle, Shared, running_oracle

SURVEYOR, CARPENTER = DevSigner(3), DevSigner(4)


@pytest.fixture
def oracle(world: World, node: Shared, home: Path, opened: Path) -> Iterator[Oracle]:
    """An oracle that knows the deal, funded, with one photo of the foundation handed in."""
    with running_oracle(world, node, home) as found:
        found.instance.service.tick()
        found.register()
        found.hand_in("foundation", "photos-01.png", PNG)
        found.hand_in("walls", "photos-01.png", PNG)
        yield found


def stages(oracle: Oracle) -> list[str]:
    with oracle.store.reading() as connection:
        return list(connection.execute(select(t.attestations.c.state)).scalars())


def test_one_verifier_releases_a_milestone_without_further_action(
    escrow: Run, oracle: Oracle
) -> None:
    oracle.go()
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--oracle", oracle.url, "--yes")
    assert result.status == 0, result.err
    assert "photos-01.png" in result.words
    assert "verified" in result.words
    assert "met photos" in result.words
    assert "1 of 1 needed verifiers signed" in result.words
    assert "'foundation' paid" in result.words
    assert paid(escrow, "foundation") == ("settled", "3,000.00 USDC", "0.00 USDC")


def test_the_verdict_is_asked_for_once_the_evidence_was_shown(
    escrow: Run, oracle: Oracle, home: Path
) -> None:
    answers = "accept\ny\n"
    result = escrow("attest", "SHED-7", "walls", "--oracle", oracle.url, "--as", "surveyor",
                    answers=answers)  # fmt: skip
    assert result.status == 0, result.err
    assert result.words.index("verified") < result.words.index("Signed")
    files = list((home / "evidence").rglob("*.png"))
    assert [path.read_bytes() for path in files] == [PNG]
    assert stages(oracle) == ["open"]
    assert "It waits for Otto Span" in result.words


def test_the_second_verifier_joins_the_first(escrow: Run, oracle: Oracle) -> None:
    first = escrow("attest", "SHED-7", "walls", "--accept", "--oracle", oracle.url,
                   "--as", "surveyor", "--yes")  # fmt: skip
    assert first.status == 0, first.err
    # Another photo is handed in meanwhile: the first one's words still hold.
    oracle.hand_in("walls", "photos-02.png", PNG + b"2")
    oracle.go()
    second = escrow("attest", "SHED-7", "walls", "--accept", "--oracle", oracle.url,
                    "--as", "carpenter", "--yes", "--json")  # fmt: skip
    assert second.status == 0, second.err
    assert second.json["complete"]
    assert second.json["status"] == "settled"
    assert sorted(second.json["signed_by"]) == sorted([SURVEYOR.address, CARPENTER.address])
    assert len(second.json["evidence"]) == 2
    oracle.stop()
    oracle.instance.service.tick()
    assert stages(oracle) == ["settled"]


def test_signing_twice_is_told(escrow: Run, oracle: Oracle) -> None:
    for status in (0, 1):
        result = escrow("attest", "SHED-7", "walls", "--accept", "--oracle", oracle.url,
                        "--as", "surveyor", "--yes")  # fmt: skip
        assert result.status == status
    assert "Vera Grün has signed this already; 1 of 2 needed verifiers signed" in result.err


def test_a_return_goes_to_the_supplier_with_its_reason(escrow: Run, oracle: Oracle) -> None:
    result = escrow("attest", "SHED-7", "foundation", "--oracle", oracle.url,
                    answers="return\nThe north corner is missing\ny\n")  # fmt: skip
    assert result.status == 0, result.err
    assert "It tells the supplier what is missing" in result.words
    with oracle.store.reading() as connection:
        row = connection.execute(select(t.attestations)).one()
    assert (row.reason, row.state) == ("The north corner is missing", "settled")


def test_a_rejection_asks_twice(escrow: Run, oracle: Oracle) -> None:
    result = escrow("attest", "SHED-7", "foundation", "--oracle", oracle.url,
                    answers="reject\nIt cracked\ny\nn\n")  # fmt: skip
    assert result.status != 0
    assert stages(oracle) == []


def test_a_dry_run_signs_and_fetches_nothing(escrow: Run, oracle: Oracle, home: Path) -> None:
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--oracle", oracle.url,
                    "--dry-run")  # fmt: skip
    assert result.status == 0
    assert "this was a dry run" in result.words
    assert not (home / "evidence").exists()
    assert stages(oracle) == []


def test_the_oracle_of_this_machine_is_found_by_itself(
    escrow: Run, oracle: Oracle, home: Path
) -> None:
    import os

    escrow_of = oracle.instance.escrow
    record = Running(oracle.url, os.getpid(), escrow_of.network.chain_id, escrow_of.contract)
    record.write(session.Session(home=Home(home)))
    result = escrow("attest", "SHED-7", "walls", "--accept", "--as", "surveyor", "--yes")
    assert result.status == 0, result.err
    assert f"the oracle at {oracle.url} has" in result.words
    alone = escrow("attest", "SHED-7", "walls", "--accept", "--as", "carpenter", "--oracle", "none",
                   "--yes")  # fmt: skip
    assert "kept here" in alone.words
    assert stages(oracle) == ["open"]


def test_where_the_oracle_is_away_the_verifier_sends_alone(
    escrow: Run, opened: Path, node: Shared
) -> None:
    result = escrow("attest", "SHED-7", "foundation", "--accept", "--oracle",
                    "http://127.0.0.1:9", "--yes")  # fmt: skip
    assert result.status == 0, result.err
    assert "does not answer" in result.words
    assert paid(escrow, "foundation")[0] == "settled"


def test_an_oracle_that_does_not_know_the_agreement_shows_nothing(
    escrow: Run, world: World, node: Shared, home: Path, opened: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from milestone_escrow.cli.oracle import asking

    monkeypatch.setattr(asking, "_PATIENCE", 0)
    with running_oracle(world, node, home) as empty:
        result = escrow("attest", "SHED-7", "foundation", "--accept", "--oracle", empty.url,
                        "--yes")  # fmt: skip
    assert result.status == 0, result.err
    assert "nothing to show" in result.words
    assert paid(escrow, "foundation")[0] == "settled"


def test_the_submission_on_chain_is_compared(escrow: Run, oracle: Oracle) -> None:
    Path("photos-01.png").write_bytes(PNG)
    assert escrow("submit", "SHED-7", "foundation", "--evidence", "photos-01.png",
                  "--as", "supplier", "--yes").status == 0  # fmt: skip
    oracle.instance.service.tick()
    same = escrow("attest", "SHED-7", "foundation", "--accept", "--oracle", oracle.url, "--dry-run")
    assert "the same that Holz & Söhne has submitted on chain" in same.words
    oracle.hand_in("foundation", "photos-02.png", PNG + b"2")
    other = escrow("attest", "SHED-7", "foundation", "--accept", "--oracle", oracle.url,
                   "--dry-run")  # fmt: skip
    assert "another than Holz & Söhne has submitted on chain" in other.words


def test_a_file_that_is_not_what_it_says_stops_everything(
    escrow: Run, oracle: Oracle, home: Path
) -> None:
    blobs = [path for path in (home.parent / "evidence").rglob("*") if path.is_file()]
    for path in blobs:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = escrow("attest", "SHED-7", "walls", "--accept", "--as", "surveyor", "--oracle",
                    oracle.url, "--yes")  # fmt: skip
    assert stages(oracle) == []
    assert result.status == 1
    assert not list((home / "evidence").rglob("*.png"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("attest", "--submit", "x.json", "--oracle", "http://127.0.0.1:1"),
        ("attest", "SHED-7", "walls", "--accept", "--sign-only", "x.json", "--oracle", "none"),
        ("attest", "SHED-7", "foundation", "--accept", "--oracle", "http://oracle.example"),
        ("attest", "SHED-7", "foundation", "--accept", "--oracle", "oracle"),
        ("attest", "SHED-7", "foundation"),
    ],
)
def test_refuses_what_makes_no_sense(arguments: tuple[str, ...], escrow: Run, opened: Path) -> None:
    assert escrow(*arguments, "--yes").status == 2
