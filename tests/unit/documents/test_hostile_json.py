"""What strangers send is bounded before it is parsed, whatever Python's own limits are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from milestone_escrow.documents.files.hostile import MAX_NESTING, parse_json


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1)]
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(text, limit=1_000_000)


def test_brackets_within_text_do_not_count() -> None:
    text = '["' + "[{" * 1_000 + '\\"]", {"a": "]"}]'
    assert parse_json(text, limit=10_000) == ["[{" * 1_000 + '"]', {"a": "]"}]
    assert parse_json("[" * MAX_NESTING + "]" * MAX_NESTING, limit=10_000)


@pytest.mark.parametrize("text", ["", "nonsense", '"[', '{"a":1,"a":2}', '["\\"', "]" * 9])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the parser's own words)
        parse_json(text, limit=1_000)


def test_length_is_bounded() -> None:
    with pytest.raises(ValueError, match="more than 5 bytes"):
        parse_json(b"[1,2,3]", limit=5)


def test_a_raised_recursion_limit_does_no_harm() -> None:
    script = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from milestone_escrow.documents.files.signed_agreement import SignedAgreement\n"
        "from milestone_escrow.errors import DocumentError\n"
        "try: SignedAgreement.loads('[' * 100_000)\n"
        "except DocumentError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "nested too deeply" in run.stdout
