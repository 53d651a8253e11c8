"""The typefaces of every document, and what they cannot write.

IBM Plex Sans and Mono, under the SIL Open Font License, are shipped: Latin, Greek and Cyrillic with
all their accents. Letters of other scripts come from the fonts that a reader names, in that order,
and then from those that the machine has.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from fpdf import FPDF

SANS = "sans"
MONO = "mono"

_FILES = (
    (SANS, "", "IBMPlexSans-Regular.ttf"),
    (SANS, "B", "IBMPlexSans-SemiBold.ttf"),
    (MONO, "", "IBMPlexMono-Regular.ttf"),
)
_SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc"})
# Cuts of a family beside its plain one, and families for other things than names.
_UNLIKELY = (
    "bold", "italic", "oblique", "light", "thin", "black", "medium", "condensed", "mono", "serif",
    "display", "emoji", "symbol",
)  # fmt: skip
_EAST_ASIAN = frozenset({"Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"})
_JOINERS = "\u200c\u200d"
_VIRAMA = 9


class NoFontError(UsageError):
    """No font of this document or machine can write a text."""


class Typefaces:
    """The fonts of one document, by the name of their family in it."""

    def __init__(self, pdf: FPDF, own: Sequence[Path]) -> None:
        """Raises:
        UsageError: a font of the reader's own cannot be read.
        """
        self._pdf = pdf
        self._letters: dict[str, frozenset[int]] = {}
        folder = resources.files("milestone_escrow.papers") / "fonts"
        for family, style, name in _FILES:
            with resources.as_file(folder / name) as path:
                pdf.add_font(family, style, path)
            # Where the bold cut lacks a letter, the family lacks it.
            letters = _letters(pdf, family, style)
            self._letters[family] = self._letters.get(family, letters) & letters
        for path in own:
            self._add(path)

    def letters(self, family: str) -> frozenset[int]:
        """What a family can write."""
        return self._letters[family]

    def family(self, cluster: str, base: str, near: str = "") -> str:
        """The family that writes a letter with its marks; `near` wrote the one before."""
        wanted = {ord(c) for c in cluster if not is_unseen(c)}
        # Signs that all scripts share look as those of the letters around them.
        shared = not any(c.isalpha() for c in cluster)
        order = [near, base, *self._letters] if shared and near else [base, *self._letters]
        for family in order:
            if (family != MONO or base == MONO) and wanted <= self._letters[family]:
                return family
        return ""

    def require(self, text: str, base: str) -> None:
        """See that there is a font for every letter, on this machine if not in the document.

        Raises:
            NoFontError: there is none.
        UsageError: something turns the order of the letters round.
        """
        if any(unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF") for c in text):
            raise UsageError(
                f"a hidden character turns round how “{_plain(text)}” reads",
                hint="type the text anew; it is one that is not seen, often pasted with it",
            )
        missing = self._missing(text, base)
        for path in system_fonts() if missing else ():
            if any(wanted <= _coverage(path) for wanted in missing.values()):
                self._add(path)
                missing = self._missing(text, base)
                if not missing:
                    break
        if missing:
            raise _refusal(text, sorted(missing))

    def _missing(self, text: str, base: str) -> dict[str, set[int]]:
        """Letters with their marks that no font of the document has."""
        return {
            cluster: {ord(c) for c in cluster if not is_unseen(c)}
            for cluster in clusters(text)
            if not self.family(cluster, base)
        }

    def _add(self, path: Path) -> None:
        family = f"other{len(self._letters)}"
        try:
            self._pdf.add_font(family, "", path)
            self._letters[family] = _letters(self._pdf, family, "")
        except Exception as error:  # whatever a broken font makes its reader stumble over
            raise UsageError(
                f"the font {path} cannot be read", hint="name a TrueType or OpenType file"
            ) from error


def clusters(text: str) -> Iterator[str]:
    """The text letter by letter, each with the marks and joiners that belong to it."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _continues(text[at - 1], text[at]):
            yield text[start:at]
            start = at


def is_unseen(character: str) -> bool:
    """Whether it only says how others are written: joiners, marks of direction, selectors."""
    return unicodedata.category(character) in ("Cf", "Cc") or 0xFE00 <= ord(character) <= 0xFE0F


def script(character: str) -> str:
    """The script of a letter, "Thai"; "" for what all scripts share."""
    from fpdf.unicode_script import UnicodeScript, get_unicode_script

    found = get_unicode_script(character)
    if found in (UnicodeScript.COMMON, UnicodeScript.INHERITED):
        return ""
    return found.name.replace("_", " ").title()


def system_fonts() -> Iterator[Path]:
    """The font files of this machine that may write names, the likely ones first."""
    yield from _found(tuple(folder for folder in _folders() if folder.is_dir()))


def _folders() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "win32":
        yield from (Path("C:/Windows/Fonts"), home / "AppData/Local/Microsoft/Windows/Fonts")
    elif sys.platform == "darwin":
        yield from (home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    else:
        # Where fontconfig looks, too.
        yield from (home / ".local/share/fonts", home / ".fonts")
        yield from (Path("/usr/local/share/fonts"), Path("/usr/share/fonts"))


@lru_cache(maxsize=4)
def _found(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    files = {
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES and path.is_file()
    }

    def rank(path: Path) -> tuple[bool, bool, bool, str]:
        name = path.stem.lower()
        plain = not any(word in name for word in _UNLIKELY)
        return not plain, not name.startswith("notosans"), "regular" not in name, str(path)

    return tuple(sorted(files, key=rank))


@lru_cache(maxsize=2048)
def _coverage(path: Path) -> frozenset[int]:
    """The letters that a font draws; none where it is broken or has pictures only."""
    from fpdf import FPDF

    try:
        probe = FPDF()
        probe.add_font("probe", "", path)
        return _letters(probe, "probe", "")
    except Exception:  # one broken file of a machine's hundreds is not this document's concern
        return frozenset()


def _letters(pdf: FPDF, family: str, style: str) -> frozenset[int]:
    from fpdf.fonts import TTFFont

    font = pdf.fonts[family + style]
    assert isinstance(font, TTFFont)
    # Pictures are no letters, and would leave a gap.
    has_outlines = not {"glyf", "CFF ", "CFF2"}.isdisjoint(font.ttfont.keys())
    return frozenset(font.cmap) if has_outlines else frozenset()


def _continues(before: str, character: str) -> bool:
    if before in "\u200d" or character in _JOINERS:
        return True
    if unicodedata.category(character)[0] == "M" or 0xFE00 <= ord(character) <= 0xFE0F:
        return not before.isspace()
    # A consonant that a virama ties to the one before is one sign with it.
    return unicodedata.combining(before) == _VIRAMA and character.isalpha()


def _refusal(text: str, missing: Sequence[str]) -> NoFontError:
    letters = "".join(missing)[:8]
    scripts = sorted({name for c in "".join(missing) if (name := script(c))})
    which = f" ({', '.join(scripts)})" if scripts else ""
    return NoFontError(
        f"no font here can write '{letters}'{which} in “{_plain(text)}”",
        hint=f"{_ways(scripts)} on the machine that prints, or name a font file with --font",
    )


def _ways(scripts: Iterable[str]) -> str:
    """The fonts to install, and the packages that Debian and Ubuntu have them in."""
    wanted = {
        ("Noto Sans CJK", "fonts-noto-cjk") if name in _EAST_ASIAN
        else (f"Noto Sans {name}", "fonts-noto-core")
        for name in scripts
    }  # fmt: skip
    if not wanted:
        return "install a font that can (on Debian and Ubuntu: fonts-noto-core)"
    names = " and ".join(sorted({name for name, _ in wanted}))
    packages = " ".join(sorted({package for _, package in wanted}))
    return f"install {names} (on Debian and Ubuntu: {packages})"


def _plain(text: str) -> str:
    return "".join(c for c in text if not is_unseen(c))[:60]
