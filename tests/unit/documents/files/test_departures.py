"""What was signed counts, also where this machine reads the document otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.documents import agreement_data
from milestone_escrow.documents.agreement import Agreement, BoundAgreement, DeploymentLike
from milestone_escrow.documents.change_orders.change_order import change_order
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.documents.departures import (
    AmountDiffers,
    DeadlineDiffers,
    RequirementsDiffer,
)
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.requirements import plug_ins
from milestone_escrow.documents.shelf import Shelf
from milestone_escrow.documents.when import calendar_release
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.lifecycle import State
from milestone_escrow.protocol.signatures import Signer, compact
from milestone_escrow.words.departures import departure_words
from tests.support.calendars import Calendar, calendars
from tests.unit.documents.conftest import PLAIN

HOUR = 3_600


@pytest.fixture
def calendar(tmp_path: Path) -> Iterator[Calendar]:
    use = calendars(tmp_path / "zones")
    use("usual")
    yield use
    use(None)


@pytest.fixture
def unsigned(agreement: Agreement, deployment: DeploymentLike) -> SignedAgreement:
    return SignedAgreement.start(agreement.on(deployment))


def elsewhere(signed: SignedAgreement, **changes: object) -> SignedAgreement:
    """The same words as another machine reads them: the second milestone is changed."""
    first, second, *rest = signed.milestones
    milestones = (first, replace(second, **changes), *rest)  # type: ignore[arg-type]
    bound = signed.bound
    own = BoundAgreement(bound.agreement, bound.domain, bound.token, bound.terms, milestones)
    return SignedAgreement.start(own)


def read(signed: SignedAgreement) -> SignedAgreement:
    return SignedAgreement.loads(signed.dumps())


def test_instants_of_another_calendar_are_kept_and_told(
    agreement: Agreement, deployment: DeploymentLike, calendar: Calendar, buyer: Signer
) -> None:
    there = SignedAgreement.start(Agreement.loads(PLAIN).on(deployment)).sign(buyer)
    calendar("other")
    here = read(there)
    assert (here.id, here.milestones) == (there.id, there.milestones)
    assert [m.deadline for m in here.agreement.milestones] == [m.deadline for m in here.milestones]
    built = there.milestones[1].deadline
    assert here.agreement.departures[0] == DeadlineDiffers("built", built, built + HOUR)
    first, second = departure_words(here)
    assert first == (
        "the deadline of 'built' is signed as 14 Apr 2027, 21:59 UTC, and that counts; by this "
        "machine's calendar (2099z, signed with an unnamed release) its date would be 14 Apr "
        "2027, 22:59 UTC"
    )
    assert "'delivered'" in second


def test_the_release_of_the_calendar_travels_along(
    deployment: DeploymentLike, calendar: Calendar
) -> None:
    calendar("other")
    assert calendar_release() == "2099z"
    there = SignedAgreement.start(Agreement.loads(PLAIN).on(deployment))
    calendar("usual")
    assert calendar_release() == ""
    assert read(there).calendar == "2099z"
    assert read(read(there)).calendar == "2099z"


@pytest.mark.parametrize("release", [5, "x" * 21, "2025B", "<b>", None])
def test_a_release_that_is_none_is_refused(unsigned: SignedAgreement, release: object) -> None:
    fields = {**unsigned.to_json(), "calendar": release}
    with pytest.raises(DocumentError, match="not the release of time zone data"):
        SignedAgreement.loads(json.dumps(fields))


@pytest.mark.parametrize("hours", [-25, -1, 1, 25])
def test_hours_that_calendars_differ_by_stop_no_signature(
    unsigned: SignedAgreement, buyer: Signer, supplier: Signer, hours: int
) -> None:
    deadline = unsigned.milestones[1].deadline + hours * HOUR
    there = elsewhere(unsigned, deadline=deadline).sign(buyer)
    assert read(read(there).sign(supplier)).is_complete


@pytest.mark.parametrize(
    "changes",
    [{"deadline": 1}, {"deadline": 0}, {"amount": 1}, {"requirements_hash": b"\1" * 32}],
)
def test_whoever_signs_second_signs_what_the_words_say(
    unsigned: SignedAgreement, buyer: Signer, changes: Mapping[str, Any]
) -> None:
    with pytest.raises(DocumentError, match="do not sign"):
        read(elsewhere(unsigned, **changes).sign(buyer))


@pytest.mark.parametrize(
    ("changes", "told", "words"),
    [
        (
            {"deadline": 1_900_000_000},
            lambda was: DeadlineDiffers("built", 1_900_000_000, was.deadline),
            "the deadline of 'built' is signed as 17 Mar 2030, 17:46 UTC",
        ),
        (
            {"amount": 1_000_000},
            lambda was: AmountDiffers("built", 1_000_000, was.amount),
            "'built' is signed with 1.00 USDC, and that counts; read here its words come to "
            "5,000.00 USDC",
        ),
        (
            {"requirements_hash": b"\1" * 32},
            lambda was: RequirementsDiffer("built", b"\1" * 32, was.requirements_hash),
            "what must be shown for 'built' is signed by the hash 0x01010101…",
        ),
    ],
)
def test_what_both_signed_counts_whatever_a_later_release_reads(
    unsigned: SignedAgreement,
    buyer: Signer,
    supplier: Signer,
    changes: Mapping[str, Any],
    told: Callable[[Any], object],
    words: str,
) -> None:
    there = elsewhere(unsigned, **changes).sign(buyer).sign(supplier)
    here = read(there)
    assert (here.id, here.milestones) == (there.id, there.milestones)
    assert here.agreement.departures == (told(unsigned.milestones[1]),)
    (sentence,) = departure_words(here)
    assert sentence.startswith(words)


def test_default_decimals_of_another_release_change_nothing(
    unsigned: SignedAgreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = unsigned.dumps()
    for known in ({"USDC": 2}, {}):
        monkeypatch.setattr(agreement_data, "DECIMALS", known)
        here = SignedAgreement.loads(text)
        assert (here.id, here.agreement.departures) == (unsigned.id, ())


def test_decimals_that_are_not_those_of_the_price_are_refused(unsigned: SignedAgreement) -> None:
    fields = json.loads(unsigned.dumps())
    fields["token"]["decimals"] = "2"
    with pytest.raises(DocumentError, match="are not those of the document"):
        SignedAgreement.loads(json.dumps(fields))


class Chill:
    """A kind that some package brings."""

    def read(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        return {"below": fields["below"].removesuffix(" °C")}

    def words(self, fields: Mapping[str, str]) -> str:
        return f"kept below {fields['below']} °C"


@pytest.mark.parametrize("written", ["4", "4 °C"])
def test_a_kind_whose_package_is_missing_stands_as_written(
    deployment: DeploymentLike,
    buyer: Signer,
    supplier: Signer,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
) -> None:
    required = f"requires: [{{chill: {{below: {written}}}}}]"
    text = PLAIN.replace("requires: [inspection_report from inspector]", required)
    with monkeypatch.context() as patch:
        patch.setattr("milestone_escrow.documents.requirements.language.find_kind", _only_chill)
        there = SignedAgreement.start(Agreement.loads(text).on(deployment)).sign(buyer)
        whole = there.sign(supplier)
    # It can be read and shown before all have signed; who signs must have the package.
    if written == "4 °C":
        with pytest.raises(UsageError, match="'built' is read otherwise here; before you sign"):
            read(there).sign(supplier)
    assert departure_words(read(there))[-1].startswith(
        "no package here brings the requirement 'chill' of 'built'"
    )
    here = read(whole)
    assert here.id == there.id
    assert here.agreement.milestones[1].requirements.items[0].words() == f"chill: below {written}"
    with pytest.raises(DocumentError, match="not a kind of requirement"):
        Agreement.loads(text)


def _only_chill(name: str) -> plug_ins.PlugIn | None:
    return Chill() if name == "chill" else None


def test_signatures_in_any_form_are_kept_in_one(unsigned: SignedAgreement, buyer: Signer) -> None:
    usual = unsigned.bound.sign(buyer)
    zero = usual[:64] + bytes([usual[64] - 27])
    for form in (usual, compact(usual), zero):
        assert unsigned.add("buyer", form).signatures["buyer"] == usual


def test_a_shelf_finds_what_was_signed_of_a_file(
    deployment: DeploymentLike, calendar: Calendar, buyer: Signer, tmp_path: Path
) -> None:
    shelf, file = Shelf(tmp_path / "shelf"), tmp_path / "deal.yaml"
    file.write_text(PLAIN, encoding="utf-8")
    there = shelf.put(SignedAgreement.start(Agreement.load(file).on(deployment)).sign(buyer))
    calendar("other")
    assert shelf.find(str(file), lambda agreement: agreement.on(deployment)).id == there.id
    file.write_text(PLAIN.replace("Forty oak", "Fifty oak"), encoding="utf-8")
    assert shelf.find(str(file), lambda agreement: agreement.on(deployment)).id != there.id


@pytest.mark.parametrize("decimals", [{"USDC": 2}, {}])
def test_a_change_order_is_read_without_the_package_and_signed_with_it(
    deployment: DeploymentLike,
    buyer: Signer,
    supplier: Signer,
    monkeypatch: pytest.MonkeyPatch,
    decimals: Mapping[str, int],
) -> None:
    before = Agreement.loads(PLAIN).on(deployment)
    old = SignedAgreement.start(before).sign(buyer).sign(supplier)
    required = "requires: [{chill: {below: 4 °C}}]"
    text = PLAIN.replace("requires: [inspection_report from inspector]", required)
    states = (State(),) * len(before.milestones)
    with monkeypatch.context() as patch:
        patch.setattr("milestone_escrow.documents.requirements.language.find_kind", _only_chill)
        new = Agreement.loads(mark_change(text, before, states)).on(deployment)
        order = change_order(before, new, states, valid_until=1_900_000_000)
        there = SignedChange.of(old, SignedAgreement.start(new), order).sign(buyer)
    monkeypatch.setattr(agreement_data, "DECIMALS", decimals)
    here = SignedChange.loads(there.dumps())
    assert here.amendment == there.amendment
    assert "chill: below 4 °C" in here.order(states).difference.render()
    with pytest.raises(UsageError, match="before you sign"):
        here.sign(supplier)
    # Carried out, the new version stands in a file of its own, which only the change order signs.
    opened = read(there.new)
    assert opened.id == there.new.id
    assert departure_words(opened)[-1].startswith("no package here brings the requirement 'chill'")
