"""What the page of an agreement holds: sentences and amounts, ready to be printed."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.protocol.eip712 import Address


@dataclass(frozen=True, slots=True)
class Todo:
    """Something that somebody can do; `href` is where, "" where it is not this viewer's."""

    milestone: str
    who: str
    text: str
    until: str
    href: str
    is_yours: bool
    is_needed: bool


@dataclass(frozen=True, slots=True)
class File:
    """A piece of evidence; `href` is "" where only its hash is here."""

    name: str
    kind: str
    size: str
    sha256: str
    by: str
    when: str
    href: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A split or an offer that somebody has signed and that waits for an answer; `takes` is what
    the button says, "" where this viewer cannot answer it."""

    digest: str
    verb: str
    kind: str
    text: str
    takes: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a milestone besides the chain: its evidence, what its requirements come to
    ("met", "missing" or "failed", and a sentence), who has signed a verdict that waits, and what
    is proposed."""

    files: tuple[File, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
    signed: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One milestone on the timeline."""

    index: int
    key: str
    title: str
    description: str
    tone: str
    status: str
    amount: str
    paid: str
    due: str
    ends: str
    silence: str
    responsible: str
    requires: tuple[str, ...]
    verified_by: str
    pays_alone: tuple[str, ...]
    refunds_alone: tuple[str, ...]
    is_settled: bool
    shown: Shown


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the history."""

    when: str
    who: str
    text: str
    transaction: str
    href: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Where the price is; `undelivered` is "" where everything arrived. The parts are thousandths
    of it, for the bar."""

    price: str
    held: str
    paid: str
    back: str
    undelivered: str
    unpaid: str
    parts: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Deal:
    """The whole page."""

    id: str
    reference: str
    title: str
    network: str
    contract: str
    contract_href: str
    is_open: bool
    unsigned: str
    may_sign: bool
    may_act: bool
    may_share: bool
    replaced_by: str
    changes: tuple[tuple[str, str], ...]
    now: str
    notes: tuple[str, ...]
    people: tuple[tuple[str, str, Address, str], ...]
    sums: Sums
    waiting: tuple[str, ...]
    todos: tuple[Todo, ...]
    stages: tuple[Stage, ...]
    history: tuple[Told, ...]
