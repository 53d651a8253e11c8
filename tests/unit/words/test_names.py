"""One way to name accounts, milestones, amounts and times, with a document and without."""

from __future__ import annotations

import pytest

from milestone_escrow.documents.short_names import short_names
from milestone_escrow.keys.sandbox_people import account_of
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.words.names import Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nordlicht Teppiche GmbH, Hamburg", "Nordlicht Teppiche"),
        ("Huaqing Electronics Co. Ltd, Shenzhen", "Huaqing Electronics"),
        ("Meranti Hospitals Pte Ltd", "Meranti Hospitals"),
        ("Pixel & Pine OÜ, Tallinn", "Pixel & Pine"),
        ("Dr. A. Brandt", "Dr. A. Brandt"),
        ("Ltd", "Ltd"),
    ],
)
def test_a_short_name_leaves_out_town_and_legal_form(name: str, expected: str) -> None:
    assert short_names([name, "Somebody Else"])[name] == expected


def test_a_name_is_shortened_only_as_far_as_it_is_nobody_elses() -> None:
    energy = ("Siemens Energy, Inc.", "Siemens Energy, GmbH & Co. KG")
    assert short_names(energy) == {name: name for name in energy}
    assert short_names(["Acme Ltd, Hull", "ACME GmbH", "Acme Ltd, York"]) == {
        "Acme Ltd, Hull": "Acme Ltd, Hull",
        "ACME GmbH": "ACME GmbH",
        "Acme Ltd, York": "Acme Ltd, York",
    }


def test_without_a_document_people_count_from_one_and_see_accounts() -> None:
    names, stranger = Names(), "0x" + "ab" * 20
    assert names.milestone(0) == "milestone 1"
    assert names.person(stranger) == names.account(stranger) == stranger
    assert names.person(ZERO_ADDRESS) == "nobody"
    assert names.amount(1_000) == "1,000 token units"
    assert names.when(0, 86_400) == "1 Jan 1970, 00:00 UTC (1 day ago)"


def test_in_the_sandbox_accounts_are_their_roles() -> None:
    buyer = account_of("buyer")
    assert Names(in_sandbox=True).person(buyer) == "the buyer (0x7E5F45…)"


def test_a_name_is_never_read_as_a_message() -> None:
    from milestone_escrow.words.messages import say

    said = say("{who} signs", who=Names().person("{x.__class__} {Survey}"))
    assert said == "{x.__class__} {Survey} signs"
