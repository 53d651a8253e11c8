"""`escrow evidence`, `escrow oracle explain` and `escrow oracle policy test` on a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from milestone_escrow.documents.manifest import manifest
from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.policies.would_sign import decide
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import Status
from tests.cli.conftest import Result, Run
from tests.oracle.policies.world import MACHINE, NOW, USDC, House, build

SANDBOX = Domain(SANDBOX_CHAIN_ID, "0xBbcBa0436641eEbfEf117b7185573B146487a1AA")
PDF = b"%PDF-1.7 a report"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house in the store of an oracle on the sandbox, which nobody on this machine has signed."""
    store = Store.open(tmp_path / "oracle.db", SANDBOX)
    yield build(store, domain=SANDBOX)
    store.close()


@pytest.fixture
def at_store(escrow: Run, house: House, tmp_path: Path) -> Run:
    """Runs a command on the house's store."""

    def run(*arguments: str) -> Result:
        return escrow(*arguments, "--store", str(tmp_path / "oracle.db"))

    return run


def file(name: str, content: bytes = PDF) -> str:
    Path(name).write_bytes(content)
    return name


def test_a_file_goes_in_is_listed_and_comes_out_verified(at_store: Run) -> None:
    report = file("survey-report.pdf")
    added = at_store("evidence", "add", "HOUSE-1", "ground", report, "--as", "surveyor")
    assert added.status == 0, added.err
    assert "survey report from surveyor" in added.words
    assert "escrow oracle explain HOUSE-1 ground" in added.words
    listed = at_store("evidence", "list", "HOUSE-1", "ground", "--json").json
    (entry,) = listed["evidence"]
    assert (entry["name"], entry["role"], entry["stored"]) == (report, "surveyor", True)
    assert listed["evidence_hash"] == "0x" + manifest([report]).hash.hex()
    got = at_store("evidence", "get", "HOUSE-1", "ground", "-o", "looked-at", "--as", "buyer")
    assert got.status == 0, got.err
    assert (Path("looked-at") / report).read_bytes() == PDF
    assert (Path("looked-at") / report).stat().st_mode & 0o777 == 0o600


def test_nothing_that_is_there_is_overwritten(at_store: Run) -> None:
    report = file("survey-report.pdf")
    at_store("evidence", "add", "HOUSE-1", "ground", report, "--as", "surveyor")
    file(report, b"%PDF-1.7 my own notes")
    got = at_store("evidence", "get", "HOUSE-1", "ground", "--as", "buyer")
    assert got.status == 1
    assert "exists already" in got.err
    assert Path(report).read_bytes() == b"%PDF-1.7 my own notes"


def test_a_file_by_its_hash_stays_in_the_house(at_store: Run, home: Path) -> None:
    report = file("survey-report.pdf")
    at_store("evidence", "add", "HOUSE-1", "ground", report, "--hash-only", "--as", "surveyor")
    assert not (home / "oracle" / "evidence").exists()
    listed = at_store("evidence", "list", "HOUSE-1", "ground", "--json").json
    assert listed["evidence"][0]["stored"] is False
    assert listed["evidence_hash"] == "0x" + manifest([report]).hash.hex()
    got = at_store("evidence", "get", "HOUSE-1", "ground", report, "--as", "buyer")
    assert got.status == 1
    assert "only the hash" in got.err


def test_a_file_that_nothing_asks_for_is_noted(at_store: Run) -> None:
    added = at_store("evidence", "add", "HOUSE-1", "ground", file("scan.pdf"), "--as", "surveyor")
    assert "asks for no scan; it asks for survey_report" in added.words
    kind = ("--kind", "survey report")
    named = at_store(
        "evidence", "add", "HOUSE-1", "ground", file("scan-2.pdf", PDF + b"2"), *kind,
        "--as", "surveyor",
    )  # fmt: skip
    assert "listed as survey_report.pdf" in named.words
    assert "Note" not in named.words


def test_a_file_is_taken_back(at_store: Run) -> None:
    report = file("survey-report.pdf")
    at_store("evidence", "add", "HOUSE-1", "ground", report, "--as", "surveyor")
    other = at_store("evidence", "remove", "HOUSE-1", "ground", report, "--as", "buyer")
    assert (other.status, "handed in by surveyor" in other.err) == (2, True)
    gone = at_store("evidence", "remove", "HOUSE-1", "ground", report, "--as", "surveyor")
    assert gone.status == 0
    assert at_store("evidence", "list", "HOUSE-1", "ground", "--json").json["evidence"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("HOUSE-1", "attic", "survey-report.pdf"), "not a milestone"),
        (("HOUSE-2", "ground", "survey-report.pdf"), "HOUSE-2"),
        (("HOUSE-1", "ground", "wrong.png"), "it is application/pdf"),
        (("HOUSE-1", "ground", "notes.html"), "not taken as evidence"),
    ],
)
def test_what_cannot_be_handed_in_is_one_sentence(
    at_store: Run, arguments: tuple[str, ...], says: str
) -> None:
    for name in ("survey-report.pdf", "wrong.png", "notes.html"):
        file(name)
    refused = at_store("evidence", "add", *arguments, "--as", "surveyor")
    assert refused.status == 2
    assert says in refused.err


def test_explains_what_is_missing_and_then_what_was_shown(at_store: Run, house: House) -> None:
    before = at_store("oracle", "explain", "HOUSE-1", "ground")
    assert before.status == 0, before.err
    assert "└ missing no survey report from surveyor" in before.words
    assert "the oracle signs nothing" in before.words
    assert "If nothing more happens: on 1 May 2027" in before.words
    at_store("evidence", "add", "HOUSE-1", "ground", file("survey-report.pdf"), "--as", "surveyor")
    after = at_store("oracle", "explain", "0x" + house.signed.id.hex()[:8], "ground")
    assert "└ met survey report from surveyor since" in after.words
    assert "Everything is shown" in after.words
    body = at_store("oracle", "explain", "HOUSE-1", "ground", "--json").json
    assert body["would_sign"] is True
    assert body["requirements"]["items"][0]["state"] == "met"


def test_explains_why_what_is_shown_is_not_signed(at_store: Run, house: House) -> None:
    house.set_state(0, status=int(Status.SETTLED))
    photos = [file(f"photos-{n}.jpg", b"\xff\xd8\xff" + bytes([n])) for n in (1, 2)]
    at_store("evidence", "add", "HOUSE-1", "roof", *photos, "--as", "supplier")
    told = at_store("oracle", "explain", "HOUSE-1", "roof")
    assert "Shown, and not signed: all that is shown comes from whoever is paid" in told.words
    assert at_store("oracle", "explain", "HOUSE-1", "roof", "--json").json["would_sign"] is False


def test_says_of_a_settled_milestone_that_nothing_is_left(at_store: Run, house: House) -> None:
    house.set_state(0, status=int(Status.SETTLED))
    assert "It is settled" in at_store("oracle", "explain", "HOUSE-1", "ground").words


def test_draws_a_tree_of_ways(at_store: Run) -> None:
    lines = at_store("oracle", "explain", "HOUSE-1", "handover").out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  missing"))
    assert lines[start : start + 5] == [
        "  missing  0 of 1 met",
        "  └ missing  any of these: 0 of 3 met, 1 needed",
        "    ├ missing  surveyor has not signed",
        "    ├ missing  no event 'handed-over' from notary yet",
        "    └ missing  city.example was not asked yet",
    ]


def test_without_a_store_it_shows_what_will_be_asked_for(escrow: Run, deal: Path) -> None:
    told = escrow("oracle", "explain", str(deal), "foundation")
    assert told.status == 0, told.err
    assert "the oracle has no store here" in told.words
    assert "└ missing no photos from supplier" in told.words


def test_limits_are_tried_on_history_and_on_what_waits(at_store: Run, house: House) -> None:
    empty = at_store("oracle", "policy", "test")
    assert (empty.status, "Nothing was accepted yet" in empty.words) == (0, True)
    with house.store.transaction() as connection:
        connection.execute(
            insert(t.decisions).values(
                signer=MACHINE, agreement_id=house.signed.id, milestone=2, issued_at=NOW - 9,
                digest=b"\3" * 32, verdict=1, amount=2_000 * 10**6, evidence_hash=bytes(32),
                valid_until=NOW + 99, decided_at=NOW - 9,
            )
        )  # fmt: skip
    at_store("evidence", "add", "HOUSE-1", "ground", file("survey-report.pdf"), "--as", "surveyor")
    free = Limits.parse({}, real_money=False, tokens=[USDC])
    with house.store.transaction() as connection:
        decide(connection, house.view, free, NOW, MACHINE)
    usual = at_store("oracle", "policy", "test", "--json")
    assert (usual.status, usual.json["signed"], usual.json["refused"]) == (0, 2, 0)
    Path("strict.toml").write_text('[limits]\ncontracts = ["0x' + "11" * 20 + '"]\n')
    strict = at_store("oracle", "policy", "test", "--config", "strict.toml")
    assert strict.status == 1
    assert "0 would be signed, 2 refused." in strict.words
    assert "limits.contracts" in strict.words
