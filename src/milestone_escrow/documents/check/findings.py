"""The findings of `check`: what must not be signed, and what should be understood before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from milestone_escrow.documents.agreement_data import AgreementData
from milestone_escrow.documents.check.books import books
from milestone_escrow.documents.check.power import buyer_takes_back, supplier_alone
from milestone_escrow.documents.check.report import Finding, Level
from milestone_escrow.documents.check.silence import on_chain
from milestone_escrow.documents.money import format_percent
from milestone_escrow.documents.requirements.kinds import AfterRequired, DocumentRequired, leaves
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.documents.source import Where, field_name
from milestone_escrow.documents.testkeys import TEST_ACCOUNTS
from milestone_escrow.documents.when import HOUR, format_date, format_duration
from milestone_escrow.errors import TermsError
from milestone_escrow.protocol.terms import BPS, validate_terms

SHORT_WINDOW = 48 * HOUR
WALLET_MILESTONES = 12
LARGE_DEPOSIT_PERCENT = 30
LOCAL_NETWORKS = frozenset({"sandbox", "embedded", "anvil", "localhost", "development"})
TEST_NETWORKS = ("sepolia", "testnet", "holesky", "hoodi", "amoy", "fuji", "chiado")

# No contract is deployed yet; only its being in no role is checked with it.
_NO_CONTRACT = "0x" + "f" * 40


def findings(agreement: AgreementData, now: int) -> tuple[Finding, ...]:
    """All findings, errors first, each group in the order of the file."""
    found = [finding for rule in _RULES for finding in rule(agreement, now)]
    if not any(finding.level is Level.ERROR for finding in found):
        found += _terms(agreement, now)
    order = list(Level)
    return tuple(sorted(_joined(found), key=lambda f: (order.index(f.level), f.line)))


def _joined(found: list[Finding]) -> Iterator[Finding]:
    """The milestones of a series stand on one line; what is said of all of them is said once."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.code, finding.where), []).append(finding)
    for first, *others in groups.values():
        if others and first.text != others[0].text and first.where.startswith("milestones."):
            yield replace(first, text=f"{first.text} (and {len(others)} more of this entry)")
        else:
            yield from (first, *others)


def _finding(
    agreement: AgreementData, level: Level, code: str, where: Where, text: str, fix: str
) -> Finding:
    return Finding(level, code, field_name(where), text, fix, agreement.source.line(where))


def _dates(agreement: AgreementData, now: int) -> Iterator[Finding]:
    for m in agreement.milestones:
        if m.is_deposit:
            continue
        where = (*m.where, "due")
        if m.due and m.due_at <= now:
            yield _finding(
                agreement, Level.ERROR, "date-past", where,
                f"'{m.key}' is due on {format_date(m.due)}, which is past",
                "give it a date in the future",
            )  # fmt: skip
        elif m.deadline <= now:
            yield _finding(
                agreement, Level.ERROR, "date-past", m.where,
                f"the deadline of '{m.key}' is past", "give it a date in the future",
            )  # fmt: skip
        elif m.due and m.due < agreement.date:
            yield _finding(
                agreement, Level.ERROR, "due-before-date", where,
                f"'{m.key}' is due on {format_date(m.due)}, before the agreement's own date",
                "correct one of the two dates",
            )  # fmt: skip


def _roles(agreement: AgreementData, now: int) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for role, account in agreement.people.items():
        if account in seen:
            yield _finding(
                agreement, Level.ERROR, "two-roles", (*_party(agreement, role), "account"),
                f"{role} has the same account as {seen[account]}",
                "give each role an account of its own",
            )  # fmt: skip
        seen.setdefault(account, role)
    for m in agreement.milestones:
        if supplier_alone(agreement, m):
            yield _finding(
                agreement, Level.ERROR, "payee-alone", (*m.where, "verified_by"),
                f"the supplier alone can certify '{m.key}' and be paid for it",
                "let somebody else verify it",
            )  # fmt: skip


def _accounts(agreement: AgreementData, now: int) -> Iterator[Finding]:
    network = agreement.network
    is_test = any(name in network for name in TEST_NETWORKS)
    for role, party in agreement.parties.items():
        where = (*_party(agreement, role), "account")
        if party.account in TEST_ACCOUNTS and network not in LOCAL_NETWORKS:
            yield _finding(
                agreement, Level.WARNING if is_test else Level.ERROR, "test-key", where,
                f"the private key of {role}'s account is publicly known: anybody can sign as "
                f"{party.name}", "replace it by an account whose key only they have",
            )  # fmt: skip
        written = _written(agreement, where)
        if written[2:] == written[2:].lower() and any(c.isalpha() for c in written[2:]):
            yield _finding(
                agreement, Level.NOTE, "no-checksum", where,
                f"the account of {role} is written without its checksum, so a mistyped character "
                "goes unnoticed", f"write {party.account} after comparing it",
            )  # fmt: skip


def _windows(agreement: AgreementData, now: int) -> Iterator[Finding]:
    rules = agreement.model.rules
    verified = any(m.quorum for m in agreement.milestones)
    for field, period in (
        ("objection_period", rules.objection_period),
        ("review_period", rules.review_period),
    ):
        if 0 < period < SHORT_WINDOW:
            yield _finding(
                agreement, Level.WARNING, "short-window", ("rules", field),
                f"the {field.replace('_', ' ')} of {format_duration(period)} fits into a weekend",
                "write 2 days or more",
            )  # fmt: skip
    if verified and not rules.objection_period:
        yield _finding(
            agreement, Level.NOTE, "no-objection", ("rules", "objection_period"),
            "a certificate pays at once: the buyer cannot object",
            "write objection_period: 2 days if that is not meant",
        )  # fmt: skip
    for m in agreement.milestones:
        if m.is_deposit or not m.due_at:
            continue
        room = m.deadline - m.due_at
        if m.pays_on_silence and room < SHORT_WINDOW:
            yield _finding(
                agreement, Level.NOTE, "objects-before-due", m.where,
                f"'{m.key}' is paid {'on its due date' if not room else 'right after it is due'}: "
                "the buyer must object before",
                "write pays_after: 5 days past due to leave time after it",
            )  # fmt: skip
        elif not m.pays_on_silence and room < SHORT_WINDOW:
            yield _finding(
                agreement, Level.WARNING, "short-window", m.where,
                f"'{m.key}' goes back to the buyer {format_duration(room) if room else 'at once'} "
                "after it is due, so work that is a little late is lost",
                "write refund_after: 30 days past due",
            )  # fmt: skip
        elif not m.pays_on_silence and m.quorum and room < rules.objection_period:
            yield _finding(
                agreement, Level.NOTE, "short-proof", m.where,
                f"'{m.key}' leaves {format_duration(room)} after the due date to certify it, less "
                "than the objection period", "write refund_after: 30 days past due",
            )  # fmt: skip


def _quorums(agreement: AgreementData, now: int) -> Iterator[Finding]:
    for m in agreement.milestones:
        if len(m.verifiers) > 1 and m.quorum * 2 <= len(m.verifiers):
            yield _finding(
                agreement, Level.WARNING, "weak-quorum", m.where,
                f"{m.quorum} of {len(m.verifiers)} is half or less: two groups of verifiers can "
                f"certify the opposite of '{m.key}'",
                f"write {len(m.verifiers) // 2 + 1} of {len(m.verifiers)}",
            )  # fmt: skip
        if not (m.quorum or m.pays_on_silence or agreement.model.rules.review_period):
            yield _finding(
                agreement, Level.WARNING, "only-buyer", m.where,
                f"only the buyer can let '{m.key}' be paid, and the buyer's silence refunds it",
                "name a verifier, or allow submissions with a review_period",
            )  # fmt: skip
    used = {name for m in agreement.milestones for name in m.verifiers}
    for name in agreement.model.parties.verifiers:
        if name not in used:
            yield _finding(
                agreement, Level.WARNING, "unused-verifier", ("parties", "verifiers", name),
                f"{name} verifies no milestone", "name it in a verified_by, or remove it",
            )  # fmt: skip


def _shape(agreement: AgreementData, now: int) -> Iterator[Finding]:
    if "arbiter" not in agreement.people:
        text = "there is no arbiter: a certificate cannot be disputed"
        if back := max(buyer_takes_back(agreement, m) for m in agreement.milestones):
            share = format_percent(Fraction(back, BPS))
            text = f"there is no arbiter: by objecting, the buyer alone can take back {share}"
        yield _finding(
            agreement, Level.WARNING, "no-arbiter", ("parties", "arbiter"), text,
            "name an arbiter whom both sides trust",
        )  # fmt: skip
    if (count := len(agreement.milestones)) > WALLET_MILESTONES:
        yield _finding(
            agreement, Level.WARNING, "many-milestones", ("milestones",),
            f"{count} milestones are more than a wallet shows well when a party signs",
            f"keep to {WALLET_MILESTONES}, or sign with a wallet that shows them all",
        )  # fmt: skip
    deposits = sum(m.amount for m in agreement.milestones if m.is_deposit)
    if deposits * 100 > agreement.price * LARGE_DEPOSIT_PERCENT:
        share = format_percent(Fraction(deposits, agreement.price))
        yield _finding(
            agreement, Level.WARNING, "large-deposit", ("milestones",),
            f"{share} of the price is paid before any work", "lower the deposit",
        )  # fmt: skip
    if not agreement.model.clauses:
        yield _finding(
            agreement, Level.NOTE, "no-clauses", ("clauses",),
            "there are no clauses: delivery, termination, disputes and law are left open",
            "add clauses, or attach the contract",
        )  # fmt: skip


def _clarity(agreement: AgreementData, now: int) -> Iterator[Finding]:
    for m in agreement.milestones:
        if m.is_deposit:
            continue
        missing = [
            (not m.requirements.items, "says nothing about what must be shown", "add requires"),
            (not m.responsible, "names nobody as responsible", "add responsible: supplier"),
            (m.due is None, "has no due date to work to", "add due: 2027-03-15"),
            (
                len(m.title.split()) < 3,
                f"is only called '{m.title}'",
                "say what is finished",
            ),
        ]
        for is_missing, text, fix in missing:
            if is_missing:
                yield _finding(agreement, Level.WARNING, "vague", m.where, f"'{m.key}' {text}", fix)
        yield from _proof(agreement, m)


def _proof(agreement: AgreementData, m: PlannedMilestone) -> Iterator[Finding]:
    proofs = list(leaves(m.requirements))
    if m.supplier_evidence:
        yield _finding(
            agreement, Level.WARNING, "supplier-evidence", (*m.where, "supplier_evidence"),
            f"'{m.key}' may be signed on nothing but what the supplier shows",
            "remove it, unless the buyer means that",
        )  # fmt: skip
    elif m.quorum and proofs and all(
        (isinstance(p, DocumentRequired) and p.source == "supplier") or isinstance(p, AfterRequired)
        for p in proofs
    ):  # fmt: skip
        yield _finding(
            agreement, Level.NOTE, "own-evidence", (*m.where, "requires"),
            f"all that must be shown for '{m.key}' comes from the supplier",
            "ask for a document or a statement of a verifier as well",
        )  # fmt: skip
    for proof in proofs:
        if isinstance(proof, AfterRequired):
            everything = (*agreement.milestones, *agreement.left_behind)
            first = next(other for other in everything if other.key == proof.milestone)
            if m.due and first.due and first.due > m.due:
                yield _finding(
                    agreement, Level.WARNING, "order", (*m.where, "due"),
                    f"'{m.key}' comes after '{first.key}', but is due before it",
                    f"make it due on {format_date(first.due)} or later",
                )  # fmt: skip


def _terms(agreement: AgreementData, now: int) -> Iterator[Finding]:
    """Whatever else the contract would refuse."""
    terms, milestones = on_chain(agreement)
    try:
        validate_terms(terms, milestones, contract=_NO_CONTRACT, now=now)
    except TermsError as error:
        yield _finding(
            agreement, Level.ERROR, "terms", ("milestones",),
            f"the contract would refuse it: {error.message}", "correct it in the file",
        )  # fmt: skip


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
