"""Letters beyond the shipped fonts: any mix of scripts, shaped, in order, or refused in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.errors import UsageError
from milestone_escrow.papers import typeface
from milestone_escrow.papers.contract import contract_pdf
from milestone_escrow.papers.invoice import invoice_pdf
from milestone_escrow.papers.ledger import Ledger
from milestone_escrow.papers.sheet import BODY, CODE, Layout, Sheet
from tests.unit.papers.deal import DEAL
from tests.unit.papers.print import Print, visual_lines

DAY = date(2027, 3, 25)
BUYER = "Nordlicht Teppiche GmbH"
Draft = Callable[..., Ledger]

MODULES = Path(__file__).parents[3] / "node_modules" / "@fontsource"
FONTS = {
    "Han": "ma-shan-zheng/files/ma-shan-zheng-chinese-simplified",
    "Arabic": "ibm-plex-sans-arabic/files/ibm-plex-sans-arabic-arabic",
    "Hebrew": "noto-sans-hebrew/files/noto-sans-hebrew-hebrew",
    "Devanagari": "noto-sans-devanagari/files/noto-sans-devanagari-devanagari",
    "Thai": "noto-sans-thai/files/noto-sans-thai-thai",
}
NAMES = {
    "Han": "深圳市华清电子有限公司",
    "Arabic": "مصنع سجاد جديد",
    "Hebrew": "שירותי בדיקה חיפה",
    "Devanagari": "राजवाड़ा एक्सपोर्ट्स",
    "Thai": "บริษัท กรุงเทพ จำกัด",
}


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The font of each script, unpacked as it would be installed."""
    folder, found = tmp_path_factory.mktemp("fonts"), {}
    for script, name in FONTS.items():
        path = MODULES / f"{name}-400-normal.woff"
        if not path.exists():
            pytest.skip("`npm ci` brings the fonts of other scripts")
        with TTFont(path, recalcBBoxes=False, recalcTimestamp=False) as font:
            font.flavor = None
            found[script] = folder / f"{script}.ttf"
            font.save(found[script])
    return found


@pytest.fixture(autouse=True)
def no_fonts_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typeface, "system_fonts", lambda: iter(()))


@pytest.fixture(scope="module")
def layout(fonts: dict[str, Path]) -> Layout:
    """One font for each of five scripts, all of them at once."""
    return Layout(fonts=tuple(fonts.values()))


@pytest.fixture
def paper(layout: Layout) -> Callable[..., Sheet]:
    def begun(*names: str) -> Sheet:
        return Sheet(layout, "Names", "nobody", DAY, "Names", names)

    return begun


def said(sheet: Sheet, text: str, width: float | None = None) -> list[str]:
    """A paragraph's lines, each as it stands from left to right."""
    sheet.write_text(text, BODY, width=width)
    return visual_lines(sheet.finish())[:-1]


def mirrored(text: str) -> str:
    return text.replace(" ", "")[::-1]


def test_a_name_in_any_script_stands_in_an_english_sentence(
    paper: Callable[..., Sheet], printed: Callable[[bytes], Print]
) -> None:
    sentence = "The contract pays {} when two of three certify the milestone, or on 14 Mar 2027."
    for script in ("Han", "Thai", "Devanagari"):
        sheet = paper(NAMES[script])
        sheet.write_text(sentence.format(NAMES[script]), BODY, width=60)
        # Ideographs may part at the end of a line.
        found = printed(sheet.finish()).text.replace(" ", "")
        assert sentence.format(NAMES[script]).replace(" ", "") in found


@pytest.mark.parametrize("script", ["Hebrew", "Arabic"])
def test_a_name_from_right_to_left_turns_nothing_else_round(
    paper: Callable[..., Sheet], script: str
) -> None:
    name = NAMES[script]
    lines = said(paper(name), f"{name} 14 days later pays 95,000.00 USDC to {name}.")
    assert lines == [f"{mirrored(name)}14dayslaterpays95,000.00USDCto{mirrored(name)}."]


def test_a_sentence_from_right_to_left_begins_at_the_right_of_each_line(
    paper: Callable[..., Sheet],
) -> None:
    sheet = paper()
    # The letters of a number run from left to right in it, and brackets open the other way.
    text = "הספק ימסור את השטיחים (1,200) לנמל Hamburg עד סוף מאי והקונה ישלם אחרי הבדיקה"
    lines = said(sheet, text, width=70)
    assert "".join(lines).count("Hamburg") == 1
    first, last = lines[0], lines[-1]
    assert first.endswith(mirrored("הספק ימסור את"))
    assert "(1,200)" in first
    assert last.startswith(mirrored("הבדיקה"))
    assert sorted("".join(lines)) == sorted(text.replace(" ", ""))


def test_letters_join_where_their_script_joins_them(paper: Callable[..., Sheet]) -> None:
    sheet = paper()
    word = "سجاد"
    alone = sum(sheet.wide(letter, BODY) for letter in word)
    assert sheet.wide(word, BODY) < alone * 0.98


def test_chinese_breaks_between_any_two_letters_but_not_before_a_full_stop(
    paper: Callable[..., Sheet],
) -> None:
    text = "卖方应在五月二十日之前交付一千二百张手工地毯，买方在检验合格之后付款。"
    for width in (20, 33, 47):
        sheet = paper()
        lines = said(sheet, text, width=width)
        assert "".join(lines) == text
        assert not any(line[0] in "，。" for line in lines)


def test_five_scripts_are_in_one_contract_and_nothing_leaves_the_margins(
    layout: Layout, printed: Callable[[bytes], Print]
) -> None:
    text = DEAL
    shipped = (BUYER, "Rajwada Exports Pvt Ltd", "Indus Survey", "Elbe Logistik", "Dr. A. Brandt")
    for old, name in zip(shipped, NAMES.values(), strict=True):
        text = text.replace(f"name: {old}", f"name: {name}")
    clause = "the seal of {} is checked by {} before {} rules, and {} is told by {}".format(
        *NAMES.values()
    )
    text = text.replace("CIF Hamburg, Incoterms 2020", f"'{clause}'")
    data = contract_pdf(Agreement.loads(text), layout=layout)
    found = printed(data)
    lines = visual_lines(data)
    for script, name in NAMES.items():
        plain = script in ("Hebrew", "Arabic")
        assert any(mirrored(name) in line for line in lines) if plain else name in found.text
    assert found.strays == ()
    assert data == contract_pdf(Agreement.loads(text), layout=layout)


def test_file_names_and_addresses_in_other_scripts_are_written_too(
    paper: Callable[..., Sheet], printed: Callable[[bytes], Print]
) -> None:
    sheet = paper()
    sheet.write_text(f"{NAMES['Thai']}.pdf", CODE)
    name = f"{NAMES['Thai']}.pdf".replace(" ", "")
    assert name in printed(sheet.finish()).text.replace(" ", "")


def test_letters_with_loose_accents_are_written_as_one(
    draft: Draft, printed: Callable[[bytes], Print]
) -> None:
    ledger = draft((BUYER, "Mu\u0308ller GmbH"))
    assert "Müller GmbH" in printed(invoice_pdf(ledger, "packed", DAY)).text


@pytest.mark.parametrize(
    ("script", "package"),
    [("Han", "fonts-noto-cjk"), ("Thai", "fonts-noto-core"), ("Arabic", "fonts-noto-core")],
)
def test_what_no_font_has_is_refused_with_its_script_and_the_way_out(
    draft: Draft, script: str, package: str
) -> None:
    with pytest.raises(UsageError, match=rf"can write '.+' \({script}\) in .*{package}.*--font"):
        invoice_pdf(draft((BUYER, NAMES[script])), "packed", DAY)


def test_one_font_too_few_is_named(layout: Layout, draft: Draft) -> None:
    some = Layout(fonts=layout.fonts[1:])
    both = draft((BUYER, NAMES["Thai"]), ("Rajwada Exports Pvt Ltd", NAMES["Han"]))
    with pytest.raises(UsageError, match=r"\(Han\)"):
        invoice_pdf(both, "packed", DAY, layout=some)


def test_a_font_of_the_machine_is_found_where_one_is_needed(
    draft: Draft,
    fonts: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    printed: Callable[[bytes], Print],
) -> None:
    looked: list[str] = []

    def installed() -> Iterator[Path]:
        looked.append("")
        yield Path(__file__)  # what is no font is passed over
        yield fonts["Hebrew"]
        yield fonts["Thai"]

    monkeypatch.setattr(typeface, "system_fonts", installed)
    invoice_pdf(draft(), "packed", DAY)
    assert not looked
    ledger = draft((BUYER, NAMES["Thai"]))
    assert NAMES["Thai"] in printed(invoice_pdf(ledger, "packed", DAY)).text
    assert looked


def test_the_plain_cut_of_a_family_for_names_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("ZedSerif-Regular.ttf", "NotoSansThai-Bold.ttf", "NotoSansThai-Regular.ttf", "A.ttc")
    for name in (*names, "read.me"):
        (tmp_path / name).touch()
    monkeypatch.undo()
    monkeypatch.setattr(typeface, "_folders", lambda: iter((tmp_path, tmp_path / "none")))
    assert [path.name for path in typeface.system_fonts()] == [
        "NotoSansThai-Regular.ttf", "A.ttc", "NotoSansThai-Bold.ttf", "ZedSerif-Regular.ttf",
    ]  # fmt: skip


def test_what_turns_letters_round_unseen_is_refused(paper: Callable[..., Sheet]) -> None:
    with pytest.raises(UsageError, match="a hidden character turns round how “PixeleniP” reads"):
        paper().write_text("Pixel\u202eeniP")
