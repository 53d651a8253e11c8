"""Views of the store as bodies of answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from milestone_escrow.chain.contract.events import AgreementOpened, Event, MilestonePaid
from milestone_escrow.chain.contract.replay import Undelivered, undelivered
from milestone_escrow.chain.node.network import Network
from milestone_escrow.documents.money import Currency
from milestone_escrow.oracle.api.bodies.agreements import (
    AgreementBody,
    AgreementSummary,
    EventBody,
    MilestoneBody,
    OptionBody,
    PayoutBody,
    SilenceBody,
    StageBody,
    StatusName,
    TermsBody,
    UndeliveredBody,
)
from milestone_escrow.oracle.api.bodies.common import (
    Amount,
    Person,
    TokenBody,
    amount,
    hexed,
    moment,
    moment_or_none,
)
from milestone_escrow.oracle.api.deps import ApiSettings
from milestone_escrow.oracle.viewing import AgreementView, MilestoneView
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Address
from milestone_escrow.protocol.lifecycle import (
    Option,
    Role,
    Silence,
    Status,
    end,
    held,
    options,
    silence,
)
from milestone_escrow.words.departures import departure_words

_MONEY = frozenset({"amount", "to_payee", "fee", "to_buyer", "price", "carried"})
_TIMES = frozenset({"clock", "issued_at"})


def status_name(status: Status) -> StatusName:
    return cast("StatusName", status.name.lower())


def currency_of(view: AgreementView, network: Network) -> Currency | None:
    """How the agreement's money is counted: by its document, or by the network's table."""
    if view.token is not None:
        return view.token
    known = (token for token in network.tokens if token.address == view.terms.token)
    return next(known, None)


def token_body(view: AgreementView, network: Network) -> TokenBody:
    currency = currency_of(view, network)
    return TokenBody(
        address=view.terms.token,
        symbol=currency.symbol if currency else None,
        decimals=currency.decimals if currency else None,
    )


def person(view: AgreementView, account: Address, index: int | None = None) -> Person:
    """An account with its role, and its name where the document is at hand."""
    agreement = view.agreement
    roles = agreement.roles(account) if agreement else ()
    fee = "fee" if account == view.terms.fee_recipient else "payee"
    role = view.role_of(account, index) or fee
    return Person(
        account=account,
        role=role,
        name=agreement.name(roles[0]) if agreement and roles else None,
    )


def summary(
    view: AgreementView, settings: ApiSettings, account: Address | None
) -> AgreementSummary:
    currency, agreement = currency_of(view, settings.network), view.agreement
    return AgreementSummary(
        id=hexed(view.id),
        is_open=bool(view.opened_block),
        reference=agreement.reference if agreement else None,
        title=agreement.title if agreement else None,
        buyer=person(view, view.terms.buyer),
        supplier=person(view, view.terms.supplier),
        token=token_body(view, settings.network),
        total=amount(sum(milestone.amount for milestone in view.milestones), currency),
        held=amount(_held(view), currency),
        opened_at=moment_or_none(view.opened_at),
        replaced_by=hexed(view.replaced_by) if view.replaced_by else None,
        replaces=hexed(view.amends) if view.amends else None,
        your_role=(view.role_of(account) or None) if account else None,
        milestones=[
            StageBody(
                index=stage.index,
                key=stage.planned.key if stage.planned else None,
                status=status_name(stage.state.status),
                amount=amount(stage.milestone.amount, currency),
                deadline=moment_or_none(stage.milestone.deadline),
            )
            for stage in view.views
        ],
    )


def whole(
    view: AgreementView,
    settings: ApiSettings,
    account: Address | None,
    now: int,
    events: Sequence[Event],
) -> AgreementBody:
    short = summary(view, settings, account)
    terms, signed, domain = view.terms, view.signed, settings.domain
    return AgreementBody(
        **{name: getattr(short, name) for name in AgreementSummary.model_fields if name in _SHARED},
        chain_id=domain.chain_id,
        contract=domain.verifying_contract,
        arbiter=person(view, terms.arbiter) if terms.has_arbiter else None,
        verifiers=[person(view, verifier) for verifier in terms.verifiers],
        terms=TermsBody(
            objection_period=terms.objection_period,
            review_period=terms.review_period,
            arbitration_period=terms.arbitration_period,
            default_payee_bps=terms.default_payee_bps,
            fee_recipient=None if terms.fee_recipient == ZERO_ADDRESS else terms.fee_recipient,
            fee_bps=terms.fee_bps,
            document_hash=hexed(terms.document_hash),
            salt=str(terms.salt),
        ),
        undelivered=[
            _undelivered(view, one, currency_of(view, settings.network))
            for one in undelivered(view, events)
        ],
        opened_block=view.opened_block or None,
        explorer=settings.network.link("address", domain.verifying_contract) or None,
        document=dict(signed.agreement.document) if signed else None,
        signatures=_signatures(signed.signatures) if signed else None,
        notes=departure_words(signed) if signed else [],
        milestones=[
            milestone_body(view, stage, settings.network, now, events) for stage in view.views
        ],
    )


_SHARED = frozenset(AgreementBody.model_fields) - {"milestones"}


def milestone_body(
    view: AgreementView,
    stage: MilestoneView,
    network: Network,
    now: int,
    events: Sequence[Event],
) -> MilestoneBody:
    currency, milestone, state = currency_of(view, network), stage.milestone, stage.state
    planned = stage.planned
    payouts = [
        event
        for event in events
        if isinstance(event, MilestonePaid) and event.milestone == stage.index
    ]
    ends = end(milestone, state) if state.status is not Status.SETTLED else 0
    return MilestoneBody(
        agreement_id=hexed(view.id),
        index=stage.index,
        key=planned.key if planned else None,
        title=planned.title if planned else None,
        status=status_name(state.status),
        amount=amount(milestone.amount, currency),
        held=amount(held(milestone, state), currency),
        paid=PayoutBody(
            to_payee=amount(sum(payout.to_payee for payout in payouts), currency),
            fee=amount(sum(payout.fee for payout in payouts), currency),
            to_buyer=amount(sum(payout.to_buyer for payout in payouts), currency),
        ),
        undelivered=[
            _undelivered(view, one, currency)
            for one in undelivered(view, events)
            if one.milestone == stage.index
        ],
        pending=amount(state.pending, currency),
        due=moment_or_none(planned.due_at) if planned else None,
        deadline=moment_or_none(milestone.deadline),
        ends=moment_or_none(ends),
        pays_on_silence=milestone.pays_on_silence,
        payee=person(view, view.payee(stage.index), stage.index),
        verifiers=[person(view, account) for account in view.terms.verifiers_of(milestone)],
        quorum=milestone.quorum,
        epoch=state.epoch,
        handover=state.handover,
        last_issued_at=moment_or_none(state.issued_at),
        changed_at=moment_or_none(stage.changed_at),
        requirements_hash=hexed(milestone.requirements_hash),
        requires=_requires(stage),
        options=[
            _option(view, stage, option, now) for option in options(view.terms, milestone, state)
        ],
        silence=[
            _silence(step, currency, now) for step in silence(view.terms, milestone, state, now)
        ],
    )


def _undelivered(
    view: AgreementView, one: Undelivered, currency: Currency | None
) -> UndeliveredBody:
    return UndeliveredBody(
        account=person(view, one.account, one.milestone),
        amount=amount(one.units, currency),
        since=moment(one.place.time),
        transaction=one.place.transaction,
    )


def _requires(stage: MilestoneView) -> str | None:
    if stage.planned is None:
        return None
    return "; ".join(item.words() for item in stage.planned.requirements.items)


def _option(view: AgreementView, stage: MilestoneView, option: Option, now: int) -> OptionBody:
    return OptionBody(
        verb=option.verb.value,
        role=option.role.value,
        accounts=list(_holders(view, stage, option.role)),
        since=moment_or_none(option.since),
        until=None if option.until is None else moment(option.until),
        is_open=option.is_open(now),
    )


def _holders(view: AgreementView, stage: MilestoneView, role: Role) -> tuple[Address, ...]:
    return {
        Role.BUYER: (view.terms.buyer,),
        Role.PAYEE: (view.payee(stage.index),),
        Role.VERIFIERS: view.terms.verifiers_of(stage.milestone),
        Role.ARBITER: (view.terms.arbiter,) if view.terms.has_arbiter else (),
        Role.ANYONE: (),
    }[role]


def _silence(step: Silence, currency: Currency | None, now: int) -> SilenceBody:
    return SilenceBody(
        at=moment(step.at),
        is_due=step.at <= now,
        status=status_name(step.status),
        to_payee=amount(step.split.to_payee, currency),
        to_buyer=amount(step.split.to_buyer, currency),
        leads_to=status_name(step.leads_to),
    )


def event_body(
    event: Event, currency: Currency | None, network: Network, final_number: int
) -> EventBody:
    place = event.place
    return EventBody(
        name=type(event).__name__,
        milestone=getattr(event, "milestone", None),
        at=moment(place.time),
        block=place.block,
        log_index=place.log_index,
        transaction=place.transaction,
        explorer=network.link("tx", place.transaction) or None,
        is_final=place.block <= final_number,
        data={
            field.name: _plain(field.name, getattr(event, field.name), currency)
            for field in dataclasses.fields(event)
            if field.name not in ("place", "agreement_id", "milestone")
            # The agreement itself says what was opened.
            and not (isinstance(event, AgreementOpened) and field.name in ("terms", "milestones"))
        },
    )


def _plain(name: str, value: Any, currency: Currency | None) -> Any:
    if isinstance(value, bytes):
        return hexed(value)
    if isinstance(value, Status):
        return status_name(value)
    if name == "verdict":
        return value.name.lower()
    if name in _MONEY:
        return amount(value, currency).model_dump()
    if name in _TIMES:
        return moment(value).model_dump() if value else None
    return list(value) if isinstance(value, tuple) else value


def _held(view: AgreementView) -> int:
    return sum(stage.held for stage in view.views)


def _signatures(signatures: Mapping[str, bytes]) -> dict[str, str]:
    return {role: hexed(signature) for role, signature in sorted(signatures.items())}


def money(units: int, view: AgreementView, network: Network) -> Amount:
    return amount(units, currency_of(view, network))
