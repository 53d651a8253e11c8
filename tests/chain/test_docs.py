"""docs/python.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from milestone_escrow.chain.node.networks import network

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_opens_on_a_release_in_15_lines() -> None:
    assert len(BLOCKS[0].splitlines()) == 15
    assert PAGE.index("```python") < 300


def test_every_block_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    printed = []
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 (our own page)
        printed.append(capsys.readouterr().out)
    assert printed[0] == "72,000.00 USDC\n"
    assert printed[0].strip() in PAGE
    refusals = [text for text in printed if text.startswith("only the payee")]
    told = " ".join(PAGE.replace("`", "").split())
    assert [text.strip().replace("`", "") in told for text in refusals] == [True]


def test_the_networks_file_of_the_page_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "networks.toml").write_text(text)
    assert network("ours", tmp_path).token("DAI").decimals == 18
    assert network("sepolia", tmp_path).rpc == "https://my-own-node.example"
