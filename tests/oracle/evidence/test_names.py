"""Names of files from strangers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.documents.manifest import kind_of
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.evidence.file_names import listed_name, read_kind, read_name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../report.pdf", "/etc/passwd", "a/b.pdf", "..\\report.pdf", "C:report.pdf",
        "C:\\report.pdf", "report.pdf\0.exe", "report\n.pdf", "report\t.pdf", "\x1b[2Jreport.pdf",
        "report\u202efdp.exe", "report\u2066.pdf", "re\u200bport.pdf", "\ufeffreport.pdf",
        "report\u2028.pdf", "report\ud800.pdf", "report\ue000.pdf", ".hidden.pdf", "-rf.pdf",
        "~root.pdf", " report.pdf", "report.pdf ", "report.pdf.", "CON", "con.pdf", "NUL.tar.gz",
        "Com1.txt", "lpt9.pdf", "COM¹.txt", "aux .pdf", "a*b.pdf", "a?b.pdf", 'a"b.pdf', "a<b.pdf",
        "a|b.pdf", "x" * 121, "é" * 110 + ".pdf",
    ],
)  # fmt: skip
def test_refuses_names_that_are_traps(name: str) -> None:
    with pytest.raises(UsageError):
        read_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf", "Bill of Lading (copy 2).pdf", "Prüfbericht–März.pdf", "検査報告.pdf",
        "تقرير.pdf", "x" * 116 + ".pdf", "console.pdf", "com10.pdf", "a.b.c.pdf", "photos-03.jpeg",
    ],
)  # fmt: skip
def test_takes_names_that_people_give(name: str) -> None:
    assert read_name(name) == unicodedata.normalize("NFC", name)


def test_two_ways_to_write_the_same_name_are_one() -> None:
    assert read_name("Pru\u0308fbericht.pdf") == "Prüfbericht.pdf"


@given(st.text(max_size=40))
def test_what_is_taken_is_one_plain_visible_component(name: str) -> None:
    try:
        taken = read_name(name)
    except UsageError:
        return
    assert taken
    assert taken == read_name(taken)
    assert not set("/\\\0") & set(taken)
    assert taken.isprintable()
    assert taken not in (".", "..")


def test_kinds_are_read_as_people_write_them() -> None:
    assert read_kind("Bill of lading") == read_kind("bill-of-lading") == "bill_of_lading"
    for kind in ("", "bill/of", "3d", "all", "x" * 50):
        with pytest.raises(UsageError):
            read_kind(kind)


def test_a_file_whose_name_hides_its_kind_is_listed_under_one_that_says_it() -> None:
    nothing: frozenset[str] = frozenset()
    assert listed_name("photos-03.jpeg", "photos", nothing) == "photos-03.jpeg"
    assert listed_name("scan001.pdf", "bill_of_lading", nothing) == "bill_of_lading.pdf"
    taken = frozenset({"bill_of_lading.pdf", "bill_of_lading-2.pdf"})
    third = listed_name("scan001.pdf", "bill_of_lading", taken)
    assert third == "bill_of_lading-3.pdf"
    assert kind_of(third) == "bill_of_lading"
    assert listed_name("scan001.pdf", "form_7", nothing) == "scan001.pdf"
