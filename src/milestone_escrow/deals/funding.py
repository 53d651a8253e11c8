"""Opening an agreement and paying its milestones in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milestone_escrow.chain.node.probes import has_code
from milestone_escrow.deals.action import Action
from milestone_escrow.deals.arrival import pays, undeliverable
from milestone_escrow.deals.paying import Chosen, choose_way, permit_for, require_balance
from milestone_escrow.deals.rights import FUND
from milestone_escrow.deals.table import Table, milestone_index
from milestone_escrow.documents.files.payment import SignedPayment
from milestone_escrow.documents.files.signed_agreement import PARTIES
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split, Status, Verb
from milestone_escrow.protocol.signatures import by_key
from milestone_escrow.words.standing import Standing, amount, silence_words, split_words, when

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.token_support import Way
    from milestone_escrow.chain.send.transactions import Prepared
    from milestone_escrow.protocol.paying import SignedAuthorization

# Prepare


def chosen_milestones(
    standings: Sequence[Standing], keys: Sequence[str], *, everything: bool = False
) -> list[Standing]:
    """The milestones named, all, or the next one, each still to be funded.

    Raises:
        EscrowError: there is none, or one cannot be funded now.
    """
    if keys and everything:
        raise UsageError("milestones are named and --all is given", hint="keep one of the two")
    names = ("all",) if everything else keys or ("next",)
    bound = standings[0].bound
    if list(names) not in (["all"], ["next"]):
        named = [standings[milestone_index(bound, name.strip())] for name in names]
        return require_fundable({standing.key: standing for standing in named}.values())
    fundable = [
        standing
        for standing in standings
        if (option := standing.option(Verb.FUND)) and option.is_open(standing.now)
    ]
    if not fundable:
        unfunded = any(standing.state.status is Status.UNFUNDED for standing in standings)
        why = "the dates of those that are left have passed" if unfunded else "all are funded"
        raise EscrowError(f"{bound.agreement.reference} has nothing left to fund: {why}")
    return fundable if names[0] == "all" else fundable[:1]


def require_fundable(standings: Iterable[Standing]) -> list[Standing]:
    """Refuse a milestone that cannot be paid in now."""
    chosen = list(standings)
    for standing in chosen:
        FUND.require(standing)
    return chosen


@dataclass(frozen=True)
class PaymentPlan:
    """How some milestones are paid in; `payer` is the table of who pays, whoever sends."""

    payer: Table
    standings: tuple[Standing, ...]
    chosen: Chosen

    @classmethod
    def of(cls, payer: Table, standings: Sequence[Standing], way: str | None) -> PaymentPlan:
        """The way that was asked for, or else the best.

        Raises:
            EscrowError: the payer has too little, or the token cannot be paid that way.
        """
        units = price(standings)
        require_balance(payer, payer.account, units)
        return cls(payer, tuple(standings), choose_way(payer, units, way))

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(standing.key for standing in self.standings)

    @property
    def way(self) -> Way:
        return self.chosen.way

    def will(self) -> list[str]:
        return payments(self.standings, self.chosen.line(self.payer, price(self.standings)))

    def fund(self, sender: Table) -> Prepared:
        if self.way == "authorization":
            return sender.verbs.fund_authorized(sender.bound, self.keys, self._authorization())
        permit = permit_for(self.payer, price(self.standings), self.chosen)
        return sender.verbs.fund(sender.bound, self.keys, permit=permit)

    def open(self, sender: Table, signatures: Mapping[Address, bytes]) -> Prepared:
        if self.way == "authorization":
            signed = self._authorization()
            return sender.verbs.open(sender.bound, signatures, self.keys, authorization=signed)
        permit = permit_for(self.payer, price(self.standings), self.chosen)
        return sender.verbs.open(sender.bound, signatures, self.keys, permit=permit)

    def _authorization(self) -> SignedAuthorization:
        return self.payer.escrow.sign_authorization(self.payer.bound, self.keys)


def price(standings: Iterable[Standing]) -> int:
    """What paying all of these in takes, token units."""
    return sum(standing.milestone.amount for standing in standings)


# Explain


def payments(standings: Sequence[Standing], way: str = "") -> list[str]:
    """What paying these in means; `way` says how."""
    lines = [_payment(standing) for standing in standings]
    if len(standings) > 1:
        lines.append(f"which is {amount(standings[0], price(standings))} in all")
    return [*lines, way] if way else lines


def _not_arriving(table: Table, standings: Iterable[Standing]) -> list[str]:
    """Of deposits, which go on to the supplier at once, those that would not arrive."""
    deposits = [one for one in standings if one.milestone.is_deposit]
    payouts = (out for one in deposits for out in pays(one, Split(one.milestone.amount, 0)))
    return undeliverable(table, payouts)


def _payment(standing: Standing) -> str:
    units = standing.milestone.amount
    if standing.milestone.is_deposit:
        return f"'{standing.key}': {split_words(standing, Split(units, 0))} now, final"
    funded = replace(standing, state=replace(standing.state, status=Status.FUNDED))
    return (
        f"'{standing.key}': pays {amount(standing, units)} into the contract; "
        f"if nobody decides, {silence_words(funded)}"
    )


# Consent


def consents(table: Table) -> dict[Address, bytes]:
    """The signatures of both sides, as far as they are there."""
    people, signatures = table.bound.agreement.people, table.signed.signatures
    return {people[role]: signatures[role] for role in PARTIES if role in signatures}


def require_consents(table: Table, hint: str) -> None:
    """Refuse to open what a side has neither signed nor sends; `{role}` in the hint is that side's.

    Raises:
        EscrowError: with who that is.
    """
    agreement = table.bound.agreement
    for role in PARTIES:
        account = agreement.people[role]
        if role not in table.signed.signatures and account != table.account:
            raise EscrowError(
                f"the {role}, {table.person(account)}, has not signed {agreement.reference}",
                hint=hint.format(role=role),
            )


# Send


def opening(table: Table, plan: PaymentPlan | None, *, is_open: bool) -> Action:
    """The agreement is opened, where it is not, and what the plan says paid in with it."""
    buyer, supplier = (table.person(table.bound.agreement.people[role]) for role in PARTIES)
    opens = f"opens the agreement of {buyer} and {supplier}: from now on its terms cannot change"
    signatures = consents(table)
    return Action(
        doing=table.doing("open"),
        will=[
            *([] if is_open else [opens]),
            *(plan.will() if plan else ["pays nothing in yet"]),
            *_not_arriving(table, plan.standings if plan else ()),
        ],
        prepare=lambda: (
            plan.open(table, signatures) if plan else table.verbs.open(table.bound, signatures)
        ),
        first=plan.chosen.first if plan else (),
        facts={
            "milestones": list(plan.keys) if plan else [],
            "with": plan.way if plan else None,
        },
    )


def paying_in(table: Table, plan: PaymentPlan) -> Action:
    """Milestones of an open agreement are paid in."""
    return Action(
        doing=table.doing("fund"),
        will=[*plan.will(), *_not_arriving(table, plan.standings)],
        prepare=lambda: plan.fund(table),
        first=plan.chosen.first,
        facts={"milestones": list(plan.keys), "with": plan.way},
    )


def bringing(
    table: Table, standings: Sequence[Standing], payment: SignedPayment, where: str
) -> Action:
    """What somebody else has signed to pay, sent by whoever brings the gas."""
    given = payment.signed.authorization
    until = when(standings[0], given.valid_before)
    way = f"paid by {table.person(given.payer)}, whose signature counts until {until}"
    return Action(
        doing=table.doing(f"send {where} for"),
        will=[*payments(standings, way), *_not_arriving(table, standings)],
        prepare=lambda: table.verbs.fund_authorized(
            table.bound, payment.milestones, payment.signed
        ),
        facts={
            "file": where,
            "milestones": list(payment.milestones),
            "with": "authorization",
            "payer": given.payer,
        },
    )


def require_payable(table: Table, now: Standing, payment: SignedPayment, where: str) -> None:
    """Refuse in words what the token would refuse.

    Raises:
        EscrowError: the payment is forged or expired, or the payer has too little.
    """
    given = payment.signed.authorization
    if now.now >= given.valid_before:
        raise EscrowError(
            f"{where} counted until {when(now, given.valid_before)}",
            hint="ask the payer for a new one",
        )
    if not payment.signed.signature:
        raise EscrowError(
            f"{table.person(given.payer)} has not signed {where}",
            hint=f"their wallet's signature goes in with `escrow sign {where} --for buyer`",
        )
    require_balance(table, given.payer, given.value)
    domain = table.escrow.token_domain(table.bound.token.address, "authorization")
    digest, signature = given.typed_data(domain).digest(), payment.signed.signature
    # What an account with code signs, only the token can check.
    if not has_code(table.escrow.node, given.payer) and not by_key(given.payer, digest, signature):
        raise EscrowError(
            f"{where} is not signed by {table.person(given.payer)}",
            hint="ask the payer for the file again",
        )
