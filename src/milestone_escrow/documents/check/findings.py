"""The findings of `check`: what must not be signed, and what should be understood before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check import finding_kinds as kinds
from milestone_escrow.documents.check.books import books
from milestone_escrow.documents.check.power import buyer_takes_back, supplier_alone
from milestone_escrow.documents.check.report import Finding, finding
from milestone_escrow.documents.check.silence import on_chain
from milestone_escrow.documents.money import DECIMALS
from milestone_escrow.documents.requirements.kinds import AfterRequired, DocumentRequired, leaves
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.source import Where
from milestone_escrow.documents.testkeys import TEST_ACCOUNTS
from milestone_escrow.documents.when import HOUR
from milestone_escrow.errors import TermsError
from milestone_escrow.protocol.terms import validate_terms

SHORT_WINDOW = 48 * HOUR
WALLET_MILESTONES = 12
LARGE_DEPOSIT_PERCENT = 30
LOCAL_NETWORKS = frozenset({"sandbox", "embedded", "anvil", "localhost", "development"})
TEST_NETWORKS = ("sepolia", "testnet", "holesky", "hoodi", "amoy", "fuji", "chiado")

# No contract is deployed yet; only its being in no role is checked with it.
_NO_CONTRACT = "0x" + "f" * 40


def findings(agreement: AgreementData, now: int) -> tuple[Finding, ...]:
    """All findings, errors first, each group in the order of the file."""
    found = [one for rule in _RULES for one in rule(agreement, now)]
    if not any(one.level is kinds.Level.ERROR for one in found):
        found += _terms(agreement, now)
    order = list(kinds.Level)
    return tuple(sorted(_joined(found), key=lambda f: (order.index(f.level), f.line)))


def _joined(found: list[Finding]) -> Iterator[Finding]:
    """The milestones of a series stand on one line; what is said of several in the same words is
    said once, of all of them."""
    groups: dict[object, list[Finding]] = {}
    for one in found:
        said: object = one.kind
        if isinstance(one.kind, kinds.OfMilestone):
            said = replace(one.kind, milestone="")
        groups.setdefault((one.where, said), []).append(one)
    for first, *others in groups.values():
        keys = [one.kind.milestone for one in others if isinstance(one.kind, kinds.OfMilestone)]
        yield replace(first, others=tuple(keys))


def _dates(agreement: AgreementData, now: int) -> Iterator[Finding]:
    for m in agreement.milestones:
        if m.is_deposit:
            continue
        where = (*m.where, "due")
        if m.due and m.due_at <= now:
            yield finding(agreement, where, kinds.DatePast(m.key, m.due))
        elif m.deadline <= now:
            yield finding(agreement, m.where, kinds.DatePast(m.key, None))
        elif m.due and m.due < agreement.date:
            yield finding(agreement, where, kinds.DueBeforeDate(m.key, m.due))


def _roles(agreement: AgreementData, now: int) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for role, account in agreement.people.items():
        if account in seen:
            where = (*_party(agreement, role), "account")
            yield finding(agreement, where, kinds.TwoRoles(role, seen[account]))
        seen.setdefault(account, role)
    for m in agreement.milestones:
        if supplier_alone(agreement, m):
            yield finding(agreement, (*m.where, "verified_by"), kinds.PayeeAlone(m.key))


def _accounts(agreement: AgreementData, now: int) -> Iterator[Finding]:
    network = agreement.network
    is_test = any(name in network for name in TEST_NETWORKS)
    for role, party in agreement.parties.items():
        where = (*_party(agreement, role), "account")
        if party.account in TEST_ACCOUNTS and network not in LOCAL_NETWORKS:
            kind = kinds.KnownKeyInTest if is_test else kinds.KnownKey
            yield finding(agreement, where, kind(role, party.name))
        written = _written(agreement, where)
        if written[2:] == written[2:].lower() and any(c.isalpha() for c in written[2:]):
            yield finding(agreement, where, kinds.NoChecksum(role, party.account))


def _windows(agreement: AgreementData, now: int) -> Iterator[Finding]:
    rules = agreement.model.rules
    if 0 < rules.objection_period < SHORT_WINDOW:
        where = ("rules", "objection_period")
        yield finding(agreement, where, kinds.ShortPeriod(where[1], rules.objection_period))
    if any(m.quorum for m in agreement.milestones) and not rules.objection_period:
        yield finding(agreement, ("rules", "objection_period"), kinds.NoObjection())
    for m in agreement.milestones:
        if m.is_deposit or not m.due_at:
            continue
        room = m.deadline - m.due_at
        if m.pays_on_silence and room < SHORT_WINDOW:
            yield finding(agreement, m.where, kinds.ObjectsBeforeDue(m.key, room))
        elif not m.pays_on_silence and room < SHORT_WINDOW:
            yield finding(agreement, m.where, kinds.ShortRefund(m.key, room))
        elif not m.pays_on_silence and m.quorum and room < rules.objection_period:
            yield finding(agreement, m.where, kinds.ShortProof(m.key, room))


def _quorums(agreement: AgreementData, now: int) -> Iterator[Finding]:
    for m in agreement.milestones:
        if len(m.verifiers) > 1 and m.quorum * 2 <= len(m.verifiers):
            count = len(m.verifiers)
            yield finding(
                agreement, m.where, kinds.WeakQuorum(m.key, m.quorum, count, count // 2 + 1)
            )
        if not (m.quorum or m.pays_on_silence or agreement.model.rules.review_period):
            yield finding(agreement, m.where, kinds.OnlyBuyer(m.key))
    used = {name for m in agreement.milestones for name in m.verifiers}
    for name in agreement.model.parties.verifiers:
        if name not in used:
            yield finding(agreement, ("parties", "verifiers", name), kinds.UnusedVerifier(name))


def _shape(agreement: AgreementData, now: int) -> Iterator[Finding]:
    if "arbiter" not in agreement.people:
        back = max(buyer_takes_back(agreement, m) for m in agreement.milestones)
        yield finding(agreement, ("parties", "arbiter"), kinds.NoArbiter(back))
    if (count := len(agreement.milestones)) > WALLET_MILESTONES:
        yield finding(agreement, ("milestones",), kinds.ManyMilestones(count, WALLET_MILESTONES))
    deposits = sum(m.amount for m in agreement.milestones if m.is_deposit)
    if deposits * 100 > agreement.price * LARGE_DEPOSIT_PERCENT:
        share = Fraction(deposits, agreement.price)
        yield finding(agreement, ("milestones",), kinds.LargeDeposit(share))
    currency = agreement.currency
    if currency.symbol.upper() not in DECIMALS:
        unknown = kinds.UnknownToken(currency.symbol, currency.decimals)
        yield finding(agreement, ("payment", "price"), unknown)
    if not agreement.model.clauses:
        yield finding(agreement, ("clauses",), kinds.NoClauses())


def _clarity(agreement: AgreementData, now: int) -> Iterator[Finding]:
    for m in agreement.milestones:
        if m.is_deposit:
            continue
        lacks = {
            kinds.Lack.REQUIREMENTS: not m.requirements.items,
            kinds.Lack.RESPONSIBLE: not m.responsible,
            kinds.Lack.DUE: m.due is None,
            kinds.Lack.TITLE: len(m.title.split()) < 3,
        }
        for lack, is_missing in lacks.items():
            if is_missing:
                title = m.title if lack is kinds.Lack.TITLE else ""
                yield finding(agreement, m.where, kinds.Vague(m.key, lack, title))
        yield from _proof(agreement, m)


def _proof(agreement: AgreementData, m: PlannedMilestone) -> Iterator[Finding]:
    proofs = list(leaves(m.requirements))
    if m.supplier_evidence:
        yield finding(agreement, (*m.where, "supplier_evidence"), kinds.SupplierEvidence(m.key))
    elif m.quorum and proofs and all(
        (isinstance(p, DocumentRequired) and p.source == "supplier") or isinstance(p, AfterRequired)
        for p in proofs
    ):  # fmt: skip
        yield finding(agreement, (*m.where, "requires"), kinds.OwnEvidence(m.key))
    for proof in proofs:
        if isinstance(proof, AfterRequired):
            everything = (*agreement.milestones, *agreement.left_behind)
            first = next(other for other in everything if other.key == proof.milestone)
            if m.due and first.due and first.due > m.due:
                yield finding(
                    agreement, (*m.where, "due"), kinds.WrongOrder(m.key, first.key, first.due)
                )


def _terms(agreement: AgreementData, now: int) -> Iterator[Finding]:
    """Whatever else the contract would refuse."""
    terms, milestones = on_chain(agreement)
    try:
        validate_terms(terms, milestones, contract=_NO_CONTRACT, now=now)
    except TermsError as error:
        yield finding(agreement, ("milestones",), kinds.TermsRefused(error.message))


def _party(agreement: AgreementData, role: str) -> Where:
    verifiers: Mapping[str, object] = agreement.model.parties.verifiers
    return ("parties", "verifiers", role) if role in verifiers else ("parties", role)


def _written(agreement: AgreementData, where: Where) -> str:
    tree: object = agreement.document
    for step in where:
        tree = tree[str(step)] if isinstance(tree, dict) else ""
    return str(tree)


_RULES: tuple[Callable[[AgreementData, int], Iterator[Finding]], ...] = (
    _dates, _roles, _accounts, _windows, _quorums, _shape, _clarity, books,
)  # fmt: skip
