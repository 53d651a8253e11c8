"""A ZIP from a stranger: bounded, flat, stored, and exactly as it is written here."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import DocumentError
from milestone_escrow.papers.audit import archive
from milestone_escrow.papers.audit.archive import pack, unpack

FILES = {"manifest.json": b"{}", "blocks/000000000001.json": b'{"header":"0x"}'}


def zipped(*entries: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as file:
        for name, content in entries:
            file.writestr(name, content)
    return stream.getvalue()


def test_comes_out_as_it_went_in() -> None:
    assert unpack(pack(FILES)) == FILES
    assert pack(dict(reversed(FILES.items()))) == pack(FILES)


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../b", "a//b", "C:\\x", "a\\b", ".hidden", "a/b/c/d/e", "ü"],
)
def test_refuses_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(DocumentError, match="is not an audit bundle"):
        unpack(zipped((name, b"x")))


def test_refuses_what_would_grow() -> None:
    bomb = zipped(("manifest.json", bytes(10_000_000)), how=zipfile.ZIP_DEFLATED)
    with pytest.raises(DocumentError, match="compressed or encrypted"):
        unpack(bomb)


def test_refuses_files_that_overlap() -> None:
    data = bytearray(pack({"a": bytes(1000), "b": bytes(1000)}))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    # The second entry's place, size and checksum become those of the whole first one.
    struct.pack_into("<LL", data, first + 20, 3000, 3000)
    struct.pack_into("<L", data, second + 42, 0)
    with pytest.raises(DocumentError):
        unpack(bytes(data))


def test_refuses_the_same_name_twice() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(("a", b"1"), ("a", b"2"))
    with pytest.raises(DocumentError, match="twice"):
        unpack(data)


def test_refuses_what_another_tool_packed() -> None:
    with pytest.raises(DocumentError, match="another tool packed it"):
        unpack(zipped(*FILES.items()))


@pytest.mark.parametrize("more", [b"x", b"PK\x05\x06" + bytes(18)])
def test_refuses_bytes_before_or_behind(more: bytes) -> None:
    for data in (more + pack(FILES), pack(FILES) + more):
        with pytest.raises(DocumentError):
            unpack(data)


def test_refuses_too_many_files_and_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    with pytest.raises(DocumentError, match="more than 3 files"):
        unpack(pack({str(number): b"" for number in range(4)}))
    monkeypatch.setattr(archive, "MAX_BUNDLE", 100)
    with pytest.raises(DocumentError, match="more than"):
        unpack(pack(FILES))


@given(st.binary(max_size=400))
def test_garbage_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(DocumentError):
        unpack(data)
