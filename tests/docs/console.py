"""Pages as scripts: what stands behind `$ ` in a console block is run, what follows is compared.

A line that begins with `>` continues the command; a line `…` stands for any lines of output. Dates,
spans of time, hashes, gas and its price differ from run to run and are compared by their shape
only; white space is folded, since dates change where lines wrap.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHAPES = (
    (re.compile(r"\s+"), " "),
    (re.compile(r"0x[0-9a-fA-F]{6,}…?"), "HEX"),
    (re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4}(, \d\d:\d\d UTC([+-]\d\d:\d\d)?)?"), "DATE"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b(in )?(\d+|a|an) (second|minute|hour|day|week|month|year)s?( ago)?\b"), "SPAN"),
    (re.compile(r"[\d,]+ gas\b"), "GAS"),
    (re.compile(r"[\d.]+ gwei\b"), "PRICE"),
    (re.compile(r"\b\d+\.\d{6} [A-Z]{3,4}\b"), "COINS"),
    (re.compile(r"\bblock [\d,]+"), "BLOCK"),
    (re.compile(r"\b[\d,]+ entries\b"), "ENTRIES"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page and what the page says that it prints."""

    command: str
    expected: str


def steps(page: Path) -> list[Step]:
    """The commands of all console blocks, in order."""
    text = page.read_text(encoding="utf-8")
    return [step for block in _BLOCK.findall(text) for step in _steps_of(block)]


def _steps_of(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = command[:-1] + more.strip()
        while expected.startswith(">"):
            more, _, expected = expected.partition("\n")
            command += "\n" + more[1:].removeprefix(" ")
        yield Step(command, expected)


def run(step: Step, folder: Path, environment: Mapping[str, str]) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"$ {step.command}\n{done.stdout}{done.stderr}"
    return done.stdout


def matches(expected: str, printed: str) -> bool:
    """Whether the output is what the page says, apart from what differs in every run."""
    gaps = [_shape(part) for part in re.split(r"^…$", expected, flags=re.MULTILINE)]
    pattern = ".*".join(re.escape(part) for part in gaps)
    return re.fullmatch(pattern, _shape(printed)) is not None


def _shape(text: str) -> str:
    for pattern, name in _SHAPES:
        text = pattern.sub(name, text)
    return text.strip()
