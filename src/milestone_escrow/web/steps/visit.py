"""What somebody with a wallet wants at the page, and what the wallet is asked next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.deals.deeds import Deed, effects
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.money import parse_amount
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.protocol.eip712 import TypedData
from milestone_escrow.protocol.terms import DAY
from milestone_escrow.web.page_deps import WebDeps
from milestone_escrow.words.standing import Standing, standings

MAX_REASON = 4_000
VALID_FOR = 30 * DAY


@dataclass(frozen=True)
class Visit(Table):
    """A verb that `account` wants, with what was typed and signed so far.

    `answers` holds the wallet's signatures by the name of the step that asked; `held` what those
    steps gave to hold on to, so that exactly what was signed is used.
    """

    web: WebDeps
    view: DocumentedView
    verb: str
    milestone: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, bytes] = field(default_factory=dict)
    held: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def index(self) -> int:
        """The milestone's index.

        Raises:
            UsageError: none, or there is no such milestone.
        """
        index = self.milestone
        if index is None or not 0 <= index < len(self.view.views):
            raise UsageError("no such milestone", hint="go back to the agreement")
        return index

    @cached_property
    def stages(self) -> tuple[Standing, ...]:
        """The milestones as the chain has them now."""
        return standings(self.bound, self.escrow.states(self.bound), self.escrow.now())

    @property
    def here(self) -> Standing:
        """The milestone that the verb is about."""
        return self.stages[self.index]

    @property
    def until(self) -> int:
        """The end of validity of what is signed now."""
        return self.here.now + VALID_FOR

    def text(self, name: str, *, wanted: bool = True) -> str:
        """What was typed in a field.

        Raises:
            UsageError: nothing, although something is wanted; or too much.
        """
        value = self.fields.get(name, "").strip()
        if wanted and not value:
            raise UsageError(f"{name.replace('_', ' ')} is empty", hint="fill it in")
        if len(value) > MAX_REASON:
            raise UsageError(
                f"{name.replace('_', ' ')} has {len(value):,} letters, at most {MAX_REASON:,}",
                hint="put the rest in a file of evidence",
            )
        return value

    def units(self, name: str) -> int | None:
        """An amount that was typed; None where the field is empty.

        Raises:
            UsageError: it is no amount of the agreement's token.
        """
        text = self.text(name, wanted=False)
        return parse_amount(text, self.bound.agreement.currency) if text else None

    def number(self, step: str, name: str) -> int:
        """A whole number that the page held on to for a step.

        Raises:
            UsageError: it is not there.
        """
        text = str(self.held.get(step, {}).get(name, ""))
        if not (text.isascii() and text.isdigit() and len(text) <= 39):
            raise UsageError("what was signed is not known any more", hint="start again")
        return int(text)


@dataclass(frozen=True, slots=True)
class WalletStep:
    """What comes next. `kind` is "sign", "send" or "done"; `name` names the wallet's answer.

    `title` and `lines` say to people what it is; `data` is the typed data or the transaction, as
    wallets take it.
    """

    kind: str
    name: str
    title: str
    lines: tuple[str, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    held: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "name": self.name,
            "title": self.title,
            "lines": list(self.lines),
            "data": dict(self.data),
            "held": dict(self.held),
        }


def sign(
    name: str, title: str, data: TypedData, *lines: str, held: Mapping[str, object]
) -> WalletStep:
    return WalletStep("sign", name, title, lines, data.to_json(), held)


def send(name: str, title: str, prepared: Prepared, *lines: str) -> WalletStep:
    """The transaction as a wallet takes it; its price is the wallet's to say."""
    fields = prepared.to_json()
    wanted = ("from", "to", "value", "data", "gas", "chainId")
    return WalletStep("send", name, title, lines, {name: fields[name] for name in wanted})


def done(title: str, *lines: str) -> WalletStep:
    return WalletStep("done", "", title, lines)


def send_deeds(visit: Visit, title: str, *deeds: Deed) -> WalletStep:
    prepared = visit.verbs.together([deed.prepare(visit.verbs) for deed in deeds])
    return send("act", title, prepared, *sentences(effects(deeds)))


def sentences(lines: Iterable[str]) -> tuple[str, ...]:
    """What is listed elsewhere, each as a sentence of its own."""
    return tuple(f"{line[:1].upper()}{line[1:]}." for line in lines)
