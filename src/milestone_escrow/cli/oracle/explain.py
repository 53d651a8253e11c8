"""`escrow oracle explain`: what a milestone lacks, in a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.oracle.network_limits import limits_here
from milestone_escrow.cli.oracle.run import CONFIG, STORE
from milestone_escrow.cli.oracle.store_home import existing_store, usual_store
from milestone_escrow.cli.oracle.views import known_view
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.output import bad, bold, dim, good, paragraph, waiting
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.requirements.evaluation import Evaluation, Fulfilment
from milestone_escrow.documents.when import format_time
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.words import standing as words

if TYPE_CHECKING:
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.documents.resolve import PlannedMilestone


@click.command(short_help="Show what a milestone still lacks before it is signed.")
@click.argument("agreement")
@click.argument("milestone")
@STORE
@CONFIG
@reads
def explain(
    session: Session, agreement: str, milestone: str, store: str | None, config: Path | None
) -> None:
    """Show what must be shown for a milestone as a tree: what is met, missing or failed, why, and
    since when; whether the oracle would sign, and what silence leads to.

    Without an oracle's store here it shows what will be asked for.

    \b
    Examples:
      escrow oracle explain PO-2027-0114 departed
      escrow oracle explain deal.yaml departed --json
    """
    found = _explained(session, agreement, milestone, store, config)
    standing = found.standing
    reference = found.bound.agreement.reference
    session.say(f"{bold(reference)} {found.planned.key}  {found.planned.title}")
    place = words.status(standing) if found.is_known else "the oracle has no store here"
    session.say(f"{found.bound.agreement.amount(found.planned.amount)}, {place}\n")
    for line in _tree(found):
        session.say(line)
    session.say()
    for text in _verdict(found):
        session.say(paragraph(text))
    if silence := words.silence_words(standing):
        session.say(paragraph(f"If nothing more happens: {silence}."))
    session.emit(
        {
            "agreement": "0x" + found.bound.id.hex(),
            "reference": reference,
            "milestone": found.planned.key,
            "known": found.is_known,
            "status": words.status(standing) if found.is_known else None,
            "would_sign": found.is_decidable and found.finding.is_met and not found.refusals,
            "refusals": list(found.refusals),
            "requirements": found.finding.to_json(),
            "silence": words.silence_words(standing) or None,
        }
    )


_SHOWN: dict[Fulfilment, Callable[[str], str]] = {
    Fulfilment.MET: good, Fulfilment.MISSING: waiting, Fulfilment.FAILED: bad,
}  # fmt: skip


_WIDTH = len("missing")


@dataclass(frozen=True, slots=True)
class Explained:
    """A milestone, what its requirements come to, and what speaks against signing it.

    `is_known` is false where no store says what was shown.
    """

    standing: words.Standing
    finding: Evaluation
    refusals: tuple[str, ...]
    is_decidable: bool
    is_known: bool

    @property
    def bound(self) -> BoundAgreement:
        return self.standing.bound

    @property
    def planned(self) -> PlannedMilestone:
        return self.standing.planned


def _explained(
    session: Session, name: str, key: str, where: str | None, config: Path | None
) -> Explained:
    if where is None and not _has_store(session):
        return _unknown(session, name, key)
    from milestone_escrow.oracle import viewing
    from milestone_escrow.oracle.policies.would_sign import SignedLately, is_decidable, judge

    store = existing_store(session, where)
    try:
        view = known_view(session, store, name)
        stage = view.find(key)
        assert view.signed is not None
        assert stage.planned is not None
        session.say_departures(view.signed)
        limits = limits_here(session, store.domain, config)
        with store.reading() as connection:
            head = viewing.head(connection)
            now = max(session.now(), head.time if head else 0)
            decision = judge(
                connection, view, stage, stage.planned, limits, SignedLately(connection, now)
            )
            events = viewing.events(connection, view)
        states = [one.state for one in view.views]
        standing = words.standings_after(view.signed.bound, states, now, events)[stage.index]
    finally:
        store.close()
    can = is_decidable(stage, now)
    return Explained(standing, decision.finding, decision.refusals, can, is_known=True)


def _has_store(session: Session) -> bool:
    from milestone_escrow.cli.oracle.store_home import connect

    try:
        return usual_store(session, connect(session)).is_file()
    except EscrowError:
        # No node: then nothing is known of a store, and what will be asked for still is.
        return False


def _unknown(session: Session, name: str, key: str) -> Explained:
    """What will be asked for, as long as nobody knows what was shown."""
    from milestone_escrow.documents.requirements.evaluate import evaluate
    from milestone_escrow.documents.requirements.facts import Facts

    signed = session.find(name)
    agreement, now = signed.agreement, session.now()
    planned = agreement.milestone(key)
    facts = Facts(
        people=dict(agreement.people),
        payees=frozenset({agreement.people["supplier"]}),
        amount=planned.amount,
    )
    finding = evaluate(planned.requirements, facts, now)
    standing = words.Standing(signed.bound, planned, State(), now)
    return Explained(standing, finding, (), False, is_known=False)


def _tree(found: Explained) -> Iterator[str]:
    root = found.finding
    if not root.items:
        yield f"  {dim('nothing is required')}"
        return
    yield f"  {_state(root)}  {root.text}"
    yield from _branches(root.items, "  ", found)


def _branches(items: Sequence[Evaluation], indent: str, found: Explained) -> Iterator[str]:
    for item in items:
        is_last = item is items[-1]
        yield f"{indent}{'└' if is_last else '├'} {_state(item)}  {_words(item, found)}"
        yield from _branches(item.items, indent + ("  " if is_last else "│ "), found)


def _state(finding: Evaluation) -> str:
    return _SHOWN[finding.standing](finding.standing.value.ljust(_WIDTH))


def _words(finding: Evaluation, found: Explained) -> str:
    """The sentence, for a combination what it asks for first; and since when."""
    text = finding.text
    if finding.items:
        text = f"{finding.requirement.words().split(' of (')[0]} of these: {text}"
    if not finding.since:
        return text
    when = format_time(finding.since, found.bound.agreement.timezone)
    return f"{text}  {dim(f'since {when}')}"


def _verdict(found: Explained) -> Iterator[str]:
    if found.standing.state.status is Status.SETTLED:
        yield "It is settled: nothing is left to be shown."
    elif not found.planned.requirements.items:
        yield "The agreement does not say what must be shown: people judge it."
    elif not found.finding.is_met:
        failed = [
            leaf.text for leaf in found.finding.leaves() if leaf.standing is Fulfilment.FAILED
        ]
        if failed:
            yield f"{bad('Failed')}: {'; '.join(failed)}."
        else:
            yield "Not everything is shown yet, so the oracle signs nothing."
    elif found.refusals:
        yield f"{waiting('Shown, and not signed')}: {'; '.join(found.refusals)}."
    elif not found.is_decidable:
        yield f"{good('Everything is shown.')} Nothing is left for verifiers to sign."
    else:
        yield f"{good('Everything is shown')}: nothing speaks against signing it."
