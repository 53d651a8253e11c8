"""How fast attestations are taken in: checked, recovered, stored, durable; and what that stands on.

Each is a post of its own with one signature, for a milestone of its own. SQLite commits with full
sync. Figures are per core: one thread does all the work.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import insert

from bench.harness import Row
from milestone_escrow.keys import LocalSigner
from milestone_escrow.oracle.signing.attestation_json import Post
from milestone_escrow.oracle.signing.group_commit import SharedIntake
from milestone_escrow.oracle.signing.intake import take_many
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, ZERO_HASH, Domain
from milestone_escrow.protocol.signatures import recover
from milestone_escrow.protocol.terms import DAY, Milestone, Terms

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
NOW = 1_800_000_000
VERIFIERS = sorted(
    (LocalSigner(n.to_bytes(32, "big")) for n in (5, 6, 7)), key=lambda s: s.address.lower()
)
STAGES = 10
FEW, MANY = 1_000, 100_000
COUNT = 4_000
BATCH = 250
THREADS = 64


def rows() -> Iterator[Row]:
    """The figures, the smallest part first."""
    attestations = [_attestation(number, 0) for number in range(2_000)]
    yield Row(
        "EIP-712 digests",
        _per_second(lambda: [a.typed_data(DOMAIN).digest() for a in attestations], 2_000),
        "per s",
        ">= 50000",
        {"eth-account": 7_035},
    )
    digests = [a.typed_data(DOMAIN).digest() for a in attestations[:500]]
    signed = [VERIFIERS[0].sign_typed_data(a.typed_data(DOMAIN)) for a in attestations[:500]]
    yield Row(
        "signatures recovered to accounts",
        _per_second(lambda: [recover(d, s) for d, s in zip(digests, signed, strict=True)], 500),
        "per s",
        "",
        {"coincurve, key only": 19_329, "eth-keys without it": 125},
    )
    for milestones in (FEW, MANY):
        with tempfile.TemporaryDirectory() as folder:
            yield from _stored(Path(folder), milestones)


def _stored(folder: Path, milestones: int) -> Iterator[Row]:
    store = Store.open(folder / "oracle.db", DOMAIN)
    try:
        _fill(store, milestones)
        yield Row(
            f"taken in, {milestones:,} milestones, {BATCH} a commit",
            _taking(store, _posts(milestones, COUNT, NOW)),
            "per s",
            ">= 2000",
        )
        if milestones == FEW:
            yield Row(
                f"taken in from {THREADS} threads that share commits",
                _sharing(store, _posts(milestones, COUNT // 2, NOW + 60)),
                "per s",
            )
            yield Row(
                "taken in, each with a commit of its own",
                _taking(store, _posts(milestones, 500, NOW + 120), batch=1),
                "per s",
            )
    finally:
        store.close()


def _taking(store: Store, posts: Sequence[Post], batch: int = BATCH) -> float:
    start = time.perf_counter()
    for first in range(0, len(posts), batch):
        outcomes = take_many(store, DOMAIN, posts[first : first + batch], NOW + 300)
        assert all(outcome.added for outcome in outcomes)
    return len(posts) / (time.perf_counter() - start)


def _sharing(store: Store, posts: Sequence[Post]) -> float:
    intake = SharedIntake(store, DOMAIN, lambda: NOW + 300)
    with ThreadPoolExecutor(THREADS) as pool:
        start = time.perf_counter()
        outcomes = list(pool.map(intake.take, posts))
        seconds = time.perf_counter() - start
    assert all(outcome.added for outcome in outcomes)
    return len(posts) / seconds


def _per_second(act: Callable[[], object], count: int) -> float:
    best = min(_seconds(act) for _ in range(5))
    return count / best


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _posts(milestones: int, count: int, issued: int) -> list[Post]:
    """One verifier each time, so that few milestones can take many."""
    found = []
    for number in range(count):
        signer = VERIFIERS[number // milestones % len(VERIFIERS)]
        place = number % milestones
        what = _attestation(place // STAGES, place % STAGES, issued + number // milestones)
        signature = signer.sign_typed_data(what.typed_data(DOMAIN))
        found.append(Post(what, {signer.address: signature}))
    return found


def _attestation(agreement: int, milestone: int, issued: int = NOW) -> Attestation:
    return Attestation(
        _id(agreement), milestone, Verdict.ACCEPTED, 1_000_000, ZERO_HASH, issued, NOW + 30 * DAY
    )


def _id(agreement: int) -> bytes:
    return (agreement + 1).to_bytes(32, "big")


def _fill(store: Store, milestones: int) -> None:
    """Funded agreements of ten milestones each, as the indexer would have left them."""
    terms = Terms(
        LocalSigner((1).to_bytes(32, "big")).address,
        LocalSigner((2).to_bytes(32, "big")).address,
        "0x" + "aa" * 20,
        ZERO_ADDRESS,
        tuple(verifier.address for verifier in VERIFIERS),
        0, 0, 3 * DAY, 0, ZERO_ADDRESS, 0, ZERO_HASH, 0,
    )  # fmt: skip
    stage = Milestone(1_000_000, NOW + 90 * DAY, False, 0b111, 2, ZERO_HASH)
    stages = row_shapes.milestones_data([stage] * STAGES)
    with store.transaction() as connection:
        for numbers in _chunks(range(milestones // STAGES), 1_000):
            connection.execute(
                insert(t.agreements), [_agreement(number, terms, stages) for number in numbers]
            )
            connection.execute(
                insert(t.milestones),
                [_milestone(number, index, stage) for number in numbers for index in range(STAGES)],
            )


def _agreement(number: int, terms: Terms, stages: object) -> dict[str, object]:
    return {
        "agreement_id": _id(number),
        "buyer": terms.buyer,
        "supplier": terms.supplier,
        "arbiter": terms.arbiter,
        "token": terms.token,
        "terms": row_shapes.terms_data(terms),
        "milestones": stages,
        "opened_block": 1,
        "opened_at": NOW - DAY,
    }


def _milestone(number: int, index: int, stage: Milestone) -> dict[str, object]:
    return {
        "agreement_id": _id(number),
        "milestone": index,
        "amount": stage.amount,
        "deadline": stage.deadline,
        "status": 1,
        "assignee": ZERO_ADDRESS,
        "clock": 0,
        "issued_at": 0,
        "epoch": 0,
        "handover": 0,
        "pending": 0,
        "paid": 0,
        "next_at": stage.deadline,
        "changed_block": 1,
        "changed_at": NOW - DAY,
    }


def _chunks(numbers: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (numbers[first : first + size] for first in range(0, len(numbers), size))
