"""`escrow oracle` at the command line: run once, examined, and its log followed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from milestone_escrow.chain.contract.tokens import denylist_call
from milestone_escrow.sandbox.world import World

Run = Any


def _store(home: Path) -> Path:
    (found,) = (home / "oracle").glob("sandbox-*.db")
    return found


def test_runs_once_and_finds_the_deal(escrow: Run, opened: Path, world: World, home: Path) -> None:
    done = escrow("oracle", "run", "--once", "--json")
    assert done.status == 0
    assert done.json["pays_gas"] == "0x79196B90D1E952C5A43d4847CAA08d50b967c34A"
    assert _store(home).stat().st_mode & 0o777 == 0o600
    shown = escrow("oracle", "explain", "SHED-7", "foundation")
    assert "photos from supplier" in shown.words
    assert "1,000.00 USDC, paid" in escrow("oracle", "explain", "SHED-7", "deposit").words


def test_lets_time_decide(escrow: Run, opened: Path, world: World) -> None:
    world.chain.warp(400 * 86_400)
    assert escrow("oracle", "run", "--once").status == 0
    assert escrow("status", "SHED-7", "--json").json["held"]["units"] == "0"


def test_sends_nothing_on_a_dry_run(escrow: Run, opened: Path, world: World) -> None:
    world.chain.warp(400 * 86_400)
    before = world.chain.head.number
    assert escrow("oracle", "run", "--once", "--dry-run").status == 0
    assert world.chain.head.number == before


def test_doctor_finds_everything_right(escrow: Run, opened: Path, world: World) -> None:
    done = escrow("oracle", "doctor")
    assert done.status == 0, done.out
    assert "Everything is right." in done.out


def test_doctor_names_a_file_and_a_record_that_cannot_be_read(
    escrow: Run, opened: Path, world: World, home: Path
) -> None:
    assert escrow("oracle", "run", "--once").status == 0
    with sqlite3.connect(_store(home)) as connection:
        connection.execute("UPDATE agreements SET terms = substr(terms, 1, 40)")
    (home / "agreements" / f"0x{'ab' * 32}.json").write_text('{"document": {"ref')
    done = escrow("oracle", "doctor")
    assert done.status == 1
    assert f"files: {home}/agreements/0xababab" in done.words
    assert "records: the state of 0x" in done.words
    assert "Everything is right" not in done.out
    # What came from the chain is made again from its events.
    assert escrow("oracle", "run", "--once").status == 0
    assert "records: the state of" not in escrow("oracle", "doctor").words


def test_doctor_knows_a_contract_that_the_issuer_denies(
    escrow: Run, opened: Path, world: World
) -> None:
    place = bytes.fromhex(world.escrow.token("USDC").address[2:])
    world.chain.send_from(20, place, denylist_call(world.escrow.contract, True))
    for line in (("oracle", "doctor"), ("doctor",), ("network", "check", "sandbox")):
        done = escrow(*line)
        assert done.status == 1
        assert "no USDC: its issuer has denylisted the contract, 0x" in done.words
        assert "no other account helps" in done.words


def test_doctor_says_how_to_bring_a_history(escrow: Run, opened: Path, world: World) -> None:
    done = escrow("oracle", "doctor", "--as", "verifier-1")
    assert done.status == 1
    assert "--new-key" in done.out


def test_doctor_names_a_setting_that_is_none(
    escrow: Run, opened: Path, world: World, home: Path
) -> None:
    (home / "oracle.toml").write_text("[limit]\nper_day = '1'\n")
    done = escrow("oracle", "doctor")
    assert done.status == 1
    assert "did you mean 'limits'" in done.words


def test_doctor_checks_the_operators_token(
    escrow: Run, opened: Path, world: World, home: Path
) -> None:
    (home / "oracle.toml").write_text('[api]\noperator_token_file = "operator.token"\n')
    token = home / "operator.token"
    token.write_text("too short")
    token.chmod(0o600)
    done = escrow("oracle", "doctor")
    assert done.status == 1
    assert "'operator_token_file' needs at least 32 letters, digits or signs" in done.words
    assert "too short" not in done.out
    token.write_text("0123456789abcdef" * 2)
    done = escrow("oracle", "doctor")
    assert done.status == 0
    assert "the operator's token reads everything" in done.words


def test_the_log_is_whole_until_somebody_changes_it(
    escrow: Run, opened: Path, world: World, home: Path
) -> None:
    escrow("oracle", "run", "--once")
    done = escrow("oracle", "log", "verify", "--json")
    assert done.json["entries"] > 0
    shown = escrow("oracle", "log", "show", "--json").json["entries"]
    assert shown[-1]["hash"] == done.json["hash"]
    with sqlite3.connect(_store(home)) as connection:
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 1")
    connection.close()
    broken = escrow("oracle", "log", "verify")
    assert broken.status == 1
    assert "entry 1 of the audit log was changed" in broken.err


def test_needs_a_store_to_look_at(escrow: Run, world: World) -> None:
    done = escrow("oracle", "log", "verify")
    assert done.status == 1
    assert "escrow oracle run" in done.err


def test_refuses_a_port_that_is_taken(escrow: Run, opened: Path, world: World) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = escrow("oracle", "run", "--port", port)
    assert done.status == 1
    assert f"127.0.0.1:{port}" in done.err
