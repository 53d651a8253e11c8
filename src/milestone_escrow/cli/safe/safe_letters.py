"""Files that a contract wallet is to sign: what it signs of each, and how its signature gets in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.letters import agreement_of, fields_of, not_sendable
from milestone_escrow.documents.files.collected import load_attestation
from milestone_escrow.documents.files.payment import load_payment
from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts, load_acts
from milestone_escrow.documents.files.signed_agreement import signed_path
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.values import read_account
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.paying import SignedAuthorization
from milestone_escrow.protocol.signatures import settled
from milestone_escrow.words.listing import listed
from milestone_escrow.words.standing import Standing, person

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.protocol.eip712 import Address, TypedData

Put = Callable[["Session", Sequence[bytes]], Path]
"""Adds the wallet's signatures, one for each `data`; returns the file that holds them."""


@dataclass(frozen=True)
class Letter:
    """What one account signs of a file.

    `given` is the file as it was named, `file` the one that holds signatures, `name` how the
    account is called in commands.
    """

    given: Path
    file: Path
    name: str
    title: str
    says: tuple[str, ...]
    bound: BoundAgreement
    account: Address
    data: tuple[TypedData, ...]
    put: Put

    @property
    def chain_id(self) -> int:
        return self.bound.domain.chain_id


def open_letter(session: Session, file: Path, who: str) -> Letter:
    """Whatever a file holds, for `who` to sign: a role of its agreement, or an account.

    Raises:
        UsageError: nothing in it is signed, or nobody is called that.
    """
    if file.suffix.lower() in (".yaml", ".yml"):
        return _agreement(session, file, who)
    fields = fields_of(file)
    if "terms" in fields:
        return _agreement(session, file, who)
    if "attestation" in fields:
        return _attestation(session, file, who)
    if "batch" in fields:
        return _batch(session, file, who)
    if "acts" in fields:
        return _acts(session, file, who)
    if "closes" in fields:
        return _change(session, file, who)
    if "authorization" in fields:
        return _payment(session, file, who)
    raise not_sendable(file)


def _agreement(session: Session, file: Path, who: str) -> Letter:
    from milestone_escrow.cli.agreement.signing import (
        require_no_change_order,
        require_no_errors,
        role_words,
    )

    signed = session.find(str(file))
    require_no_change_order(signed, str(file))
    require_no_errors(session, signed)
    role, account = _role(signed.bound, who)
    target = file if file.suffix.lower() == ".json" else signed_path(file)

    def put(session: Session, signatures: Sequence[bytes]) -> Path:
        whole = signed.add(role, signatures[0], session.wallets)
        whole.save(target)
        session.shelf.put(whole)
        return target

    title, says = signed.agreement.reference, (role_words(signed, role),)
    data = (signed.to_sign(role),)
    return Letter(file, target, role, title, says, signed.bound, account, data, put)


def _attestation(session: Session, file: Path, who: str) -> Letter:
    from milestone_escrow.cli.attest.verdicts import required_words, verdict_words

    bound = agreement_of(session, file).bound
    collected = load_attestation(file, bound, session.wallets)
    name, account = _account(bound, who)

    def put(session: Session, signatures: Sequence[bytes]) -> Path:
        write(file, collected.add(account, signatures[0], session.wallets).dumps())
        return file

    says = (
        f"'{collected.planned.key}': {verdict_words(collected)}",
        *required_words(collected),
    )
    return Letter(file, file, name, str(file), says, bound, account, (collected.typed_data,), put)


def _batch(session: Session, file: Path, who: str) -> Letter:
    from milestone_escrow.cli.attest.batches import finder
    from milestone_escrow.cli.attest.verdicts import verdict_words
    from milestone_escrow.documents.files.collected_batch import load_batch

    collected = load_batch(file, finder(session), session.wallets)
    bound = collected.batch.items[0][0]
    name, account = _account(bound, who)

    def put(session: Session, signatures: Sequence[bytes]) -> Path:
        write(file, collected.add(account, signatures[0], session.wallets).dumps())
        return file

    says = tuple(f"'{item.planned.key}': {verdict_words(item)}" for item in collected.items)
    return Letter(file, file, name, str(file), says, bound, account, (collected.typed_data,), put)


def _acts(session: Session, file: Path, who: str) -> Letter:
    from milestone_escrow.cli.shell.desk import desk_of

    agreement = agreement_of(session, file)
    bound = agreement.bound
    acts = load_acts(file, bound, session.wallets)
    name, account = _account(bound, who)
    standings = desk_of(session, agreement).standings()

    def put(session: Session, signatures: Sequence[bytes]) -> Path:
        pairs = zip(acts, signatures, strict=True)
        write(file, dumps_acts([act.add(account, one, session.wallets) for act, one in pairs]))
        return file

    says = tuple(line for act in acts for line in _meaning(standings[act.act.milestone], act))
    data = tuple(act.typed_data for act in acts)
    return Letter(file, file, name, str(file), says, bound, account, data, put)


def _meaning(standing: Standing, signed: SignedAct) -> Sequence[str]:
    from milestone_escrow.protocol.receivables import Offer
    from milestone_escrow.words.effects import effect

    if isinstance(signed.act, Offer):
        to = signed.act.financier
        buyer = "whoever buys it" if to == ZERO_ADDRESS else person(signed.bound, to)
        price = signed.bound.agreement.amount(signed.act.price)
        return (f"'{standing.key}': sells what it pays to {buyer}, for {price}",)
    return effect(standing, signed.act, signed.words)


def _change(session: Session, file: Path, who: str) -> Letter:
    change = SignedChange.load(file, session.wallets)
    bound = change.old.bound
    name, account = _account(bound, who)

    def put(session: Session, signatures: Sequence[bytes]) -> Path:
        whole = change.add(account, signatures[0], session.wallets)
        write(file, whole.dumps())
        session.shelf.put(change.old)
        session.shelf.put_change(whole)
        return file

    says = (f"changes {change.old.agreement.reference}; `escrow amend {file} --dry-run` shows how",)
    return Letter(file, file, name, str(file), says, bound, account, (change.typed_data,), put)


def _payment(session: Session, file: Path, who: str) -> Letter:
    from milestone_escrow.cli.shell.desk import desk_of

    agreement = agreement_of(session, file)
    payment = load_payment(file, agreement.bound)
    given, bound = payment.signed.authorization, agreement.bound
    name, account = _account(bound, who)
    if account != given.payer:
        raise UsageError(f"{person(bound, account)} does not pay by {file}")
    escrow = desk_of(session, agreement).escrow
    data = given.typed_data(escrow.token_domain(bound.token.address, "authorization"))

    def put(session: Session, signatures: Sequence[bytes]) -> Path:
        kept = settled(account, data.digest(), signatures[0])
        whole = replace(payment, signed=SignedAuthorization(given, kept))
        # Only the token knows whose signature it takes.
        escrow.prepare_for(account).fund_authorized(bound, payment.milestones, whole.signed)
        write(file, whole.dumps())
        return file

    price, keys = (
        bound.agreement.amount(given.value),
        listed([f"'{k}'" for k in payment.milestones]),
    )
    says = (f"pays {price} into the contract for {keys}, whoever sends it",)
    return Letter(file, file, name, str(file), says, bound, account, (data,), put)


def _role(bound: BoundAgreement, who: str) -> tuple[str, Address]:
    """A role by its name or its account; an agreement is signed by roles."""
    people = bound.agreement.people
    roles = [role for role, account in people.items() if who.lower() in (role, account.lower())]
    if not roles:
        raise UsageError(
            f"'{who}' has no role in {bound.agreement.reference}",
            hint=f"roles: {', '.join(people)}",
        )
    return roles[0], people[roles[0]]


def _account(bound: BoundAgreement, who: str) -> tuple[str, Address]:
    """An account by itself, which may hold no role (a financier's), or by its role."""
    if who.lower().startswith("0x"):
        account = read_account(who)
        return next(iter(bound.agreement.roles(account)), account), account
    return _role(bound, who)
