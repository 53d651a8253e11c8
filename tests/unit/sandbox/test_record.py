"""The file by which other terminals find a running sandbox."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from milestone_escrow.sandbox.record import Record, is_alive, read_record


@pytest.fixture
def record() -> Record:
    return Record("http://127.0.0.1:8547", os.getpid(), 5, "0x" + "1" * 40, "0x" + "2" * 40)


def test_is_read_back_and_only_its_owner_can(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "state" / "sandbox.json"
    record.write(path)
    assert read_record(path) == record
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_says_nothing_once_its_process_is_gone(tmp_path: Path, record: Record) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = tmp_path / "sandbox.json"
    Record(record.url, gone.pid, 5, record.contract, record.token).write(path)
    assert not is_alive(gone.pid)
    assert read_record(path) is None


@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"url": "x"}', "null", "\x00"])
def test_says_nothing_if_it_is_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sandbox.json"
    path.write_text(text)
    assert read_record(path) is None


def test_says_nothing_if_its_process_number_makes_no_sense(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "sandbox.json"
    for pid in (0, -1, "1", None, 1.5):
        path.write_text(json.dumps({**_fields(record), "pid": pid}))
        assert read_record(path) is None


def test_knows_whether_anything_answers(record: Record) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not replace(record, url=url).answers()
        server.listen()
        assert replace(record, url=url).answers()
    assert not replace(record, url="nonsense").answers()


def test_a_sandbox_removes_only_its_own(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "sandbox.json"
    other = Record("http://127.0.0.1:9000", record.pid, 5, record.contract, record.token)
    other.write(path)
    record.remove(path)
    assert read_record(path) == other
    other.remove(path)
    assert not path.exists()


def _fields(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}
