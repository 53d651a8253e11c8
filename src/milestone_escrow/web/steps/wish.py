"""What somebody wants to do, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from milestone_escrow.chain.node.networks import Network
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.documents.money import parse_amount
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.web.deps import WebDeps

MAX_REASON = 4_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What `account` wants: a verb on an agreement, with what was typed and signed so far.

    `signed` holds wallets' answers by the name of the step that asked; `held` what those steps
    gave to hold on to, so that exactly what was signed is used.
    """

    verb: str
    account: Address
    milestone: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    signed: Mapping[str, bytes] = field(default_factory=dict)
    held: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class Step:
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


@dataclass(frozen=True)
class Table:
    """Where steps are worked out: the service, the agreement with its document, and the wish."""

    web: WebDeps
    view: AgreementView
    wish: Wish

    @property
    def network(self) -> Network:
        return self.web.escrow.network

    @property
    def index(self) -> int:
        """The milestone's index.

        Raises:
            UsageError: none, or there is no such milestone.
        """
        index = self.wish.milestone
        if index is None or not 0 <= index < len(self.view.views):
            raise UsageError("no such milestone", hint="go back to the agreement")
        return index

    def amount(self, units: int) -> str:
        agreement = self.view.agreement
        return agreement.amount(units) if agreement else f"{units:,} token units"

    def units(self, name: str) -> int | None:
        """An amount that was typed; None where the field is empty.

        Raises:
            UsageError: it is no amount of the agreement's token.
        """
        text = self.wish.text(name, wanted=False)
        agreement = self.view.agreement
        return parse_amount(text, agreement.currency) if text and agreement else None


def sign(name: str, title: str, data: TypedData, *lines: str, held: Mapping[str, object]) -> Step:
    return Step("sign", name, title, lines, data.to_json(), held)


def send(name: str, title: str, prepared: Prepared, *lines: str) -> Step:
    """The transaction as a wallet takes it; its price is the wallet's to say."""
    fields = prepared.to_json()
    wanted = ("from", "to", "value", "data", "gas", "chainId")
    return Step("send", name, title, lines, {name: fields[name] for name in wanted})


def done(title: str, *lines: str) -> Step:
    return Step("done", "", title, lines)
