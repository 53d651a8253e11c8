"""A forger who makes up whole blocks, with proofs that fit: what rules and token say then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import rlp
from eth_hash.auto import keccak

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import (
    Event,
    MilestoneAttested,
    MilestoneFinalized,
    MilestonePaid,
    MilestonesFunded,
)
from milestone_escrow.chain.proofs.headers import decode_header
from milestone_escrow.chain.proofs.tries import Trie
from milestone_escrow.errors import EscrowError
from milestone_escrow.papers.audit.archive import pack
from milestone_escrow.papers.audit.bundle import Contents, write
from milestone_escrow.papers.audit.claims import TRANSFER, ToldBundle, verify
from milestone_escrow.papers.audit.fetching import attestations, collect
from milestone_escrow.papers.audit.online import verify_on_chain
from milestone_escrow.papers.audit.walk import Walk
from tests.unit.papers.conftest import Played

RECEIPTS_ROOT = 5
PAID = interface("MilestoneEscrow").topic("MilestonePaid")
ATTESTED = interface("MilestoneEscrow").topic("MilestoneAttested")


@pytest.fixture(scope="module")
def contents(played: Played) -> Contents:
    return collect(played.world.escrow, [played.signed], lambda digest: {})


def forged(contents: Contents, topic: bytes, change: Callable[[list[bytes]], None]) -> Contents:
    """With the last log of that kind changed, its receipt, its trie and its block made to fit."""
    sent = [s for s in contents.transactions if topic in s.receipt][-1]
    status, gas, bloom, logs = rlp.decode(sent.receipt[1:])
    log = [log for log in logs if log[1][0] == topic][-1]
    change(log)
    receipt = sent.receipt[:1] + rlp.encode([status, gas, bloom, logs])
    trie = Trie([receipt])
    header = rlp.decode(contents.headers[sent.block])
    header[RECEIPTS_ROOT] = trie.root
    encoded = rlp.encode(header)
    changed = replace(sent, receipt=receipt, receipt_proof=trie.proof(0))
    made = replace(
        contents,
        headers={**contents.headers, sent.block: encoded},
        head=decode_header(encoded) if sent.block == contents.head.number else contents.head,
        transactions=tuple(changed if s is sent else s for s in contents.transactions),
    )
    return replace(made, attestations=attestations(made))


def doubt(contents: Contents) -> list[str]:
    """The claims that do not hold."""
    return [c.title for c in verify(pack(write(contents)))[1] if c.holds is False]


def test_what_is_not_forged_raises_no_doubt(contents: Contents) -> None:
    assert doubt(contents) == []


def test_another_amount_of_the_token_is_not_what_the_contract_says(
    contents: Contents, played: Played
) -> None:
    def more(log: list[bytes]) -> None:
        log[2] = (int.from_bytes(log[2], "big") + 1).to_bytes(32, "big")

    made = forged(contents, TRANSFER, more)
    assert doubt(made) == ["The token moved what the contract says"]
    assert "The blocks are the chain's" in [
        c.title for c in verify_on_chain(made, played.world.escrow) if c.holds is False
    ]


def test_another_payment_is_not_what_was_decided(contents: Contents) -> None:
    def more(log: list[bytes]) -> None:
        words = [log[2][at : at + 32] for at in range(0, len(log[2]), 32)]
        words[-3] = (int.from_bytes(words[-3], "big") + 1).to_bytes(32, "big")
        log[2] = b"".join(words)

    assert set(doubt(forged(contents, PAID, more))) >= {
        "Every step follows the rules agreed", "The token moved what the contract says",
    }  # fmt: skip


def test_another_milestone_was_not_certified(contents: Contents) -> None:
    def other(log: list[bytes]) -> None:
        log[1][2] = (3).to_bytes(32, "big")

    assert "Every step follows the rules agreed" in doubt(forged(contents, ATTESTED, other))


def test_an_event_of_another_contract_is_not_heard(contents: Contents) -> None:
    def elsewhere(log: list[bytes]) -> None:
        log[0] = keccak(b"another contract")[:20]

    assert "Every step follows the rules agreed" in doubt(forged(contents, PAID, elsewhere))


# Events as they were, and what is done to them.
Change = Callable[[list[Event]], list[Event]]


def _first(events: Sequence[Event], kind: type[Event]) -> int:
    return next(at for at, event in enumerate(events) if isinstance(event, kind))


def _without(kind: type[Event]) -> Change:
    return lambda events: [e for at, e in enumerate(events) if at != _first(events, kind)]


def _with(kind: type[Event], **fields: object) -> Change:
    def change(events: list[Event]) -> list[Event]:
        at = _first(events, kind)
        return [*events[:at], replace(events[at], **fields), *events[at + 1 :]]  # type: ignore[arg-type]

    return change


def _twice(kind: type[Event]) -> Change:
    return lambda events: [*events, events[_first(events, kind)]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda events: events[1:], "before it was opened"),
        (lambda events: [], "was never opened"),
        (lambda events: [*events, events[0]], "opened twice"),
        (_without(MilestonesFunded), "another amount was paid than was decided"),
        (_without(MilestonePaid), "was not followed by its payment"),
        (_without(MilestoneFinalized), "another amount was paid than was decided"),
        (_twice(MilestonePaid), "another amount was paid than was decided"),
        (_twice(MilestoneAttested), "the milestone is settled"),
        (_with(MilestonesFunded, amount=1), "another amount was paid in"),
        (_with(MilestonePaid, fee=0), "another amount was paid"),
        (_with(MilestonePaid, fee=0, to_payee=24_000_000_000), "the fee is not the one agreed"),
        (_with(MilestonePaid, payee="0x" + "9" * 40), "somebody else was paid"),
        (_with(MilestoneAttested, clock=1), "a clock was set to another time"),
        (_with(MilestoneAttested, issued_at=2**40), "issued at"),
        (_with(MilestoneAttested, amount=2**100), "amount"),
    ],
)  # fmt: skip
def test_a_step_that_the_status_table_does_not_know_is_refused(
    contents: Contents, change: Change, words: str
) -> None:
    told = ToldBundle(contents)
    events = list(told.events(contents.agreement.id))
    Walk(contents.agreement.bound).run(events)
    with pytest.raises(EscrowError, match=words):
        Walk(contents.agreement.bound).run(change(events))
