"""Evidence in and out, and what hostile uploads meet."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.evidence.handing_in import IntakeRules
from tests.oracle.api.world import FOUNDATION, HANDOVER, World

PDF = b"%PDF-1.7\n" + b"a report " * 20
LIMIT = 50_000


@pytest.fixture
def world(make: Callable[..., World], tmp_path: Path) -> World:
    return make(blobs=Folder(tmp_path / "evidence"), rules=IntakeRules(max_size=LIMIT))


def place(world: World, milestone: int = FOUNDATION) -> str:
    return f"{world.url}/milestones/{milestone}/evidence"


def hand_in(
    world: World, role: str, name: str, content: bytes, declared: str = "", **more: Any
) -> Any:
    file = (name, content, declared) if declared else (name, content)
    return world.post(place(world), role, files={"file": file}, **more)


def test_a_party_hands_in_a_file_and_the_others_read_it(world: World) -> None:
    answer = hand_in(world, "supplier", "photos-01.pdf", PDF)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["kind"], body["role"], body["media_type"]) == (
        "photos",
        "supplier",
        "application/pdf",
    )
    assert body["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert answer.headers["location"] == body["download"]
    found = world.get(body["download"], "surveyor")
    assert found.content == PDF
    assert found.headers["content-type"] == "application/pdf"


def test_a_file_is_always_an_attachment_that_runs_nowhere(world: World) -> None:
    path = hand_in(world, "supplier", "photos-01.pdf", PDF).json()["download"]
    headers = world.get(path, "buyer").headers
    assert headers["content-disposition"].startswith('attachment; filename="photos-01.pdf"')
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["content-length"] == str(len(PDF))


def test_what_a_browser_might_run_is_served_as_plain_bytes(world: World) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    path = hand_in(world, "supplier", "plan.svg", svg).json()["download"]
    assert world.get(path, "buyer").headers["content-type"] == "application/octet-stream"


def test_a_name_with_any_letters_comes_back_as_it_was(world: World) -> None:
    path = hand_in(world, "supplier", "Prüfbericht „neu“.pdf", PDF, data={"kind": "photos"})
    found = world.get(path.json()["download"], "buyer").headers["content-disposition"]
    assert found.isascii()
    assert "\n" not in found


def test_the_list_commits_to_all_of_it(world: World) -> None:
    empty = world.get(place(world), "buyer").json()
    assert (empty["items"], empty["evidence_hash"]) == ([], "0x" + "00" * 32)
    hand_in(world, "supplier", "photos-01.pdf", PDF)
    body = world.get(place(world), "buyer").json()
    assert [item["name"] for item in body["items"]] == ["photos-01.pdf"]
    assert body["manifest"]["files"][0]["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert body["evidence_hash"] != empty["evidence_hash"]


def test_a_hash_alone_leaves_the_file_in_its_house(world: World) -> None:
    fact = {"name": "bill_of_lading.pdf", "sha256": "ab" * 32, "size": 1_234}
    answer = world.post(place(world), "carpenter", json=fact)
    assert answer.status_code == 201, answer.text
    assert answer.json()["download"] is None
    gone = world.get("/v1/evidence/" + "ab" * 32, "buyer")
    assert gone.status_code == 404
    assert gone.json()["type"].endswith("hash-only")


def test_the_same_file_again_changes_nothing(world: World) -> None:
    assert hand_in(world, "supplier", "photos-01.pdf", PDF).status_code == 201
    assert hand_in(world, "supplier", "photos-01.pdf", PDF).status_code == 200
    assert len(world.get(place(world), "buyer").json()["items"]) == 1


def test_a_file_is_taken_back(world: World) -> None:
    hand_in(world, "supplier", "photos-01.pdf", PDF)
    path = f"{place(world)}/photos-01.pdf"
    assert world.client.delete(path, headers=world.as_("supplier")).status_code == 204
    assert world.client.delete(path, headers=world.as_("supplier")).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.pdf",
        "/etc/passwd.pdf",
        "..\\..\\boot.pdf",
        "a/b.pdf",
        "..",
        ".hidden.pdf",
        "con.pdf",
        "a\u202efdp.exe.pdf",
        "a" * 300 + ".pdf",
        "-rf.pdf",
    ],
)
def test_a_hostile_name_is_refused(world: World, tmp_path: Path, name: str) -> None:
    answer = hand_in(world, "supplier", name, PDF, data={"kind": "photos"})
    assert answer.status_code == 422, answer.text
    assert not world.get(place(world), "buyer").json()["items"]
    kept = [path for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
    assert not kept


@pytest.mark.parametrize("name", [b"a\x00.pdf", b"a\x0b.pdf", b"\xff\xfe.pdf", b"../a.pdf"])
def test_a_hostile_name_in_raw_bytes_is_refused(world: World, name: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    body = head + PDF + b"\r\n--b--\r\n"
    answer = world.post(place(world), "supplier", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text


def test_the_folders_of_another_system_are_cut_off(world: World) -> None:
    answer = hand_in(world, "supplier", "C:\\Windows\\photos.pdf", PDF)
    assert (answer.status_code, answer.json()["name"]) == (201, "photos.pdf")


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.txt", "x")
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "declared"),
    [
        ("photos.pdf", b"<html><script>alert(1)</script>", ""),
        ("photos.pdf", zipped(), ""),
        ("photos.png", PDF, ""),
        ("photos.txt", b"\x7fELF" + b"\0" * 50, ""),
        ("photos.pdf", b"MZ" + b"\0" * 50, ""),
        ("photos.pdf", PDF, "text/html"),
        ("photos.html", b"<html></html>", ""),
        ("photos.exe", b"anything", ""),
        ("photos.pdf", b"", ""),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    world: World, name: str, content: bytes, declared: str
) -> None:
    answer = hand_in(world, "supplier", name, content, declared)
    assert answer.status_code == 422, answer.text


def test_a_file_that_is_too_large_is_refused(world: World) -> None:
    large = PDF + b"x" * LIMIT
    assert hand_in(world, "supplier", "photos.pdf", large).status_code == 413
    huge = PDF + b"x" * (LIMIT * 4)
    answer = hand_in(world, "supplier", "photos.pdf", huge)
    assert answer.status_code == 413
    assert answer.json()["status"] == 413


def test_a_body_that_lies_about_its_length_is_cut_off(world: World) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        while sent < 100 * LIMIT:
            sent += 10_000
            yield b"x" * 10_000

    headers = {**world.as_("supplier"), "Content-Type": "multipart/form-data; boundary=b"}
    answer = world.client.post(place(world), content=endless(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {"files": {"other": ("a.pdf", PDF)}},
        {"files": [("file", ("a.pdf", PDF)), ("file", ("b.pdf", PDF))]},
        {"files": {"file": ("a.pdf", PDF)}, "data": {"kind": "photos", "extra": "1"}},
        {"data": {"file": "text"}, "files": {"kind": ("a.pdf", PDF)}},
        {"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"no form", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"json": {"name": "a.pdf", "sha256": "11" * 31, "size": 5}},
        {"json": {"name": "a.pdf", "sha256": "11" * 32, "size": 0}},
        {"json": {"name": "a.pdf", "sha256": "11" * 32, "size": True}},
        {"json": {"name": "../a.pdf", "sha256": "11" * 32, "size": 5}},
        {"json": {"name": "a.pdf", "sha256": "11" * 32, "size": 5, "stored": True}},
        {"json": []},
    ],
)
def test_a_form_that_is_none_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = world.post(place(world), "supplier", **body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("declared", ["text/plain", "application/pdf", "application/xml", ""])
def test_another_kind_of_body_is_refused(world: World, declared: str) -> None:
    headers = {"Content-Type": declared}
    answer = world.post(place(world), "supplier", content=PDF, headers=headers)
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.headers["accept-post"]


def test_a_strangers_file_is_not_even_read(world: World, tmp_path: Path) -> None:
    assert hand_in(world, "stranger", "photos.pdf", PDF).status_code == 403
    assert not (tmp_path / "evidence").exists()


def test_a_settled_milestone_takes_nothing_more(world: World) -> None:
    answer = world.post(place(world, 0), "supplier", files={"file": ("photos.pdf", PDF)})
    assert answer.status_code == 422


def test_a_service_without_a_place_for_files_says_so(make: Callable[..., World]) -> None:
    world = make()
    assert hand_in(world, "supplier", "photos.pdf", PDF).status_code == 503
    fact = {"name": "bill_of_lading.pdf", "sha256": "ab" * 32, "size": 1_234}
    assert world.post(place(world, HANDOVER), "supplier", json=fact).status_code == 201
