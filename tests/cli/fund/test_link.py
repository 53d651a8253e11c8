"""`escrow fund --link`: what a wallet on a phone can do, and what it cannot."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from milestone_escrow.chain.contract.tokens import approve_call
from milestone_escrow.documents.files.wallet_links import (
    approve_link,
    fund_page,
    png_code,
    terminal_code,
)
from milestone_escrow.errors import UsageError
from milestone_escrow.sandbox.world import World
from tests.cli.conftest import Run, Unchanged
from tests.cli.deal import BUYER
from tests.cli.dispute.test_verbs import paid

PAGE = "https://escrow.example"


@pytest.fixture
def waiting(escrow: Run, signed: Path) -> Path:
    """The deal, open, with nothing paid in."""
    assert escrow("open", str(signed), "--yes").status == 0
    return signed


def scan(world: World, link: str) -> None:
    """What a wallet makes of an EIP-681 link: the call that it names, sent by its account."""
    match = re.fullmatch(r"ethereum:(0x\w{40})@(\d+)/approve\?(.*)", link)
    assert match is not None
    assert int(match[2]) == world.chain.chain_id
    values = parse_qs(match[3])
    data = approve_call(values["address"][0], int(values["uint256"][0]))
    call = {"from": BUYER, "to": match[1], "data": "0x" + data.hex()}
    world.chain.handle("eth_sendTransaction", [call])


def test_scanning_allows_exactly_what_funding_takes(
    escrow: Run, waiting: Path, world: World, unchanged: Unchanged
):
    with unchanged():
        body = escrow("fund", "SHED-7", "foundation", "walls", "--link", "--json").json
    assert body["amount"]["text"] == "7,000.00 USDC"
    (link,) = body["links"]
    assert link["kind"] == "approve"
    scan(world, link["uri"])
    funded = escrow("fund", "SHED-7", "foundation", "walls", "--with", "allowance", "--yes")
    assert funded.status == 0, funded.err
    assert "paid from what Anna Bauer has allowed" in funded.words
    assert world.escrow.allowance(world.escrow.token("USDC"), BUYER) == 0
    assert paid(escrow, "walls")[0] == "funded"


def test_says_that_a_link_does_not_pay_in(escrow: Run, waiting: Path):
    result = escrow("fund", "SHED-7", "foundation", "--link")
    assert "no link can carry an agreement's terms" in result.words
    assert "escrow fund SHED-7 foundation --unsigned" in result.out
    assert "█" in result.out


def test_the_page_comes_second_and_alone_once_it_is_allowed(
    escrow: Run, waiting: Path, world: World
):
    words = ("fund", "SHED-7", "foundation", "--link", "--page", PAGE)
    agreement = escrow("status", "SHED-7", "--json").json["agreement"]
    body = escrow(*words, "--json").json
    assert [link["kind"] for link in body["links"]] == ["approve", "page"]
    assert body["links"][1]["uri"] == f"{PAGE}/a/{agreement}/fund"
    assert "not needed where the wallet signs a permit" in escrow(*words).words
    scan(world, body["links"][0]["uri"])
    assert [link["kind"] for link in escrow(*words, "--json").json["links"]] == ["page"]
    allowed = escrow("fund", "SHED-7", "foundation", "--link")
    assert "is allowed to take it already" in allowed.words


def test_writes_codes_as_images(escrow: Run, waiting: Path):
    result = escrow("fund", "SHED-7", "--link", "--page", PAGE, "--png", "pay.png")
    assert result.status == 0
    assert "█" not in result.out
    for file in ("pay.png", "pay-page.png"):
        assert Path(file).read_bytes().startswith(b"\x89PNG")
        assert file in result.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--page", PAGE), "add --link"),
        (("--png", "x.png"), "add --link"),
        (("--link", "--with", "permit"), "name only milestones"),
        (("--link", "--unsigned"), "name only milestones"),
        (("--link", "--page", "javascript:alert(1)"), "is no web address"),
    ],
)
def test_refuses_what_contradicts_itself(
    escrow: Run, waiting: Path, words: tuple[str, ...], sentence: str
):
    result = escrow("fund", "SHED-7", "foundation", *words)
    assert result.status == 2
    assert sentence in result.err


def test_links_are_written_as_the_standard_has_them():
    token = "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238"
    assert approve_link(token, 11155111, BUYER, 72_000_000_000) == (
        f"ethereum:{token}@11155111/approve?address={BUYER}&uint256=72000000000"
    )
    assert fund_page(f"{PAGE}/", b"\x0f" * 32) == f"{PAGE}/a/0x{'0f' * 32}/fund"
    with pytest.raises(UsageError):
        fund_page("escrow.example", b"\x0f" * 32)


def test_codes_hold_their_link():
    link = approve_link(BUYER, 1, BUYER, 1)
    lines = terminal_code(link).splitlines()
    # Two rows of squares to a line, and a quiet margin of four squares around them.
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) in (2 * len(lines), 2 * len(lines) - 1)
    assert set(lines[0]) == set(lines[1]) == {"█"}
    assert png_code(link) == png_code(link) != png_code(link + "0")
