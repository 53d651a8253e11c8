"""A key's history moves to another machine whole, and never makes it freer there."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.signing import interchange
from milestone_escrow.oracle.signing.interchange import Imported
from milestone_escrow.oracle.signing.signer import NotSignedError
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Verdict
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.terms import DAY
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import AMOUNT, INSPECTOR, NOW, SURVEYOR, Deal, put, set_head
from tests.oracle.signing.test_signer import decisions, guarded


@pytest.fixture
def elsewhere(tmp_path: Path, open_store: Callable[..., Store], deal: Deal) -> Store:
    """Another machine's store, which has seen the same agreement and knows of no key."""
    found = open_store(tmp_path / "elsewhere.db")
    put(found, deal)
    set_head(found)
    return found


@pytest.fixture
def file(store: Store, deal: Deal) -> dict[str, Any]:
    """What was exported after two decisions of one key and one of another."""
    for key, milestones in ((INSPECTOR, (0, 1)), (SURVEYOR, (0,))):
        signer = guarded(store, key)
        signer.start(NOW - 10 * DAY, declared_new=True)
        for milestone in milestones:
            signer.sign(deal.attestation(milestone=milestone), NOW)
    return written(store)


def written(store: Store, signer: str = "") -> dict[str, Any]:
    with store.reading() as connection:
        text = json.dumps(interchange.export(connection, DOMAIN, signer), indent=2)
    found: dict[str, Any] = json.loads(text)
    return found


def bring(store: Store, file: object) -> Imported:
    histories = interchange.read(file, DOMAIN)
    with store.transaction() as connection:
        return interchange.import_(connection, histories, NOW)


def test_moves_a_history_whole(file: dict[str, Any], store: Store, elsewhere: Store) -> None:
    done = bring(elsewhere, file)
    assert (len(done.signers), done.added, done.known, done.conflicts) == (2, 3, 0, ())
    assert written(elsewhere) == file == written(store)


def test_the_key_is_bound_by_it_there(file: dict[str, Any], elsewhere: Store, deal: Deal) -> None:
    bring(elsewhere, file)
    signer = guarded(elsewhere)
    signer.start(NOW)
    with pytest.raises(NotSignedError, match="must wait"):
        signer.sign(deal.attestation(verdict=Verdict.REJECTED, amount=0, issued_at=NOW - 1), NOW)
    assert signer.sign(deal.attestation(), NOW).is_taken


def test_importing_again_changes_nothing(file: dict[str, Any], elsewhere: Store) -> None:
    bring(elsewhere, file)
    before = written(elsewhere)
    done = bring(elsewhere, file)
    assert (done.added, done.known) == (0, 3)
    assert written(elsewhere) == before
    with elsewhere.reading() as connection:
        actions = [entry.action for entry in audit_log.entries(connection)]
    assert actions == ["history.imported", "history.imported"]


def test_an_older_file_takes_nothing_away(file: dict[str, Any], store: Store, deal: Deal) -> None:
    signer = guarded(store)
    signer.sign(deal.attestation(amount=AMOUNT, issued_at=NOW - 5), NOW)
    known = decisions(store)
    assert bring(store, file).added == 0
    assert decisions(store) == known


def test_a_history_is_known_since_the_later_beginning(
    file: dict[str, Any], elsewhere: Store
) -> None:
    for begins, wanted in ((NOW - 300, NOW - 300), (NOW - 900, NOW - 300), (NOW - 100, NOW - 100)):
        histories = [replace(one, begins=begins) for one in interchange.read(file, DOMAIN)]
        with elsewhere.transaction() as connection:
            interchange.import_(connection, histories, NOW)
        assert written(elsewhere, INSPECTOR.address)["signers"][0]["begins"] == wanted


def test_contradictions_of_two_machines_are_told(
    file: dict[str, Any], elsewhere: Store, deal: Deal
) -> None:
    signer = guarded(elsewhere)
    signer.start(NOW - 10 * DAY, declared_new=True)
    signer.sign(deal.attestation(verdict=Verdict.REJECTED, amount=0), NOW)
    done = bring(elsewhere, file)
    assert [one.attestation for one in done.conflicts] == [deal.attestation()]
    assert done.added == 2


def test_one_keys_history_alone(file: dict[str, Any], store: Store, elsewhere: Store) -> None:
    done = bring(elsewhere, written(store, SURVEYOR.address))
    assert (done.signers, done.added) == ((SURVEYOR.address,), 1)


def test_there_is_nothing_to_export_of_an_unknown_key(store: Store, deal: Deal) -> None:
    with pytest.raises(UsageError, match="has a signing history here"):
        written(store)


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(file: dict[str, Any]) -> None:
        at: Any = file
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            at = at[part]
        at[last] = value

    return change


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def change(file: dict[str, Any]) -> None:
        at: Any = file
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            at = at[part]
        del at[last]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _drop("signers.0.decisions.0"),
        _drop("signers.0.decisions.1"),
        _drop("signers.1"),
        _drop("signers.0.decisions.0.hash"),
        _set("signers.0.begins", 1),
        _set("signers.0.signer", "0x" + "11" * 20),
        _set("signers.0.decisions.0.amount", "1"),
        _set("signers.0.decisions.0.verdict", "returned"),
        _set("signers.0.decisions.0.issued_at", 5),
        _set("signers.0.decisions.0.decided_at", 5),
        _set("signers.0.decisions.0.digest", "0x" + "00" * 32),
        _set("signers.0.decisions", []),
        _set("signers.0.decisions", None),
        _set("signers", []),
        _set("hash", "0x" + "00" * 32),
        _set("hash", 7),
        _set("format", "milestone-escrow signing history 2"),
        _set("more", 1),
    ],
)
def test_a_changed_file_is_refused_whole(
    change: Callable[[dict[str, Any]], None], file: dict[str, Any]
) -> None:
    changed = copy.deepcopy(file)
    change(changed)
    with pytest.raises(UsageError):
        interchange.read(changed, DOMAIN)
    assert interchange.read(file, DOMAIN)


@pytest.mark.parametrize("body", [None, [], "x", 7, {}, {"format": 1}])
def test_other_files_are_refused(body: object) -> None:
    with pytest.raises(UsageError):
        interchange.read(body, DOMAIN)


def test_the_history_of_another_contract_is_refused(file: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="on chain 31337, the store of"):
        interchange.read(file, Domain(1, DOMAIN.verifying_contract))
