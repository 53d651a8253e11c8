"""Two processes with one key on one store: of each milestone one of them has its say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import NOW, make_deal, put, set_head
from tests.oracle.signing.test_signer import guarded

ROOT = Path(__file__).resolve().parents[3]
DEALS = 12


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_never_contradict_each_other(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = kind == "postgres"
    where = request.getfixturevalue("postgres") if postgres else str(tmp_path / "oracle.db")
    store = Store.open(where, DOMAIN)
    put(store, *(make_deal(salt) for salt in range(DEALS)))
    set_head(store)
    guarded(store).start(NOW, declared_new=True)
    command = [sys.executable, "-m", "tests.oracle.signing.racer", where]
    racers = [
        subprocess.Popen(
            [*command, verdict, str(DEALS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for verdict in ("accept", "reject")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    signed = [int(racer.communicate("go\n", timeout=60)[0]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    with store.reading() as connection:
        decided = connection.execute(select(func.count()).select_from(t.decisions)).scalar_one()
        made = connection.execute(select(func.count()).select_from(t.signatures)).scalar_one()
    store.close()
    assert sum(signed) == decided == made == DEALS
