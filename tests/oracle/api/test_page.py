"""docs/api.md does what it says, against a real server."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from milestone_escrow.oracle.api.reference import text
from milestone_escrow.oracle.evidence.blobs import Folder
from milestone_escrow.oracle.settings import Settings
from milestone_escrow.oracle.store.store import Store
from tests.docs.console import ROOT
from tests.oracle.api.world import DOMAIN, build, seed, set_head

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8580"


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[str]:
    """The address of a service that watches one agreement, whose clock is this machine's."""
    store = Store.open(tmp_path / "oracle.db", DOMAIN)
    seed(store)
    with store.transaction() as connection:
        set_head(connection, time=int(time.time()))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        world = build(store, origin=url, blobs=Folder(tmp_path / "evidence"), clock=time.time)
        server = uvicorn.Server(uvicorn.Config(world.app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield url
        finally:
            world.app.state.hub.close()
            server.should_exit = True
            thread.join(30)
    store.close()


def test_every_block_runs_and_prints_what_the_page_says(
    oracle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {}
    printed = []
    for block in BLOCKS:
        code = compile(block.replace(ADDRESS, oracle), "docs/api.md", "exec")
        exec(code, names)  # noqa: S102 (our own page)
        printed.append(capsys.readouterr().out)
    first, lifecycle, title, _, added, taken, live, refused = printed
    assert f"```\n{first}```" in PAGE
    assert "buyer dispute" in lifecycle
    assert "pays 4,000.00 USDC" in lifecycle
    assert title == "A garden shed, built in three stages\n"
    assert added.startswith("photos ")
    assert f"`{taken.strip()}`" in PAGE
    assert live
    assert f"`{refused.strip()}`" in PAGE


def test_every_path_is_on_the_page() -> None:
    for path in json.loads(text())["paths"]:
        end = re.sub(r"\{\w+\}", "", path).rstrip("/").rpartition("/")[2]
        assert end in PAGE, path


def test_the_settings_of_the_page_are_read(tmp_path: Path) -> None:
    (found,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "oracle.toml"
    file.write_text(found, encoding="utf-8")
    assert Settings.load(file).api.public_url == "https://oracle.example"
