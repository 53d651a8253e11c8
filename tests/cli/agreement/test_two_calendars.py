"""One deal on machines whose calendars differ: what was signed counts, everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run
from tests.support.calendars import Calendar, calendars

NOTE = "note: the deadline of 'foundation' is signed as 1 May 2027, 21:59 UTC, and that counts"


@pytest.fixture
def calendar(tmp_path: Path) -> Iterator[Calendar]:
    use = calendars(tmp_path / "zones")
    use("usual")
    yield use
    use(None)


def test_two_calendars_sign_open_attest_settle_and_audit_one_deal(
    escrow: Run, deal: Path, world: World, calendar: Calendar
) -> None:
    first = escrow("agreement", "sign", str(deal), "--as", "buyer", "--yes")
    assert "3,000.00 USDC 1 May 2027, 21:59 UTC 1 May 2027, 23:59 UTC+02:00" in first.words
    calendar("other")
    second = escrow("agreement", "sign", "shed.signed.json", "--as", "supplier", "--yes")
    assert second.status == 0, second.err
    assert NOTE in second.words
    releases = "(2099z, signed with an unnamed release)"
    assert f"{releases} its date would be 1 May 2027, 22:59 UTC" in second.words
    assert "3,000.00 USDC 1 May 2027, 21:59 UTC 1 May 2027, 22:59 UTC+01:00" in second.words
    # The words beside it would come to another id here; their signatures are found all the same.
    opened = escrow("open", str(deal), "--fund", "all", "--yes", "--json")
    assert opened.status == 0, opened.err
    assert (
        opened.json["agreement"] == json.loads(Path("shed.signed.json").read_text())["agreement_id"]
    )
    for words in (
        ("status", "SHED-7"),
        ("attest", "SHED-7", "foundation", "--accept", "--yes"),
        ("approve", "SHED-7", "handover", "--yes"),
        ("history", "SHED-7"),
        ("statement", "SHED-7"),
        ("audit", "export", "SHED-7"),
    ):
        result = escrow(*words)
        assert result.status == 0, (words, result.err)
    for name in ("other", "usual"):
        calendar(name)
        verified = escrow("audit", "verify", "SHED-7.audit.zip")
        assert verified.status == 0, verified.out
        assert (NOTE in verified.words) == (name == "other")
    assert "note:" not in escrow("status", "SHED-7").out


def test_a_file_that_others_have_signed_is_still_theirs_after_an_update(
    escrow: Run, opened: Path, calendar: Calendar
) -> None:
    known = escrow("status", "SHED-7", "--json").json["agreement"]
    calendar("other")
    by_file = escrow("status", str(opened), "--json")
    assert by_file.status == 0, by_file.err
    assert by_file.json["agreement"] == known
