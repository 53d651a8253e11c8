"""What an agreement says: its file, validated and hashed, and what follows from it alone.

Nothing here knows of signatures, networks or `check`; `agreement.Agreement` adds them on top.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from milestone_escrow.documents.attachments import AttachedFile, attach
from milestone_escrow.documents.canonical import canonical_json, sha256
from milestone_escrow.documents.change_orders.continuing import remaining
from milestone_escrow.documents.departures import Departure, as_signed, departures
from milestone_escrow.documents.model import AgreementFile, Party, read_model
from milestone_escrow.documents.money import CURRENCIES, DECIMALS, Denomination, format_amount
from milestone_escrow.documents.resolve import PlannedMilestone, resolve
from milestone_escrow.documents.schedule import plan
from milestone_escrow.documents.short_names import short_names
from milestone_escrow.documents.source import Source, Tree, Where, suggest
from milestone_escrow.documents.when import start_of_day
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.terms import MAX_VERIFIERS, Milestone, Terms
from milestone_escrow.protocol.token import Token

Read = TypeVar("Read", bound="AgreementData")


@dataclass(frozen=True)
class AgreementData:
    """The whole deal as its file says it. Amounts are token units, times Unix seconds.

    `document` is what was written, field by field, with the hashes of the attachments; comments,
    order and layout of the file play no part in it. `document_hash` commits to it.
    `left_behind` are the milestones that a change order leaves to the agreement it replaces.
    """

    document: dict[str, Tree]
    model: AgreementFile
    currency: Denomination
    price: int
    milestones: tuple[PlannedMilestone, ...]
    attachments: tuple[AttachedFile, ...]
    source: Source = field(repr=False, compare=False)
    left_behind: tuple[PlannedMilestone, ...] = ()
    departures: tuple[Departure, ...] = field(default=(), compare=False)

    @classmethod
    def read(
        cls: type[Read], source: Source, folder: Path | None, decimals: int | None = None
    ) -> Read:
        """Validate what was read; attachments are looked for in `folder`, or carry their hashes.
        `decimals` are the token's where the file leaves them out.

        Raises:
            DocumentError: with line, field and fix.
        """
        model = read_model(source)
        _require_distinct_verifiers(source, model)
        currency = _currency(source, model, decimals)
        with source.at(("payment", "price")):
            price = model.payment.price.units(currency)
        drafts = plan(source, model, price, currency)
        everything = resolve(source, model, drafts)
        milestones, left_behind = remaining(source, model, everything, currency)
        _require_default_ruling(source, model, milestones)
        attachments = attach(source, model, folder)
        document = dict(source.tree)
        if attachments:
            document["attachments"] = [{"name": a.name, "sha256": a.sha256} for a in attachments]
        return cls(document, model, currency, price, milestones, attachments, source, left_behind)

    def as_signed(self: Read, milestones: Sequence[Milestone]) -> Read:
        """The same with what was signed, wherever this machine reads the document otherwise."""
        return replace(
            self,
            milestones=as_signed(self.milestones, milestones),
            departures=departures(self.milestones, milestones),
        )

    @property
    def title(self) -> str:
        return self.model.title

    @property
    def reference(self) -> str:
        return self.model.reference

    @property
    def date(self) -> datetime.date:
        return self.model.date

    @property
    def timezone(self) -> ZoneInfo:
        return self.model.timezone

    @property
    def network(self) -> str:
        return self.model.payment.network

    @property
    def token_symbol(self) -> str:
        return self.currency.symbol

    @property
    def starts_at(self) -> int:
        """The first second of the agreement's date, in its time zone."""
        return start_of_day(self.date, self.timezone)

    @cached_property
    def parties(self) -> Mapping[str, Party]:
        """Everybody with a role: buyer, supplier, the verifiers by key, arbiter."""
        parties = self.model.parties
        people = {"buyer": parties.buyer, "supplier": parties.supplier, **parties.verifiers}
        return people | ({"arbiter": parties.arbiter} if parties.arbiter else {})

    @cached_property
    def people(self) -> Mapping[str, Address]:
        """The account of each role, by its name in the file."""
        return {role: party.account for role, party in self.parties.items()}

    def name(self, role: str) -> str:
        """The person's or company's name behind a role."""
        return self.parties[role].name if role in self.parties else role

    @cached_property
    def _short_names(self) -> Mapping[str, str]:
        return short_names({party.name for party in self.parties.values()})

    def short_name(self, role: str) -> str:
        """The name without place and legal form, as far as it is nobody else's here."""
        name = self.name(role)
        return self._short_names.get(name, name)

    def roles(self, account: Address) -> tuple[str, ...]:
        """The roles of an account."""
        return tuple(role for role, other in self.people.items() if other == account)

    @property
    def replaces(self) -> bytes | None:
        """The id of the agreement that this one changes, if it is a change order."""
        return bytes.fromhex(self.model.replaces[2:]) if self.model.replaces else None

    def index(self, key: str) -> int:
        """A milestone's place on chain.

        Raises:
            UsageError: there is no milestone of that key, or an earlier version has it.
        """
        for milestone in self.milestones:
            if milestone.key == key:
                return milestone.index
        if any(milestone.key == key for milestone in self.left_behind):
            raise UsageError(
                f"'{key}' stayed with the version that {self.reference} replaces",
                hint=f"name that version by its id, {self.model.replaces}",
            )
        keys = [milestone.key for milestone in self.milestones]
        known = f"its milestones are {', '.join(keys)}"
        close = suggest(key, keys)
        hint = f"{close} {known}" if close.startswith("did") else known
        raise UsageError(f"'{key}' is not a milestone of {self.reference}", hint=hint)

    def milestone(self, key: str) -> PlannedMilestone:
        """A milestone by its key; see `index`."""
        return self.milestones[self.index(key)]

    def amount(self, units: int) -> str:
        """Token units for people, "72,000.00 USDC"."""
        return format_amount(units, self.currency)

    def canonical_json(self) -> bytes:
        """The document in its one canonical form (RFC 8785)."""
        return canonical_json(self.document)

    @cached_property
    def document_hash(self) -> bytes:
        """SHA-256 of the canonical document."""
        return sha256(self.canonical_json())

    def terms(self, token: Token) -> tuple[Terms, tuple[Milestone, ...]]:
        """The on-chain part: verifiers sorted by account, milestones by index.

        Raises:
            UsageError: the token is not the one that the agreement names.
        """
        self._require_token(token)
        rules, payment = self.model.rules, self.model.payment
        verifiers = sorted(self.model.parties.verifiers, key=lambda n: int(self.people[n], 16))
        terms = Terms(
            buyer=self.people["buyer"],
            supplier=self.people["supplier"],
            token=token.address,
            arbiter=self.people.get("arbiter", ZERO_ADDRESS),
            verifiers=tuple(self.people[name] for name in verifiers),
            objection_period=rules.objection_period,
            review_period=rules.review_period,
            arbitration_period=rules.ruling_within,
            default_payee_bps=rules.if_no_ruling or 0,
            fee_recipient=payment.fee.recipient,
            fee_bps=payment.fee.bps,
            document_hash=self.document_hash,
            salt=self.model.salt,
        )
        return terms, tuple(_on_chain(planned, verifiers) for planned in self.milestones)

    def _require_token(self, token: Token) -> None:
        if token.symbol.upper() != self.token_symbol.upper():
            raise UsageError(
                f"the agreement pays in {self.token_symbol}, not in {token.symbol}",
                hint=f"use a network that has {self.token_symbol}",
            )
        if token.decimals != self.currency.decimals:
            raise UsageError(
                f"{token.symbol} has {token.decimals} decimals on this network, the agreement "
                f"counts {self.currency.decimals}",
                hint=f"add `decimals: {token.decimals}` to payment",
            )


def _on_chain(planned: PlannedMilestone, verifiers: list[str]) -> Milestone:
    return Milestone(
        amount=planned.amount,
        deadline=planned.deadline,
        pays_on_silence=planned.pays_on_silence,
        verifier_set=sum(1 << verifiers.index(name) for name in planned.verifiers),
        quorum=planned.quorum,
        requirements_hash=planned.requirements_hash,
    )


def _currency(source: Source, model: AgreementFile, known: int | None) -> Denomination:
    symbol = model.payment.price.symbol
    decimals = known if model.payment.decimals is None else model.payment.decimals
    if decimals is None:
        decimals = DECIMALS.get(symbol.upper())
    if decimals is None and symbol.upper() in CURRENCIES:
        token = CURRENCIES[symbol.upper()]
        raise source.error(
            ("payment", "price"),
            f"{symbol} is a currency, and the contract pays in tokens",
            f"write {token}, or another token that the buyer holds"
            if token
            else "write the token that is paid, as EURC for euros or USDC for US dollars",
        )
    if decimals is None:
        raise source.error(
            ("payment", "price"),
            f"{symbol} is not a known token",
            f"{suggest(symbol, DECIMALS)} Otherwise add its `decimals: 18` to payment",
        )
    return Denomination(symbol, decimals)


def _require_distinct_verifiers(source: Source, model: AgreementFile) -> None:
    where: Where = ("parties", "verifiers")
    verifiers = model.parties.verifiers
    seen: dict[str, str] = {}
    for name, party in verifiers.items():
        if name in ("buyer", "supplier", "arbiter"):
            raise source.error((*where, name), "is the name of another role", "choose another")
        if party.account in seen:
            raise source.error(
                (*where, name, "account"),
                f"is also the account of {seen[party.account]}",
                "each verifier signs with an account of its own",
            )
        seen[party.account] = name
    if len(verifiers) > MAX_VERIFIERS:
        raise source.error(
            where, f"are {len(verifiers)}", f"at most {MAX_VERIFIERS} verifiers are allowed"
        )


def _require_default_ruling(
    source: Source, model: AgreementFile, milestones: tuple[PlannedMilestone, ...]
) -> None:
    """Where a dispute before a verdict can arise, its default must be written, not assumed."""
    progress = any(m.pays_on_silence and not m.is_deposit for m in milestones)
    disputes = model.parties.arbiter or model.rules.review_period or progress
    if disputes and model.rules.if_no_ruling is None:
        raise source.error(
            ("rules", "if_no_ruling"),
            "is missing: disputes are possible, and nobody might rule",
            "add `if_no_ruling: 50 % to supplier`",
        )
