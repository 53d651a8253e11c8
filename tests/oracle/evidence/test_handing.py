"""Evidence handed in, listed, read, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.documents.manifest import manifest as local_manifest
from milestone_escrow.errors import EscrowError, StoreError, UsageError
from milestone_escrow.oracle.evidence import handing_in
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.evidence.entries import (
    EvidenceEntry,
    find,
    listing,
    manifest,
    manifest_of,
    may_read,
    read,
)
from milestone_escrow.oracle.evidence.handing_in import MAX_FILES, IntakeRules
from milestone_escrow.oracle.evidence.manifests import manifest_hash
from milestone_escrow.oracle.store import audit_log, failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.policies.world import (
    ARBITER,
    BUYER,
    MACHINE,
    NOW,
    STRANGER,
    SUPPLIER,
    SURVEYOR,
    House,
    build,
)

GROUND, ROOF = 0, 1
PDF = b"%PDF-1.7 a report"
USUAL = IntakeRules()
JPEG = b"\xff\xd8\xff\xe0 a photo"


def hand_in(
    house: House, folder: Folder, name: str, content: bytes = PDF, by: str = SUPPLIER,
    *, at: int = NOW, rules: IntakeRules = USUAL, **how: str,
) -> EvidenceEntry:  # fmt: skip
    return handing_in.add(
        house.store, folder, rules, house.view, "ground", name, [content], by, at, **how
    )


def listed(house: House) -> tuple[EvidenceEntry, ...]:
    with house.store.reading() as connection:
        return listing(connection, house.signed.id, GROUND)


def test_keeps_lists_and_records_a_file(any_store: Store, folder: Folder) -> None:
    house = build(any_store)
    entry = hand_in(house, folder, "survey-report.pdf", by=SURVEYOR)
    assert (entry.kind, entry.media_type, entry.role, entry.stored) == (
        "survey_report", "application/pdf", "surveyor", True,
    )  # fmt: skip
    assert listed(house) == (entry,)
    with house.store.reading() as connection:
        found = find(connection, entry.sha256, BUYER)
        last = list(audit_log.entries(connection))[-1]
    with read(folder, found) as stream:
        assert stream.read() == PDF
    assert (last.action, last.actor) == ("evidence.added", SURVEYOR)
    assert last.data["sha256"] == "0x" + entry.sha256.hex()


def test_the_manifest_is_the_one_that_a_verifier_makes_of_the_same_files(
    house: House, folder: Folder, tmp_path: Path
) -> None:
    files = {"survey-report.pdf": PDF, "photos-2.jpg": JPEG, "photos-01.jpg": JPEG + b"2"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        hand_in(house, folder, name, content)
    local = local_manifest(sorted(tmp_path / name for name in files))
    with house.store.reading() as connection:
        stored = manifest(connection, house.signed.id, GROUND)
    assert stored == local
    assert manifest_hash(stored) == words_hash(words_of(local)) == local.hash


def test_an_earlier_manifest_is_found_again(house: House, folder: Folder) -> None:
    with house.store.reading() as connection:
        empty = manifest_hash(manifest(connection, house.signed.id, GROUND))
    assert empty == bytes(32)
    hand_in(house, folder, "survey-report.pdf")
    with house.store.reading() as connection:
        first = manifest(connection, house.signed.id, GROUND)
    hand_in(house, folder, "annex.pdf", PDF + b"2")
    with house.store.reading() as connection:
        assert manifest_of(connection, house.signed.id, GROUND, first.hash) == first
        assert manifest_of(connection, house.signed.id, GROUND, b"\7" * 32) is None


def test_handing_in_the_same_file_again_changes_nothing(house: House, folder: Folder) -> None:
    first = hand_in(house, folder, "survey-report.pdf")
    assert hand_in(house, folder, "survey-report.pdf", at=NOW + 5) == first
    assert hand_in(house, folder, "survey-report-2.pdf", at=NOW + 5) == first
    assert listed(house) == (first,)


def test_the_same_file_of_somebody_else_is_another_piece_of_evidence(
    house: House, folder: Folder
) -> None:
    hand_in(house, folder, "survey-report.pdf")
    with pytest.raises(UsageError, match="another file"):
        hand_in(house, folder, "survey-report.pdf", by=SURVEYOR)
    second = hand_in(house, folder, "survey-report-2.pdf", by=SURVEYOR)
    assert [entry.supplied_by for entry in listed(house)] == [SUPPLIER, SURVEYOR]
    assert second.kind == "survey_report"


@pytest.mark.parametrize("name", ["survey-report.pdf", "Survey-Report.PDF"])
def test_another_content_under_the_same_name_is_refused(
    house: House, folder: Folder, name: str
) -> None:
    hand_in(house, folder, "survey-report.pdf")
    with pytest.raises(UsageError, match="another file"):
        hand_in(house, folder, name, PDF + b"!")


def test_a_kind_that_the_name_hides_is_listed_so_that_it_shows(
    house: House, folder: Folder
) -> None:
    one = hand_in(house, folder, "scan001.pdf", kind="survey report")
    two = hand_in(house, folder, "scan001.pdf", PDF + b"2", kind="survey_report")
    assert [(e.name, e.kind) for e in (one, two)] == [
        ("survey_report.pdf", "survey_report"), ("survey_report-2.pdf", "survey_report"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "how", "says"),
    [
        ("../report.pdf", PDF, {}, "holds /"),
        ("report.pdf", JPEG, {}, "it is image/jpeg"),
        ("report.pdf", PDF, {"declared": "image/png"}, "sent as image/png"),
        ("report.html", b"<html>", {}, "not taken as evidence"),
        ("7.pdf", PDF, {}, "does not say what the file is"),
        ("report.pdf", PDF, {"kind": "../../x"}, "not a kind"),
    ],
)
def test_refuses_what_is_hostile_and_keeps_nothing_of_it(
    house: House, folder: Folder, name: str, content: bytes, how: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        hand_in(house, folder, name, content, **how)
    assert listed(house) == ()
    assert not folder.root.exists() or not [p for p in folder.root.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "declared", ["application/pdf", "Application/PDF; q=1", "application/octet-stream", ""]
)
def test_a_declared_type_that_fits_is_taken(house: House, folder: Folder, declared: str) -> None:
    assert hand_in(house, folder, "report.pdf", declared=declared).media_type == "application/pdf"


def test_a_file_that_is_too_large_is_cut_off_while_it_arrives(house: House, folder: Folder) -> None:
    taken: list[int] = []

    def endless():
        yield PDF
        while True:
            taken.append(1)
            yield b"x" * 100

    with pytest.raises(UsageError, match="larger than the 1,000 bytes"):
        handing_in.keep(folder, IntakeRules(max_size=1_000), "report.pdf", endless())
    assert len(taken) == 10
    assert hand_in(house, folder, "report.pdf", PDF.ljust(1_000), rules=IntakeRules(max_size=1_000))


def test_the_operator_says_which_types_are_taken(house: House, folder: Folder) -> None:
    only_pdf = IntakeRules(types=frozenset({"application/pdf"}))
    hand_in(house, folder, "report.pdf", rules=only_pdf)
    with pytest.raises(UsageError, match="not taken"):
        hand_in(house, folder, "photos-1.jpg", JPEG, rules=only_pdf)


def test_a_file_by_its_hash_never_leaves_the_house(house: House, folder: Folder) -> None:
    offered = handing_in.hashed("survey-report.pdf", "ab" * 32, 1_234)
    with house.store.transaction() as connection:
        entry = handing_in.record(connection, house.view, "ground", offered, SURVEYOR, NOW)
    assert (entry.stored, entry.size, entry.sha256) == (False, 1_234, b"\xab" * 32)
    with pytest.raises(EscrowError, match="only the hash"):
        read(folder, entry)
    for wrong in ("ab" * 31, "xy" * 32, ""):
        with pytest.raises(UsageError):
            handing_in.hashed("survey-report.pdf", wrong, 1)
    for size in (0, -1, 2**60):
        with pytest.raises(UsageError):
            handing_in.hashed("survey-report.pdf", "ab" * 32, size)


def test_a_stranger_neither_hands_in_nor_reads(house: House, folder: Folder) -> None:
    with pytest.raises(UsageError, match="has no role"):
        hand_in(house, folder, "report.pdf", by=STRANGER)
    assert not folder.root.exists()
    entry = hand_in(house, folder, "report.pdf")
    with house.store.reading() as connection, pytest.raises(UsageError, match="may read"):
        find(connection, entry.sha256, STRANGER)
    with house.store.reading() as connection, pytest.raises(UsageError, match="may read"):
        find(connection, b"\7" * 32, STRANGER)


def test_the_agreements_own_people_read(house: House) -> None:
    view = house.view
    for account in (BUYER, SUPPLIER, SURVEYOR, MACHINE, ARBITER):
        assert may_read(view, account)
    assert not may_read(view, STRANGER)
    house.set_state(GROUND, assignee=STRANGER)
    assert may_read(house.view, STRANGER)


def test_whoever_bought_a_payout_hands_in_for_that_milestone(house: House, folder: Folder) -> None:
    house.set_state(GROUND, assignee=STRANGER)
    assert hand_in(house, folder, "report.pdf", by=STRANGER).role == "assignee"


def test_nothing_is_handed_in_once_it_is_settled(house: House, folder: Folder) -> None:
    house.set_state(GROUND, status=int(Status.SETTLED))
    with pytest.raises(UsageError, match="is settled"):
        hand_in(house, folder, "report.pdf")


def test_there_is_an_end_to_the_number_of_files(house: House, monkeypatch) -> None:
    assert MAX_FILES == 200
    monkeypatch.setattr(handing_in, "MAX_FILES", 2)
    for number in (1, 2):
        house.hand_in(GROUND, f"photos-{number}.jpg", SUPPLIER)
    with pytest.raises(UsageError, match="2 files"):
        house.hand_in(GROUND, "photos-3.jpg", SUPPLIER)


def test_a_file_is_taken_back_by_whoever_handed_it_in(house: House, folder: Folder) -> None:
    hand_in(house, folder, "report.pdf")
    with house.store.transaction() as connection, pytest.raises(UsageError, match="handed in by"):
        handing_in.remove(connection, house.view, "ground", "report.pdf", BUYER, NOW)
    with house.store.transaction() as connection:
        handing_in.remove(connection, house.view, "ground", "report.pdf", SUPPLIER, NOW + 1)
    assert listed(house) == ()
    with house.store.reading() as connection:
        assert list(audit_log.entries(connection))[-1].action == "evidence.removed"
    with house.store.transaction() as connection, pytest.raises(UsageError, match="no evidence"):
        handing_in.remove(connection, house.view, "ground", "report.pdf", SUPPLIER, NOW)


@pytest.mark.parametrize("act", ["attestation", "decision", "attested", "submitted"])
def test_what_somebody_may_have_committed_to_stays(house: House, folder: Folder, act: str) -> None:
    hand_in(house, folder, "report.pdf")
    with house.store.transaction() as connection:
        if act == "decision":
            connection.execute(
                insert(t.decisions).values(
                    signer=MACHINE, agreement_id=house.signed.id, milestone=GROUND, issued_at=NOW,
                    digest=b"\3" * 32, verdict=1, amount=1, evidence_hash=bytes(32),
                    valid_until=NOW, decided_at=NOW,
                )
            )  # fmt: skip
        if act in ("attested", "submitted"):
            connection.execute(
                insert(t.events).values(
                    block=9, log_index=0, block_hash=b"\1" * 32, time=NOW, transaction=b"\1" * 32,
                    agreement_id=house.signed.id, milestone=GROUND,
                    name=f"Milestone{act.title()}", data={},
                )
            )  # fmt: skip
    if act == "attestation":
        house.sign(GROUND, [MACHINE], at=NOW)
    with house.store.transaction() as connection, pytest.raises(EscrowError, match="must stay"):
        handing_in.remove(connection, house.view, "ground", "report.pdf", SUPPLIER, NOW + 1)
    assert len(listed(house)) == 1


def test_what_came_after_the_last_signature_may_be_taken_back(house: House, folder: Folder) -> None:
    house.sign(GROUND, [MACHINE], at=NOW - 1)
    hand_in(house, folder, "report.pdf")
    with house.store.transaction() as connection:
        handing_in.remove(connection, house.view, "ground", "report.pdf", SUPPLIER, NOW + 1)
    assert listed(house) == ()


def test_killed_between_keeping_and_listing_it_is_handed_in_again(
    house: House, folder: Folder
) -> None:
    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        if name == "evidence.kept":
            raise Killed

    failpoints.set_hook(kill)
    with pytest.raises(Killed):
        hand_in(house, folder, "report.pdf")
    failpoints.set_hook(None)
    assert listed(house) == ()
    entry = hand_in(house, folder, "report.pdf")
    assert listed(house) == (entry,)


def test_a_file_that_is_gone_from_its_place_is_told(house: House, folder: Folder) -> None:
    entry = hand_in(house, folder, "report.pdf")
    (folder.root / entry.sha256.hex()[:2] / entry.sha256.hex()).unlink()
    with pytest.raises(StoreError, match="not where it should be kept"):
        read(folder, entry)
