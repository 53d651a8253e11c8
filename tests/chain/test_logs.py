"""Events behind nodes that take questions about few blocks only, and from run to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.node.landmarks import KeptLandmarks, Landmarks, Width
from milestone_escrow.chain.node.logs import LogReader
from milestone_escrow.chain.node.rpc import LimitedError, RpcError, read_answer
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.terms import agreement_typed_data
from tests.chain.conftest import START, five_milestones
from tests.support.nodes import Odd

CAP = 10
CONTRACT = "0x00000000000000000000000000000000000000C0"


def capped(cap: int) -> Callable[[Any, Callable[[], Any]], Any]:
    def answer(params: Any, truth: Callable[[], Any]) -> Any:
        (query,) = params
        if int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 > cap:
            raise RpcError(f"you can make eth_getLogs requests with up to a {cap} block range")
        return truth()

    return answer


class Blocks:
    """A node with one log a block, which takes `cap` blocks at once; `asked` are the widths."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.asked: list[int] = []

    def request(self, method: str, params: Any = ()) -> Any:
        (query,) = params
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        self.asked.append(last - first + 1)
        if last - first + 1 > self.cap:
            raise RpcError("query exceeds max block range")
        return [{"blockNumber": hex(number)} for number in range(first, last + 1)]


@pytest.mark.parametrize("cap", [1, 7, 10, 1_000, 100_000])
def test_a_width_that_works_is_kept_to(cap: int) -> None:
    node, blocks = Blocks(cap), 20_000
    reader = LogReader(node, CONTRACT, Landmarks())
    logs = list(reader.read([], 1, blocks))
    assert [int(log["blockNumber"], 16) for log in logs] == list(range(1, blocks + 1))
    # Halving may end at just more than half of what the node takes; each 17th is a try.
    assert len(node.asked) <= 2 * blocks / cap * 18 / 17 + 20


def test_the_second_question_begins_with_the_width_of_the_first() -> None:
    node = Blocks(10)
    reader = LogReader(node, CONTRACT, Landmarks())
    list(reader.read([], 1, 1_000))
    node.asked.clear()
    list(reader.read([], 1, 20))
    assert max(node.asked) <= 10


def test_a_node_that_refuses_one_block_is_not_asked_for_ever() -> None:
    node = Blocks(0)
    with pytest.raises(RpcError, match="max block range"):
        list(LogReader(node, CONTRACT, Landmarks()).read([], 0, 1_000))
    assert len(node.asked) < 15


def test_progress_is_told_block_by_block() -> None:
    reader = LogReader(Blocks(400), CONTRACT, Landmarks())
    told: list[tuple[int, int]] = []
    reader.watch = lambda done, of: told.append((done, of))
    list(reader.read([], 0, 999))
    assert told[-1] == (1_000, 1_000)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


@pytest.fixture(scope="module")
def far() -> Escrow:
    """A deal that was opened and funded 120 blocks after the contract, 120 blocks ago."""
    buyer, supplier = DevSigner(1), DevSigner(2)
    escrow = Escrow.embedded(buyer, start=START)
    deal = five_milestones(escrow)
    escrow.mint("USDC", buyer.address, 10**15)
    for _ in range(120):
        escrow.chain.mine()
    data = agreement_typed_data(escrow.domain, deal.terms, deal.milestones)
    signatures = {who.address: who.sign_typed_data(data) for who in (buyer, supplier)}
    escrow.open(deal, signatures, fund=[0], allow=True)
    for _ in range(120):
        escrow.chain.mine()
    return escrow


@pytest.fixture(scope="module")
def deal(far: Escrow) -> OpenedAgreement:
    return five_milestones(far)


def behind(far: Escrow, landmarks: Landmarks | None = None) -> tuple[Escrow, Odd]:
    node = Odd(far.node, eth_getLogs=capped(CAP))
    return Escrow(node, far.network, far.contract, landmarks=landmarks), node


def test_events_take_requests_in_proportion_to_blocks(far: Escrow, deal: OpenedAgreement) -> None:
    escrow, node = behind(far)
    assert escrow.events(deal) == far.events(deal)
    blocks = escrow.logs.head().number + 1
    assert node.asked.count("eth_getLogs") <= 1.25 * blocks / 9 + 15


def test_what_was_read_at_a_head_is_not_read_again(far: Escrow, deal: OpenedAgreement) -> None:
    escrow, node = behind(far)
    first = escrow.history(deal)
    asked = node.asked.count("eth_getLogs")
    assert escrow.history(deal) == escrow.events(deal) == first
    assert escrow.versions(deal) == (deal.id,)
    assert node.asked.count("eth_getLogs") == asked
    far.chain.mine()
    escrow.events(deal)
    assert node.asked.count("eth_getLogs") > asked


def test_a_later_run_begins_at_the_opening_with_the_known_width(
    far: Escrow, deal: OpenedAgreement, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "landmarks.json"
    escrow, _ = behind(far, KeptLandmarks(file, "https://node"))
    told = escrow.events(deal)
    assert file.stat().st_mode & 0o777 == 0o600
    escrow, node = behind(far, KeptLandmarks(file, "https://node"))
    assert escrow.events(deal) == told
    assert node.asked.count("eth_getLogs") <= 1.25 * 130 / 9 + 2


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"opened": {"0x00": -1}, "width": {}}', '{"opened": 1, "width": 2}'],
)
def test_landmarks_that_cannot_be_read_cost_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / "landmarks.json"
    file.write_text(content)
    assert KeptLandmarks(file, "a").opened == {}
    assert KeptLandmarks(file, "a").width == Width()


def test_landmarks_that_cannot_be_written_stop_nothing(
    far: Escrow, deal: OpenedAgreement, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    escrow, _ = behind(far, KeptLandmarks(tmp_path / "file" / "landmarks.json", "a"))
    assert escrow.events(deal) == far.events(deal)


@pytest.mark.parametrize("wrong", [0, 5, 200, 10**9])
def test_an_opening_that_is_not_at_its_landmark_is_looked_for(
    far: Escrow, deal: OpenedAgreement, wrong: int
) -> None:
    landmarks = Landmarks()
    landmarks.mark(deal.id, wrong)
    escrow, _ = behind(far, landmarks)
    assert escrow.events(deal) == far.events(deal)
    assert escrow.find(deal.id).terms == deal.terms


SLOW_DOWN = (
    "Your app has exceeded its compute units per second capacity. See https://docs.example",
    "Your app has exceeded its concurrent requests capacity.",
    "Monthly capacity limit exceeded.",
    "daily request count exceeded, request rate limited",
    "project ID request rate exceeded",
    "15/second request limit reached - reduce calls per second or upgrade your account",
    "daily request limit reached - upgrade your account",
    "You've exceeded the RPS limit available on the current plan.",
    "Too many request, try again later",
    "Exceeded the quota usage",
    "rate limit exceeded",
    "credits limited to 24000000/day",
    "exceeded limit, retry later",
    "Usage limit reached, please retry later",
    "compute units exceeded",
    "too many requests",
    "over rate limit",
    "Too many requests, reason: call rate limit exhausted, retry in 10m0s",
)
NARROWER = (
    "requests from too many blocks at once, maximum is 2048",
    "query returned more than 10000 results",
    "eth_getLogs is limited to a 10,000 range",
    "exceed maximum block range: 5000",
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
    "limit exceeded",  # what a node of BNB Chain says of ranges
    "Request timeout on the free tier, please upgrade your tier to the paid one",
    "execution reverted: mint rate limit exceeded",
)


@pytest.mark.parametrize("said", SLOW_DOWN)
def test_nodes_have_many_words_for_slow_down(said: str) -> None:
    with pytest.raises(LimitedError, match="limits how often"):
        read_answer({"error": {"code": -32005, "message": said}}, "host")


@pytest.mark.parametrize("said", NARROWER)
def test_too_much_at_once_is_not_too_often(said: str) -> None:
    with pytest.raises(RpcError):
        read_answer({"error": {"code": -32005, "message": said}}, "host")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"error": {"message": None}}, "the node gave no reason"),
        ({"error": {"code": -1}}, "the node gave no reason"),
    ],
)
def test_errors_of_odd_shapes_are_errors_of_the_node(answer: object, said: str) -> None:
    with pytest.raises(RpcError, match=said):
        read_answer(answer, "host")


def test_code_429_limits_whatever_it_says() -> None:
    with pytest.raises(LimitedError):
        read_answer({"error": {"code": 429, "message": "no"}}, "host")
